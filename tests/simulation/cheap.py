"""Makes lives of a runner cheap where thousands are lived: what never changes is made only once.

What is decided, written and sent, and how, stays the product's own. Shared by all lives of a
process are SQLAlchemy's engine object, the compiled statements, the empty schema, and what a
rule's text means; and a loop that waits for room looks once a second instead of four times.
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

from runner import dispatcher
from runner.journal import Journal, sqlite, statements, writing
from runner.rulebook import build

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
    one, compiled, rebuilt = _shared()
    with (
        patch.object(sqlite, "_engine", one),
        patch.object(writing, "compile_for", compiled),
        patch.object(build, "rebuild", rebuilt),
        patch.object(dispatcher, "BLOCKED_WAIT", 1.0),
    ):
        yield


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
