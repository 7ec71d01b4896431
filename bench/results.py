"""Where figures go that a run found: bench/results/, which git ignores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def record(name: str, figures: Any) -> Path:
    """Keep figures as NAME.json, for plots and for a later look."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(figures, indent=1))
    return path


def recorded(name: str) -> Any:
    """What was kept under this name; None when nothing was."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None
