"""Decisions as statements: compiled once, run in one order, checked where they compare and set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import Any, Final, TypeVar

from sqlalchemy import (
    Connection,
    Dialect,
    String,
    Table,
    bindparam,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.expression import Executable

from runner.core.decision import Decision, LegChange
from runner.errors import CommitFailed
from runner.journal import tables
from runner.journal.rows import (
    Row,
    alert_row,
    attempt_row,
    dead_man_row,
    fill_row,
    leg_row,
    memory_row,
    outcome_row,
    record_row,
    run_change_row,
    run_row,
)
from runner.journal.schema import LEADER

K = TypeVar("K")
V = TypeVar("V")

_UPSERT: Final[dict[str, Callable[[Table], Any]]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}
_LEADER: Final = literal_column(f"'{LEADER}'", String)
_FIXED: Final = {"seq", "client_order_id", "run_id", "name", "symbol", "planned_at"}
_LEG_COLUMNS: Final = [column.name for column in tables.legs.c if column.name not in _FIXED]
_RUN_COLUMNS: Final = ["status", "step", "watching", "reason"]
_OUTCOME_COLUMNS: Final = ["outcome", "code", "message", "answered_at"]


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


class Writer:
    """Writes decisions on one connection, inside the transaction that the journal holds open."""

    def __init__(self, connection: Connection) -> None:
        # the driver's own cursor: Connection.exec_driver_sql adds 10 µs to each statement
        self._cursor = connection.connection.cursor()
        dialect = connection.dialect
        upsert = _UPSERT[dialect.name]

        def inserting(table: Table) -> Prepared:
            return prepare(insert(table).inline(), dialect, _written(table))

        def ignoring(table: Table) -> Prepared:
            return prepare(upsert(table).on_conflict_do_nothing(), dialect, _written(table))

        def replacing(table: Table) -> Prepared:
            keys = [column.name for column in table.primary_key]
            statement = upsert(table)
            values = {n: statement.excluded[n] for n in _written(table) if n not in keys}
            statement = statement.on_conflict_do_update(index_elements=keys, set_=values)
            return prepare(statement, dialect, _written(table))

        self._rule_text = ignoring(tables.rule_texts)
        self._run = inserting(tables.runs)
        self._run_change = prepare(_run_change(), dialect, _RUN_COLUMNS)
        self._leg = inserting(tables.legs)
        self._leg_change = prepare(_leg_change(), dialect, _LEG_COLUMNS)
        self._attempt = prepare(
            insert(tables.attempts).inline(),
            dialect,
            [name for name in _written(tables.attempts) if name not in _OUTCOME_COLUMNS],
        )
        self._outcome = prepare(_outcome(), dialect, _OUTCOME_COLUMNS)
        self._fill = ignoring(tables.fills)
        self._memory = replacing(tables.memories)
        self._dead_man = replacing(tables.dead_men)
        self._alert = inserting(tables.alerts)
        self._record = inserting(tables.records)
        self._renewal = prepare(_renewal(), dialect, ["alive_at"])
        self._check = prepare(_check(), dialect)

    def hold_lease(self, epoch: int, alive_at: int | None) -> None:
        """Renew the lease (or only look, for None). Raises CommitFailed when it is another's."""
        row = {"the_epoch": epoch, "alive_at": alive_at}
        if alive_at is None:
            found = self.find(self._check, row) is not None
        else:
            found = self._many(self._renewal, [row]) == 1
        if not found:
            raise CommitFailed(
                "another runner has taken this journal over: this one must stop; see that only "
                "one is started"
            )

    def write(self, decisions: Sequence[Decision]) -> None:
        """Write them all, in the order in which rows depend on each other.

        Raises CommitFailed when a leg is not in the state it was decided on, or a run or
        attempt that shall change is missing; the database's own errors go through.
        """
        changes = [change for decision in decisions for change in decision.legs.values()]
        texts = _folded(decision.rule_texts for decision in decisions)
        memories = _folded(decision.memories for decision in decisions)
        dead_men = _folded(decision.dead_men for decision in decisions)

        self._many(self._rule_text, [{"hash": key, "text": text} for key, text in texts.items()])
        self._many(self._run, [run_row(run) for d in decisions for run in d.new_runs])
        self._many(self._leg, [leg_row(c.after) for c in changes if c.before is None])
        self._many(self._attempt, [attempt_row(a) for d in decisions for a in d.attempts])
        self._change_legs([change for change in changes if change.before is not None])
        self._change_runs(decisions)
        self._change_outcomes(decisions)
        self._many(self._fill, [fill_row(fill) for d in decisions for fill in d.fills])
        self._many(self._memory, [memory_row(key, value) for key, value in memories.items()])
        self._many(self._dead_man, [dead_man_row(state) for state in dead_men.values()])
        self._many(self._alert, [alert_row(alert) for d in decisions for alert in d.alerts])
        self._many(self._record, [record_row(record) for d in decisions for record in d.records])

    def _change_legs(self, changes: Sequence[LegChange]) -> None:
        rows = [_change_row(change) for change in changes]
        if self._many(self._leg_change, rows) != len(rows):
            listed = ", ".join(
                f"{row['the_id']} ({row['old_state']}, attempt {row['old_attempt']})"
                for row in rows
            )
            raise CommitFailed(
                f"the journal does not have an order as it was decided on, among {listed}: "
                "this runner must stop; start it again to go on from what is written"
            )

    def _change_runs(self, decisions: Sequence[Decision]) -> None:
        rows = [
            {"the_id": run.run_id, **run_change_row(run)}
            for decision in decisions
            for run in decision.runs.values()
        ]
        self._all_found(self._run_change, rows, "runs")

    def _change_outcomes(self, decisions: Sequence[Decision]) -> None:
        rows = [
            {**row, "the_id": row["client_order_id"], "the_attempt": row["attempt"]}
            for decision in decisions
            for row in map(outcome_row, decision.outcomes)
        ]
        self._all_found(self._outcome, rows, "attempts")

    def _all_found(self, prepared: Prepared, rows: Sequence[Row], what: str) -> None:
        if self._many(prepared, rows) != len(rows):
            listed = ", ".join(row["the_id"] for row in rows)
            raise CommitFailed(
                f"the journal has no {what} for all of {listed}: this runner must stop; start it "
                "again to go on from what is written"
            )

    def run(self, text: str) -> None:
        """Begin or end a transaction."""
        self._cursor.execute(text)

    def find(self, prepared: Prepared, row: Row) -> Any:
        """The first row that a prepared query finds, as a tuple; None without one."""
        self._cursor.execute(prepared.text, prepared.arrange(row))
        found = self._cursor.fetchall()
        return found[0] if found else None

    def _many(self, prepared: Prepared, rows: Sequence[Row]) -> int:
        """Run one statement for every row; returns how many rows of the table it touched."""
        if not rows:
            return 0
        if len(rows) == 1:
            self._cursor.execute(prepared.text, prepared.arrange(rows[0]))
        else:
            self._cursor.executemany(prepared.text, [prepared.arrange(row) for row in rows])
        return self._cursor.rowcount


def _folded(mappings: Iterable[dict[K, V]]) -> dict[K, V]:
    """The last word on each key."""
    return dict(chain.from_iterable(mapping.items() for mapping in mappings))


def _written(table: Table) -> list[str]:
    return [column.name for column in table.c if column.name != "seq"]


def _change_row(change: LegChange) -> Row:
    before = change.before
    assert before is not None
    row = leg_row(change.after)
    row["the_id"] = before.client_order_id
    row["old_state"] = before.state.value
    row["old_attempt"] = before.attempt
    return row


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


def _renewal() -> Executable:
    table = tables.lease
    return update(table).where(table.c.name == _LEADER, table.c.epoch == bindparam("the_epoch"))


def _check() -> Executable:
    table = tables.lease
    held = select(table.c.epoch).where(
        table.c.name == _LEADER, table.c.epoch == bindparam("the_epoch")
    )
    # PostgreSQL: nobody takes over while this transaction is open; SQLite has one writer anyway
    return held.with_for_update(read=True)
