"""A file that is moved into a folder wakes whoever waits, and so does a knock."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.ops.arrivals import Arrivals

LONG = 120.0
"""Seconds: whoever waits so long was not woken."""


@pytest.fixture
def arrivals(tmp_path: Path) -> Iterator[Arrivals]:
    """Of a folder of its own."""
    one = Arrivals(tmp_path)
    yield one
    one.close()


def _move(folder: Path) -> None:
    (folder / ".unfinished").write_text("x")
    (folder / ".unfinished").rename(folder / "finished")


def test_a_file_moved_in_ends_the_wait(arrivals: Arrivals, tmp_path: Path) -> None:
    """Also one that came before it; once for each."""
    if not arrivals.told:
        pytest.skip("this system does not tell of files")
    _move(tmp_path)
    assert arrivals.wait(LONG)
    assert not arrivals.wait(0)
    mover = threading.Timer(0.05, _move, (tmp_path,))
    mover.start()
    assert arrivals.wait(LONG)
    mover.join()


def test_only_what_is_moved_in_counts(arrivals: Arrivals, tmp_path: Path) -> None:
    """The journal beside it is written all the time."""
    (tmp_path / "journal").write_text("x")
    (tmp_path / "journal").write_text("y")
    (tmp_path / "journal").unlink()
    assert not arrivals.wait(0)


def test_a_knock_ends_the_wait(arrivals: Arrivals) -> None:
    """From another thread, or before; any number of them is one."""
    for _ in range(100_000):
        arrivals.knock()
    assert arrivals.wait(LONG)
    assert not arrivals.wait(0)
    knocker = threading.Timer(0.05, arrivals.knock)
    knocker.start()
    assert arrivals.wait(LONG)
    knocker.join()


def test_a_folder_that_is_gone_ends_nothing(tmp_path: Path) -> None:
    """Waits last their time again."""
    folder = tmp_path / "inner"
    folder.mkdir()
    one = Arrivals(folder)
    folder.rmdir()
    one.wait(0)
    assert not one.wait(0)
    one.knock()
    assert one.wait(LONG)
    one.close()


def test_a_knock_after_the_end_is_harmless(tmp_path: Path) -> None:
    """Whoever stops twice knocks at a closed door."""
    one = Arrivals(tmp_path)
    one.close()
    one.close()
    one.knock()


class _NoSystem:
    """A C library of a system without inotify."""


class _NoWatches:
    """One whose limit of instances is reached."""

    def inotify_init1(self, _: int) -> int:
        """As the call says it."""
        return -1


@pytest.mark.parametrize("system", [_NoSystem, _NoWatches])
def test_without_the_kernel_a_wait_lasts_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: Any
) -> None:
    """Knocks are heard all the same."""
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: system())
    one = Arrivals(tmp_path)
    assert not one.told
    _move(tmp_path)
    assert not one.wait(0.01)
    one.knock()
    assert one.wait(LONG)
    one.close()


def test_a_folder_that_cannot_be_watched(tmp_path: Path) -> None:
    """It is asked again and again instead."""
    one = Arrivals(tmp_path / "absent")
    assert not one.told
    assert not one.wait(0)
    one.close()
