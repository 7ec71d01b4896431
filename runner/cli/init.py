"""`runner init`: a folder to begin with, that passes `runner check` and `runner test`."""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path

import click

from runner.cli import output
from runner.errors import ConfigurationError, UsageError

SYMBOL, PATH, ACCOUNT = "BTCUSDT", "first", "paper"
ACCOUNTS = ("paper", "demo")
RULE = "first"


@click.command(
    epilog="""Example: runner init my\n
    Example: runner init my --yes --symbol ETHUSDT --account demo"""
)
@click.argument(
    "folder",
    metavar="[DIR]",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
)
@click.option("--symbol", metavar="SYMBOL", help=f"What is traded. Default: {SYMBOL}.")
@click.option("--path", "hook", metavar="PATH", help=f"Alerts come to /hook/PATH. Default: {PATH}.")
@click.option(
    "--account",
    type=click.Choice(ACCOUNTS),
    help="The paper exchange inside the runner, or the exchange's demo environment. "
    f"Default: {ACCOUNT}.",
)
@click.option("--yes", is_flag=True, help="Ask nothing: what is not given has its default.")
def init(
    folder: Path, symbol: str | None, hook: str | None, account: str | None, yes: bool
) -> None:
    """Make DIR (default: the current folder) a runner's folder, with a first rule and its test.

    It asks for what no option gives: symbol, path of the alert, account. No file that is there is
    ever overwritten: then nothing is written, and the exit code is 1. A .gitignore stays as it is.
    """
    from runner.cli.alert import alert

    asked = [(symbol, "--symbol"), (hook, "--path"), (account, "--account")]
    missing = [name for given, name in asked if given is None]
    if missing and not yes and not sys.stdin.isatty():
        raise UsageError(
            f"nobody can be asked here: say --yes for the defaults, or give {', '.join(missing)}"
        )
    symbol = _symbol(symbol or _answer("Symbol", SYMBOL, yes))
    hook = _path(hook or _answer("Path of the alert, /hook/…", PATH, yes))
    account = account or _answer("Account", ACCOUNT, yes, click.Choice(ACCOUNTS))
    _write(folder, symbol, hook, account)
    _next(folder, account)
    context = click.get_current_context()
    context.invoke(alert, rule_id=RULE, folder=folder, send=False, fields=(), show_secret=False)


def _answer(question: str, default: str, yes: bool, choice: click.Choice[str] | None = None) -> str:
    if yes:
        return default
    return str(click.prompt(question, default=default, type=choice, err=True))


def _symbol(written: str) -> str:
    """One that `runner test` and the paper exchange know. Raises UsageError."""
    from runner.venues.paper.symbols import built_in

    symbol, known = written.strip().upper(), built_in()
    if symbol not in known:
        raise UsageError(
            f"{written} is none of the symbols that come with the runner, with which the rule is "
            f"tested: {', '.join(known)}. Begin with one of them, and change the rule later"
        )
    return symbol


def _path(written: str) -> str:
    """Raises UsageError for what cannot be the path of a webhook."""
    from runner.core.triggers.webhook import SCHEMA

    if re.search(SCHEMA["properties"]["path"]["pattern"], written) is None:
        raise UsageError(
            f"{written} cannot be the path of an alert: a-z, 0-9 and -, such as {PATH}"
        )
    return written


def _write(folder: Path, symbol: str, hook: str, account: str) -> None:
    """All files or none. Raises ConfigurationError, also when one of them is there already."""
    from runner.cli.first import SECRETS, files, ignored, secret

    new = {**files(symbol, hook, account), **secret()}
    there = [str(folder / name) for name in new if os.path.lexists(folder / name)]
    if there:
        raise ConfigurationError(
            f"nothing was written, since there is already {', '.join(there)}: name another folder, "
            "or move that away"
        )
    if not os.path.lexists(folder / ".gitignore"):
        new.update(ignored())
    else:
        output.note(
            f"{folder / '.gitignore'} stays as it is: see that it names secrets/, journal.db*"
        )
    written: list[Path] = []
    try:
        for name, text in new.items():
            private = name.startswith(SECRETS)
            _new(folder / name, text, 0o600 if private else 0o666, 0o700 if private else 0o777)
            written.append(folder / name)
    except ConfigurationError:
        for path in written:
            path.unlink(missing_ok=True)
        raise
    for path in written:
        output.note(f"wrote {path}")


def _new(path: Path, text: str, mode: int, folder_mode: int) -> None:
    """A file that was not there. Raises ConfigurationError."""
    try:
        path.parent.mkdir(mode=folder_mode, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be written: {error.strerror}; name a folder in which you may write"
        ) from None


def _next(folder: Path, account: str) -> None:
    """What to do now, and whose the message is that follows on stdout."""
    where = f"--dir {shlex.quote(str(folder))}"
    steps = [
        f"runner check {where}",
        f"runner test {where}",
        f"runner run {where}{' --paper' if account == 'paper' else ''}",
        f"runner alert {RULE} {where} --send --field action=buy",
        f"runner positions {where}",
    ]
    if account == "demo":
        steps[2:2] = [f"runner secrets set {name} {where}" for name in ("demo_key", "demo_secret")]
    output.note("\nnext:")
    for step in steps:
        output.note(f"  {step}")
    output.note(
        "\nthe message to paste into TradingView, with the secret itself by runner alert "
        f"{RULE} {where} --show-secret:"
    )
