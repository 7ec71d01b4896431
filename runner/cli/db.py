"""`runner db`: look after the journal: back it up, check it, prune it, export it."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli import accounts, options, output
from runner.cli.progress import Working
from runner.errors import JournalBusy, UsageError

if TYPE_CHECKING:
    from runner.journal import JournalReader

FINDINGS = 1
DAY = 86_400_000
TABLES = ("orders", "runs", "fills", "records", "alerts")


@click.group(epilog="Example: runner db backup --dir my")
def db() -> None:
    """Look after the journal; all of it works beside a running daemon."""


@db.command(epilog="Example: runner db backup /backup/journal.db --dir my")
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@options.directory
@accounts.each
def backup(file: Path | None, folder: Path) -> None:
    """Write a whole copy of the journal to FILE, durably, while the runner goes on.

    Without FILE: backups/journal-<UTC time>.db in DIR. A journal of an older runner is copied too,
    as it is.
    """
    from runner.cli.reading import journal_of

    if file is not None and accounts.in_effect() and file.exists():
        raise UsageError(f"{file} is there already: back up one account a file, with --account")
    with journal_of(folder, older=True) as reader:
        if file is None:
            from runner.connecting import wall_ms

            stamp = output.instant(wall_ms())[:19].replace(" ", "T").replace(":", "")
            name = accounts.in_effect()
            file = folder / "backups" / f"journal-{name}{'-' if name else ''}{stamp}Z.db"
            file.parent.mkdir(mode=0o700, exist_ok=True)
        with Working("copying"):
            reader.back_up(file)
    click.echo(str(file))


@db.command(epilog="Example: runner db upgrade /tmp/copy-of-the-journal.db")
@click.argument(
    "file", type=click.Path(path_type=Path, exists=True, dir_okay=False, resolve_path=True)
)
def upgrade(file: Path) -> None:
    """Bring a copy of a journal, such as a backup, up to this runner, and look at every row.

    For a journal itself the daemon does it, at its start. Exit 0: it is sound, 1: findings.
    """
    from runner.cli.commanding import upgraded
    from runner.journal import JournalReader

    upgraded(file)
    with JournalReader.open(file) as reader:
        found, version = reader.problems(), reader.meta()["schema_version"]
    click.echo("\n".join(found) if found else f"{file} has schema {version}, and is sound")
    sys.exit(FINDINGS if found else 0)


@db.command(epilog="Example: runner db check --dir my")
@options.directory
@options.as_json
@accounts.each
def check(folder: Path, as_json: bool) -> None:
    """Look at every page and row of the journal.

    Exit 0: it is sound, 1: findings.
    """
    from runner.cli.reading import journal_of

    with journal_of(folder) as reader, Working("looking at every page"):
        found = reader.problems()
        name = reader.name
    if as_json:
        output.document({"journal": name, "problems": found})
    else:
        click.echo("\n".join(found) if found else f"{name} is sound")
    sys.exit(FINDINGS if found else 0)


@db.command(epilog="Example: runner db prune --keep 90 --dir my")
@click.option(
    "--keep",
    "days",
    type=click.IntRange(min=1),
    required=True,
    metavar="DAYS",
    help="Forget records and alerts that are older.",
)
@options.directory
@accounts.each
def prune(days: int, folder: Path) -> None:
    """Forget the log and the alerts from before the last DAYS days.

    Runs, orders and fills stay for ever: they keep an event from firing twice. A running daemon
    does it, a little at a time.
    """
    from runner.cli import commanding
    from runner.cli.accounts import settings_of
    from runner.connecting import wall_ms
    from runner.taking import PRUNE

    settings = settings_of(folder)
    now = wall_ms()
    before = now - days * DAY
    try:
        deleted = commanding.alone(folder, settings, lambda journal: _prune(journal, before))
    except JournalBusy:
        told = commanding.command(folder, settings, PRUNE, {"before": before}, now)
        click.echo(told.text)
        sys.exit(0 if told.done else FINDINGS)
    click.echo(f"{deleted} records and alerts are gone")


def _prune(journal: Any, before: int) -> int:
    total = 0
    while deleted := journal.prune(before):
        total += deleted
    return total


@db.command(epilog="Example: runner db export --format csv --table fills --dir my > fills.csv")
@options.directory
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "csv"]),
    default="jsonl",
    show_default=True,
    help="jsonl: everything, a row a line. csv: one table.",
)
@click.option("--table", type=click.Choice(TABLES), help="Only this; of csv the default is orders.")
@accounts.exactly_one
def export(folder: Path, form: str, table: str | None) -> None:
    """Print the journal's content on stdout, as of this moment."""
    from runner.cli.reading import journal_of

    with (
        journal_of(folder) as reader,
        Working("writing rows", quiet=sys.stdout.isatty()) as working,
    ):
        if form == "csv":
            _csv(_rows(reader, table or "orders"))
        elif table is not None:
            for row in _rows(reader, table):
                output.one_line(row)
        else:
            for number, (name, row) in enumerate(reader.export(), 1):
                output.one_line({"table": name, **row})
                working.step(number)


def _rows(reader: JournalReader, table: str) -> list[dict[str, Any]]:
    read: dict[str, Callable[[], list[dict[str, Any]]]] = {
        "orders": reader.orders,
        "runs": reader.runs,
        "fills": reader.fills,
        "records": reader.records,
        "alerts": reader.alerts,
    }
    if table not in read:
        raise UsageError(f"there is no table {table}: choose one of {', '.join(TABLES)}")
    return read[table]()


def _csv(rows: list[dict[str, Any]]) -> None:
    """Nested values as JSON; what a spreadsheet would take for a formula gets an apostrophe."""
    if not rows:
        return
    writer = csv.writer(sys.stdout)
    writer.writerow(rows[0])
    for row in rows:
        writer.writerow([_cell(value) for value in row.values()])


def _cell(value: Any) -> Any:
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False)
    dangerous = isinstance(value, str) and value[:1] in ("=", "+", "@", "\t", "\r")
    return f"'{value}" if dangerous else value
