"""Decisions into rows: run in one order, checked where they compare and set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, TypeVar

from sqlalchemy import Connection

from runner.core.decision import Decision, Leg, LegChange
from runner.core.notice import Settled
from runner.errors import CommitFailed
from runner.journal.rows import (
    Row,
    alert_row,
    attempt_row,
    dead_man_row,
    fill_row,
    leg_row,
    memory_row,
    outcome_row,
    outgoing_row,
    received_row,
    record_row,
    run_change_row,
    run_row,
)
from runner.journal.statements import Prepared, compile_for

K = TypeVar("K")
V = TypeVar("V")

MOST_TEXTS = 10_000
"""Rule texts that are known to be written; with more, all are written again, which adds nothing."""


class Writer:
    """Writes decisions on one connection, inside the transaction that the journal holds open."""

    def __init__(self, connection: Connection) -> None:
        # the driver's own cursor: Connection.exec_driver_sql adds 10 µs to each statement
        self._cursor = connection.connection.cursor()
        self._do = compile_for(connection.dialect)
        self._texts: set[str] = set()

    def hold_lease(self, epoch: int, alive_at: int | None) -> None:
        """Renew the lease (or only look, for None). Raises CommitFailed when it is another's."""
        row = {"the_epoch": epoch, "alive_at": alive_at}
        if alive_at is None:
            found = self._find(self._do.lease, row) is not None
        else:
            found = self._many(self._do.renewal, [row]) == 1
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
        new, changed = _parted(decisions)
        texts = _folded(decision.rule_texts for decision in decisions)
        memories = _folded(decision.memories for decision in decisions)
        dead_men = _folded(decision.dead_men for decision in decisions)

        self._rule_texts(texts)
        self._many(self._do.run, [run_row(run) for d in decisions for run in d.new_runs])
        self._many(self._do.leg, [leg_row(leg) for leg in new])
        self._many(self._do.attempt, [attempt_row(a) for d in decisions for a in d.attempts])
        self._change_legs(changed)
        self._change_runs(decisions)
        self._change_outcomes(decisions)
        self._many(self._do.fill, [fill_row(fill) for d in decisions for fill in d.fills])
        self._many(self._do.memory, [memory_row(key, value) for key, value in memories.items()])
        self._many(self._do.dead_man, [dead_man_row(state) for state in dead_men.values()])
        self._many(self._do.alert, [alert_row(alert) for d in decisions for alert in d.alerts])
        self._many(self._do.record, [record_row(record) for d in decisions for record in d.records])
        self._many(self._do.outgoing, [outgoing_row(each) for d in decisions for each in d.outbox])
        self._many(self._do.settled, [_settled_row(each) for d in decisions for each in d.settled])

    def _rule_texts(self, texts: Mapping[str, str]) -> None:
        """Each text once in the life of a process, and again after a commit that was undone."""
        new = {key: text for key, text in texts.items() if key not in self._texts}
        self._many(self._do.rule_text, [{"hash": key, "text": text} for key, text in new.items()])
        if new and len(self._texts) > MOST_TEXTS:
            self._texts.clear()
        self._texts.update(new)

    def undone(self) -> None:
        """A transaction was rolled back: what it would have written is not there."""
        self._texts.clear()

    def take(self, decisions: Sequence[Decision], now: int) -> None:
        """Note what was taken out of the inbox. Raises CommitFailed for what was taken before."""
        rows = [received_row(item) | {"taken_at": now} for d in decisions for item in d.taken]
        for row in rows:
            if self._many(self._do.taken, [row]) != 1:
                raise CommitFailed(
                    f"{row['kind']} {row['key']} was taken out of the inbox before: this runner "
                    "must stop; start it again to go on from what is written"
                )

    def _change_legs(self, changes: Sequence[LegChange]) -> None:
        rows = [_change_row(change) for change in changes]
        if self._many(self._do.leg_change, rows) != len(rows):
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
        self._all_found(self._do.run_change, rows, "runs")

    def _change_outcomes(self, decisions: Sequence[Decision]) -> None:
        rows = [
            {**row, "the_id": row["client_order_id"], "the_attempt": row["attempt"]}
            for decision in decisions
            for row in map(outcome_row, decision.outcomes)
        ]
        self._all_found(self._do.outcome, rows, "attempts")

    def _all_found(self, prepared: Prepared, rows: Sequence[Row], what: str) -> None:
        if self._many(prepared, rows) != len(rows):
            listed = ", ".join(row["the_id"] for row in rows)
            raise CommitFailed(
                f"the journal has no {what} for all of {listed}: this runner must stop; start it "
                "again to go on from what is written"
            )

    def seen(self, rule_id: str, trigger: str, symbol: str, event_key: str) -> str | None:
        """The id of the run of this identity, if there is one."""
        row = {
            "the_rule_id": rule_id,
            "the_trigger": trigger,
            "the_symbol": symbol,
            "the_event_key": event_key,
        }
        found = self._find(self._do.seen, row)
        return None if found is None else str(found[0])

    def run(self, text: str) -> None:
        """Begin or end a transaction."""
        self._cursor.execute(text)

    def _find(self, prepared: Prepared, row: Row) -> Any:
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


def _parted(decisions: Iterable[Decision]) -> tuple[list[Leg], list[LegChange]]:
    """New legs as they are in the end, planned and signed in one commit, and changes of others."""
    new: dict[str, Leg] = {}
    changed: list[LegChange] = []
    for decision in decisions:
        for key, change in decision.legs.items():
            if change.before is None or new.get(key) is change.before:
                new[key] = change.after
            else:
                changed.append(change)
    return list(new.values()), changed


def _folded(mappings: Iterable[dict[K, V]]) -> dict[K, V]:
    """The last word on each key."""
    return dict(chain.from_iterable(mapping.items() for mapping in mappings))


def _settled_row(item: Settled) -> Row:
    return {
        "the_key": item.key,
        "the_target": item.target,
        "settled_at": item.at,
        "trouble": item.trouble,
    }


def _change_row(change: LegChange) -> Row:
    before = change.before
    assert before is not None
    row = leg_row(change.after)
    row["the_id"] = before.client_order_id
    row["old_state"] = before.state.value
    row["old_attempt"] = before.attempt
    return row
