"""What may be forgotten: the log and the alerts, never what keeps an event from firing twice."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Delete, Table, delete, func, not_, select

from runner.journal import tables

KEPT_KINDS = ("started", "stopped", "command")
"""Records that stay: they tell where the runner is found, and answer commands.

Those of commands that only looked go all the same.
"""

KEPT_REASONS = ("orphan", "parked", "critical")
"""Records that stay: what only the exchange knew of, and what a person had to look at."""


def statements(before: int, at_most: int) -> list[Delete]:
    """Delete at most so many rows of each table from before then (ms), the oldest first."""
    records, alerts, outbox = tables.records, tables.alerts, tables.outbox
    kept = records.c.kind.in_(KEPT_KINDS) & not_(tables.LOOKED)
    idle = not_(kept) & records.c.reason.not_in(KEPT_REASONS)
    return [
        _oldest(records, (records.c.at < before) & idle, at_most),
        _oldest(alerts, alerts.c.received_at < before, at_most),
        _oldest(outbox, outbox.c.settled_at < before, at_most),
    ]


def _oldest(table: Table, condition: ColumnElement[bool], at_most: int) -> Delete:
    # the newest row stays, so that no number is used again
    newest = select(func.max(table.c.seq)).scalar_subquery()
    chosen = select(table.c.seq).where(condition, table.c.seq < newest)
    return delete(table).where(table.c.seq.in_(chosen.order_by(table.c.seq).limit(at_most)))
