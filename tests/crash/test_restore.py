"""A journal that was restored from a backup while the exchange went on: nothing is doubled."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.journal import JournalReader
from tests.crash.stage import NUMBERED, PATIENCE, Stage
from tests.support import eventually

CONFIGURATION = 78


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """An exchange, and a runner that places two orders for each number."""
    stage = Stage(tmp_path / "runner", NUMBERED)
    yield stage
    stage.stop()


def fire(stage: Stage, number: int, orders: int) -> None:
    """Send a number and wait until the journal knows what became of all its orders so far."""
    answer = eventually(lambda: stage.alert({"n": number}), PATIENCE)
    assert answer is not None
    assert answer["outcome"] == "fired", answer
    eventually(lambda: stage.settled(orders), PATIENCE)


def back_up(stage: Stage, to: Path) -> None:
    """A copy of the journal as of now, while nobody uses it."""
    shutil.copy(stage.folder / "journal.db", to)


def put_back(stage: Stage, copy: Path) -> None:
    """The copy takes the journal's place."""
    for leftover in stage.folder.glob("journal.db-*"):
        leftover.unlink()
    shutil.copy(copy, stage.folder / "journal.db")


def refused(stage: Stage) -> str:
    """Start the runner, which must refuse; what it says."""
    words = [sys.executable, "-m", "runner", "run", "--dir", str(stage.folder)]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert ended.returncode == CONFIGURATION, ended.stderr
    return ended.stderr


def end(stage: Stage) -> None:
    """Stop the runner cleanly, so that its file is whole."""
    assert stage.runner is not None
    stage.runner.terminate()
    assert stage.runner.wait(PATIENCE) == 0


@pytest.mark.parametrize("witness", [True, False])
def test_a_restored_journal_doubles_nothing(stage: Stage, tmp_path: Path, witness: bool) -> None:
    """It is refused, by its witness or by what the exchange knows; accepted, it asks first."""
    stage.run()
    fire(stage, 1, 2)
    end(stage)
    back_up(stage, tmp_path / "copy.db")
    stage.run()
    fire(stage, 2, 4)
    end(stage)
    put_back(stage, tmp_path / "copy.db")
    if not witness:
        shutil.rmtree(stage.folder / "witness")
    for _ in range(4):
        text = refused(stage)
        assert "--accept-restored-journal" in text
        assert ("is older than its witness" in text) == witness
        assert ("the exchange has orders that" in text) != witness
    stage.run(None, "--accept-restored-journal")
    again = stage.alert({"n": 2})
    assert again is not None
    assert again["outcome"] == "fired"
    eventually(lambda: stage.settled(4), PATIENCE)
    fire(stage, 3, 6)
    assert stage.audit() == []
    assert len(stage.accepted()) == 6
    with JournalReader.open(stage.folder / "journal.db") as journal:
        assert journal.meta()["epoch"] > 1_000
        told = [record for record in journal.records() if record["reason"] == "orphan"]
    assert len(told) == 2
    end(stage)
    stage.run()
    answer = stage.alert({"n": 2})
    assert answer is not None
    assert answer["outcome"] == "duplicate"


def runner(*words: object) -> subprocess.CompletedProcess[str]:
    """A verb of the runner, as people type it."""
    command = [sys.executable, "-m", "runner", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)


def test_the_drill_that_the_runbook_describes(stage: Stage) -> None:
    """Backed up beside the runner, lost, restored, accepted: recovery mode, then a clean audit.

    The alert that the copy forgot is sent again and doubles nothing; another one is only told of.
    """
    stage.run()
    fire(stage, 1, 2)
    backed_up = runner("db", "backup", "--dir", stage.folder)
    assert backed_up.returncode == 0, backed_up.stderr
    copy = Path(backed_up.stdout.strip())
    fire(stage, 2, 4)
    fire(stage, 3, 6)
    stage.kill()
    for lost in stage.folder.glob("journal.db*"):
        shutil.rmtree(lost) if lost.is_dir() else lost.unlink()
    shutil.copy(copy, stage.folder / "journal.db")
    assert "--accept-restored-journal" in refused(stage)
    stage.run(None, "--accept-restored-journal")
    with JournalReader.open(stage.folder / "journal.db") as journal:
        assert journal.meta()["restored_at"]
        told = [each for each in journal.records() if each["reason"] == "orphan"]
    assert len(told) == 4
    again = stage.alert({"n": 2})
    assert again is not None
    assert again["outcome"] == "fired"
    eventually(lambda: stage.settled(4), PATIENCE)
    audit = runner("audit", "--dir", stage.folder)
    assert audit.returncode == 0, audit.stdout
    assert "forgot 2 orders" in audit.stdout
    assert len(stage.accepted()) == 6
    assert runner("db", "check", "--dir", stage.folder).returncode == 0
    end(stage)
    stage.run()


def test_a_journal_that_was_removed_is_missed(stage: Stage) -> None:
    """A new journal in the place of the old one is refused as well."""
    stage.run()
    fire(stage, 1, 2)
    end(stage)
    (stage.folder / "journal.db").unlink()
    assert "is not the journal that was used here before" in refused(stage)
    shutil.rmtree(stage.folder / "witness")
    assert "the exchange has orders" in refused(stage)
