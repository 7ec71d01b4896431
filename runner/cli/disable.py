"""`runner disable`: keep a rule from firing."""

from __future__ import annotations

from pathlib import Path

import click

from runner.cli import accounts, options
from runner.cli.switching import order


@click.command(epilog="Example: runner disable tv-eth --reason 'wrong levels' --dir my")
@click.argument("rule_id", metavar="RULE", shell_complete=options.rule_ids)
@options.reason
@options.directory
@options.as_json
@accounts.of_rule
def disable(rule_id: str, reason: str, folder: Path, as_json: bool) -> None:
    """Keep RULE from firing until `runner enable`; it outlasts restarts. What it has open goes on.

    Exit 0: done, 1: refused or not finished, and why; 2: it cannot be done here.
    """
    order(folder, "disable", as_json=as_json, rule_id=rule_id, reason=reason)
