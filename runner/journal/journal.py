"""The journal as the dispatcher uses it: one durable commit at a time, and what a start needs."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, select

from runner.core.decision import DeadManState, Decision, Leg, RuleMemory, Run
from runner.errors import CommitFailed, JournalError, JournalFull
from runner.journal import rows, schema, sqlite, tables
from runner.journal.locking import Lock, refuse_network_file_system
from runner.journal.writing import Writer

Failpoint = Callable[[str], None]
"""Called with before_commit and after_commit; tests stop the process there."""

ALIVE_EVERY: Final = 1_000
WAL_BYTES: Final = 4_200_000  # a little more than the 1000 pages between two checkpoints
ROOM_TO_BEGIN: Final = 32 * 1024 * 1024
ROOM_TO_FINISH: Final = 2 * 1024 * 1024
_MANY: Final = 500


class Journal:
    """Remembers decisions. One process leads on a journal, one thread commits to it."""

    def __init__(
        self,
        connection: Connection,
        path: Path,
        lock: Lock,
        meta: schema.Meta,
        lease: schema.Lease,
        now: Callable[[], int],
        on_commit: Failpoint | None,
    ) -> None:
        """Use `Journal.open`."""
        self.path: Final = path
        self.meta: Final = meta
        self.epoch: Final = lease.epoch
        self.last_alive: Final = lease.last_alive
        """When the runner before this one last wrote (ms); None for a new journal."""
        self._connection = connection
        self._lock = lock
        self._now = now
        self._on_commit = on_commit
        self._writer = Writer(connection)
        self._file = _identity(path)
        self._alive_at = now()
        self._owner: int | None = None
        self._failure: CommitFailed | None = None

    @classmethod
    def open(
        cls,
        url_or_path: str | Path,
        namespace: str,
        now: Callable[[], int],
        *,
        on_commit: Failpoint | None = None,
        wal_bytes: int = WAL_BYTES,
    ) -> Journal:
        """Open the journal for this process alone, and create it where there is none.

        `now` tells our time in ms. Raises JournalBusy when another runner uses it, JournalError
        when the folder is missing, read-only or on a network, when the file is no journal or
        damaged, or when it is of a newer runner or another namespace.
        """
        path = sqlite.path_of(url_or_path)
        _check_place(path)
        lock = Lock.acquire(path)
        try:
            return cls._open_locked(path, lock, namespace, now, on_commit, wal_bytes)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def _open_locked(
        cls,
        path: Path,
        lock: Lock,
        namespace: str,
        now: Callable[[], int],
        on_commit: Failpoint | None,
        wal_bytes: int,
    ) -> Journal:
        connection = sqlite.open_writer(path)
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            meta = schema.prepare(connection, path, namespace, now())
            lease = schema.take_lease(connection, now())
            connection.exec_driver_sql("COMMIT")
            _sync_folder(path.parent)
            sqlite.grow_wal(connection, path, wal_bytes)
            return cls(connection, path, lock, meta, lease, now, on_commit)
        except sqlite.ERRORS as error:
            connection.close()
            raise sqlite.explain(error, path) from error
        except BaseException:
            connection.close()
            raise

    def close(self) -> None:
        """Stop using the journal and let another runner have it; may be called twice."""
        self._connection.close()
        self._connection.engine.dispose()
        self._lock.release()

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
            self._check_room(decisions)
            self._transact(lambda: self._writer.write(decisions))

    def beat(self) -> None:
        """Note that the runner is alive, when nothing else was committed for a while.

        The same commit proves that it still leads. Raises as `commit`.
        """
        self._check_may_commit()
        if self._now() - self._alive_at >= ALIVE_EVERY:
            self._transact(lambda: None)

    def _transact(self, write: Callable[[], None]) -> None:
        now = self._now()
        renew = now - self._alive_at >= ALIVE_EVERY
        run = self._writer.run
        try:
            run("BEGIN IMMEDIATE")
            self._writer.hold_lease(self.epoch, now if renew else None)
            write()
            self._failpoint("before_commit")
        except CommitFailed as error:
            self._failure = error
            self._undo()
            raise
        except sqlite.ERRORS as error:
            self._undo()
            raise sqlite.explain(error, self.path) from error
        except (TypeError, ValueError, OverflowError) as error:
            self._undo()
            raise JournalError(f"a decision cannot be written to {self.path}: {error}") from error
        except BaseException:
            self._undo()
            raise
        try:
            run("COMMIT")
        except sqlite.ERRORS as error:
            raise self._failed(
                f"a commit to {self.path} did not end well ({error}), so it is not known "
                "whether it is durable; free space or mend the disk, then start again"
            ) from error
        self._alive_at = now if renew else self._alive_at
        self._failpoint("after_commit")

    def _undo(self) -> None:
        # on some errors, a full disk among them, SQLite has already ended the transaction
        if not sqlite.in_transaction(self._connection):
            return
        try:
            self._writer.run("ROLLBACK")
        except sqlite.ERRORS as error:
            raise self._failed(
                f"{self.path} could not undo an unfinished commit ({error}): start again"
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
        if _identity(self.path) != self._file:
            raise self._failed(
                f"{self.path} was moved, removed or replaced while the runner used it: put it "
                "back, or restore a backup, then start again"
            )
        if __debug__:
            thread = threading.get_ident()
            self._owner = self._owner or thread
            assert self._owner == thread, "only the dispatcher's thread commits to the journal"

    def _check_room(self, decisions: Sequence[Decision]) -> None:
        """Raise JournalFull while the disk still has room for the outcomes of what is under way.

        SQLite mostly meets a full disk inside COMMIT, where it is too late to go on.
        """
        begins = any(d.new_runs or d.attempts or d.alerts for d in decisions)
        needed = ROOM_TO_BEGIN if begins else ROOM_TO_FINISH
        disk = os.statvfs(self.path.parent)
        free = disk.f_bavail * disk.f_frsize
        if free < needed:
            raise JournalFull(
                f"only {free // 1024} KiB are left for {self.path}: free space on its disk"
            )

    def seen(self, rule_id: str, trigger: str, symbol: str, event_key: str) -> str | None:
        """The run that this event of this trigger already led to, if any."""
        return self._writer.seen(rule_id, trigger, symbol, event_key)

    def open_runs(self) -> list[Run]:
        """The runs whose `do` is still going on, oldest first."""
        statement = select(tables.runs).where(tables.RUNNING_RUN)
        return [rows.run_of(row) for row in self._rows(statement.order_by(tables.runs.c.seq))]

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

    def open_legs(self) -> list[Leg]:
        """Every leg of which something may still come, oldest first; `runs` has their runs."""
        statement = select(tables.legs).where(tables.OPEN_LEG)
        ordered = statement.order_by(tables.legs.c.seq)
        return [rows.leg_of(row) for row in self._rows(ordered)]

    def memories(self) -> dict[tuple[str, str], RuleMemory]:
        """What is kept of each (rule id, symbol)."""
        return dict(rows.memory_of(row) for row in self._rows(select(tables.memories)))

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
        except sqlite.ERRORS as error:
            raise sqlite.explain(error, self.path) from error

    def _rows_among(
        self, statement: Select[Any], column: ColumnElement[str], keys: Iterable[str]
    ) -> list[rows.Row]:
        wanted = list(keys)
        found: list[rows.Row] = []
        for start in range(0, len(wanted), _MANY):
            found += self._rows(statement.where(column.in_(wanted[start : start + _MANY])))
        return sorted(found, key=itemgetter("seq"))


def _check_place(path: Path) -> None:
    if not path.parent.is_dir():
        raise JournalError(
            f"the folder {path.parent} does not exist: create it, or name another --dir"
        )
    if path.exists() and not path.is_file():
        raise JournalError(f"{path} is not a file: move it away, or name another --dir")
    if path.exists() and not sqlite.may(path, os.R_OK | os.W_OK):
        raise JournalError(f"{path} is read-only for this user: change its owner or mode")
    refuse_network_file_system(path.parent)


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file has this name; a file without one would take commits and lose them."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _sync_folder(folder: Path) -> None:
    # SQLite ignores an error here, and a journal whose name is lost is lost with it
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
