"""`runner audit`: hold the journal against the exchange and name every difference."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli import accounts, options, output
from runner.cli.progress import Working

if TYPE_CHECKING:
    from runner.journal import JournalReader

FINDINGS = 1
DAY = 86_400_000
FORGETS_AFTER = 3
"""Days after which the exchange forgets cancelled orders that nothing filled."""


@click.command(epilog="Example: runner audit --dir my --days 1")
@options.directory
@click.option(
    "--days",
    type=click.IntRange(min=1, max=FORGETS_AFTER),
    default=1,
    show_default=True,
    help="How far back the exchange is asked; it forgets after 3.",
)
@click.option("--paper", is_flag=True, help="Beside the paper exchange, not the account.")
@options.as_json
@accounts.each
def audit(folder: Path, days: int, paper: bool, as_json: bool) -> None:
    """Hold the journal against the exchange, also while the runner goes on.

    Named is each order that was accepted twice under one id, that one side knows and the other
    does not, or that is still open between both.

    Orders that a restored journal forgot are no difference once a start has named them.

    Exit 0: they agree, 1: differences.
    """
    from runner.audit import differences, remembered_since
    from runner.cli.accounts import settings_of
    from runner.cli.exchange import exchange_of
    from runner.cli.reading import journal_of

    settings = settings_of(folder)
    with Working("asking the exchange"), exchange_of(folder, settings, paper) as (venue, account):
        since = venue.server_time() - days * DAY
        with journal_of(folder, settings) as reader:
            symbols = {row["symbol"] for row in reader.orders()} | _traded(folder)
            placed = venue.placed(symbols, since)
            # read after the exchange: what was sent meanwhile is then known here
            orders = [row for row in reader.orders() if row["kind"] == "order"]
            forgotten = _forgotten(reader)
    sent = remembered_since(orders, placed, since)
    ids = [order.client_order_id for order in placed]
    found = differences(sent, ids, settings.namespace, forgotten)
    if as_json:
        output.document(
            {
                "account": account,
                "since": since,
                "journal_orders": len(sent),
                "exchange_orders": len(placed),
                "differences": found,
            }
        )
    elif found:
        click.echo("\n".join(found))
    else:
        click.echo(f"journal and exchange agree about {len(sent)} orders of {account}")
        only = len(forgotten & set(ids) - {row["client_order_id"] for row in sent})
        if only:
            click.echo(
                f"the journal was restored and forgot {output.count(only, 'order')} of these days, "
                "which are left alone: runner journal --kind notify names them"
            )
    sys.exit(FINDINGS if found else 0)


def _traded(folder: Path) -> set[str]:
    """The symbols of the rules: a journal that forgot its orders does not name them."""
    from runner.rulebook.load import load

    rules = load(folder / "rules").rules
    return {symbol for rule in rules.rules.values() for symbol in rule.symbols} if rules else set()


def _forgotten(journal: JournalReader) -> frozenset[str]:
    """Orders that the exchange told of after the journal was restored."""
    from runner.journal import ORPHAN

    records = journal.records(kinds=("notify",))
    return frozenset(each["client_order_id"] for each in records if each["reason"] == ORPHAN)
