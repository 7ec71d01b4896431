"""What must hold between the rows of a sound journal."""

from __future__ import annotations

from sqlalchemy import Connection, Select, func, select

from runner.journal import tables

MOST_NAMED = 20


def problems(connection: Connection) -> list[str]:
    """A sentence for each order that is not as it must be; empty when all is well."""
    return [
        text.format(*row)
        for text, statement in _questions()
        for row in connection.execute(statement.limit(MOST_NAMED))
    ]


def _questions() -> list[tuple[str, Select[tuple[str]]]]:
    legs, attempts, runs = tables.legs, tables.attempts, tables.runs
    key = legs.c.client_order_id
    attempted = (
        select(func.count())
        .select_from(attempts)
        .where(attempts.c.client_order_id == key)
        .scalar_subquery()
    )
    running = select(runs.c.run_id).where(runs.c.run_id == legs.c.run_id)
    return [
        (
            "{0} counts attempts that are not written",
            select(key).where(legs.c.attempt != attempted),
        ),
        (
            "{0} is SENDING, but its signature is not written",
            select(key).where(legs.c.state == "SENDING", legs.c.signed_time.is_(None)),
        ),
        ("{0} belongs to no run", select(key).where(~running.exists())),
    ]
