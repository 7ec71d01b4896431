"""Questions to the journal's tables that take more than one statement."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, select

from runner.core.decision import Leg
from runner.journal import rows, tables

ORPHAN: Final = "orphan"
"""The reason of a record about an order that only the exchange knew of."""

_MANY: Final = 500

Ask = Callable[[Select[Any]], list[rows.Row]]
"""Runs one statement."""


def planned_since(ask: Ask, since: int) -> list[Leg]:
    """Every leg that was planned after then (ms), newest first, page by page."""
    table = tables.legs
    newest = select(table).order_by(table.c.seq.desc()).limit(_MANY)
    page = ask(newest)
    found: list[Leg] = []
    while page:
        young = [row for row in page if row["planned_at"] > since]
        found += [rows.leg_of(row) for row in young]
        page = ask(newest.where(table.c.seq < page[-1]["seq"])) if young else []
    return found


def newest_signed(ask: Ask) -> int | None:
    """When the newest order that was signed at all was signed (the exchange's time, ms)."""
    table = tables.legs
    newest = select(table.c.signed_time).where(table.c.signed_time.is_not(None))
    found = ask(newest.order_by(table.c.seq.desc()).limit(1))
    return int(found[0]["signed_time"]) if found else None


def known_ids(ask: Ask, client_order_ids: Iterable[str]) -> set[str]:
    """Those that the journal knows to be sent, and orphans that it was told of."""
    wanted = list(client_order_ids)
    records = tables.records
    known: set[str] = set()
    for start in range(0, len(wanted), _MANY):
        some = wanted[start : start + _MANY]
        column = tables.legs.c.client_order_id
        legs = select(column).where(column.in_(some), ~tables.NOT_SENT)
        told = select(records.c.client_order_id).where(
            records.c.reason == ORPHAN, records.c.client_order_id.in_(some)
        )
        known |= {row["client_order_id"] for row in ask(legs)}
        if known < set(some):
            known |= {row["client_order_id"] for row in ask(told)}
    return known


def among(
    ask: Ask, statement: Select[Any], column: ColumnElement[str], keys: Iterable[str]
) -> list[rows.Row]:
    """The rows whose column is one of these keys, in the order of their `seq`."""
    wanted = list(keys)
    found: list[rows.Row] = []
    for start in range(0, len(wanted), _MANY):
        found += ask(statement.where(column.in_(wanted[start : start + _MANY])))
    return sorted(found, key=itemgetter("seq"))
