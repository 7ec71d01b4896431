"""A journal of an older runner: copied, brought up to date in one transaction, or left as it is."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine

from runner.errors import JournalError
from runner.journal import JournalReader, migrations, tables
from tests.journal.building import firing, open_journal

FIXTURES = Path(__file__).parent / "fixtures"
VERSIONS = range(1, tables.SCHEMA_VERSION)


@pytest.fixture(params=VERSIONS, ids=lambda version: f"v{version}")
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A journal of each older schema, with one firing."""
    path = tmp_path / "journal.db"
    connection = sqlite3.connect(path)
    connection.executescript((FIXTURES / f"schema_v{request.param}.sql").read_text())
    connection.close()
    return path


@pytest.fixture
def database(old: Path) -> Iterator[Connection]:
    """A plain look at the file."""
    engine = create_engine(f"sqlite:///{old}")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def test_every_version_has_a_fixture() -> None:
    """Who changes the schema adds a step, and what a journal looked like before it."""
    found = {path.name for path in FIXTURES.glob("schema_v*.sql")}
    assert found == {f"schema_v{version}.sql" for version in VERSIONS}


def test_an_upgraded_journal_is_like_a_new_one(old: Path, tmp_path: Path) -> None:
    """Same tables, columns, indexes and constraints; what it held is there."""
    journal = open_journal(tmp_path)
    assert journal.meta.schema_version == tables.SCHEMA_VERSION
    (run,) = journal.open_runs()
    assert len(journal.legs_of([run.run_id])) == 2
    journal.commit([firing("k2")[0]])
    journal.close()
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    open_journal(fresh).close()
    assert shape(old) == shape(fresh / "journal.db")


def shape(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every table's columns and indexes."""
    connection = sqlite3.connect(path)
    names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master ORDER BY name")]
    found = {
        name: [
            *connection.execute(f"PRAGMA table_info({name})"),
            *connection.execute(f"PRAGMA index_xinfo({name})"),
            *connection.execute(f"PRAGMA foreign_key_list({name})"),
        ]
        for name in names
    }
    connection.close()
    return found


def test_alembic_sees_no_difference_afterwards(
    old: Path, tmp_path: Path, database: Connection
) -> None:
    """The steps lead to exactly the tables of the code."""
    open_journal(tmp_path).close()
    context = MigrationContext.configure(database)
    assert compare_metadata(context, tables.metadata) == []


def test_a_copy_is_kept_as_it_was(old: Path, tmp_path: Path) -> None:
    """Going back is putting the copy in its place."""
    before = shape(old)
    open_journal(tmp_path).close()
    (copy,) = tmp_path.glob("journal.db.v*")
    assert shape(copy) == before


def test_a_failed_step_leaves_the_journal_as_it_was(
    old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of an upgrade or nothing, tables included; the next try succeeds."""
    before = shape(old)
    upgrade = migrations.upgrade

    def break_off(connection: Connection, found: int, wanted: int) -> None:
        upgrade(connection, found, wanted)
        raise JournalError("broken off")

    monkeypatch.setattr(migrations, "upgrade", break_off)
    with pytest.raises(JournalError, match="broken off"):
        open_journal(tmp_path)
    assert shape(old) == before
    monkeypatch.undo()
    open_journal(tmp_path).close()


def test_rows_without_what_they_belong_to_stop_the_upgrade(old: Path, tmp_path: Path) -> None:
    """Foreign keys are off while tables are rebuilt: they are looked at before the commit."""
    connection = sqlite3.connect(old)
    connection.execute("DELETE FROM runs")
    connection.commit()
    connection.close()
    with pytest.raises(JournalError, match="rows refer to rows that are missing"):
        open_journal(tmp_path)


def test_foreign_keys_are_on_again_after_an_upgrade(old: Path, tmp_path: Path) -> None:
    """The writing connection goes on with the settings of every other start."""
    journal = open_journal(tmp_path)
    assert journal._connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    journal.close()


def test_a_reader_says_who_brings_it_up_to_date(old: Path) -> None:
    """Verbs that only read never change the journal."""
    with pytest.raises(JournalError, match="runner run"):
        JournalReader.open(old)
