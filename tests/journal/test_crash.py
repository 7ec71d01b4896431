"""A killed process loses nothing that was acknowledged, and leaves nothing half done."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runner.journal import JournalReader
from tests.journal.building import open_journal

REPOSITORY = Path(__file__).parents[2]

WRITER = """
import os, signal, sys
from pathlib import Path
from tests.journal.building import firing, open_journal

def die(name):
    if name == point and counted == [int(at)]:
        os.kill(os.getpid(), signal.SIGKILL)

folder, point, at = sys.argv[1:]
counted = [0]
journal = open_journal(Path(folder), on_commit=die, wal_bytes=4_200_000)
for number in range(100_000):
    counted[0] = number
    journal.commit([firing(f"{number}.{part}", legs=3)[0] for part in range(2)])
    print(number, flush=True)
"""


def run_writer(folder: Path, point: str, at: int) -> subprocess.Popen[str]:
    """A process that commits numbered groups and prints each number once it is durable."""
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), point, str(at)],
        stdout=subprocess.PIPE,
        cwd=REPOSITORY,
        text=True,
    )


def groups(folder: Path) -> int:
    """How many groups the journal holds, checked to be whole; it is opened as a start does."""
    journal = open_journal(folder)
    runs = journal.open_runs()
    assert len(journal.legs_of([run.run_id for run in runs])) == 3 * len(runs)
    journal.close()
    with JournalReader.open(folder / "journal.db") as reader:
        orders = reader.orders()
    assert all(len(order["attempts"]) == 1 for order in orders)
    keys = {run.identity.event_key for run in runs}
    whole, half = divmod(len(keys), 2)
    assert half == 0
    assert keys == {f"{number}.{part}" for number in range(whole) for part in range(2)}
    return whole


@pytest.mark.parametrize("seed", range(4))
def test_every_acknowledged_commit_survives_a_kill(tmp_path: Path, seed: int) -> None:
    """SIGKILL at any moment: all groups that were reported are there, each one whole."""
    child = run_writer(tmp_path, "never", 0)
    with child:
        assert child.stdout is not None
        reported = -1
        for _ in range(random.Random(seed).randrange(1, 200)):
            reported = int(child.stdout.readline())
        child.kill()
        reported = max([reported, *map(int, child.stdout.read().split())])
    assert child.returncode == -signal.SIGKILL
    assert groups(tmp_path) in {reported + 1, reported + 2}


@pytest.mark.parametrize(("point", "found"), [("before_commit", 7), ("after_commit", 8)])
def test_a_kill_at_a_failpoint(tmp_path: Path, point: str, found: int) -> None:
    """Killed before COMMIT the group is not there, killed after it, it is."""
    child = run_writer(tmp_path, point, 7)
    with child:
        assert child.stdout is not None
        assert child.stdout.read().split() == [str(number) for number in range(7)]
    assert child.returncode == -signal.SIGKILL
    with JournalReader.open(tmp_path / "journal.db") as reader:
        assert len(reader.runs()) == 2 * found
    assert groups(tmp_path) == found


def test_a_torn_last_write_loses_only_what_was_not_reported(tmp_path: Path) -> None:
    """The WAL cut at any byte, as power loss may leave it, opens to whole groups in order."""
    original = tmp_path / "original"
    original.mkdir()
    child = run_writer(original, "after_commit", 5)
    with child:
        assert child.stdout is not None
        child.stdout.read()
    content = (original / "journal.db-wal").read_bytes()
    dice = random.Random(3)
    found = set()
    for number in range(25):
        image = tmp_path / str(number)
        image.mkdir()
        shutil.copy(original / "journal.db", image)
        # the schema's own frames lie at the beginning, so the journal itself is always there
        cut = dice.randrange(0, 600_000)
        (image / "journal.db-wal").write_bytes(content[:cut])
        found.add(groups(image))
    assert max(found) == 6
    assert found <= set(range(7))
