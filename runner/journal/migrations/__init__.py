"""Brings an older journal to this runner's schema: one file a step under versions/."""

from __future__ import annotations

from pathlib import Path

from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

VERSION_TABLE = "alembic_version"


def upgrade(connection: Connection, found: int, wanted: int) -> None:
    """Migrate from one schema to a later one, inside the transaction that is open.

    The journal's own table `meta` tells its version; alembic's is there only meanwhile.
    """
    steps = ScriptDirectory(str(Path(__file__).parent))
    context = MigrationContext.configure(
        connection,
        opts={
            "fn": lambda revision, _: steps._upgrade_revs(_name(wanted), revision),
            "version_table": VERSION_TABLE,
        },
    )
    context.stamp(steps, _name(found))
    with Operations.context(context):
        context.run_migrations()
    connection.execute(text(f"DROP TABLE {VERSION_TABLE}"))


def _name(version: int) -> str:
    return f"v{version}"
