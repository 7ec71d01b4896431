"""`runner reload`: has the running daemon take up the rule files, and waits for the outcome."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli import options, output
from runner.cli.progress import Working
from runner.errors import RunnerError, UsageError

if TYPE_CHECKING:
    from runner.journal import JournalReader

REFUSED, COULD_NOT = 1, 2
LOOK_EVERY = 0.05
TIMEOUT = 60


@click.command(epilog="Example: runner reload --dir my")
@options.directory
@click.option(
    "--timeout",
    type=click.IntRange(min=1),
    default=TIMEOUT,
    metavar="SECONDS",
    help=f"How long to wait for the daemon. Default: {TIMEOUT}.",
)
@options.as_json
def reload(folder: Path, timeout: int, as_json: bool) -> None:
    """Have the daemon that runs in DIR take up its rule files, all or none; print the plan.

    Exit 0: they run, 1: they have mistakes and nothing changed, 2: no daemon runs in DIR, or it
    did not answer in time.
    """
    from runner.cli.reading import journal_of

    process = _process(folder)
    with journal_of(folder) as journal:
        record = _asked(journal, folder, process, time.monotonic() + timeout)
    if as_json:
        output.document(record)
    else:
        _show(record)
    sys.exit(REFUSED if record["reason"] else 0)


def _process(folder: Path) -> int:
    from runner.ops.presence import process_in

    process = process_in(folder)
    if process is None:
        raise UsageError(f"no runner runs in {folder}: start it with runner run --dir {folder}")
    if process <= 0:
        raise UsageError(f"the runner of {folder} is in another container: reload it from there")
    return process


def _asked(journal: JournalReader, folder: Path, process: int, deadline: float) -> dict[str, Any]:
    """The record of the reload that this call asked for, or of a later one."""
    asked_at = time.monotonic_ns() // 1_000_000
    last = journal.records(limit=1)
    after = last[-1]["seq"] if last else 0
    try:
        os.kill(process, signal.SIGHUP)
    except OSError as error:
        raise UsageError(
            f"cannot reach the runner (pid {process}): {error.strerror}; be its user"
        ) from error
    with Working("waiting for the runner"):
        record = _answer(journal, folder, process, after, asked_at, deadline)
    if record is not None:
        return record
    raise UsageError(
        f"the runner (pid {process}) did not say in time what came of it: see runner status"
    )


def _answer(
    journal: JournalReader, folder: Path, process: int, after: int, asked_at: int, deadline: float
) -> dict[str, Any] | None:
    """The record, or None when it did not come in time."""
    while time.monotonic() < deadline:
        for record in journal.records(after=after, kinds=("reload",)):
            if record["data"].get("asked_monotonic", 0) >= asked_at:
                return record
        if _gone(folder, process):
            raise UsageError("the runner ended before it reloaded: see runner status")
        time.sleep(LOOK_EVERY)
    return None


def _gone(folder: Path, process: int) -> bool:
    from runner.ops.presence import process_in

    try:
        return process_in(folder) != process
    except RunnerError:
        return True


def _show(record: dict[str, Any]) -> None:
    told = record["data"]
    revision = f"Revision {told['revision'][:12]} ({output.count(told['rules'], 'rule')})"
    if record["reason"]:
        output.note(told["refused"].rstrip())
        output.note(f"{revision} keeps running.")
        return
    for line in told["plan"]:
        click.echo(line)
    tests = f"{output.count(told['tests'], 'test')} ok. " if told.get("tests") else ""
    click.echo(f"{tests}{revision} is running since {output.instant(record['at'])} UTC.")
