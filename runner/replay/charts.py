"""Charts as inline SVG: a line with its range over time, and marks; drawn by classes alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from html import escape

from runner.core.figures import figure
from runner.replay.tally import Column, Line, Tally

WIDTH, HEIGHT = 960, 260
LEFT, RIGHT, TOP, BOTTOM = 76, 12, 12, 26
TICKS = 4


@dataclass(frozen=True, slots=True)
class Mark:
    """A point that is shown: its column, its value, which class draws it, and its words."""

    place: int
    value: Decimal
    kind: str
    words: str


@dataclass(frozen=True, slots=True)
class _Scale:
    low: Decimal
    high: Decimal
    columns: int

    def x(self, place: int) -> str:
        return f"{LEFT + (place + 0.5) / self.columns * (WIDTH - LEFT - RIGHT):.1f}"

    def y(self, value: Decimal) -> str:
        part = float((self.high - value) / (self.high - self.low))
        return f"{TOP + part * (HEIGHT - TOP - BOTTOM):.1f}"


def chart(name: str, words: str, line: Line, tally: Tally, marks: Sequence[Mark]) -> str:
    """One chart; `name` names it in the page, `words` say it to who cannot see it."""
    columns = sorted(line.columns.items())
    if not columns:
        return ""
    values = [column.low for _, column in columns] + [mark.value for mark in marks]
    tops = [column.high for _, column in columns] + [mark.value for mark in marks]
    low, high = min(values), max(tops)
    margin = (high - low) / 20 or abs(high) / 100 or Decimal(1)
    scale = _Scale(low - margin, high + margin, tally.columns)
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="{name}">',
        f'<title id="{name}">{escape(words)}</title>',
        *_grid(scale),
        *_times(tally.start, tally.stop),
        *_runs(columns, scale),
        *(_mark(mark, scale) for mark in marks),
        "</svg>",
    ]
    return "\n".join(parts)


def _grid(scale: _Scale) -> list[str]:
    found = []
    for number in range(TICKS + 1):
        value = scale.low + (scale.high - scale.low) * number / TICKS
        y = scale.y(value)
        found.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
        place = f'x="{LEFT - 6}" y="{y}" dy="4" text-anchor="end"'
        found.append(f'<text class="tick" {place}>{short(value)}</text>')
    return found


def short(value: Decimal) -> str:
    """A value with about five digits."""
    digits = max(0, 4 - value.adjusted()) if value else 0
    return figure(round(value, min(digits, 8)))


def _times(start: int, stop: int) -> list[str]:
    found = []
    for number in range(TICKS + 1):
        at = start + (stop - start) * number // TICKS
        moment = datetime.fromtimestamp(at / 1000, UTC)
        words = f"{moment:%Y-%m-%d}" if stop - start > 2 * 86_400_000 else f"{moment:%d. %H:%M}"
        x = LEFT + (WIDTH - LEFT - RIGHT) * number / TICKS
        anchor = "start" if number == 0 else "end" if number == TICKS else "middle"
        y = HEIGHT - 8
        found.append(
            f'<text class="tick" x="{x:.1f}" y="{y}" text-anchor="{anchor}">{words}</text>'
        )
    return found


def _runs(columns: Sequence[tuple[int, Column]], scale: _Scale) -> list[str]:
    """The range and the line, broken where columns are missing."""
    found = []
    stretches: list[list[tuple[int, Column]]] = []
    for place, column in columns:
        if not stretches or place - stretches[-1][-1][0] > max(scale.columns // 45, 1):
            stretches.append([])
        stretches[-1].append((place, column))
    for stretch in stretches:
        top = [f"{scale.x(place)},{scale.y(column.high)}" for place, column in stretch]
        under = [f"{scale.x(place)},{scale.y(column.low)}" for place, column in reversed(stretch)]
        last = [f"{scale.x(place)},{scale.y(column.last)}" for place, column in stretch]
        found.append(f'<polygon class="range" points="{" ".join(top + under)}"/>')
        found.append(f'<polyline class="line" points="{" ".join(last)}"/>')
    return found


def _mark(mark: Mark, scale: _Scale) -> str:
    x, y = float(scale.x(mark.place)), float(scale.y(mark.value))
    size = 6 if mark.kind == "buy" else -6
    points = f"{x:.1f},{y:.1f} {x - 5:.1f},{y + size * 1.6:.1f} {x + 5:.1f},{y + size * 1.6:.1f}"
    words = escape(mark.words)
    return f'<polygon class="{mark.kind}" points="{points}"><title>{words}</title></polygon>'
