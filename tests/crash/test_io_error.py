"""The disk fails under a commit, or the file is swapped: the process ends and sends nothing."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.crash.power_loss import why_not
from tests.crash.stage import NUMBERED, PATIENCE, Stage
from tests.support import eventually


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A runner that takes alerts."""
    stage = Stage(tmp_path / "runner", NUMBERED)
    stage.run()
    yield stage
    stage.stop()


@contextmanager
def failing_disk(pid: int, said: Path) -> Iterator[None]:
    """From now on every sync of this process fails with EIO."""
    inject = ["-e", "trace=fdatasync,fsync", "-e", "inject=fdatasync,fsync:error=EIO"]
    with said.open("wb") as log:
        tracer = subprocess.Popen(["strace", "-f", *inject, "-p", str(pid)], stderr=log)
    try:
        eventually(lambda: "attached" in said.read_text(), PATIENCE)
        yield
    finally:
        tracer.terminate()
        tracer.wait(PATIENCE)


def test_an_io_error_of_a_commit_ends_the_process_and_sends_nothing(
    stage: Stage, tmp_path: Path
) -> None:
    """Whether the commit is durable is not known: the alert gets no 200, and is sent again."""
    if reason := why_not():
        pytest.skip(reason)
    assert stage.runner is not None
    with failing_disk(stage.runner.pid, tmp_path / "strace.log"):
        assert stage.alert({"n": 1}) is None
        assert stage.runner.wait(PATIENCE) not in (0, None)
    assert stage.accepted() == []
    said = (stage.folder.parent / "run.log").read_text()
    assert "not known whether it is durable" in said
    stage.run()
    answer = eventually(lambda: stage.alert({"n": 1}), PATIENCE)
    assert answer is not None
    assert answer["outcome"] in ("fired", "duplicate")
    eventually(lambda: stage.settled(2), PATIENCE)
    assert len(stage.accepted()) == 2
    assert stage.audit() == []


def test_a_journal_that_is_swapped_under_the_process_ends_it(stage: Stage) -> None:
    """SQLite would write on to the file that nobody sees any more: nothing is sent instead."""
    assert stage.runner is not None
    journal = stage.folder / "journal.db"
    copy = journal.with_name("copy.db")
    shutil.copy(journal, copy)
    copy.replace(journal)
    assert stage.alert({"n": 1}) is None
    assert stage.runner.wait(PATIENCE) not in (0, None)
    assert stage.accepted() == []
    said = (stage.folder.parent / "run.log").read_text()
    assert "moved, removed or replaced" in said
