"""What verbs print: one JSON document, or a table that fits a terminal or a pipe."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import click

from runner.core.figures import figure
from runner.core.figures import span as span  # noqa: PLC0414 - one way to say a length

Row = Sequence[object]
NOTHING = "-"


KEPT: Final = "runner.documents"


@contextmanager
def kept() -> Iterator[list[Any]]:
    """Documents are not printed meanwhile, but kept: for an answer that is made of several."""
    meta, documents = click.get_current_context().meta, list[Any]()
    meta[KEPT] = documents
    try:
        yield documents
    finally:
        del meta[KEPT]


def document(value: Any) -> None:
    """Print one JSON document on stdout; exact decimals are text."""
    ctx = click.get_current_context(silent=True)
    if ctx is not None and KEPT in ctx.meta:
        ctx.meta[KEPT].append(value)
        return
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


def percent(share: str) -> str:
    """A share as people read it: 0.0123 is 1.23 %."""
    return f"{figure((Decimal(share) * 100).quantize(Decimal('0.01')))} %"


def count(number: int, noun: str) -> str:
    """1 rule, 2 rules."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def told(record: Mapping[str, Any]) -> str:
    """A record's text, with its reason unless the text says it already."""
    text, reason = str(record["text"]), str(record["reason"])
    return text if not reason or reason in text else f"{text} [{reason}]"


def table(headings: Sequence[str], rows: Sequence[Row], empty: str) -> None:
    """Print rows: aligned lines in a pipe; on a terminal coloured, without empty columns."""
    if not rows:
        note(empty)
        return
    lines = [[*headings], *([_cell(value) for value in row] for row in rows)]
    if sys.stdout.isatty():
        told = [any(cells[n] != NOTHING for cells in lines[1:]) for n in range(len(headings))]
        lines = [[text for text, any_ in zip(cells, told, strict=True) if any_] for cells in lines]
    widths = [max(len(cells[n]) for cells in lines) for n in range(len(lines[0]))]
    if sys.stdout.isatty() and sum(widths) + 2 * len(widths) <= shutil.get_terminal_size().columns:
        _framed(lines)
        return
    # what does not fit is wrapped by the terminal, line by line: it can still be copied
    for each in lines:
        cells = (text.ljust(width) for text, width in zip(each, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def _framed(lines: Sequence[Sequence[str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(*lines[0], box=box.SIMPLE_HEAD, pad_edge=False)
    for cells in lines[1:]:
        shown.add_row(*(Text(text, _STYLES.get(text, "")) for text in cells))
    Console().print(shown)


def _cell(value: object) -> str:
    if value is None or value == "":
        return NOTHING
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
