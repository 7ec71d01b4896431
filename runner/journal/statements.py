"""The journal's write statements, compiled once to the text that a driver takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import (
    Dialect,
    String,
    Table,
    bindparam,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.sql.expression import Executable

from runner.journal import tables
from runner.journal.rows import Row
from runner.journal.tables import DATABASE_NOW, LEADER, LEASE_TTL

_LEADER: Final = literal_column(f"'{LEADER}'", String)
_FIXED: Final = {"seq", "client_order_id", "run_id", "name", "symbol", "planned_at"}
_LEG_COLUMNS: Final = [column.name for column in tables.legs.c if column.name not in _FIXED]
_RUN_COLUMNS: Final = ["status", "step", "watching", "reason"]
_OUTCOME_COLUMNS: Final = ["outcome", "code", "message", "answered_at"]
_SETTLED_COLUMNS: Final = ["settled_at", "trouble"]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A statement's text for one driver, and how a row becomes its parameters."""

    text: str
    arrange: Callable[[Row], Any]


def prepare(
    statement: Executable, dialect: Dialect, columns: Sequence[str] | None = None
) -> Prepared:
    """Compile a statement once; `columns` are those that an insert or update sets."""
    compiled: Any = statement.compile(  # type: ignore[attr-defined]  # Executable hides compile
        dialect=dialect, column_keys=columns
    )
    if not compiled.positional:
        return Prepared(str(compiled), lambda row: row)
    names = compiled.positiontup
    if len(names) == 1:
        (name,) = names
        return Prepared(str(compiled), lambda row: (row[name],))
    return Prepared(str(compiled), itemgetter(*names))


@dataclass(frozen=True, slots=True)
class Statements:
    """All that a commit may run, for one dialect."""

    rule_text: Prepared
    run: Prepared
    run_change: Prepared
    leg: Prepared
    leg_change: Prepared
    attempt: Prepared
    outcome: Prepared
    fill: Prepared
    memory: Prepared
    dead_man: Prepared
    alert: Prepared
    record: Prepared
    taken: Prepared
    outgoing: Prepared
    settled: Prepared
    renewal: Prepared
    lease: Prepared
    seen: Prepared


def _upsert(name: str) -> Callable[[Table], Any]:
    """Its own insert. The other one is not even loaded: that takes longer than to compile all."""
    match name:
        case "sqlite":
            from sqlalchemy.dialects import sqlite

            return sqlite.insert
        case "postgresql":
            from sqlalchemy.dialects import postgresql

            return postgresql.insert
    raise KeyError(name)


def compile_for(dialect: Dialect) -> Statements:
    """The statements for SQLite or PostgreSQL. Raises KeyError for another dialect."""
    upsert = _upsert(dialect.name)

    def inserting(table: Table, without: Sequence[str] = ()) -> Prepared:
        columns = [name for name in _written(table) if name not in without]
        return prepare(insert(table).inline(), dialect, columns)

    def ignoring(table: Table) -> Prepared:
        return prepare(upsert(table).on_conflict_do_nothing(), dialect, _written(table))

    def replacing(table: Table) -> Prepared:
        keys = [column.name for column in table.primary_key]
        statement = upsert(table)
        values = {name: statement.excluded[name] for name in _written(table) if name not in keys}
        statement = statement.on_conflict_do_update(index_elements=keys, set_=values)
        return prepare(statement, dialect, _written(table))

    return Statements(
        rule_text=ignoring(tables.rule_texts),
        run=inserting(tables.runs),
        run_change=prepare(_run_change(), dialect, _RUN_COLUMNS),
        leg=inserting(tables.legs),
        leg_change=prepare(_leg_change(), dialect, _LEG_COLUMNS),
        attempt=inserting(tables.attempts, without=_OUTCOME_COLUMNS),
        outcome=prepare(_outcome(), dialect, _OUTCOME_COLUMNS),
        fill=prepare(_fill(upsert), dialect),
        memory=replacing(tables.memories),
        dead_man=replacing(tables.dead_men),
        alert=inserting(tables.alerts),
        record=inserting(tables.records),
        taken=prepare(_taken(upsert), dialect, _written(tables.inbox)),
        outgoing=inserting(tables.outbox, without=_SETTLED_COLUMNS),
        settled=prepare(_settled(), dialect, _SETTLED_COLUMNS),
        renewal=prepare(_renewal(dialect), dialect, ["alive_at"]),
        lease=prepare(_lease(), dialect),
        seen=prepare(_seen(), dialect),
    )


def _written(table: Table) -> list[str]:
    return [column.name for column in table.c if column.name != "seq"]


def _leg_change() -> Executable:
    table = tables.legs
    return update(table).where(
        table.c.client_order_id == bindparam("the_id"),
        table.c.state == bindparam("old_state"),
        table.c.attempt == bindparam("old_attempt"),
    )


def _run_change() -> Executable:
    return update(tables.runs).where(tables.runs.c.run_id == bindparam("the_id"))


def _outcome() -> Executable:
    table = tables.attempts
    return update(table).where(
        table.c.client_order_id == bindparam("the_id"),
        table.c.attempt == bindparam("the_attempt"),
    )


def _settled() -> Executable:
    table = tables.outbox
    return update(table).where(
        table.c.key == bindparam("the_key"), table.c.target == bindparam("the_target")
    )


def _taken(upsert: Callable[[Table], Any]) -> Executable:
    """What was waiting is taken once; what never waited in the table is noted as taken."""
    table = tables.inbox
    statement = upsert(table).inline()
    noted: Executable = statement.on_conflict_do_update(
        index_elements=["key"],
        set_={"taken_at": statement.excluded.taken_at},
        where=tables.WAITING,
    )
    return noted


def _fill(upsert: Callable[[Table], Any]) -> Executable:
    """A fill once, and only of an order that the journal knows.

    A restored journal has forgotten orders that may still be filled: the exchange tells of them,
    and they belong to nothing here.
    """
    table, legs = tables.fills, tables.legs
    columns = _written(table)
    values = [bindparam(name, type_=table.c[name].type).label(name) for name in columns]
    known = select(legs.c.run_id).where(
        legs.c.client_order_id == bindparam("client_order_id", type_=String)
    )
    statement: Executable = (
        upsert(table)
        .from_select(columns, select(*values).where(known.exists()))
        .on_conflict_do_nothing()
    )
    return statement


def _renewal(dialect: Dialect) -> Executable:
    table = tables.lease
    statement = update(table).where(
        table.c.name == _LEADER, table.c.epoch == bindparam("the_epoch")
    )
    if dialect.name != "postgresql":
        return statement
    return statement.values(
        alive_at=bindparam("alive_at"), expires_at=DATABASE_NOW + literal_column(str(LEASE_TTL))
    )


def _lease() -> Executable:
    table = tables.lease
    held = select(table.c.epoch).where(
        table.c.name == _LEADER, table.c.epoch == bindparam("the_epoch")
    )
    # PostgreSQL: nobody takes over while this transaction is open; SQLite has one writer anyway
    return held.with_for_update(read=True)


def _seen() -> Executable:
    table = tables.runs
    return select(table.c.run_id).where(
        table.c.rule_id == bindparam("the_rule_id"),
        table.c.trigger == bindparam("the_trigger"),
        table.c.symbol == bindparam("the_symbol"),
        table.c.event_key == bindparam("the_event_key"),
    )
