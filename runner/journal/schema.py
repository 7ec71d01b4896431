"""The journal's own facts: its version, whose it is, and which life of the runner leads it."""

from __future__ import annotations

import hashlib
import os
import socket
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import Connection, delete, func, insert, inspect, select, update

from runner.errors import JournalBusy, JournalError, JournalRestored
from runner.journal import tables
from runner.journal.database import Database
from runner.journal.tables import DATABASE_NOW, LEADER, LEASE_TTL
from runner.journal.witness import CURE, Sighting

RESTORED_LEAP: Final = 1_000
SYSTEM: Final = "system"
"""The key of the server's number in `meta`."""

UNDATED: Final = 1 << 62
"""The `restored_at` until the exchange's time is known: later than everything."""

NEVER: Final = 0
"""The `alive_at` of a lease whose holders have not written anything yet."""


@dataclass(frozen=True, slots=True)
class Meta:
    """What is told of a journal: when it was made, and last accepted as a restored one (ms).

    `created_at` is by our clock, `restored_at` by the exchange's, UNDATED until that is known.
    """

    schema_version: int
    namespace: str
    journal_id: str
    created_at: int
    restored_at: int | None = None


@dataclass(frozen=True, slots=True)
class Lease:
    """This life's lead: each opening has a higher epoch; `last_alive` is the life before's."""

    epoch: int
    last_alive: int | None


def outdated(connection: Connection, name: str) -> int | None:
    """The schema of an older runner that the journal has; None when it is new or empty.

    Raises JournalError for a newer one, or another program's database.
    """
    if not inspect(connection).get_table_names():
        return None
    version = read_meta(connection, name).schema_version
    return version if version < tables.SCHEMA_VERSION else None


def migrate(connection: Connection, found: int) -> None:
    """Bring the journal to this runner's schema; inside a transaction."""
    # alembic takes a while to import, and is seldom needed
    from runner.journal.migrations import upgrade

    upgrade(connection, found, tables.SCHEMA_VERSION)
    table = tables.meta
    change = update(table).where(table.c.key == "schema_version")
    connection.execute(change.values(value=str(tables.SCHEMA_VERSION)))


def prepare(connection: Connection, name: str, namespace: str, now: int) -> Meta:
    """Create what is missing and return the journal's facts; inside a transaction.

    Raises JournalError for another program's database, a newer schema or another namespace.
    """
    names = set(inspect(connection).get_table_names())
    if not names:
        _create(connection, name, namespace, now)
    elif not {"meta", "lease"} <= names:
        raise foreign(name)
    meta = read_meta(connection, name)
    if meta.namespace != namespace:
        raise JournalError(
            f"{name} belongs to the namespace {meta.namespace!r}, not {namespace!r}: "
            "correct the namespace in runner.yaml, or name another --dir"
        )
    return meta


def read_meta(connection: Connection, name: str) -> Meta:
    """The journal's facts. Raises JournalError when it is of a newer runner or no journal."""
    if not inspect(connection).has_table("meta"):
        raise foreign(name)
    values = {row.key: row.value for row in connection.execute(select(tables.meta))}
    try:
        meta = Meta(
            schema_version=int(values["schema_version"]),
            namespace=values["namespace"],
            journal_id=values["journal_id"],
            created_at=int(values["created_at"]),
            restored_at=int(values["restored_at"]) if "restored_at" in values else None,
        )
    except (KeyError, ValueError) as error:
        raise foreign(name) from error
    if meta.schema_version > tables.SCHEMA_VERSION:
        raise JournalError(
            f"{name} was written by a newer runner (schema {meta.schema_version}, this one knows "
            f"{tables.SCHEMA_VERSION}): upgrade the runner"
        )
    return meta


def take_lease(database: Database, now: int, floor: int | None = None) -> Lease:
    """Lead from now on, with the next epoch; inside a transaction.

    `floor` is given after a restore: the epoch then leaps over everything that was forgotten.
    Raises JournalBusy while the lease of another runner has not run out.
    """
    connection, table = database.connection, tables.lease
    values: dict[str, Any] = {
        "holder": f"{socket.gethostname()}:{os.getpid()}",
        "taken_at": now,
    }
    before = connection.execute(
        select(table).where(table.c.name == LEADER).with_for_update()
    ).one_or_none()
    if database.lease_ttl is not None:
        clock = connection.execute(select(DATABASE_NOW)).scalar_one()
        if before is not None and (before.expires_at or 0) > clock:
            raise JournalBusy(f"another runner ({before.holder}) leads on {database.name}")
        values["expires_at"] = clock + LEASE_TTL
    known = before.epoch if before is not None else 0
    epoch = known + 1 if floor is None else max(known, floor) + RESTORED_LEAP
    values["epoch"] = epoch
    if before is None:
        connection.execute(insert(table).values(name=LEADER, alive_at=NEVER, **values))
        return Lease(epoch, None)
    # alive_at stays: a start that ends here (a restored journal, refused) has done nothing, and
    # the next one must look at the exchange as far back as this one
    connection.execute(update(table).where(table.c.name == LEADER).values(**values))
    return Lease(epoch, before.alive_at or None)


def release_lease(connection: Connection, epoch: int) -> None:
    """Let another runner lead at once, if this one still does."""
    table = tables.lease
    mine = update(table).where(table.c.name == LEADER, table.c.epoch == epoch)
    connection.execute(mine.values(expires_at=0))


def note_restored(connection: Connection, meta: Meta, now: int = UNDATED) -> Meta:
    """Remember that the journal was accepted as a restored one; inside a transaction.

    `now` is the exchange's time: ours may be wrong by hours on a machine that was put back.
    """
    table = tables.meta
    connection.execute(delete(table).where(table.c.key == "restored_at"))
    connection.execute(insert(table).values(key="restored_at", value=str(now)))
    return replace(meta, restored_at=now)


def moved(connection: Connection, name: str, system: str | None) -> JournalRestored | None:
    """The error for a journal that another server led on: a dump loaded there; else None."""
    table = tables.meta
    known = connection.execute(select(table.c.value).where(table.c.key == SYSTEM)).scalar()
    if system is None or known in (None, system):
        return None
    return JournalRestored(
        f"{name} was kept by another PostgreSQL server before: what was committed there after the "
        f"copy is missing here. {CURE}"
    )


def note_system(connection: Connection, system: str | None) -> None:
    """Remember which server keeps the journal; inside a transaction."""
    if system is None:
        return
    table = tables.meta
    connection.execute(delete(table).where(table.c.key == SYSTEM))
    connection.execute(insert(table).values(key=SYSTEM, value=system))


def sighting(connection: Connection, meta: Meta, now: int, epoch: int | None = None) -> Sighting:
    """How far the journal has come."""
    if epoch is None:
        lead = select(tables.lease.c.epoch).where(tables.lease.c.name == LEADER)
        epoch = connection.execute(lead).scalar() or 0
    newest = [
        connection.execute(select(func.max(table.c.seq))).scalar() or 0
        for table in (tables.runs, tables.records)
    ]
    return Sighting(meta.journal_id, epoch, newest[0], newest[1], now)


def _create(connection: Connection, name: str, namespace: str, now: int) -> None:
    if connection.dialect.name == "postgresql":
        tables.for_postgresql()
    tables.metadata.create_all(connection, checkfirst=False)
    facts = {
        "schema_version": str(tables.SCHEMA_VERSION),
        "namespace": namespace,
        "journal_id": _journal_id(name, now),
        "created_at": str(now),
    }
    rows = [{"key": key, "value": value} for key, value in facts.items()]
    connection.execute(insert(tables.meta), rows)


def _journal_id(name: str, now: int) -> str:
    # no two are made on one machine, in one place, by one process, at one moment
    place = f"{socket.gethostname()}\n{name}\n{os.getpid()}\n{now}"
    return hashlib.sha256(place.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def foreign(name: str) -> JournalError:
    """The error for a database that another program made."""
    return JournalError(
        f"{name} is a database, but not a runner's journal: move it away, or name another --dir"
    )
