"""Opening a journal: one runner, a good place, the right file, or one clear message."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runner.errors import JournalBusy, JournalError
from runner.journal import Journal, JournalReader
from runner.journal.locking import Lock, refuse_network_file_system
from runner.journal.sqlite import grow_wal, in_transaction
from tests.journal.building import firing, open_journal

NOBODY = 65534


def test_the_settings_that_make_a_commit_durable_hold(tmp_path: Path) -> None:
    """WAL, synchronous=FULL and foreign keys are on for the writing connection."""
    journal = open_journal(tmp_path)
    values = {
        name: journal._connection.exec_driver_sql(f"PRAGMA {name}").scalar()
        for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
    }
    journal.close()
    assert values == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 5000,
    }


def test_a_setting_that_does_not_hold_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is read back must be what was set, else a commit would not be safe."""
    monkeypatch.setattr("runner.journal.sqlite._PRAGMAS", (("synchronous", "NORMAL", 2),))
    with pytest.raises(JournalError, match="synchronous at 1 instead of 2"):
        open_journal(tmp_path)
    monkeypatch.undo()
    open_journal(tmp_path).close()


def test_a_second_opening_in_this_process_is_refused(tmp_path: Path) -> None:
    """Two journals on one file cannot exist, not even in one process; after closing, it can."""
    journal = open_journal(tmp_path)
    with pytest.raises(JournalBusy, match=rf"pid {os.getpid()}\) already uses .*--dir"):
        open_journal(tmp_path)
    journal.close()
    journal.close()
    open_journal(tmp_path).close()


def test_a_second_runner_is_told_who_is_there(tmp_path: Path) -> None:
    """Another process that holds the journal is named by its pid; its end frees the journal."""
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from tests.journal.building import open_journal\n"
        "journal = open_journal(Path(sys.argv[1]))\n"
        "print('open', flush=True)\n"
        "sys.stdin.read()\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"open\n"
        with pytest.raises(JournalBusy, match=f"pid {child.pid}"):
            open_journal(tmp_path)
        child.kill()
    open_journal(tmp_path).close()


@contextmanager
def read_only_folder() -> Iterator[Path]:
    """A folder that this process cannot write in, also when the tests run as root."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o555)
        root = os.geteuid() == 0
        if root:
            os.seteuid(NOBODY)
        try:
            yield folder
        finally:
            if root:
                os.seteuid(0)
            folder.chmod(0o755)


def test_a_read_only_folder_is_named() -> None:
    """A folder without write permission is one clear message, nothing is created."""
    with read_only_folder() as folder:
        with pytest.raises(JournalError, match=rf"cannot write in {folder}: .*--dir"):
            open_journal(folder)
        assert list(folder.iterdir()) == []


def test_a_closed_journal_in_a_read_only_folder_can_be_read() -> None:
    """Reading needs no write permission once the runner has closed its journal."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        journal = open_journal(folder)
        journal.commit([firing("k1")[0]])
        journal.close()
        (folder / "journal.db").chmod(0o444)
        folder.chmod(0o555)
        root = os.geteuid() == 0
        if root:
            os.seteuid(NOBODY)
        try:
            with JournalReader.open(folder / "journal.db") as reader:
                assert len(reader.orders()) == 1
        finally:
            if root:
                os.seteuid(0)
            folder.chmod(0o755)


def test_a_read_only_file_is_named() -> None:
    """A journal that this user may not write is refused before anything is tried."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        open_journal(folder).close()
        folder.chmod(0o777)
        (folder / "journal.db").chmod(0o444)
        (folder / "journal.db.lock").unlink()
        root = os.geteuid() == 0
        if root:
            os.seteuid(NOBODY)
        try:
            with pytest.raises(JournalError, match="read-only for this user"):
                open_journal(folder)
        finally:
            if root:
                os.seteuid(0)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    """The folder is not created by chance: a typing mistake would start an empty journal."""
    with pytest.raises(JournalError, match=r"nowhere does not exist: create it"):
        open_journal(tmp_path / "nowhere")


def test_a_folder_in_the_file_s_place_is_named(tmp_path: Path) -> None:
    """journal.db must be a file."""
    (tmp_path / "journal.db").mkdir()
    with pytest.raises(JournalError, match="is not a file"):
        open_journal(tmp_path)


def test_garbage_is_not_a_journal(tmp_path: Path) -> None:
    """A file that is no database is left as it is."""
    path = tmp_path / "journal.db"
    path.write_bytes(b"not a database at all " * 500)
    with pytest.raises(JournalError, match=r"is not a journal: move it away"):
        open_journal(tmp_path)
    with pytest.raises(JournalError, match="is not a journal"):
        JournalReader.open(path)
    assert path.read_bytes().startswith(b"not a database")


def test_a_truncated_journal_is_damaged(tmp_path: Path) -> None:
    """A journal that lost its end is refused, with what to do."""
    journal = open_journal(tmp_path)
    journal.commit([firing(f"k{number}", legs=5)[0] for number in range(50)])
    journal.close()
    path = tmp_path / "journal.db"
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2 // 4096 * 4096)
    with pytest.raises(JournalError, match=r"is damaged .*restore a backup"):
        open_journal(tmp_path)


def test_an_empty_file_becomes_a_journal(tmp_path: Path) -> None:
    """A crash at the very first start leaves an empty file, which is no loss."""
    (tmp_path / "journal.db").touch()
    open_journal(tmp_path).close()


def test_another_program_s_database_is_refused(tmp_path: Path) -> None:
    """Tables that are not ours are not added to."""
    connection = sqlite3.connect(tmp_path / "journal.db")
    connection.execute("CREATE TABLE customers (name TEXT)")
    connection.commit()
    connection.close()
    with pytest.raises(JournalError, match="not a runner's journal"):
        open_journal(tmp_path)
    with pytest.raises(JournalError, match="not a runner's journal"):
        JournalReader.open(tmp_path / "journal.db")


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    """A journal of a newer runner is not touched, nor read in part."""
    open_journal(tmp_path).close()
    connection = sqlite3.connect(tmp_path / "journal.db")
    connection.execute("UPDATE meta SET value = '99' WHERE key = 'schema_version'")
    connection.commit()
    connection.close()
    with pytest.raises(JournalError, match=r"newer runner \(schema 99.*upgrade"):
        open_journal(tmp_path)
    with pytest.raises(JournalError, match="newer runner"):
        JournalReader.open(tmp_path / "journal.db")


def test_a_journal_without_its_facts_is_refused(tmp_path: Path) -> None:
    """A journal that lost its namespace cannot be told from another's."""
    open_journal(tmp_path).close()
    connection = sqlite3.connect(tmp_path / "journal.db")
    connection.execute("DELETE FROM meta WHERE key = 'namespace'")
    connection.commit()
    connection.close()
    with pytest.raises(JournalError, match="not a runner's journal"):
        open_journal(tmp_path)


def test_another_namespace_is_refused(tmp_path: Path) -> None:
    """Order ids carry the namespace, so a journal keeps the one it began with."""
    journal = open_journal(tmp_path, namespace="main")
    identity = journal.meta.journal_id
    journal.close()
    with pytest.raises(JournalError, match="namespace 'main', not 'test'"):
        open_journal(tmp_path, namespace="test")
    again = open_journal(tmp_path, namespace="main")
    assert again.meta.journal_id == identity
    again.close()


def test_a_journal_that_another_program_writes_to_is_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A foreign write lock is waited for and then named."""
    open_journal(tmp_path).close()
    pragmas = (("busy_timeout", 1, 1),)
    monkeypatch.setattr("runner.journal.sqlite._PRAGMAS", pragmas)
    other = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(JournalBusy, match="held by another program"):
        open_journal(tmp_path)
    other.close()


def test_the_address_may_be_a_url(tmp_path: Path) -> None:
    """sqlite:////… names the same file as its path."""
    journal = Journal.open(f"sqlite:///{tmp_path}/journal.db", "main", lambda: 0)
    assert journal.path == tmp_path / "journal.db"
    journal.close()


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("mysql://host/db", "cannot be kept in mysql"),
        ("sqlite://", "remembers nothing"),
        (":memory:", "remembers nothing"),
        ("://", "cannot be read"),
    ],
)
def test_an_address_that_cannot_hold_a_journal_is_refused(address: str, message: str) -> None:
    """Only a SQLite file is one, so far."""
    with pytest.raises(JournalError, match=message):
        Journal.open(address, "main", lambda: 0)


def _mounts(folder: Path, kind: str) -> str:
    device = folder.stat().st_dev
    return (
        "22 1 0:21 / /proc rw shared:1 - proc proc rw\n"
        f"36 35 {os.major(device)}:{os.minor(device)} / / rw master:1 - {kind} server:/x rw\n"
    )


def test_a_network_file_system_is_refused(tmp_path: Path) -> None:
    """Locks and shared memory do not hold there: the message names the kind."""
    table = tmp_path / "mountinfo"
    table.write_text(_mounts(tmp_path, "nfs4"))
    with pytest.raises(JournalError, match=r"network file system \(nfs4\)"):
        refuse_network_file_system(tmp_path, table)


@pytest.mark.parametrize("text", ["", "22 1 0:21 / /proc rw - proc proc rw\n"])
def test_a_file_system_that_is_not_known_is_not_refused(tmp_path: Path, text: str) -> None:
    """Without knowledge nothing is claimed."""
    table = tmp_path / "mountinfo"
    table.write_text(text + _mounts(tmp_path, "ext4"))
    refuse_network_file_system(tmp_path, table)
    table.write_text(text)
    refuse_network_file_system(tmp_path, table)
    refuse_network_file_system(tmp_path, tmp_path / "missing")


def test_a_lock_that_the_disk_does_not_know_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system without locks is an error, not a licence."""

    def refuse(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("runner.journal.locking.fcntl.flock", refuse)
    with pytest.raises(JournalError, match="No locks available"):
        Lock.acquire(tmp_path / "journal.db")


def test_a_journal_with_a_spoilt_page_is_damaged(tmp_path: Path) -> None:
    """Bytes that changed on the disk are found when the journal is opened."""
    journal = open_journal(tmp_path)
    journal.commit([firing(f"k{number}", legs=5)[0] for number in range(50)])
    journal.close()
    path = tmp_path / "journal.db"
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2 // 4096 * 4096)
        file.write(b"\xa5" * 4096)
    with pytest.raises(JournalError, match=r"is damaged .*restore a backup"):
        open_journal(tmp_path)


def test_a_table_that_vanished_is_one_clear_error(tmp_path: Path) -> None:
    """What another program breaks while we run is named, for writer and reader alike."""
    journal = open_journal(tmp_path)
    connection = sqlite3.connect(journal.path)
    connection.execute("DROP TABLE dead_men")
    connection.close()
    with pytest.raises(JournalError, match="no such table: dead_men"):
        journal.dead_men()
    with (
        JournalReader.open(journal.path) as reader,
        pytest.raises(JournalError, match="no such table: dead_men"),
    ):
        reader.dead_men()
    journal.close()


def test_a_full_disk_does_not_stop_a_start(tmp_path: Path) -> None:
    """Without room the WAL stays short, and what is under way can still be finished."""
    journal = open_journal(tmp_path)
    journal._connection.exec_driver_sql("PRAGMA max_page_count=1")
    grow_wal(journal._connection, journal.path, 4_000_000)
    assert not in_transaction(journal._connection)
    assert journal.open_runs() == []
    journal.close()
