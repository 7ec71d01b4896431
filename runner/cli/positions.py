"""`runner positions`: what the account holds, whose it is, and which exits it has."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from runner.cli import accounts, options, output
from runner.cli.daemon import ended, moment
from runner.cli.output import Row


@click.command(epilog="Example: runner positions --dir my --json")
@options.directory
@options.as_json
@accounts.each
def positions(folder: Path, as_json: bool) -> None:
    """Show balances and each open position as the running daemon sees it, and its exits.

    While no daemon answers: what the journal knew last, each line with its time.
    """
    from runner.cli.holding import held
    from runner.cli.reading import journal_of, readable
    from runner.connecting import wall_ms

    settings = readable(folder)
    with journal_of(folder, settings) as journal:
        now = wall_ms()
        told, daemon = held(folder, settings, journal, now)
    if as_json:
        output.document(told)
        return
    if not told["live"]:
        output.note(_why(daemon, now))
        at = moment(told["as_of"], now) if told["as_of"] else "nothing at all"
        output.note(
            f"what follows is what the journal knew last, as of {at}, not as it is now; the "
            "exchange's app shows what is"
        )
        if not told["known"]:
            output.note("nobody asked for the whole account yet: older positions may be missing")
    _table(told)


def _why(daemon: dict[str, Any], now: int) -> str:
    if daemon["running"]:
        return "the runner runs and did not say what it sees: ask again, see runner status"
    return f"the runner is not running: {ended(daemon, now)}"


def _table(told: dict[str, Any]) -> None:
    headings: tuple[str, ...] = (
        "symbol",
        "side",
        "size",
        "entry",
        "mark",
        "result",
        "liquidation",
        "run",
        "exits",
    )
    rows: list[Row] = [_row(each) for each in told["positions"]]
    empty = "no open positions"
    if not told["known"]:
        empty = "not known: the account was not read yet" if told["live"] else "none known"
    if sys.stdout.isatty():
        # exits are long: on a screen they stand below, a line each
        headings, rows = headings[:-1], [row[:-1] for row in rows]
    if not told["live"]:
        headings = (*headings, "as of (UTC)")
        seen = [output.instant(each["as_of"])[:19] for each in told["positions"]]
        rows = [(*row, at) for row, at in zip(rows, seen, strict=True)]
    output.table(headings, rows, empty)
    if sys.stdout.isatty():
        _exits(told["positions"])
    _balances(told["balances"])


def _exits(positions: list[dict[str, Any]]) -> None:
    """A line for each exit; a position without one cannot be overlooked."""
    for each in positions:
        for exit_ in each["exits"]:
            click.echo(f"exit of {each['symbol']} {each['side']}: {_exit(exit_)}")
        if not each["exits"]:
            click.secho(f"NO EXIT of {each['symbol']} {each['side']}", fg="red", bold=True)


def _balances(told: dict[str, Any]) -> None:
    """What the account has, in a line; nothing where nobody knows it."""
    words = {"wallet_balance": "wallet", "available": "available", "equity": "equity"}
    known = [f"{word} {told[name]}" for name, word in words.items() if told[name] is not None]
    if told["margin_ratio"] is not None:
        known.append(f"margin ratio {output.percent(told['margin_ratio'])}")
    if known:
        click.echo(f"\nUSDT: {', '.join(known)}")


def _row(each: dict[str, Any]) -> Row:
    return (
        each["symbol"],
        each["side"],
        each["size"],
        each["entry_price"],
        each["mark"],
        each["unrealised_pnl"],
        each["liquidation_price"],
        ", ".join(f"{run['rule_id']} {run['run_id']}" for run in each["runs"]),
        "; ".join(_exit(exit_) for exit_ in each["exits"]) or "no exit",
    )


def _exit(exit_: dict[str, Any]) -> str:
    """An exit in words, with its state unless it is on the book."""
    state = "" if exit_["state"] == "LIVE" else f" [{exit_['state']}]"
    return f"{exit_['text']}{state}"
