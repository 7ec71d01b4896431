"""`runner alerts`: the alerts that were taken, with what came of each."""

from __future__ import annotations

import json
from pathlib import Path

import click

from runner.cli import accounts, options, output


@click.command(epilog="Example: runner alerts --dir my --limit 10")
@options.directory
@click.option("--path", "hook", metavar="PATH", help="Only alerts on /hook/PATH.")
@options.limit
@options.as_json
@accounts.each
def alerts(folder: Path, hook: str | None, limit: int | None, as_json: bool) -> None:
    """List the alerts that were taken, oldest first, with what came of each."""
    from runner.cli.reading import journal_of, newest

    with journal_of(folder) as journal:
        found = newest(lambda most: journal.alerts(limit=most, path=hook), limit, as_json, "alerts")
    if as_json:
        output.document(found)
        return
    rows = [
        (
            output.instant(alert["received_at"]),
            alert["path"],
            alert["outcome"],
            json.dumps(alert["fields"], ensure_ascii=False),
        )
        for alert in found
    ]
    empty = f"no alert came to /hook/{hook}" if hook else "no alerts yet"
    output.table(("received", "path", "outcome", "fields"), rows, empty)
