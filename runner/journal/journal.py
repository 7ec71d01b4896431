"""The journal as the dispatcher uses it: one durable commit at a time, and what a start needs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, select

from runner.core.decision import DeadManState, Decision, Leg, Received, RuleMemory, Run
from runner.core.notice import Outgoing
from runner.errors import CommitFailed, JournalError
from runner.journal import lookups, retention, rows, schema, tables
from runner.journal.database import Database
from runner.journal.opening import open_database
from runner.journal.room import RESERVE
from runner.journal.witness import Sighting, Witness, behind
from runner.journal.writing import Writer

log = logging.getLogger(__name__)

Failpoint = Callable[[str], None]
"""Called with before_commit and after_commit; tests stop the process there."""

ALIVE_EVERY: Final = 1_000
WAL_BYTES: Final = 4_200_000  # a little more than the 1000 pages between two checkpoints
PRUNED_AT_ONCE: Final = 2_000


class Journal:
    """Remembers decisions. One process leads on a journal, one thread commits to it."""

    def __init__(
        self,
        database: Database,
        meta: schema.Meta,
        lease: schema.Lease,
        now: Callable[[], int],
        on_commit: Failpoint | None,
        witness: Witness,
    ) -> None:
        """Use `Journal.open`."""
        self.name: Final = database.name
        """Its path, or its URL without the password."""
        self.lease_ttl: Final = database.lease_ttl
        """Ms within which the lead must be renewed, or None where a lock tells who leads."""
        self.meta = meta
        self.epoch: Final = lease.epoch
        self.last_alive: Final = lease.last_alive
        """When the runner before this one last wrote (ms); None for a new journal."""
        self._database = database
        self._connection = database.connection
        self._witness = witness
        self._now = now
        self._on_commit = on_commit
        self._writer = Writer(database.connection)
        self._open_for_writing = True
        self._alive_at = lease.last_alive or schema.NEVER
        self.renewals = 0
        """How often the lead was renewed: other threads watch it grow."""
        self._owner: int | None = None
        self._failure: CommitFailed | None = None

    @classmethod
    def open(
        cls,
        address: str | Path,
        namespace: str,
        now: Callable[[], int],
        *,
        on_commit: Failpoint | None = None,
        wal_bytes: int = WAL_BYTES,
        reserve: int = RESERVE,
        witness: Path | None = None,
        accept_restored: bool = False,
    ) -> Journal:
        """Open the journal for this process alone, and create it where there is none.

        `address` is a file or the URL of a PostgreSQL database; `now` tells our time in ms.
        Raises JournalBusy when another runner uses it, JournalRestored when it is behind its
        witness and that is not accepted, JournalError when it cannot be used, is damaged, of a
        newer runner or another namespace.
        """
        database = open_database(address, reserve)
        try:
            return cls._open(
                database, namespace, now, on_commit, wal_bytes, Witness(witness), accept_restored
            )
        except database.errors as error:
            database.close()
            raise database.explain(error) from error
        except BaseException:
            database.close()
            raise

    @classmethod
    def _open(
        cls,
        database: Database,
        namespace: str,
        now: Callable[[], int],
        on_commit: Failpoint | None,
        wal_bytes: int,
        witness: Witness,
        accept_restored: bool,
    ) -> Journal:
        connection = database.connection
        system = database.system()
        outdated = schema.outdated(connection, database.name)
        if outdated is not None:
            database.before_migration(outdated)
        connection.exec_driver_sql(database.begin)
        database.alone()
        if outdated is not None:
            # another process may have done it meanwhile
            outdated = schema.outdated(connection, database.name)
        if outdated is not None:
            schema.migrate(connection, outdated)
        meta = schema.prepare(connection, database.name, namespace, now())
        seen = witness.read()
        late = behind(database.name, schema.sighting(connection, meta, 0), seen)
        late = late or schema.moved(connection, database.name, system)
        if late is not None and not accept_restored:
            raise late
        floor = (seen.epoch if seen is not None else 0) if accept_restored else None
        lease = schema.take_lease(database, now(), floor)
        schema.note_system(connection, system)
        if accept_restored:
            meta = schema.note_restored(connection, meta)
        database.check_whole()
        connection.exec_driver_sql("COMMIT")
        database.opened(wal_bytes)
        journal = cls(database, meta, lease, now, on_commit, witness)
        witness.write(journal.sighting())
        return journal

    def close(self, *, killed: bool = False) -> None:
        """Stop using the journal and let another runner have it; may be called twice.

        `killed`: as by a kill, which leaves a lease to run out.
        """
        if self._failure is None and self._open_for_writing and not killed:
            self._open_for_writing = False
            self._give_lease_back()
        self._database.close()

    def _give_lease_back(self) -> None:
        """Where a lease has to run out first, a clean end lets the next one lead at once."""
        if self._database.lease_ttl is None:
            return
        try:
            schema.release_lease(self._database.connection, self.epoch)
        except self._database.errors as error:
            log.warning("the lead could not be given back: %s", self._database.explain(error))

    @property
    def path(self) -> Path:
        """The journal's file; nothing to ask of a journal on a server."""
        return Path(self.name)

    def own(self) -> None:
        """Make the calling thread the only one that may commit; else the first that commits."""
        self._owner = threading.get_ident()

    def commit(self, decisions: Sequence[Decision]) -> None:
        """Make all of the decisions durable at once, or none.

        When it returns they are on disk. Raises JournalFull or another JournalError when
        nothing was written, and CommitFailed when the process must stop: the outcome is
        unknown, a leg is not as it was decided on, or another runner leads.
        """
        decisions = [decision for decision in decisions if not decision.empty]
        if decisions:
            self._check_may_commit()
            self._database.room.check(any(d.attempts or d.alerts for d in decisions))
            self._transact(lambda: self._write(decisions))
            self._database.inbox.clear([item.key for d in decisions for item in d.taken])

    def _write(self, decisions: Sequence[Decision]) -> None:
        self._writer.write(decisions)
        self._writer.take(decisions, self._now())

    def date_restore(self, server_now: int) -> bool:
        """Count a restore that was accepted from this time on (the exchange's, ms); True if so.

        False where there was none, or it has its date. Raises as `commit`.
        """
        if self.meta.restored_at != schema.UNDATED:
            return False
        meta = self.meta

        def write() -> None:
            self.meta = schema.note_restored(self._connection, meta, server_now)

        self._transact(write)
        return True

    def beat(self) -> None:
        """Note that the runner is alive, when nothing else was committed for a while.

        The same commit proves that it still leads. Raises as `commit`.
        """
        if self._failure is not None or self._renewal_due(self._now()):
            self._check_may_commit()
            self._database.room.check(begins=False)
            self._transact(lambda: None)

    def _renewal_due(self, now: int) -> bool:
        # the distance: a clock that was set back must not silence the proof that we lead
        return abs(now - self._alive_at) >= ALIVE_EVERY

    def room_to_begin(self) -> bool:
        """True while the disk has room for anything new; else only outcomes may be recorded."""
        return self._database.room.to_begin()

    def waiting(self) -> list[Received]:
        """What other processes left in the inbox, the oldest event first."""
        try:
            return self._database.inbox.waiting()
        except self._database.errors as error:
            raise self._database.explain(error) from error

    def sighting(self) -> Sighting:
        """How far this journal has come."""
        return schema.sighting(self._connection, self.meta, self._now(), self.epoch)

    def _transact(self, write: Callable[[], None]) -> None:
        now = self._now()
        renew = self._renewal_due(now)
        run = self._writer.run
        try:
            run(self._database.begin)
            self._writer.hold_lease(self.epoch, now if renew else None)
            write()
            self._failpoint("before_commit")
        except CommitFailed as error:
            self._failure = error
            self._undo()
            raise
        except self._database.errors as error:
            self._undo()
            raise self._database.explain(error) from error
        except (TypeError, ValueError, OverflowError) as error:
            self._undo()
            raise JournalError(f"a decision cannot be written to {self.name}: {error}") from error
        except BaseException:
            self._undo()
            raise
        try:
            run("COMMIT")
        except self._database.errors as error:
            raise self._failed(
                f"a commit to {self.name} did not end well ({error}), so it is not known "
                "whether it is durable; free space or mend the disk, then start again"
            ) from error
        if renew:
            self._alive_at = now
            self.renewals += 1
        self._failpoint("after_commit")
        if renew and self._witness.due(now):
            self._witness.follow(self.sighting())

    def _undo(self) -> None:
        self._writer.undone()
        # on some errors, a full disk among them, SQLite has already ended the transaction
        if not self._database.in_transaction():
            return
        try:
            self._writer.run("ROLLBACK")
        except self._database.errors as error:
            raise self._failed(
                f"{self.name} could not undo an unfinished commit ({error}): start again"
            ) from error

    def _failed(self, text: str) -> CommitFailed:
        self._failure = CommitFailed(text)
        return self._failure

    def _failpoint(self, name: str) -> None:
        if self._on_commit is not None:
            self._on_commit(name)

    def _check_may_commit(self) -> None:
        if self._failure is not None:
            raise CommitFailed(f"nothing is committed any more, because: {self._failure}")
        missing = self._database.missing()
        if missing is not None:
            raise self._failed(missing)
        if __debug__:
            thread = threading.get_ident()
            self._owner = self._owner or thread
            assert self._owner == thread, "only the dispatcher's thread commits to the journal"

    def seen(self, rule_id: str, trigger: str, symbol: str, event_key: str) -> str | None:
        """The run that this event of this trigger already led to, if any."""
        return self._writer.seen(rule_id, trigger, symbol, event_key)

    def open_runs(self) -> list[Run]:
        """The runs whose `do` is still going on, oldest first."""
        statement = select(tables.runs).where(tables.RUNNING_RUN).order_by(tables.runs.c.seq)
        return [rows.run_of(row) for row in self._rows(statement)]

    def runs(self, run_ids: Iterable[str]) -> list[Run]:
        """These runs, oldest first, whatever became of them."""
        table = tables.runs
        found = self._rows_among(select(table), table.c.run_id, run_ids)
        return [rows.run_of(row) for row in found]

    def legs_of(self, run_ids: Iterable[str]) -> list[Leg]:
        """All legs of these runs, in the order in which they were planned."""
        table = tables.legs
        found = self._rows_among(select(table), table.c.run_id, run_ids)
        return [rows.leg_of(row) for row in found]

    def leg(self, client_order_id: str) -> Leg | None:
        """One leg, whatever became of it."""
        table = tables.legs
        found = self._rows(select(table).where(table.c.client_order_id == client_order_id))
        return rows.leg_of(found[0]) if found else None

    def prune(self, before: int, at_most: int = PRUNED_AT_ONCE) -> int:
        """Delete some records and alerts from before then (ms); how many were deleted.

        Runs, orders and fills stay: they keep an event from firing twice. So does what tells
        where the runner is found, and which orders only the exchange knew of.
        """
        self._check_may_commit()
        statements = retention.statements(before, at_most)
        deleted: list[int] = []

        def write() -> None:
            deleted.extend(self._connection.execute(each).rowcount for each in statements)

        self._transact(write)
        return sum(deleted)

    def open_legs(self) -> list[Leg]:
        """Every leg of which something may still come, oldest first; `runs` has their runs."""
        statement = select(tables.legs).where(tables.OPEN_LEG).order_by(tables.legs.c.seq)
        return [rows.leg_of(row) for row in self._rows(statement)]

    def planned_within(self, ms: int) -> list[Leg]:
        """Every leg that was planned in the last so many ms, whatever became of it, newest first.

        Looks back from the newest: a long journal costs no more than a short one.
        """
        return lookups.planned_since(self._rows, self._now() - ms)

    def newest_signed(self) -> int | None:
        """When the newest signed order was signed (the exchange's time, ms); None without one."""
        return lookups.newest_signed(self._rows)

    def known_ids(self, client_order_ids: Iterable[str]) -> set[str]:
        """Those that the journal knows to be sent, and orphans that it was told of."""
        return lookups.known_ids(self._rows, client_order_ids)

    def memories(self) -> dict[tuple[str, str], RuleMemory]:
        """What is kept of each (rule id, symbol)."""
        return dict(rows.memory_of(row) for row in self._rows(select(tables.memories)))

    def unsent(self) -> list[Outgoing]:
        """The notices that did not reach their targets yet, oldest first."""
        statement = select(tables.outbox).where(tables.UNSENT).order_by(tables.outbox.c.seq)
        return [rows.outgoing_of(row) for row in self._rows(statement)]

    def dead_men(self) -> dict[str, DeadManState]:
        """Each symbol's countdown, as last confirmed."""
        found = [rows.dead_man_of(row) for row in self._rows(select(tables.dead_men))]
        return {state.symbol: state for state in found}

    def rule_text(self, rule_hash: str) -> str | None:
        """A rule's text as it was when it had this hash."""
        table = tables.rule_texts
        statement = select(table.c.text).where(table.c.hash == rule_hash)
        found = self._connection.execute(statement).scalar()
        return None if found is None else str(found)

    def _rows(self, statement: Select[Any]) -> list[rows.Row]:
        try:
            return [dict(row) for row in self._connection.execute(statement).mappings()]
        except self._database.errors as error:
            raise self._database.explain(error) from error

    def _rows_among(
        self, statement: Select[Any], column: ColumnElement[str], keys: Iterable[str]
    ) -> list[rows.Row]:
        return lookups.among(self._rows, statement, column, keys)
