"""`runner doctor`: everything that trading needs, each fine or with its cure."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from runner.cli import accounts, options, output
from runner.errors import ConfigurationError, RunnerError, UsageError, VenueError

if TYPE_CHECKING:
    from runner.settings import Settings
    from runner.venues import Venue
    from runner.venues.findings import Declared, Finding

FINDINGS = 1
ANY_SYMBOL = "BTCUSDT"
MARKS = {"ok": "ok     ", "warning": "warning", "wrong": "WRONG  "}


@click.command(epilog="Example: runner doctor --dir my")
@options.directory
@click.option("--paper", is_flag=True, help="The paper exchange, not the account of runner.yaml.")
@click.option("--notify", is_flag=True, help="Send a test to every notification target instead.")
@click.option(
    "--probe",
    is_flag=True,
    help="Place one tiny order far from the price instead, look for it, and cancel it.",
)
@click.option("--symbol", metavar="SYMBOL", help="With --probe: of this symbol. Default: a rule's.")
@click.option("--live", is_flag=True, help="With --probe: also on an account with real money.")
@options.as_json
@accounts.each
def doctor(
    folder: Path,
    paper: bool,
    notify: bool,
    probe: bool,
    symbol: str | None,
    live: bool,
    as_json: bool,
) -> None:
    """Check all that trading needs: settings, rules, journal, address, clock, the key and what it
    may do, position mode, leverage, limits left, and both streams.

    Asks only: no order is sent, nothing is changed, but by --probe. What a live start would refuse
    is wrong here.

    Exit 0: all fine, or warnings only; 1: something is wrong.
    """
    found = []
    if probe:
        findings = _tried(folder, paper, symbol, live)
    else:
        findings = _notified(folder) if notify else _examined(folder, paper)
    for one in findings:
        found.append(one)
        if not as_json:
            _show(one)
    wrong = [one for one in found if one.verdict == "wrong"]
    if as_json:
        output.document({"fit": not wrong, "checks": [asdict(one) for one in found]})
    else:
        click.echo(_summary(found))
    sys.exit(FINDINGS if wrong else 0)


def _show(one: Finding) -> None:
    cure = f"\n{'':8}-> {one.cure}" if one.cure else ""
    click.echo(f"{MARKS[one.verdict]} {one.check}: {one.text}{cure}")


def _summary(found: list[Finding]) -> str:
    wrong = sum(one.verdict == "wrong" for one in found)
    warned = sum(one.verdict == "warning" for one in found)
    if not wrong:
        return f"{len(found)} checks, " + (
            output.count(warned, "warning") if warned else "all fine"
        )
    return f"{len(found)} checks: {wrong} wrong, {output.count(warned, 'warning')}"


def _notified(folder: Path) -> Iterator[Finding]:
    """One test message to every target of the settings, and one beat."""
    from runner.cli.accounts import settings_of
    from runner.outside import tried
    from runner.venues.findings import Finding

    try:
        settings = settings_of(folder)
    except ConfigurationError as error:
        yield Finding("settings", "wrong", str(error), "mend it: docs/settings.md", blocks=True)
        return
    found = list(tried(settings, folder))
    for check, text, trouble in found:
        cure = "look at the secret of that name and at the network: docs/notifications.md"
        if trouble:
            yield Finding(check, "wrong", trouble, cure)
        else:
            yield Finding(check, "ok", text)
    if not found:
        cure = "name some under notifications in runner.yaml: docs/notifications.md"
        yield Finding("notifications", "warning", "there is no target: nobody is told", cure)


def _examined(folder: Path, paper: bool) -> Iterator[Finding]:
    from runner.cli.accounts import settings_of
    from runner.venues.findings import Finding
    from runner.venues.registry import findings

    try:
        settings = settings_of(folder)
    except ConfigurationError as error:
        yield Finding("settings", "wrong", str(error), "mend it: docs/settings.md", blocks=True)
        return
    yield Finding("settings", "ok", "runner.yaml is understood")
    yield _rules(folder)
    yield from _journal(folder, settings)
    try:
        with _venue(folder, settings, paper) as venue:
            yield Finding("secrets", "ok", "key and secret are found")
            yield from findings(venue, declared(folder, settings, paper))
    except RunnerError as error:
        what = "mend what is named, then run this again"
        yield Finding("account", "wrong", str(error), what, blocks=True)


def _tried(folder: Path, paper: bool, symbol: str | None, live: bool) -> Iterator[Finding]:
    """One order on its way to the exchange and back."""
    from runner.cli.accounts import settings_of
    from runner.connecting import on_paper
    from runner.venues.findings import Finding
    from runner.venues.registry import Adapter, try_out

    try:
        settings = settings_of(folder)
        real = settings.accounts and not paper and not on_paper(settings)
        if real and settings.account().address == "live" and not live:
            raise UsageError(
                f"the account {settings.account().name} trades with real money: try an account of "
                "the demo exchange, or say --live as well"
            )
        chosen = symbol or next(iter(declared(folder, settings, paper).symbols), ANY_SYMBOL)
        with _venue(folder, settings, paper) as venue:
            if real:
                cast("Adapter", venue).connect()
            yield Finding("account", "ok", "the exchange accepts key and signature")
            yield from try_out(venue, chosen)
    except UsageError:
        raise
    except RunnerError as error:
        what = "mend what is named, then run this again"
        yield Finding("account", "wrong", str(error), what, blocks=True)


def declared(folder: Path, settings: Settings, paper: bool) -> Declared:
    """What runner.yaml says of the account, and the symbols of the rules that can be read."""
    from runner.connecting import on_paper
    from runner.rulebook.load import load
    from runner.venues.findings import Declared

    rules = load(folder / "rules").rules
    found = rules.rules.values() if rules else ()
    symbols = tuple(sorted({symbol for rule in found for symbol in rule.symbols}))
    if paper or not settings.accounts or on_paper(settings):
        return Declared(symbols=symbols)
    account = settings.account()
    return Declared(account.position_mode, account.leverage, account.margin_type, symbols)


def _rules(folder: Path) -> Finding:
    from runner.rulebook.load import load
    from runner.venues.findings import Finding

    loaded = load(folder / "rules")
    if loaded.rules is not None:
        return Finding("rules", "ok", f"{output.count(len(loaded.rules.rules), 'rule')} can be run")
    text = f"{output.count(len(loaded.errors), 'mistake')} in the rule files"
    return Finding("rules", "wrong", text, f"runner check --dir {folder} shows each", blocks=True)


def _journal(folder: Path, settings: Settings) -> Iterator[Finding]:
    from runner.cli.reading import journal_of
    from runner.journal import place_of
    from runner.venues.findings import Finding

    place = place_of(folder, settings.journal)
    if isinstance(place, Path) and not place.exists():
        yield Finding("journal", "ok", f"there is none yet: {place} is made at the first start")
        return
    try:
        with journal_of(folder, settings) as reader:
            problems, name = reader.problems(), reader.name
    except RunnerError as error:
        yield Finding(
            "journal", "wrong", str(error), "docs/journal.md says what to do", blocks=True
        )
        return
    if problems:
        text = f"{name}: {problems[0]}" + (", and more" if problems[1:] else "")
        what = f"runner db check --dir {folder} shows all; docs/journal.md says how to restore it"
        yield Finding("journal", "wrong", text, what, blocks=True)
    else:
        yield Finding("journal", "ok", f"{name} is sound")


@contextmanager
def _venue(folder: Path, settings: Settings, paper: bool) -> Iterator[Venue]:
    """The account's exchange, not connected yet, or the paper exchange. Raises RunnerError."""
    from runner.cli.exchange import exchange_of
    from runner.connecting import on_paper, unconnected
    from runner.ops.secrets import Secrets

    if settings.accounts and not paper and not on_paper(settings):
        yield unconnected(settings, Secrets(settings.secrets, folder))
        return
    with exchange_of(folder, settings, paper) as (venue, _):
        yield venue


def _refuse_environment(settings: Settings) -> None:
    """Raise ConfigurationError where the key is in the environment: other programs inherit it."""
    account = settings.account()
    kept = {name: settings.secrets.get(name) for name in (account.api_key, account.api_secret)}
    open_ones = [name for name, source in kept.items() if source is not None and source.env]
    if open_ones:
        raise ConfigurationError(
            f"the account {account.name} trades with real money, and {' and '.join(open_ones)} "
            "would come from the environment, which other programs inherit and crash reports show: "
            "keep them in a file (runner secrets set), a systemd credential or a vault, or start "
            "with --accept-env-secrets"
        )


PASSING = frozenset({"address", "clock", "key"})
"""Checks that may go well at the next start: the network was away, or the exchange."""


def admit(folder: Path, settings: Settings, live: bool, env_secrets: bool = False) -> None:
    """Let the account of runner.yaml trade, a live one only with `live` and after its check-up.

    Raises ConfigurationError, or VenueError for what may pass by itself, with every cure.
    """
    from runner.connecting import unconnected
    from runner.ops.secrets import Secrets
    from runner.venues import Silenced
    from runner.venues.findings import refusals
    from runner.venues.registry import findings

    account = settings.account()
    if not live:
        if account.address == "live":
            raise ConfigurationError(
                f"the account {account.name} trades with real money: look at what runner doctor "
                f"--dir {folder} says, then start with --live"
            )
        return
    if not env_secrets:
        _refuse_environment(settings)
    venue = unconnected(settings, Secrets(settings.secrets, folder))
    bad = refusals(findings(venue, declared(folder, settings, False), streams=False))
    if bad:
        lines = "\n".join(f"  {one.check}: {one.text}\n    -> {one.cure}" for one in bad)
        text = f"the account {account.name} is not fit to trade live:\n{lines}"
        if bad[0].check in PASSING:
            raise VenueError(text, venue.silence() if isinstance(venue, Silenced) else 0)
        raise ConfigurationError(text)
