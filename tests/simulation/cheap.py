"""Makes lives of a runner cheap where thousands are lived: what never changes is made only once.

What is decided, written and sent, and how, stays the product's own. Shared by all lives of a
process are SQLAlchemy's engine object, the compiled statements, the empty schema, and what a
rule's text means; and a loop that waits for room looks once a second instead of four times.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from unittest.mock import patch

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Dialect,
    Engine,
    NullPool,
    bindparam,
    create_engine,
    literal_column,
    update,
)

from runner import dispatcher, virtual
from runner.journal import Journal, schema, sqlite, statements, tables, writing
from runner.journal.tables import LEASE_TTL
from runner.rulebook import build

SHARED_MEMORY = Path("/dev/shm")


class _OneEngine:
    """One engine for whichever path was asked for last: it is connected to at once."""

    def __init__(self) -> None:
        self._path = ""
        self.clock: Callable[[], int] | None = None
        """What SQL calls `database_now()`, where a lease tells who leads."""
        self._engine = create_engine(
            "sqlite://", creator=self._connect, isolation_level="AUTOCOMMIT", poolclass=NullPool
        )

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, check_same_thread=False)
        if self.clock is not None:
            connection.create_function("database_now", 0, self.clock)
        return connection

    def __call__(self, path: Path) -> Engine:
        self._path = str(path)
        return self._engine


@contextmanager
def openings() -> Iterator[None]:
    """Within this, journals open in a fraction of the time."""
    one, compiled, rebuilt = _shared()
    with (
        patch.object(sqlite, "_engine", one),
        patch.object(writing, "compile_for", compiled),
        patch.object(build, "rebuild", rebuilt),
        patch.object(dispatcher, "BLOCKED_WAIT", 1.0),
    ):
        yield


@contextmanager
def leases(clock: Callable[[], int]) -> Iterator[None]:
    """Within this, files have no lock: a lease tells who leads, as on a server, by this clock."""
    one, _, _ = _shared()
    one.clock = clock
    with (
        patch.object(virtual, "LONGEST_WAIT", 3.0),
        patch.object(sqlite, "Lock", _NoLock),
        patch.object(sqlite.SqliteDatabase, "lease_ttl", LEASE_TTL),
        patch.object(schema, "DATABASE_NOW", _NOW),
        patch.object(writing, "compile_for", _with_lease),
    ):
        yield
    one.clock = None


_NOW: ColumnElement[int] = literal_column("database_now()", BigInteger)


class _NoLock:
    """In the place of the lock on a file."""

    @staticmethod
    def acquire(path: Path) -> _NoLock:
        del path
        return _NoLock()

    def release(self) -> None:
        """Nothing was locked."""


@cache
def _with_lease(dialect: Dialect) -> statements.Statements:
    """The renewal as on a server: it prolongs the lease on the database's clock."""
    table = tables.lease
    renewal = (
        update(table)
        .where(
            table.c.name == literal_column(f"'{tables.LEADER}'"),
            table.c.epoch == bindparam("the_epoch"),
        )
        .values(alive_at=bindparam("alive_at"), expires_at=_NOW + literal_column(str(LEASE_TTL)))
    )
    prepared = statements.prepare(renewal, dialect, ["alive_at"])
    return replace(statements.compile_for(dialect), renewal=prepared)


@cache
def _shared():  # type: ignore[no-untyped-def]
    return _OneEngine(), cache(statements.compile_for), cache(build.rebuild)


@contextmanager
def folder() -> Iterator[Path]:
    """A folder in memory, where the machine has such a place."""
    place = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=place) as name:
        yield Path(name)


@cache
def empty_journal(namespace: str, now: int) -> bytes:
    """The file of a journal that nobody has led yet."""
    with folder() as place:
        path = place / "journal.db"
        Journal.open(path, namespace, lambda: now, wal_bytes=0, reserve=0).close()
        return path.read_bytes()
