"""The table of goals, printed: Markdown that reads well in a terminal."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.goals import GOALS, Goal, Measured, Sample, met, ratios, wanted

HEAD = ("what", "ours p50 / p99", "beside", "its p50 / p99", "ratio", "goal", "met")


def lines(found: Mapping[str, Measured]) -> list[str]:
    """The rows that were measured, in the table's order."""
    rows = [HEAD, *(_row(goal, found[goal.key]) for goal in GOALS if goal.key in found)]
    return grid(rows)


def grid(rows: Sequence[Sequence[str]]) -> list[str]:
    """Cells in columns as wide as they need; the first row is the head."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    ruler = ["-" * width for width in widths]
    shown = []
    for row in (rows[0], ruler, *rows[1:]):
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        shown.append(f"| {' | '.join(cells)} |")
    return shown


def _row(goal: Goal, found: Measured) -> tuple[str, ...]:
    half, tail = ratios(found)
    ratio = "" if half is None else f"{half:.2f}" + ("" if tail is None else f" / {tail:.2f}")
    beside = goal.beside if found.beside is not None else ""
    if found.remark:
        beside = f"{beside}: {found.remark}" if beside else found.remark
    verdict = "yes" if met(goal, found) else "NO"
    return (
        goal.what,
        _figures(found.ours, goal.unit),
        beside,
        "" if found.beside is None else _figures(found.beside, goal.unit),
        ratio,
        wanted(goal),
        verdict,
    )


def _figures(one: Sample, unit: str) -> str:
    text = figure(one.p50) if one.p99 is None else f"{figure(one.p50)} / {figure(one.p99)}"
    return f"{text} {unit}".rstrip()


def figure(value: float) -> str:
    """Three digits that mean something."""
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def circumstances() -> str:
    """When, on what machine and under what load by others this is measured."""
    now = datetime.now(UTC)
    model = next(_models(), "an unknown processor")
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    return f"{now:%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores of {model}, load before: {load}"


def _models() -> Iterator[str]:
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            yield line.partition(": ")[2]
