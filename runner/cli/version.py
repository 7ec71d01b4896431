"""`runner version`: which runner this is."""

from __future__ import annotations

import platform

import click

from runner import __version__


@click.command(epilog="Example: runner version")
def version() -> None:
    """Print the version of the runner and of Python."""
    click.echo(f"runner {__version__} (Python {platform.python_version()})")
