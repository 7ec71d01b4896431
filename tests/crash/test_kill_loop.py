"""Hundreds of kills of the real runner: no acknowledged alert is lost, no order is doubled."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import figures

KILLS = int(os.environ.get("RUNNER_KILLS", "150"))
SECONDS = float(os.environ.get("RUNNER_KILL_SECONDS", "40"))
REPOSITORY = Path(__file__).resolve().parents[2]


def test_no_kill_doubles_or_loses_an_order(
    request: pytest.FixtureRequest, base_seed: int, tmp_path: Path
) -> None:
    """At points of an alert's way and from outside, start after start on the same journal."""
    numbers = {"kills": KILLS, "worlds": 6, "seed": base_seed, "seconds": SECONDS}
    words = [word for name, value in numbers.items() for word in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "tests.crash.kill_loop", *words, "--folder", str(tmp_path)]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert not found["wrong"], f"seed {base_seed}: {found}"
    assert not found["errors"], found["errors"]
    assert found["kills"] > 0
    told = {name: found[name] for name in ("kills", "at a point", "alerts", "orders")}
    figures.report(request, "real kills", told)
