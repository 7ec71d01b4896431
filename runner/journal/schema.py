"""The journal's own facts: its version, whose it is, and which life of the runner leads it."""

from __future__ import annotations

import hashlib
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, insert, inspect, select, update

from runner.errors import JournalError
from runner.journal import tables

LEADER: Final = "leader"


@dataclass(frozen=True, slots=True)
class Meta:
    """What never changes about a journal; `created_at` in ms."""

    schema_version: int
    namespace: str
    journal_id: str
    created_at: int


@dataclass(frozen=True, slots=True)
class Lease:
    """This life's lead: each opening has a higher epoch; `last_alive` is the life before's."""

    epoch: int
    last_alive: int | None


def prepare(connection: Connection, path: Path, namespace: str, now: int) -> Meta:
    """Create what is missing and return the journal's facts; inside a transaction.

    Raises JournalError for another program's database, a newer schema or another namespace.
    """
    names = set(inspect(connection).get_table_names())
    if not names:
        _create(connection, path, namespace, now)
    elif not {"meta", "lease"} <= names:
        raise foreign(path)
    meta = read_meta(connection, path)
    if meta.namespace != namespace:
        raise JournalError(
            f"{path} belongs to the namespace {meta.namespace!r}, not {namespace!r}: "
            "correct the namespace in runner.yaml, or name another --dir"
        )
    return meta


def read_meta(connection: Connection, path: Path) -> Meta:
    """The journal's facts. Raises JournalError when it is of a newer runner or no journal."""
    values = {row.key: row.value for row in connection.execute(select(tables.meta))}
    try:
        meta = Meta(
            schema_version=int(values["schema_version"]),
            namespace=values["namespace"],
            journal_id=values["journal_id"],
            created_at=int(values["created_at"]),
        )
    except (KeyError, ValueError) as error:
        raise foreign(path) from error
    if meta.schema_version > tables.SCHEMA_VERSION:
        raise JournalError(
            f"{path} was written by a newer runner (schema {meta.schema_version}, this one knows "
            f"{tables.SCHEMA_VERSION}): upgrade the runner"
        )
    return meta


def take_lease(connection: Connection, now: int) -> Lease:
    """Lead from now on, with the next epoch; inside a transaction."""
    table = tables.lease
    values = {
        "holder": f"{socket.gethostname()}:{os.getpid()}",
        "taken_at": now,
        "alive_at": now,
    }
    before = connection.execute(select(table).where(table.c.name == LEADER)).one_or_none()
    if before is None:
        connection.execute(insert(table).values(name=LEADER, epoch=1, **values))
        return Lease(epoch=1, last_alive=None)
    epoch = before.epoch + 1
    connection.execute(update(table).where(table.c.name == LEADER).values(epoch=epoch, **values))
    return Lease(epoch=epoch, last_alive=before.alive_at)


def _create(connection: Connection, path: Path, namespace: str, now: int) -> None:
    tables.metadata.create_all(connection, checkfirst=False)
    facts = {
        "schema_version": str(tables.SCHEMA_VERSION),
        "namespace": namespace,
        "journal_id": _journal_id(path, now),
        "created_at": str(now),
    }
    rows = [{"key": key, "value": value} for key, value in facts.items()]
    connection.execute(insert(tables.meta), rows)


def _journal_id(path: Path, now: int) -> str:
    # no two are made on one machine, in one place, by one process, at one moment
    place = f"{socket.gethostname()}\n{path}\n{os.getpid()}\n{now}"
    return hashlib.sha256(place.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def foreign(path: Path) -> JournalError:
    """The error for a database that another program made."""
    return JournalError(
        f"{path} is a database, but not a runner's journal: move it away, or name another --dir"
    )
