"""A kill while runner.yaml has mistakes: the runner that runs goes on with what it read before."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import click

from runner.cli import output
from runner.cli.switching import confirmed, who
from runner.errors import RunnerError, UsageError

PATIENCE: Final = 10.0
"""Seconds that the runner has to take the request; it looks twenty times a second."""

LOOK_EVERY: Final = 0.05


def blindly(folder: Path, mistakes: str, account: str = "", *, yes: bool, reason: str) -> None:
    """Leave a request for each account where the runner of this folder looks for it, and say which
    were taken; with `account` for this one alone.

    Raises UsageError when none runs here, or there is no such account; RunnerError when one was
    not taken.
    """
    from runner.killing import leave_request
    from runner.ops.presence import process_in

    if process_in(folder) is None:
        raise UsageError(
            f"no runner runs in {folder}, nothing could be sent; if it is urgent, act in the "
            f"exchange's app. To begin killed, mend runner.yaml first:\n{mistakes}"
        )
    output.note("runner.yaml has mistakes (runner check): the runner goes on with what it read")
    known = _known(folder)
    if account and account not in known:
        raise UsageError(
            f"there is no account {account} here: the runner that runs has {', '.join(known)}"
        )
    meant = {account: known[account]} if account else known
    of = f" in {', '.join(meant)}" if len(known) > 1 else ""
    confirmed(f"Cancel EVERY open order of the runner's symbols{of} and close ALL positions?", yes)
    at = time.time_ns() // 1_000_000
    told = {"who": who(), "at": at, "reason": reason, "flatten": True}
    for apart in meant.values():
        # all of them at once: none waits for what becomes of another one
        leave_request(folder, f"kill-{at}-{os.getpid()}", told, apart)
    _tell(meant, _left(folder, meant), several=len(known) > 1)


def _known(folder: Path) -> dict[str, str]:
    """The accounts that can be reached: those that the runner said, or whose journal is there."""
    from runner.ops.presence import accounts_in
    from runner.settings.several import FOLDER

    found = accounts_in(folder)
    if found:
        return found
    others = sorted(path.stem for path in (folder / FOLDER).glob("*.db"))
    return {"the first account" if others else "": "", **{name: name for name in others}}


def _left(folder: Path, meant: Mapping[str, str]) -> list[str]:
    """The accounts whose request was not taken within the time they have."""
    from runner.killing import request_in

    deadline = time.monotonic() + PATIENCE
    while True:
        left = [name for name, apart in meant.items() if request_in(folder, apart).exists()]
        if not left or time.monotonic() >= deadline:
            return left
        time.sleep(LOOK_EVERY)


def _tell(meant: Mapping[str, str], left: Sequence[str], *, several: bool) -> None:
    taken = [name for name in meant if name not in left]
    of = f" of {', '.join(taken)}" if several else ""
    if taken:
        click.echo(
            f"the runner took it: it cancels everything and closes the positions{of}; mend "
            "runner.yaml, then runner status tells what came of it"
        )
    if left:
        which = f" for {', '.join(left)}" if several else ""
        raise RunnerError(
            f"the runner did not take it{which}: act in the exchange's app, see the runner's log"
        )
