"""`runner runs`: the firings of rules, with how far each has come."""

from __future__ import annotations

from pathlib import Path

import click

from runner.cli import accounts, options, output


@click.command(epilog="Example: runner runs --dir my --rule btc-breakout")
@options.directory
@options.only_rule
@click.option("--symbol", metavar="SYMBOL", help="Only runs on this symbol: BTCUSDT.")
@click.option(
    "--state",
    type=click.Choice(["running", "done", "stopped"]),
    help="Only runs that stand like this.",
)
@options.limit
@options.as_json
@accounts.each
def runs(
    folder: Path,
    rule: str | None,
    symbol: str | None,
    state: str | None,
    limit: int | None,
    as_json: bool,
) -> None:
    """List the firings of rules, oldest first; `runner explain RUN` shows one."""
    from runner.cli.reading import journal_of, newest

    with journal_of(folder) as journal:
        found = newest(lambda most: journal.runs(rule, state, symbol, most), limit, as_json, "runs")
    if as_json:
        output.document(found)
        return
    rows = [
        (
            output.instant(run["fired_at"]),
            run["run_id"],
            run["rule_id"],
            run["symbol"],
            run["trigger"],
            run["status"],
            run["reason"],
        )
        for run in found
    ]
    empty = "no firing fits that" if rule or symbol or state else "nothing fired yet"
    output.table(("fired", "run", "rule", "symbol", "trigger", "status", "why"), rows, empty)
