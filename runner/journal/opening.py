"""Which database an address means."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from runner.journal import sqlite
from runner.journal.database import Database, Inbox, ReadOnly, is_server
from runner.journal.inbox import FolderInbox, TableInbox


def open_database(address: str | Path, reserve: int) -> Database:
    """The database at a path, `sqlite:///…` or `postgresql+psycopg://…`, open for writing.

    `reserve` bytes of a file's disk are set aside.
    Raises JournalBusy or JournalError with the cure.
    """
    if is_server(address):
        # the driver is an extra: who keeps the journal in a file does not need it
        from runner.journal.postgresql import PostgresDatabase

        return PostgresDatabase(str(address))
    return sqlite.SqliteDatabase(sqlite.path_of(address), reserve)


def read_only(address: str | Path) -> ReadOnly:
    """The database at an address, beside whoever writes it. Raises JournalError."""
    if is_server(address):
        from runner.journal.postgresql import PostgresLook

        return PostgresLook(str(address))
    return sqlite.SqliteLook(sqlite.path_of(address))


@contextmanager
def inbox_of(address: str | Path) -> Iterator[Inbox]:
    """The inbox of a journal, for a process that does not lead. Raises JournalError."""
    if is_server(address):
        from runner.journal.postgresql import connected, explain

        url = make_url(str(address))
        connection = connected(url)
        try:
            yield TableInbox(connection)
        except DBAPIError as error:
            raise explain(error, url.render_as_string(hide_password=True)) from error
        finally:
            connection.close()
        return
    yield FolderInbox(sqlite.path_of(address))
