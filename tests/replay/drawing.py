"""Made-up candles, rules and what a replay makes of them, for the tests of replays."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tests.cli.calling import call

START = 1_738_368_000_000
"""2025-02-01 00:00 UTC, a funding time."""

MINUTE = 60_000
Bar = Sequence[float | str]


def drawn(
    path: Path,
    bars: Iterable[Bar],
    start: int = START,
    span: int = MINUTE,
    skip: Iterable[int] = (),
) -> Path:
    """A file of candles: (open, high, low, close) each; those numbered in `skip` are missing."""
    missing = set(skip)
    lines = ["t,open,high,low,close,volume"]
    for number, bar in enumerate(bars):
        if number not in missing:
            lines.append(f"{start + number * span},{','.join(str(value) for value in bar)},10")
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def flat(price: float, count: int) -> list[Bar]:
    """Candles in which nothing moves."""
    return [(price,) * 4] * count


def ruled(path: Path, text: str) -> Path:
    """A rule file."""
    path.write_text(f"version: 1\nrules:\n{text}", "utf-8")
    return path


def replayed(rules: Path, *words: object) -> Any:
    """The JSON document of a replay; it must have gone well."""
    result = call("replay", rules, *words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)
