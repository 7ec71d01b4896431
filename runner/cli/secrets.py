"""`runner secrets`: set, check, rotate and age; a value is never shown."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli import accounts, options, output
from runner.cli.progress import Working
from runner.errors import RunnerError, UsageError
from runner.settings.several import PAPER

if TYPE_CHECKING:
    from runner.ops.secrets import Secrets
    from runner.settings import Account, Settings

FINDINGS = 1
TIMEOUT = 60


@click.group(epilog="Example: runner secrets set tv_eth --dir my")
def secrets() -> None:
    """Set secrets, check them, renew the API key while the runner runs, and see how old it is."""


@secrets.command("set", epilog="Example: runner secrets set demo_key --dir my < key.txt")
@click.argument("name")
@options.directory
def set_one(name: str, folder: Path) -> None:
    """Write the secret NAME to DIR/secrets/NAME, which only you can read.

    It is asked for, or read from standard input: never an argument, where others could see it.
    """
    from runner.ops.secret_files import write
    from runner.ops.secrets import valid

    if sys.stdin.isatty():
        value = click.prompt(f"The secret {name}", hide_input=True, err=True)
    else:
        value = sys.stdin.read()
    path = folder / "secrets" / name
    write(path, valid(name, value))
    output.note(f"wrote {path}, {len(value.strip())} characters, mode 0600")


@secrets.command(epilog="Example: runner secrets check --dir my")
@options.directory
@click.option("--offline", is_flag=True, help="Do not ask the exchange whether it takes the key.")
@options.as_json
def check(folder: Path, offline: bool, as_json: bool) -> None:
    """Read every secret that rules and settings name, and ask the exchange if it takes the key.

    Exit 0: all fine, 1: something is missing or wrong.
    """
    from runner.ops.secrets import Secrets
    from runner.settings import load

    settings = load(folder)
    kept = Secrets(settings.secrets, folder)
    told = _all_read(folder, settings, kept)
    if not offline and all(each["problem"] is None for each in told):
        told += _asked(settings, kept)
    if as_json:
        output.document(told)
    else:
        for each in told:
            click.echo(f"{each['name']} ({each['use']}): {each['problem'] or 'fine'}")
    sys.exit(FINDINGS if any(each["problem"] for each in told) else 0)


@secrets.command(epilog="Example: runner secrets rotate --dir my")
@options.directory
@click.option("--timeout", default=TIMEOUT, metavar="SECONDS", help="How long to wait. Default 60.")
@accounts.one
def rotate(folder: Path, timeout: int) -> None:
    """Check the account's next key (NAME_next) with signed readings, then trade with it.

    Also while the runner runs, without a restart: what is signed already leaves with the old key.

    Exit 0: the next key is in use, 1: it does not do, and nothing was changed.
    """
    from runner.ops.presence import process_in
    from runner.rotating import ask

    if process_in(folder) is not None:
        with Working("waiting for the runner"):
            told = ask(folder, timeout, accounts.settings_of(folder).apart)
        if not told["ok"]:
            raise RunnerError(str(told["text"]))
        click.echo(told["text"])
        return
    click.echo(_rotate_here(folder))


@secrets.command(epilog="Example: runner secrets age --dir my")
@options.directory
@options.as_json
def age(folder: Path, as_json: bool) -> None:
    """Say how many days old each account's API key is.

    On live as the exchange tells, elsewhere since its file was written. Exit 1: one is older
    than 76 days.
    """
    from runner.settings import load

    settings = load(folder)
    told = _ages(folder, settings)
    if as_json:
        output.document(told)
    else:
        if not told:
            output.note("no account in runner.yaml needs an API key")
        for each in told:
            days = "not known" if each["days"] is None else output.count(each["days"], "day")
            click.echo(
                f"{each['account']}: {days}{', ' if each['warning'] else ''}{each['warning']}"
            )
    sys.exit(FINDINGS if any(each["warning"] for each in told) else 0)


def _named(folder: Path, settings: Settings) -> list[tuple[str, str]]:
    """Each secret's name and what it is for."""
    from runner.cli.check_secrets import named
    from runner.rulebook.load import load

    rules = load(folder / "rules").rules if (folder / "rules").is_dir() else None
    return [(name, use) for name, (use, _) in sorted(named(settings, rules).items())]


def _all_read(folder: Path, settings: Settings, kept: Secrets) -> list[dict[str, Any]]:
    """What became of each secret; a program or a vault may take its time over one."""
    told = []
    with Working("reading secrets") as working:
        named = _named(folder, settings)
        for done, (name, use) in enumerate(named):
            working.step(done, len(named))
            told.append(_read(kept, name, use))
    return told


def _read(kept: Secrets, name: str, use: str) -> dict[str, Any]:
    try:
        kept.get(name)
    except RunnerError as error:
        return {"name": name, "use": use, "problem": str(error)}
    return {"name": name, "use": use, "problem": None}


def _asked(settings: Settings, kept: Secrets) -> list[dict[str, Any]]:
    """Whether the exchange takes each account's key."""
    told: list[dict[str, Any]] = []
    outside = [each for each in settings.accounts.values() if each.address != PAPER]
    with Working("asking the exchange") as working:
        for done, account in enumerate(outside):
            working.step(done, len(outside))
            problem = _refused(account, settings, kept)
            told.append({"name": account.name, "use": "the exchange takes it", "problem": problem})
    return told


def _refused(account: Account, settings: Settings, kept: Secrets) -> str | None:
    """Why the exchange does not take the account's key, None when it does."""
    from runner.rotating import opened

    try:
        key, secret = kept.get(account.api_key), kept.get(account.api_secret)
        opened(account, settings, key, secret).connect()
    except RunnerError as error:
        return str(error)
    return None


def _rotate_here(folder: Path) -> str:
    """As the runner does it, while none runs. Raises RunnerError."""
    from runner.connecting import on_paper
    from runner.ops.secret_files import finish
    from runner.ops.secrets import Secrets
    from runner.rotating import opened, renew

    settings = accounts.settings_of(folder)
    account = settings.account()
    if on_paper(settings):
        raise UsageError(f"the account {account.name} is inside the runner: it has no key")
    finish(folder / "secrets", (account.api_key, account.api_secret))
    kept = Secrets(settings.secrets, folder)
    key, secret = kept.get(account.api_key), kept.get(account.api_secret)
    venue = opened(account, settings, key, secret)
    with Working("asking the exchange"):
        venue.connect()
        text, claimed = renew(folder, settings, kept, venue)
    claimed.close()
    return text


def _ages(folder: Path, settings: Settings) -> list[dict[str, Any]]:
    from runner.connecting import wall_ms
    from runner.ops.secret_files import warning
    from runner.ops.secrets import Secrets
    from runner.rotating import age as age_of
    from runner.rotating import opened

    told = []
    kept = Secrets(settings.secrets, folder)
    for account in settings.accounts.values():
        if account.address == PAPER:
            continue
        venue = None
        if account.address == "live":
            key, secret = kept.get(account.api_key), kept.get(account.api_secret)
            venue = opened(account, settings, key, secret)
            with Working("asking the exchange"):
                venue.connect()
        days = age_of(folder, settings, account, venue, wall_ms())
        said = "" if days is None else warning(days)
        told.append({"account": account.name, "days": days, "warning": said})
    return told
