"""What is particular to PostgreSQL: how a connection is set up, checked, and its errors told."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import psycopg
from psycopg import errors as causes
from psycopg.pq import TransactionStatus
from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError

from runner.errors import JournalAway, JournalBusy, JournalError, JournalFull
from runner.journal.inbox import TableInbox
from runner.journal.room import Room, Unlimited
from runner.journal.tables import LEASE_TTL

ERRORS: Final = (DBAPIError, psycopg.Error)

# A dead server or network must be noticed well within the life of a lease.
_CONNECT: Final = {
    "connect_timeout": "3",
    "keepalives_idle": "2",
    "keepalives_interval": "1",
    "keepalives_count": "3",
    "tcp_user_timeout": "4000",
    "application_name": "order-runner",
}
_SESSION: Final = (
    ("statement_timeout", "4000"),
    ("lock_timeout", "2000"),
    ("idle_in_transaction_session_timeout", "10000"),
)
# what must be so for a commit to be durable, and what counts
_DURABLE: Final = (
    ("fsync", {"on"}),
    ("full_page_writes", {"on"}),
    ("synchronous_commit", {"on", "remote_apply", "remote_write"}),
)


_OPENING: Final = 0x72756E6E65720001
"""The advisory lock of those who open a journal, until their first commit."""


STANDS_STILL: Final = LEASE_TTL + 2_000
"""Ms after which a transaction that holds the lease is that of a process that stands still."""

# A process that is paused between the messages of one batch keeps its locks for as long: to the
# server it is active, and none of the timeouts above counts. By then its lease has run out; what it
# had not committed had not been sent either, and when it wakes up it finds its session ended.
_END_WHO_STANDS_STILL: Final = text("""
    SELECT pg_terminate_backend(a.pid)
    FROM pg_stat_activity a JOIN pg_locks l ON l.pid = a.pid
    WHERE a.datname = current_database() AND a.usename = current_user
      AND a.application_name = 'order-runner' AND a.pid <> pg_backend_pid()
      AND l.relation = to_regclass('lease')
      AND l.mode IN ('RowShareLock', 'RowExclusiveLock') AND l.granted
      AND a.xact_start < clock_timestamp() - :after * interval '1 millisecond'
""")


class PostgresDatabase:
    """A journal on a server; a lease in it tells who leads."""

    begin: Final = "BEGIN"
    errors: tuple[type[Exception], ...] = ERRORS
    lease_ttl: int | None = LEASE_TTL

    def __init__(self, address: str) -> None:
        """Connect. Raises JournalError when the server is away, or would lose commits."""
        url = make_url(address)
        self.name: Final = url.render_as_string(hide_password=True)
        self.room: Room = Unlimited()
        self.connection = connected(url)
        try:
            self._check_durable()
        except BaseException:
            self.close()
            raise
        self.inbox = TableInbox(self.connection)

    def _check_durable(self) -> None:
        for setting, wanted in _DURABLE:
            found = self.connection.exec_driver_sql(f"SHOW {setting}").scalar()
            if found not in wanted:
                raise JournalError(
                    f"{self.name}: the server keeps {setting} at {found!r}, so a commit would "
                    f"not be safe: set it to {sorted(wanted)[0]!r}"
                )

    def explain(self, error: Exception) -> JournalError:
        """What an error of the server means for the user, and what to do."""
        return explain(error, self.name)

    def in_transaction(self) -> bool:
        """True while a transaction is open; a lost connection has none."""
        return _in_transaction(self.connection)

    def missing(self) -> str | None:
        """Nothing can be moved away from under a connection."""
        return None

    def system(self) -> str | None:
        """The cluster's own number, which a dump that is loaded elsewhere does not take along."""
        try:
            found = self.connection.exec_driver_sql(
                "SELECT system_identifier::text FROM pg_control_system()"
            ).scalar_one()
        except DBAPIError as error:
            if isinstance(error.orig, causes.InsufficientPrivilege):
                return None
            raise
        return str(found)

    def before_migration(self, version: int) -> None:
        """Copies of a server's database are its keeper's; a migration that fails leaves nothing."""

    def alone(self) -> None:
        """One process at a time creates, migrates or takes the lead.

        Raises one of `errors` while a leader holds it, unless that one stands still.
        """
        self.connection.execute(_END_WHO_STANDS_STILL, {"after": STANDS_STILL})
        self.connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_OPENING})")

    def check_whole(self) -> None:
        """Foreign keys are never off."""

    def opened(self, wal_bytes: int) -> None:
        """Nothing remains to be done."""

    def close(self) -> None:
        """Hang up; may be called twice."""
        self.connection.close()
        self.connection.engine.dispose()


class PostgresLook:
    """A journal on a server, only read."""

    begin: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ"

    def __init__(self, address: str) -> None:
        """Raises JournalError when the server cannot be reached."""
        url = make_url(address)
        self.name: Final = url.render_as_string(hide_password=True)
        self.connection = connected(url, read_only=True)

    def explain(self, error: Exception) -> JournalError:
        """What an error of the server means for the user, and what to do."""
        return explain(error, self.name)

    def in_transaction(self) -> bool:
        """True while a transaction is open; a lost connection has none."""
        return _in_transaction(self.connection)

    def problems(self) -> list[str]:
        """The server looks after its files: pg_amcheck tells."""
        return []

    def back_up(self, to: Path) -> None:
        """Raises JournalError: the server has better means."""
        del to
        raise JournalError(
            f"{self.name} is on a server: back it up with pg_dump, or with the server's own means"
        )


def connected(url: URL, *, read_only: bool = False) -> Connection:
    """A connection in autocommit mode. Raises JournalError when the server cannot be used."""
    name = url.render_as_string(hide_password=True)
    try:
        connection = _engine(url).connect()
        for setting, value in _SESSION:
            connection.exec_driver_sql(f"SET {setting} = {value}")
        if read_only:
            connection.exec_driver_sql("SET default_transaction_read_only = on")
    except ERRORS as error:
        raise explain(error, name) from error
    return connection


def _in_transaction(connection: Connection) -> bool:
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    status = driver.info.transaction_status
    return status not in (TransactionStatus.IDLE, TransactionStatus.UNKNOWN)


def _engine(url: URL) -> Engine:
    return create_engine(
        url.set(drivername="postgresql+psycopg"),
        isolation_level="AUTOCOMMIT",
        poolclass=NullPool,
        # prepared by hand nowhere: a pooler between must not lose them
        connect_args={**_CONNECT, "prepare_threshold": None},
    )


def explain(error: Exception, name: str) -> JournalError:
    """What a database error (one of ERRORS) means for the user, and what to do."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    words = str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__
    match cause:
        case causes.DiskFull():
            return JournalFull(f"no room left for {name}: free space on the server's disk")
        case causes.LockNotAvailable():
            return JournalBusy(f"{name} is held by another program ({words}): try again")
        case causes.InsufficientPrivilege() | causes.ReadOnlySqlTransaction():
            return JournalError(f"{name} may not be written ({words}): give its user the right to")
        case psycopg.OperationalError():
            return JournalAway(
                f"{name} cannot be reached ({words}): see that the server runs and that journal: "
                "in runner.yaml names it"
            )
    return JournalError(f"{name}: {words}")
