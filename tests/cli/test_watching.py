"""`runner check --watch`: again after each save, a terminal is cleared, Ctrl-C ends it."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runner.cli.watching import WAITING, on_save
from tests.cli.calling import call

SOUND = """\
version: 1
rules:
  - id: first
    symbol: BTCUSDT
    when: [{price: {crosses_above: 70000}}]
    do: [{notify: crossed}]
"""
WRONG = SOUND.replace("crosses_above", "crosses_abov")
FINE = "1 rule in 1 file checked: fine."
CLEAR = "\x1b[2J"
FOREGROUND = """\
import signal
from runner.cli import main
# a background job of a shell ignores SIGINT, and its children with it
signal.signal(signal.SIGINT, signal.default_int_handler)
main(prog_name="runner")
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A sound rule file."""
    path = tmp_path / "a.yaml"
    path.write_text(SOUND, "utf-8")
    return path


def rounds(paths: list[Path], *steps: Callable[[], object] | None) -> int:
    """How often the work was done when each pause did one of these steps; then Ctrl-C."""
    done = 0
    left = list(steps)

    def work() -> None:
        nonlocal done
        done += 1

    def pause(seconds: float) -> None:
        assert seconds < 1
        if not left:
            raise KeyboardInterrupt
        step = left.pop(0)
        if step is not None:
            step()

    on_save(paths, work, pause)
    return done


def test_it_works_once_and_then_after_changes_only(file: Path) -> None:
    """Looking again and again at the same files is no reason; saving the same text is none."""
    assert rounds([file.parent], *[None] * 5) == 1
    assert rounds([file.parent], None, lambda: file.write_text(SOUND), None, None) == 1
    assert rounds([file.parent], None, lambda: file.write_text(WRONG), None, None) == 2


def test_a_file_that_is_being_written_is_waited_for(file: Path) -> None:
    """While it differs from look to look it is not at rest."""
    pieces = [lambda end=end: file.write_text(WRONG[:end]) for end in (10, 60, 120)]
    assert rounds([file], *pieces) == 1
    file.write_text(SOUND, "utf-8")
    assert rounds([file], *pieces, None, None) == 2


def test_new_files_in_the_folder_count_too(file: Path, tmp_path: Path) -> None:
    """Added, renamed over, removed: each is a change."""
    other = tmp_path / "b.yaml"
    aside = tmp_path / ".b"

    def renamed() -> None:
        aside.write_text(WRONG, "utf-8")
        aside.rename(other)

    steps = (lambda: other.write_text(SOUND), None, None, renamed, None, None, other.unlink, None)
    assert rounds([file.parent], *steps, None, None) == 4


def test_it_is_for_people_only() -> None:
    """Several JSON documents after one another are no document."""
    for words in (("--json",), ("--format", "sarif")):
        answer = call("check", "--watch", *words, ".")
        assert answer.exit_code == 2
        assert "--watch is for people: it does not go with --format" in answer.stderr


@contextmanager
def watching(file: Path, stdout: int) -> Iterator[subprocess.Popen[bytes]]:
    """The real command, as a shell starts it in the foreground."""
    process = subprocess.Popen(
        [sys.executable, "-c", FOREGROUND, "check", "--watch", str(file)],
        stdout=stdout,
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=60)


def test_the_command_shows_each_save_and_ends_cleanly(file: Path) -> None:
    """Off a terminal no screen is cleared; Ctrl-C ends it with 0 and without a trace."""
    with watching(file, subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline().decode() == f"{FINE}\n"
        file.write_text(WRONG, "utf-8")
        assert b"unknown key crosses_abov" in process.stdout.readline()
        while b"Nothing was loaded." not in process.stdout.readline():
            pass
        file.write_text(SOUND, "utf-8")
        assert process.stdout.readline().decode() == f"{FINE}\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert out == b""
    lines = err.decode().splitlines()
    assert all(line.endswith(WAITING) for line in lines), lines


def test_a_terminal_is_cleared(file: Path) -> None:
    """So that the newest answer stands at the top."""
    ours, theirs = pty.openpty()
    with watching(file, theirs) as process:
        os.close(theirs)
        shown = b""
        while FINE.encode() not in shown:
            shown += os.read(ours, 4096)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    os.close(ours)
    assert CLEAR.encode() in shown
