"""A kill while runner.yaml has mistakes: the runner that runs goes on with what it read before."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

import click

from runner.cli import output
from runner.cli.switching import confirmed, who
from runner.errors import RunnerError, UsageError

PATIENCE: Final = 10.0
"""Seconds that the runner has to take the request; it looks twenty times a second."""

LOOK_EVERY: Final = 0.05


def blindly(folder: Path, mistakes: str, *, yes: bool, reason: str) -> None:
    """Leave the request where the runner of this folder looks for it, and say whether it took it.

    Raises UsageError when none runs here, RunnerError when it did not take it.
    """
    from runner.killing import leave_request, request_in
    from runner.ops.presence import process_in

    if process_in(folder) is None:
        raise UsageError(
            f"no runner runs in {folder}, nothing could be sent; if it is urgent, act in the "
            f"exchange's app. To begin killed, mend runner.yaml first:\n{mistakes}"
        )
    output.note("runner.yaml has mistakes (runner check): the runner goes on with what it read")
    question = "Cancel EVERY open order of the runner's symbols and close ALL positions at market?"
    confirmed(question, yes)
    at = time.time_ns() // 1_000_000
    told = {"who": who(), "at": at, "reason": reason, "flatten": True}
    leave_request(folder, f"kill-{at}-{os.getpid()}", told)
    deadline = time.monotonic() + PATIENCE
    while request_in(folder).exists():
        if time.monotonic() >= deadline:
            raise RunnerError(
                "the runner did not take it: act in the exchange's app, see the runner's log"
            )
        time.sleep(LOOK_EVERY)
    click.echo(
        "the runner took it: it cancels everything and closes the positions of its first account; "
        "mend runner.yaml, then runner status tells what came of it"
    )
