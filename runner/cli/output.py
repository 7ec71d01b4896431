"""What verbs print: one JSON document, or a table that fits a terminal or a pipe."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import click

Row = Sequence[object]


def document(value: Any) -> None:
    """Print one JSON document on stdout; exact decimals are text."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=_plain))


def one_line(value: Any) -> None:
    """Print one JSON document in one line, at once: for listings that go on."""
    click.echo(json.dumps(value, ensure_ascii=False, default=_plain))


def _plain(value: object) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def note(text: str) -> None:
    """Print a remark on stderr, so that stdout holds nothing but the answer."""
    click.echo(text, err=True)


def instant(at: int | None) -> str:
    """UTC ms as people read it: 2026-11-20 08:00:00.123; a dash for none."""
    if at is None:
        return "-"
    moment = datetime.fromtimestamp(at / 1000, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{at % 1000:03d}"


def ago(at: int | None, now: int) -> str:
    """How long ago: 12 s ago, 3 h ago; `never` for none."""
    if at is None:
        return "never"
    return f"{span(max(now - at, 0))} ago"


def span(ms: int) -> str:
    """A length of time in its largest fitting unit: 450 ms, 12 s, 3 min, 4.5 h, 2 d."""
    for size, unit in ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s")):
        if ms >= size:
            return f"{ms / size:.1f}".removesuffix(".0") + f" {unit}"
    return f"{ms} ms"


def table(headings: Sequence[str], rows: Sequence[Row], empty: str) -> None:
    """Print rows: framed and coloured on a terminal, aligned lines in a pipe."""
    if not rows:
        note(empty)
        return
    texts = [[_cell(value) for value in row] for row in rows]
    if sys.stdout.isatty():
        _framed(headings, texts)
        return
    lines = [[*headings], *texts]
    widths = [max(len(cells[column]) for cells in lines) for column in range(len(headings))]
    for each in lines:
        cells = (text.ljust(width) for text, width in zip(each, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def _framed(headings: Sequence[str], texts: Sequence[Sequence[str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        shown.add_column(heading, overflow="fold")
    for row in texts:
        shown.add_row(*(Text(text, _STYLES.get(text, "")) for text in row))
    Console().print(shown)


def _cell(value: object) -> str:
    if value is None or value == "":
        return "-"
    text = str(value)
    return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)


_STYLES = {
    "FILLED": "green",
    "LIVE": "cyan",
    "PLANNED": "cyan",
    "SENDING": "yellow",
    "UNKNOWN": "bold yellow",
    "REJECTED": "red",
    "PARKED": "bold red",
    "LAPSED": "yellow",
    "fired": "green",
    "refused": "yellow",
    "error": "bold red",
    "running": "cyan",
    "done": "green",
    "stopped": "yellow",
}
