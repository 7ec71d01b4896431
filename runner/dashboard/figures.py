"""How pages write times, lengths of time and amounts."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from runner.core.figures import figure, span


def instant(at: int | None) -> str:
    """UTC ms as people read it: 2026-11-20 08:00:00; a dash for none."""
    return "-" if at is None else f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M:%S}"


def machine(at: int) -> str:
    """UTC ms as the `datetime` attribute has it."""
    moment = datetime.fromtimestamp(at / 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{at % 1000:03d}Z"


def ago(at: int | None, now: int) -> str:
    """How long ago: 12 s ago; `never` for none."""
    return "never" if at is None else f"{span(max(now - at, 0))} ago"


def amount(text: str | None) -> str:
    """An amount of the journal without zeros that say nothing; a dash for none."""
    return "-" if text is None else figure(Decimal(text))


def money(text: str | None) -> str:
    """An amount of the margin asset to the hundredth, for reading only; a dash for none."""
    return "-" if text is None else f"{Decimal(text):.2f}"


def from_form(text: str) -> int | None:
    """A date or a date and time of a form (UTC) in ms, None when it is none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)
