"""`runner version`: which runner this is, and on what it stands."""

from __future__ import annotations

import platform

import click

from runner import __version__
from runner.cli import options, output


@click.command(epilog="Example: runner version --json")
@options.as_json
def version(as_json: bool) -> None:
    """Print the version of the runner, of Python and of SQLite; with --json also the journal's."""
    import sqlite3

    python, sqlite = platform.python_version(), sqlite3.sqlite_version
    if not as_json:
        click.echo(f"runner {__version__} (Python {python}, SQLite {sqlite})")
        return
    from runner.journal.tables import SCHEMA_VERSION

    figures = {"version": __version__, "python": python, "sqlite": sqlite}
    output.document({**figures, "journal_schema": SCHEMA_VERSION})
