"""`runner check`: reads rule files, prints every mistake with its place and its cure."""

from __future__ import annotations

import gzip
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from runner.cli.progress import Working
from runner.cli.watching import on_save
from runner.core.instruments import Instrument
from runner.rulebook.accounts import Accounts
from runner.rulebook.diagnostics import Diagnostic, render
from runner.rulebook.formats import as_github, as_sarif
from runner.rulebook.load import Loaded, load
from runner.venues.binance_usdm.wire_info import exchange_info

FINDINGS, COULD_NOT_RUN = 1, 2
TEXT = "text"


@click.command(
    epilog="""Example: runner check --dir my --online\n
    Example: runner check --dir my --watch\n
    Example: runner check rules --format github"""
)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path, exists=True))
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=Path(),
    help="The folder whose rules/ is checked when no PATHS are given, with its runner.yaml.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice([TEXT, "json", "github", "sarif"]),
    default=TEXT,
    show_default=True,
    help="For people, as one JSON list, as GitHub's annotations, or as SARIF 2.1.0.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option(
    "--online",
    is_flag=True,
    help="Also check symbols, ticks, steps and order types with the account's exchange.",
)
@click.option("--paper", is_flag=True, help="With --online: the paper exchange, not the account's.")
@click.option(
    "--exchange-info",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The same with a saved GET /fapi/v1/exchangeInfo (.json or .gz).",
)
@click.option("--watch", is_flag=True, help="Check again after each save, until Ctrl-C.")
def check(
    paths: Sequence[Path],
    folder: Path,
    form: str,
    as_json: bool,
    online: bool,
    paper: bool,
    exchange_info: Path | None,
    watch: bool,
) -> None:
    """Check rule files (PATHS are files or folders) without running anything.

    Without PATHS also the secrets that rules and runner.yaml name: missing, readable by others,
    or too short to open a hook; and live accounts on which nothing limits the size of orders.

    Exit 0: no errors (there may be warnings and notes), 1: errors, 2: could not run.
    With --watch: 0 after Ctrl-C.
    """
    where = list(paths) or [_rules_folder(folder)]
    own = None if paths else folder
    if online and exchange_info is not None:
        raise click.UsageError("--online asks the exchange, --exchange-info a file: name one")
    if paper and not online:
        raise click.UsageError("--paper says which exchange is asked: it goes with --online")
    form = "json" if as_json else form
    if watch and form != TEXT:
        raise click.UsageError(f"--watch is for people: it does not go with --format {form}")
    with Working("asking the exchange" if online else "reading what it trades"):
        instruments = _asked(folder, paper) if online else _saved(exchange_info)
    if watch:
        on_save(where, lambda: _show(_loaded(where, instruments, own), form))
        return
    with Working("checking rules"):
        loaded = _loaded(where, instruments, own)
        found = [] if paths else _of_secrets(folder, loaded)
    if form == TEXT:
        # last comes what was said of the rules: whether they are fine
        for each in found:
            click.echo(f"{each.text()}\n")
        _show(loaded, form)
    else:
        _show(replace(loaded, diagnostics=(*loaded.diagnostics, *found)), form)
    if any(found.code == "unreadable" for found in loaded.diagnostics):
        sys.exit(COULD_NOT_RUN)
    if loaded.rules is None or any(each.is_error for each in found):
        sys.exit(FINDINGS)


def _loaded(
    where: Sequence[Path], instruments: Mapping[str, Instrument] | None, folder: Path | None
) -> Loaded:
    """With a `folder` the accounts of its runner.yaml are known."""
    now = time.time_ns() // 1_000_000
    known = None if folder is None else _accounts(folder)
    return load(where, instruments, remarks=instruments is not None, now=now, known=known)


def _accounts(folder: Path) -> Accounts | None:
    """Those of runner.yaml; None where it cannot be read, which is told with the secrets."""
    from runner.errors import ConfigurationError
    from runner.settings import load as load_settings
    from runner.sharing import accounts_of

    try:
        return accounts_of(load_settings(folder))
    except ConfigurationError:
        return None


def _of_secrets(folder: Path, loaded: Loaded) -> list[Diagnostic]:
    from runner.cli.check_guards import guard_findings
    from runner.cli.check_secrets import secret_findings

    return [*secret_findings(folder, loaded.rules), *guard_findings(folder, loaded.rules)]


def _rules_folder(folder: Path) -> Path:
    rules = folder / "rules"
    if not rules.is_dir():
        raise click.UsageError(f"there is no folder {rules}: name the rule files, or use --dir")
    return rules


def _asked(folder: Path, paper: bool) -> Mapping[str, Instrument]:
    """The instruments of the exchange. Raises UsageError when it cannot be asked."""
    from runner.cli.exchange import exchange_of
    from runner.errors import RunnerError, UsageError
    from runner.settings import load as load_settings

    try:
        with exchange_of(folder, load_settings(folder), paper) as (venue, _):
            return venue.instruments()
    except RunnerError as error:
        raise UsageError(
            f"the exchange could not be asked, nothing was checked: {error}"
        ) from error


def _saved(path: Path | None) -> Mapping[str, Instrument] | None:
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


def _show(loaded: Loaded, form: str) -> None:
    if form == TEXT:
        _print(loaded)
    else:
        click.echo(_FORMS[form](loaded), nl=False)


_FORMS: Mapping[str, Callable[[Loaded], str]] = {
    "json": lambda loaded: (
        json.dumps([found.as_json() for found in loaded.diagnostics], indent=2) + "\n"
    ),
    "github": lambda loaded: as_github(loaded.diagnostics),
    "sarif": lambda loaded: as_sarif(loaded.diagnostics),
}


def _print(loaded: Loaded) -> None:
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
    shown.highlight_regex(r"(?m)^\S.*?:(?= (?:error|warning|note): )", "bold")
    shown.highlight_regex(r"(?m)(?<=: )error(?=: .* \[[a-z-]+\]$)", "bold red")
    shown.highlight_regex(r"(?m)(?<=: )warning(?=: .* \[[a-z-]+\]$)", "bold yellow")
    shown.highlight_regex(r"(?m)(?<=: )note(?=: .* \[[a-z-]+\]$)", "bold cyan")
    shown.highlight_regex(r"(?m)^ +\d* \|", "blue")
    shown.highlight_regex(r"(?m)(?<=\| )\s*\^~*", "bold green")
    return shown
