"""`runner resolve`: say what became of a parked order."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from runner.cli import accounts, options, output

REFUSED = 1


@click.command(
    epilog="Example: runner resolve r1-main-abc --as absent --reason 'not in the app' --dir my"
)
@click.argument("client_order_id", metavar="CLIENT_ORDER_ID")
@click.option(
    "--as",
    "verdict",
    type=click.Choice(["sent", "absent"]),
    required=True,
    help="sent: the exchange has it, it is followed from now on. absent: it never got there, it "
    "is never sent.",
)
@click.option("--reason", required=True, metavar="TEXT", help="How you know; kept in the journal.")
@options.directory
@options.as_json
@accounts.exactly_one
def resolve(client_order_id: str, verdict: str, reason: str, folder: Path, as_json: bool) -> None:
    """Decide about a PARKED order, of which the runner cannot prove whether it was accepted.

    The running daemon does it; without one it is done at the next start.

    Exit 0: done, or kept for the next start; 1: refused, and why.
    """
    from runner.cli.accounts import settings_of
    from runner.cli.commanding import command
    from runner.connecting import wall_ms
    from runner.taking import RESOLVE

    data = {"client_order_id": client_order_id, "verdict": verdict, "reason": reason}
    told = command(folder, settings_of(folder), RESOLVE, data, wall_ms())
    if as_json:
        output.document({"done": told.done, "waits": told.waits, "text": told.text})
    else:
        click.echo(told.text)
    sys.exit(0 if told.done or told.waits else REFUSED)
