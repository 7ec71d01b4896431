"""`runner flatten`: close positions."""

from __future__ import annotations

from pathlib import Path

import click

from runner.cli import accounts, options
from runner.cli.switching import confirmed, order


@click.command(epilog="Example: runner flatten --symbol BTCUSDT --dir my")
@options.of_symbol
@options.yes
@options.reason
@options.directory
@options.as_json
@accounts.each
def flatten(symbol: str, yes: bool, reason: str, folder: Path, as_json: bool) -> None:
    """Cancel the runner's open orders, then close the positions at market, reduce-only.

    Of one symbol, or of every symbol that the rules trade or the account holds. Rules go on
    and may open anew: `runner pause` first if they shall not. It needs a running daemon.

    Exit 0: done, 1: refused or not finished, and why; 2: it cannot be done here.
    """
    what = f"the position of {symbol}" if symbol else "ALL positions"
    confirmed(f"Cancel the runner's orders and close {what} at market?", yes)
    order(folder, "flatten", as_json=as_json, symbol=symbol, reason=reason)
