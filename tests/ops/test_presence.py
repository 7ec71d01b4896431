"""The kernel tells which process runs in a folder, as long as it runs and no longer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runner.errors import RunnerError
from runner.ops.presence import FILE_NAME, accounts_in, announce, process_in

HOLD = """\
import sys
from pathlib import Path
from runner.ops.presence import announce
assert announce(Path(sys.argv[1])) is not None
print("held", flush=True)
sys.stdin.read()
"""


def test_the_holder_is_known_until_it_ends(tmp_path: Path) -> None:
    """Its id while it runs, also to a second one that would hold it; none once it was killed."""
    assert process_in(tmp_path) is None
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert process_in(tmp_path) == holder.pid
        assert announce(tmp_path) is None
        holder.kill()
        holder.wait()
        assert process_in(tmp_path) is None
    descriptor = announce(tmp_path)
    assert descriptor is not None
    os.close(descriptor)


def test_the_file_says_which_accounts_there_are(tmp_path: Path) -> None:
    """So that a kill finds each without the settings; one that says nothing is empty."""
    assert accounts_in(tmp_path) == {}
    for told in ({"main": "", "hedge": "hedge"}, {"main": ""}, {}):
        descriptor = announce(tmp_path, told)
        assert descriptor is not None
        assert accounts_in(tmp_path) == told
        os.close(descriptor)
    (tmp_path / FILE_NAME).write_text("[1]")
    assert accounts_in(tmp_path) == {}


def test_a_folder_where_nothing_can_be_written(tmp_path: Path) -> None:
    """Nobody is announced, and nothing is raised: who cannot write fails elsewhere."""
    assert announce(tmp_path / "missing") is None


def test_a_file_that_may_not_be_opened(tmp_path: Path) -> None:
    """Said with the cure: be the runner's user."""
    (tmp_path / FILE_NAME).mkdir()
    with pytest.raises(RunnerError, match="be the user the runner runs as"):
        process_in(tmp_path)
