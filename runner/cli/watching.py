"""Does something again whenever rule files are saved, until Ctrl-C."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from runner.cli import output
from runner.rulebook.watch import Watch

LOOK_EVERY = 0.25
"""Seconds between two looks at the files."""

WAITING = "waiting for the next save, Ctrl-C ends"


def on_save(
    paths: Sequence[Path], work: Callable[[], object], pause: Callable[[float], None] = time.sleep
) -> None:
    """Do `work` now, and after each change of a rule file at `paths`; returns on Ctrl-C.

    A change counts once two looks in a row find the same, so that half a file is not read. The
    screen is cleared before each round, if it is one.
    """
    folders = dict.fromkeys(path if path.is_dir() else path.parent for path in paths)
    watches = [Watch(folder) for folder in folders]
    done: list[str] = []
    seen = [watch.began for watch in watches]
    try:
        while True:
            now = [watch.digest() for watch in watches]
            if now != done and now == seen:
                done = now
                click.clear()
                work()
                output.note(f"{time.strftime('%H:%M:%S')} {WAITING}")
            seen = now
            pause(LOOK_EVERY)
    except KeyboardInterrupt:
        return
