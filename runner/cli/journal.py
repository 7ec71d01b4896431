"""`runner journal`: the log of everything that happened, also as it happens."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli import accounts, options, output

if TYPE_CHECKING:
    from runner.journal import JournalReader

FOLLOW_EVERY = 0.25
HEADINGS = ("at", "kind", "rule", "symbol", "text", "reason", "run")


@click.command(epilog="Example: runner journal --dir my --rule btc-breakout --follow")
@options.directory
@options.only_rule
@click.option("--symbol", metavar="SYMBOL", help="Only records of this symbol: BTCUSDT.")
@options.only_run
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    metavar="KIND",
    help="Only records of this kind: fired, refused, sent, fill, error … Several times: any.",
)
@options.limit
@options.as_json
@click.option(
    "--follow", is_flag=True, help="Go on with what is written; --json then prints one a line."
)
@accounts.each
def journal(
    folder: Path,
    rule: str | None,
    symbol: str | None,
    run_id: str | None,
    kinds: tuple[str, ...],
    limit: int | None,
    as_json: bool,
    follow: bool,
) -> None:
    """Show the log of everything that happened, oldest first."""
    from runner.cli.reading import journal_of, newest

    wanted: dict[str, Any] = {
        "rule_id": rule,
        "run_id": run_id,
        "symbol": symbol,
        "kinds": kinds or None,
    }
    with journal_of(folder) as reader:
        last = reader.records(limit=1)
        found = newest(
            lambda most: reader.records(limit=most, **wanted),
            limit,
            as_json and not follow,
            "records",
        )
        if follow:
            _follow(reader, found, last[-1]["seq"] if last else 0, wanted, as_json)
        elif as_json:
            output.document(found)
        else:
            empty = "no record fits that" if any(wanted.values()) else "nothing happened yet"
            output.table(HEADINGS, [row(record) for record in found], empty)


def row(record: dict[str, Any]) -> output.Row:
    """A record as a line of a table."""
    return (
        output.instant(record["at"]),
        record["kind"],
        record["rule_id"],
        record["symbol"],
        record["text"],
        record["reason"],
        record["run_id"],
    )


def _follow(
    reader: JournalReader,
    found: list[dict[str, Any]],
    after: int,
    wanted: dict[str, Any],
    as_json: bool,
) -> None:
    """Print what there is and, after this seq, what comes, until Ctrl-C."""
    try:
        while True:
            for record in found:
                if as_json:
                    output.one_line(record)
                else:
                    click.echo("  ".join(str(cell) for cell in row(record) if cell))
                after = max(after, record["seq"])
            time.sleep(FOLLOW_EVERY)
            found = reader.records(after=after, **wanted)
    except KeyboardInterrupt:
        return
