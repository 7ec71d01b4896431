"""The inbox: what another process wants the leader to do, left where both can reach it.

With PostgreSQL it is a table. With SQLite it is a folder beside the journal, `<journal>.inbox`,
with one file an item: two processes that write one SQLite file would give up the rule of one
writing connection, and a port or a secret more would be a door more. Who may write in the folder
may write the journal itself.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, select

from runner.core.decision import Received
from runner.durably import sync_folder
from runner.errors import JournalError
from runner.journal import tables
from runner.journal.canonical import decode, encode
from runner.journal.rows import received_of, received_row

AT_ONCE = 100
"""How many items are taken in one turn at most."""


class FolderInbox:
    """Files, each written whole or not at all."""

    def __init__(self, journal: Path, connection: Connection | None = None) -> None:
        """`connection` is the leader's; those who only put need none."""
        self._folder = journal.with_name(journal.name + ".inbox")
        self._connection = connection

    def put(self, item: Received) -> None:
        """Leave it, durably. Raises JournalError where this user may not write."""
        row = received_row(item)
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            unfinished = self._folder / f".{item.key}"
            descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(encode(row))
                file.flush()
                os.fsync(file.fileno())
            unfinished.rename(self._folder / item.key)
            sync_folder(self._folder)
        except OSError as error:
            raise JournalError(
                f"cannot leave anything in {self._folder}: {error.strerror}; be the runner's "
                "user, or name its folder with --dir"
            ) from error

    def waiting(self) -> list[Received]:
        """What was left and not taken, oldest first; what nobody can read is put aside."""
        if not self._folder.is_dir():
            return []
        names = [path for path in self._folder.iterdir() if not path.name.startswith(".")]
        items = [item for path in names[:AT_ONCE] if (item := self._read(path)) is not None]
        taken = self._taken([item.key for item in items])
        self.clear(sorted(taken))
        fresh = [item for item in items if item.key not in taken]
        return sorted(fresh, key=lambda item: (item.received_at, item.key))

    def _read(self, path: Path) -> Received | None:
        try:
            item = received_of(decode(path.read_text()))
        except (OSError, ValueError, KeyError, TypeError):
            path.rename(path.with_name(f".{path.name}.unreadable"))
            return None
        return item if item.key == path.name else None

    def _taken(self, keys: list[str]) -> set[str]:
        if not keys or self._connection is None:
            return set()
        table = tables.inbox
        statement = select(table.c.key).where(table.c.key.in_(keys), table.c.taken_at.is_not(None))
        return set(self._connection.execute(statement).scalars())

    def clear(self, keys: list[str]) -> None:
        """These were taken, and that is committed."""
        for key in keys:
            (self._folder / key).unlink(missing_ok=True)


class TableInbox:
    """Rows of the table `inbox`, on a connection in autocommit mode."""

    def __init__(self, connection: Connection) -> None:
        """The leader's connection, or one of another process that only puts."""
        self._connection = connection

    def put(self, item: Received) -> None:
        """Leave it: when this returns it is committed."""
        self._connection.execute(insert(tables.inbox).values(**received_row(item)))

    def waiting(self) -> list[Received]:
        """What was left and not taken, the oldest event first."""
        table = tables.inbox
        statement = select(table).where(tables.WAITING).order_by(table.c.seq).limit(AT_ONCE)
        found = [received_of(dict(row)) for row in self._connection.execute(statement).mappings()]
        return sorted(found, key=_event_order)

    def clear(self, keys: list[str]) -> None:
        """Their rows say it already."""


def _event_order(item: Received) -> Any:
    return (item.received_at if item.event_time is None else item.event_time, item.received_at)
