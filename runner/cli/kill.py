"""`runner kill`: cancel everything, close positions, open nothing until unlocked."""

from __future__ import annotations

import os
import time
from pathlib import Path

import click

from runner.cli import accounts, options
from runner.cli.killing_blindly import blindly
from runner.cli.switching import confirmed, order, who
from runner.errors import ConfigurationError


@click.command(epilog="Example: runner kill --reason 'orders I do not know' --yes --dir my")
@options.yes
@options.reason
@options.directory
@options.as_json
@accounts.option
def kill(yes: bool, reason: str, folder: Path, as_json: bool, account: str) -> None:
    """Cancel EVERY order of the runner's symbols, also those placed by hand; open nothing more.

    Then positions are closed at market, unless runner.yaml says on_kill: cancel. It holds, also
    over restarts, until `runner unlock --reason TEXT`. The cancels go out on a connection of
    their own before anything else: they wait neither for the journal nor for other requests.
    While no daemon runs nothing can be sent: the next start begins killed.

    Exit 0: done, 1: not finished, and why; 2: it cannot be done here.
    """
    from runner.killing import leave_request
    from runner.settings import load

    names = accounts.chosen(folder, account)
    try:
        settings = load(folder)
    except ConfigurationError as error:
        blindly(folder, str(error), account, yes=yes, reason=reason)
        return
    closes = settings.on_kill == "flatten"
    then = "close ALL positions at market" if closes else "leave positions without any exit order"
    where = f" in {', '.join(names)}" if len(names) > 1 else ""
    confirmed(f"Cancel EVERY open order of the runner's symbols{where} and {then}?", yes)
    told = {"who": who(), "at": time.time_ns() // 1_000_000, "reason": reason, "flatten": closes}
    key = f"kill-{told['at']}-{os.getpid()}"
    for name in names:
        # all of them at once: none waits for what becomes of another one
        leave_request(folder, key, told, settings.of(name).apart if name else "")
    accounts.in_turn(names, lambda: order(folder, "kill", as_json=as_json, key=key, **told))
