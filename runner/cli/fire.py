"""`runner fire`: fire a rule by hand, once for each event key."""

from __future__ import annotations

from pathlib import Path

import click

from runner.cli import accounts, options
from runner.cli.switching import order


@click.command(epilog="Example: runner fire eth-ladder --event-key 2026-11-21-a --dir my")
@click.argument("rule_id", metavar="RULE", shell_complete=options.rule_ids)
@click.option(
    "--event-key",
    required=True,
    metavar="ID",
    help="Names this firing: the same ID never fires the rule twice, however often it is said.",
)
@options.of_symbol
@options.directory
@options.as_json
@accounts.of_rule
def fire(rule_id: str, event_key: str, symbol: str, folder: Path, as_json: bool) -> None:
    """Fire RULE now as if its trigger had; its conditions and guards still decide.

    A rule that needs fields of an alert (`trigger.*`) is fired by `runner alert --send` instead.
    It needs a running daemon that is ready.

    Exit 0: it fired, 1: it did not, and why; 2: it cannot be done here.
    """
    order(folder, "fire", as_json=as_json, rule_id=rule_id, event_key=event_key, symbol=symbol)
