"""What the journal asks of a database: SQLite in a file, or PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, make_url
from sqlalchemy.exc import ArgumentError

from runner.core.decision import Received
from runner.errors import JournalError
from runner.journal.room import Room


class Inbox(Protocol):
    """Where other processes leave what the leader shall do."""

    def put(self, item: Received) -> None:
        """Leave it, durably. Raises JournalError."""

    def waiting(self) -> list[Received]:
        """What was left and not taken, the oldest event first."""

    def clear(self, keys: list[str]) -> None:
        """These were taken, and that is committed."""


class ReadOnly(Protocol):
    """A database that is only read."""

    @property
    def name(self) -> str:
        """Its path, or its URL without the password: for messages."""

    @property
    def connection(self) -> Connection:
        """One that cannot write, in autocommit mode."""

    @property
    def begin(self) -> str:
        """The statement that begins a look at one moment."""

    def explain(self, error: Exception) -> JournalError:
        """What an error of the database means for the user, and what to do."""

    def in_transaction(self) -> bool:
        """True while a transaction is open."""

    def problems(self) -> list[str]:
        """What the database itself finds wrong with its file."""

    def back_up(self, to: Path) -> None:
        """Write a copy as of now. Raises JournalError where that is the server's business."""


class Database(Protocol):
    """One open database with the one connection that writes."""

    @property
    def name(self) -> str:
        """Its path, or its URL without the password: for messages."""

    @property
    def connection(self) -> Connection:
        """The one that writes, in autocommit mode: transactions are begun and ended in words."""

    @property
    def begin(self) -> str:
        """The statement that begins a transaction which will write."""

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """What a statement raises, through SQLAlchemy or at the driver's own cursor."""

    @property
    def lease_ttl(self) -> int | None:
        """Ms after which a lead that was not renewed ends; None where a lock tells who leads."""

    @property
    def room(self) -> Room:
        """What is known of the room that is left."""

    @property
    def inbox(self) -> Inbox:
        """Where other processes leave what the leader shall do."""

    def explain(self, error: Exception) -> JournalError:
        """What an error of the database means for the user, and what to do."""

    def in_transaction(self) -> bool:
        """True while a transaction is open."""

    def missing(self) -> str | None:
        """Why it is not there any more, though it was opened."""

    def system(self) -> str | None:
        """Which server this is, where the database has a number of its own; outside transactions.

        None where nobody can tell.
        """

    def before_migration(self, version: int) -> None:
        """The journal has this older schema and will be changed: keep a copy where one can."""

    def alone(self) -> None:
        """Inside the first transaction: keep others out that open the journal now."""

    def check_whole(self) -> None:
        """Before the first commit: raise JournalError when rows lost what they belong to."""

    def opened(self, wal_bytes: int) -> None:
        """The first commit is made: what remains to be done once."""

    def close(self) -> None:
        """Stop using it; may be called twice."""


def is_server(address: str | Path) -> bool:
    """True for the URL of a PostgreSQL server. Raises JournalError for an unreadable one."""
    text = str(address)
    if "://" not in text:
        return False
    try:
        return make_url(text).get_backend_name() == "postgresql"
    except ArgumentError as error:
        raise JournalError("the journal's address cannot be read: see docs/journal.md") from error


def place_of(folder: Path, journal: str) -> Path | str:
    """The journal of a runner's folder: a file seen from there, or a URL as it is."""
    return journal if "://" in journal else folder / journal
