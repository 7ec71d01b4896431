"""`runner unlock`: take entries again after a kill."""

from __future__ import annotations

from pathlib import Path

import click

from runner.cli import accounts, options
from runner.cli.switching import order


@click.command(epilog="Example: runner unlock --reason 'checked by hand' --dir my")
@click.option(
    "--reason", required=True, metavar="TEXT", help="What you found; kept in the journal."
)
@options.directory
@options.as_json
@accounts.each
def unlock(reason: str, folder: Path, as_json: bool) -> None:
    """Take entries again after `runner kill`. A pause is not ended by it.

    Exit 0: done, 1: refused or not finished, and why; 2: it cannot be done here.
    """
    order(folder, "unlock", as_json=as_json, reason=reason)
