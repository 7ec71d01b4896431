"""`runner pause`: open nothing any more, let exits go on."""

from __future__ import annotations

from pathlib import Path

import click

from runner.cli import accounts, options
from runner.cli.switching import order


@click.command(epilog="Example: runner pause --reason 'news at eight' --dir my")
@options.reason
@options.directory
@options.as_json
@accounts.each
def pause(reason: str, folder: Path, as_json: bool) -> None:
    """Open nothing any more: entries that were not sent are taken back, exits and closes go on.

    It outlasts restarts; `runner resume` ends it. Orders on the book stay.

    Exit 0: done, 1: refused or not finished, and why; 2: it cannot be done here.
    """
    order(folder, "pause", as_json=as_json, reason=reason)
