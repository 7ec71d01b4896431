"""`runner enable`: let a rule fire again."""

from __future__ import annotations

from pathlib import Path

import click

from runner.cli import accounts, options
from runner.cli.switching import order


@click.command(epilog="Example: runner enable tv-eth --reason 'link is back' --dir my")
@click.argument("rule_id", metavar="RULE", shell_complete=options.rule_ids)
@options.reason
@options.directory
@options.as_json
@accounts.of_rule
def enable(rule_id: str, reason: str, folder: Path, as_json: bool) -> None:
    """Let RULE fire again, after `runner disable` or a rule's `disable`; it outlasts restarts.

    Exit 0: done, 1: refused or not finished, and why; 2: it cannot be done here.
    """
    order(folder, "enable", as_json=as_json, rule_id=rule_id, reason=reason)
