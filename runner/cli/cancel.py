"""`runner cancel`: take our open orders off the book."""

from __future__ import annotations

from pathlib import Path

import click

from runner.cli import accounts, options
from runner.cli.switching import order


@click.command(epilog="Example: runner cancel --rule btc-breakout --dir my")
@click.option(
    "--rule",
    "rule_id",
    default="",
    metavar="RULE",
    shell_complete=options.rule_ids,
    help="Only the orders of this rule.",
)
@options.of_symbol
@options.reason
@options.directory
@options.as_json
@accounts.each
def cancel(rule_id: str, symbol: str, reason: str, folder: Path, as_json: bool) -> None:
    """Cancel the open orders of the runner: all, or those of a rule or a symbol.

    Stops and targets are orders, too: a position stays without them. The runs they belong to
    end. Orders that you placed yourself stay. It needs a running daemon.

    Exit 0: done, 1: refused or not finished, and why; 2: it cannot be done here.
    """
    order(folder, "cancel", as_json=as_json, rule_id=rule_id, symbol=symbol, reason=reason)
