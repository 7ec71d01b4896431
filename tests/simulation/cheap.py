"""Makes opening a journal cheap where thousands are opened: SQLAlchemy is set up only once.

What is written, and how, stays the journal's own: only the engine object, its compiled
statements and the empty schema are shared by all openings of a process.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from unittest.mock import patch

from sqlalchemy import Engine, NullPool, create_engine

from runner.journal import Journal, sqlite, statements, writing

SHARED_MEMORY = Path("/dev/shm")


class _OneEngine:
    """One engine for whichever path was asked for last: it is connected to at once."""

    def __init__(self) -> None:
        self._path = ""
        self._engine = create_engine(
            "sqlite://", creator=self._connect, isolation_level="AUTOCOMMIT", poolclass=NullPool
        )

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, check_same_thread=False)

    def __call__(self, path: Path) -> Engine:
        self._path = str(path)
        return self._engine


@contextmanager
def openings() -> Iterator[None]:
    """Within this, journals open in a fraction of the time."""
    one, compiled = _shared()
    with patch.object(sqlite, "_engine", one), patch.object(writing, "compile_for", compiled):
        yield


@cache
def _shared():  # type: ignore[no-untyped-def]
    return _OneEngine(), cache(statements.compile_for)


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
