"""Room on the disk: what may begin, what may be finished, and the reserve."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from runner.core.decision import AlertRow, Decision, Record
from runner.core.orders import OrderState
from runner.errors import CommitFailed, JournalError, JournalFull
from runner.journal import Journal, JournalReader
from runner.journal.room import FRESH, MIB, PLENTY, TO_BEGIN, TO_FINISH, Disk, Lately
from tests.journal.building import NOW, changing, firing, open_journal

SIZE = 64 * 1024


class Shrinking:
    """A disk whose free bytes a test sets; the reserve counts as used."""

    def __init__(self, free: int) -> None:
        self.free = free
        self.reserve: Path | None = None

    def __call__(self, folder: Path) -> int:
        used = self.reserve is not None and self.reserve.exists()
        return self.free - (SIZE if used else 0)


def disk_of(folder: Path, free: int) -> tuple[Disk, Shrinking]:
    """A disk with so many bytes left, before the reserve."""
    left = Shrinking(free)
    disk = Disk(folder / "journal.db", left, SIZE)
    left.reserve = disk.reserve
    return disk, left


def test_the_reserve_is_set_aside_at_the_start(tmp_path: Path) -> None:
    """With room enough the reserve takes its blocks at once, not only its length."""
    disk, _ = disk_of(tmp_path, 100 * MIB)
    disk.prepare()
    found = disk.reserve.stat()
    assert found.st_size == SIZE
    assert found.st_blocks * 512 >= SIZE
    assert disk.to_begin()


def test_little_room_is_for_outcomes_only(tmp_path: Path) -> None:
    """Under the first threshold nothing begins, and outcomes need no reserve yet."""
    disk, left = disk_of(tmp_path, 100 * MIB)
    disk.prepare()
    left.free = TO_BEGIN
    assert not disk.to_begin()
    disk.check(begins=False)
    with pytest.raises(JournalFull, match=r"KiB are left for .*journal\.db: free space"):
        disk.check(begins=True)
    assert disk.reserve.exists()


def test_the_reserve_is_given_up_to_outcomes_and_set_aside_again(tmp_path: Path) -> None:
    """A disk that somebody else filled leaves the reserve's bytes; with room it is restored."""
    disk, left = disk_of(tmp_path, 100 * MIB)
    disk.prepare()
    left.free = TO_FINISH + SIZE - 1
    disk.check(begins=False)
    assert not disk.reserve.exists()
    left.free = TO_FINISH - 1
    with pytest.raises(JournalFull):
        disk.check(begins=False)
    left.free = TO_BEGIN + SIZE
    assert disk.to_begin()
    assert disk.reserve.exists()


def test_a_start_on_a_full_disk_gives_the_reserve_up(tmp_path: Path) -> None:
    """Recovery must be able to write what it finds out."""
    disk, left = disk_of(tmp_path, 100 * MIB)
    disk.prepare()
    left.free = TO_FINISH
    disk.prepare()
    assert not disk.reserve.exists()


def test_a_reserve_that_does_not_fit_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A quota may be smaller than what the disk has left: then there is no reserve."""
    disk, _ = disk_of(tmp_path, 100 * MIB)

    def full(*_: object) -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    monkeypatch.setattr(os, "posix_fallocate", full)
    disk.prepare()
    assert not disk.reserve.exists()
    monkeypatch.setattr(os, "posix_fallocate", _broken)
    with pytest.raises(JournalError, match=r"cannot set .* aside"):
        disk.prepare()


def _broken(*_: object) -> None:
    raise OSError(errno.EIO, "Input/output error")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """An open journal in a folder of its own."""
    journal = open_journal(tmp_path)
    yield journal
    journal.close()


def limit(journal: Journal, free: int) -> None:
    """From now on the journal's disk has so many bytes left."""
    disk, _ = disk_of(journal.path.parent, free)
    disk.reserve.unlink(missing_ok=True)
    journal._database.room = disk  # type: ignore[misc]  # a disk of our own


def test_the_last_room_on_the_disk_is_for_outcomes(journal: Journal) -> None:
    """With little room no alert is taken and nothing is sent, yet outcomes can be recorded."""
    decision, _, (leg,) = firing("k1")
    journal.commit([decision])
    limit(journal, 8 * MIB)
    assert not journal.room_to_begin()
    with pytest.raises(JournalFull, match="8192 KiB"):
        journal.commit([firing("k2")[0]])
    with pytest.raises(JournalFull):
        journal.commit([Decision(alerts=[AlertRow("p", "h", {}, NOW, None, "fired")])])
    journal.commit([changing(leg, replace(leg, state=OrderState.LIVE))])
    limit(journal, 1024)
    with pytest.raises(JournalFull):
        journal.commit([Decision(records=[Record(NOW, "error", "x")])])


def test_no_room_for_a_sign_of_life_is_no_end(tmp_path: Path) -> None:
    """The beat is refused like any commit, before COMMIT, so that the runner may go on."""
    clock = [NOW]
    journal = open_journal(tmp_path, now=lambda: clock[0])
    journal.beat()
    limit(journal, 0)
    journal.beat()
    clock[0] += 1_000
    with pytest.raises(JournalFull):
        journal.beat()
    limit(journal, 100 * MIB)
    journal.beat()
    journal.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 8 MiB, in memory."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no file system may be mounted here: run as root, outside a container")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_that_is_really_full_stops_at_commit_at_worst(
    small_disk: Path, tmp_path: Path
) -> None:
    """Where the look at the disk came too late, what was reported as committed is there."""
    journal = open_journal(small_disk)
    limit(journal, 100 * MIB)
    committed = 0
    big = [Decision(records=[Record(NOW, "event", "x" * 100_000)])]
    with suppress(JournalFull, CommitFailed):
        while committed < 1_000:
            journal.commit(big)
            committed += 1
    journal.close()
    for name in ("journal.db", "journal.db-wal"):
        if (small_disk / name).exists():
            shutil.copy(small_disk / name, tmp_path)
    again = open_journal(tmp_path)
    with JournalReader.open(again.path) as reader:
        assert len(reader.records()) in (committed, committed + 1)
    again.close()
    assert 10 < committed < 100


def test_the_room_is_looked_at_anew_when_it_is_short_or_some_time_went_by() -> None:
    """Plenty a moment ago is plenty now; anything less is asked for each time."""
    free, now, asked = [PLENTY], [0.0], []

    def read(folder: Path) -> int:
        asked.append(folder)
        return free[0]

    lately = Lately(read, lambda: now[0])
    here, there = Path("here"), Path("there")
    assert [lately(here), lately(here), lately(there)] == [PLENTY] * 3
    assert asked == [here, there]
    now[0] = 2 * FRESH
    free[0] = PLENTY - 1
    assert [lately(here), lately(here)] == [PLENTY - 1] * 2
    assert asked == [here, there, here, here]
