"""`runner orders`: every order and cancel of the journal, with what became of it."""

from __future__ import annotations

from pathlib import Path

import click

from runner.cli import accounts, options, output
from runner.cli.output import Row


@click.command(epilog="Example: runner orders --dir my --state LIVE --json")
@options.directory
@options.only_rule
@click.option("--symbol", metavar="SYMBOL", help="Only orders of this symbol: BTCUSDT.")
@click.option(
    "--state",
    "states",
    multiple=True,
    metavar="STATE",
    help="Only orders in this state: PLANNED, SENDING, UNKNOWN, LIVE, FILLED, CANCELED, EXPIRED, "
    "REJECTED, LAPSED, PARKED, DONE. May be given several times; open means the first four.",
)
@options.only_run
@options.limit
@options.as_json
@accounts.each
def orders(
    folder: Path,
    rule: str | None,
    symbol: str | None,
    states: tuple[str, ...],
    run_id: str | None,
    limit: int | None,
    as_json: bool,
) -> None:
    """List orders and cancels with their state, oldest first."""
    from runner.cli.reading import journal_of, newest

    chosen = _states(states)
    with journal_of(folder) as journal:
        found = newest(
            lambda most: journal.orders(chosen, symbol, run_id, most, rule_id=rule),
            limit,
            as_json,
            "orders",
        )
    if as_json:
        output.document(found)
        return
    headings = ("placed", "rule", "symbol", "order", "state", "filled", "average", "run", "why")
    empty = "no order fits that" if rule or symbol or run_id or chosen else "no orders"
    output.table(headings, [row(order) for order in found], empty)


def row(order: dict[str, object]) -> Row:
    """An order as a line of a table."""
    from runner.core.wording import plain_words

    return (
        output.instant(order["planned_at"]),  # type: ignore[arg-type]
        order["rule_id"],
        order["symbol"],
        plain_words(order),
        order["state"],
        order["cumulative_quantity"],
        order["average_price"],
        order["run_id"],
        order["message"],
    )


def _states(states: tuple[str, ...]) -> list[str] | None:
    from runner.core.decision import FINAL
    from runner.core.orders import OrderState

    if not states:
        return None
    chosen: set[str] = set()
    for written in states:
        word = written.upper()
        if word == "OPEN":
            chosen |= {state.value for state in OrderState if state not in FINAL}
        elif word in OrderState.__members__:
            chosen.add(word)
        else:
            known = ", ".join(OrderState.__members__)
            raise click.UsageError(f"{written} is no state of an order: open, {known}")
    return sorted(chosen)
