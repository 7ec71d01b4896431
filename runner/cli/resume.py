"""`runner resume`: take entries again after a pause."""

from __future__ import annotations

from pathlib import Path

import click

from runner.cli import accounts, options
from runner.cli.switching import order


@click.command(epilog="Example: runner resume --dir my")
@options.reason
@options.directory
@options.as_json
@accounts.each
def resume(reason: str, folder: Path, as_json: bool) -> None:
    """Take entries again after `runner pause`. What was refused meanwhile is not made up for.

    Exit 0: done, 1: refused or not finished, and why; 2: it cannot be done here.
    """
    order(folder, "resume", as_json=as_json, reason=reason)
