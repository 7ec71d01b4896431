"""`runner check`: reads rule files, prints every mistake with its place and its cure."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from runner.core.instruments import Instrument
from runner.rulebook.diagnostics import render
from runner.rulebook.load import Loaded, load
from runner.venues.binance_usdm.wire_info import exchange_info

FINDINGS, COULD_NOT_RUN = 1, 2


@click.command(epilog="Example: runner check --dir my --json")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path, exists=True))
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=Path(),
    help="The folder whose rules/ is checked when no PATHS are given.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as one JSON list.")
@click.option(
    "--exchange-info",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A saved GET /fapi/v1/exchangeInfo (.json or .gz): also check symbols, ticks and steps.",
)
def check(paths: Sequence[Path], folder: Path, as_json: bool, exchange_info: Path | None) -> None:
    """Check rule files (PATHS are files or folders) without running anything.

    Exit 0: no errors (there may be warnings), 1: errors, 2: could not run.
    """
    where = list(paths) or [_rules_folder(folder)]
    loaded = load(where, _instruments(exchange_info))
    if as_json:
        click.echo(json.dumps([found.as_json() for found in loaded.diagnostics], indent=2))
    else:
        _show(loaded)
    if any(found.code == "unreadable" for found in loaded.diagnostics):
        sys.exit(COULD_NOT_RUN)
    if loaded.rules is None:
        sys.exit(FINDINGS)


def _rules_folder(folder: Path) -> Path:
    rules = folder / "rules"
    if not rules.is_dir():
        raise click.UsageError(f"there is no folder {rules}: name the rule files, or use --dir")
    return rules


def _instruments(path: Path | None) -> Mapping[str, Instrument] | None:
    """The instruments of a saved answer. Raises UsageError when the file is something else."""
    if path is None:
        return None
    try:
        content = path.read_bytes()
        plain = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
        return exchange_info(json.loads(plain, parse_float=Decimal)).instruments
    except (OSError, EOFError, ValueError) as error:
        message = f"{path} is not a saved exchangeInfo: {error}"
        raise click.UsageError(message) from error


def _show(loaded: Loaded) -> None:
    console = Console(soft_wrap=True, highlight=False, emoji=False, markup=False)
    if loaded.diagnostics:
        console.print(_coloured(render(loaded.diagnostics)), end="")
    if loaded.rules is not None:
        count, files = len(loaded.rules.rules), len(loaded.files)
        rules = "1 rule" if count == 1 else f"{count} rules"
        console.print(f"{rules} in {'1 file' if files == 1 else f'{files} files'} checked: fine.")


def _coloured(text: str) -> Text:
    """Colours for a terminal; rich leaves them out everywhere else."""
    shown = Text(text)
    shown.highlight_regex(r"(?m)^\S.*?:(?= (?:error|warning): )", "bold")
    shown.highlight_regex(r"(?m)(?<=: )error(?=: .* \[[a-z-]+\]$)", "bold red")
    shown.highlight_regex(r"(?m)(?<=: )warning(?=: .* \[[a-z-]+\]$)", "bold yellow")
    shown.highlight_regex(r"(?m)^ +\d* \|", "blue")
    shown.highlight_regex(r"(?m)(?<=\| )\s*\^~*", "bold green")
    return shown
