"""The rules of a folder, and which of its accounts each of them trades with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from runner.connecting import PAPER, Place
from runner.core.rules import RuleSet
from runner.errors import ConfigurationError, JournalError
from runner.journal import JournalReader, place_of
from runner.rulebook.accounts import Accounts, named_by, share
from runner.rulebook.diagnostics import render
from runner.rulebook.load import Loaded, load
from runner.settings import Settings
from runner.venues import Venue


class RulesRefused(ConfigurationError):
    """The rule files have mistakes; the text is their diagnostics."""


@dataclass(frozen=True, slots=True)
class Shares:
    """All rules of a folder, and each account's part of them."""

    whole: RuleSet
    by_account: Mapping[str, RuleSet]


def accounts_of(settings: Settings, venues: Mapping[str, Venue] | None = None) -> Accounts | None:
    """What rule files are told of the accounts; None where runner.yaml has none."""
    if not settings.accounts:
        return None
    asked = {name: venue.instruments() for name, venue in (venues or {}).items()}
    return Accounts(tuple(settings.accounts), settings.account().name, asked)


def read_rules(place: Place, venue: Venue | None, settings: Settings | None = None) -> RuleSet:
    """The rule set of a folder, of all accounts. Raises RulesRefused with every mistake."""
    known = None if settings is None else accounts_of(settings)
    rules = _read(place, None if venue is None else {"": venue}, known).rules
    assert rules is not None
    return rules


def _read(place: Place, venues: Mapping[str, Venue] | None, known: Accounts | None) -> Loaded:
    """Without `known` accounts there is one venue at most, and it is every rule's."""
    only = next(iter(venues.values())) if venues and not (known and known.instruments) else None
    instruments = None if only is None else only.instruments()
    loaded = load(place.rules, instruments, known=known, shelf=place.shelf)
    if loaded.rules is None:
        raise RulesRefused(render(loaded.diagnostics))
    return loaded


def read_shares(
    place: Place, settings: Settings, venues: Mapping[str, Venue], names: Sequence[str]
) -> Shares:
    """The rules for these accounts, checked against the exchange of each that has one here.

    Raises RulesRefused, or ConfigurationError for rules of an account that is not among them.
    """
    return _allotted(_read(place, venues, accounts_of(settings, venues)), settings, names)


def read_allotted(place: Place, settings: Settings, names: Sequence[str]) -> Shares:
    """The same without asking an exchange."""
    return _allotted(_read(place, None, accounts_of(settings)), settings, names)


def _allotted(loaded: Loaded, settings: Settings, names: Sequence[str]) -> Shares:
    known, whole = accounts_of(settings), loaded.rules
    assert whole is not None
    if known is None:
        return Shares(whole, dict.fromkeys(names, whole))
    idle = named_by(whole, loaded.dead_men, known) - set(names)
    if idle:
        raise ConfigurationError(
            f"there are rules for the account {min(idle)} now, which this runner did not trade "
            "with when it started: start it anew, then it does"
        )
    by_account = {name: share(whole, loaded.dead_men, known, name) for name in names}
    return Shares(whole, by_account)


def traded(place: Place, settings: Settings) -> tuple[str, ...]:
    """The accounts that a runner of this folder trades with, the default one first.

    They are those that rules name and those whose journal is begun, since it may have open orders;
    where there is neither, the default account. Raises RulesRefused.
    """
    known = accounts_of(settings)
    if known is None:
        return (PAPER,)
    if len(known.names) == 1:
        return known.names
    loaded = _read(place, None, known)
    assert loaded.rules is not None
    named = named_by(loaded.rules, loaded.dead_men, known)
    chosen = [name for name in known.names if name in named or _began(place.folder, settings, name)]
    return tuple(sorted(chosen, key=lambda name: name != known.default)) or (known.default,)


def remembered_accounts(folder: Path, settings: Settings) -> tuple[str, ...]:
    """The accounts that have a journal, the default one first, for those who only look at them.

    Where none has one it is the default account.
    """
    if len(settings.accounts) < 2:
        return tuple(settings.accounts) or (PAPER,)
    default = settings.account().name
    others = tuple(
        name for name in settings.accounts if name != default and _began(folder, settings, name)
    )
    began = not others or owner_of(folder, settings.of(default)) != ""
    return (default, *others) if began else others


def _began(folder: Path, settings: Settings, name: str) -> bool:
    """Whether the account's journal tells that it was traded with, or cannot be asked yet."""
    with suppress(ConfigurationError):
        return owner_of(folder, settings.of(name)) in (name, None)
    return False


def owner_of(folder: Path, settings: Settings) -> str | None:
    """The account that a journal's newest start names; "" where there was none, or no journal.

    None where it cannot be read: it is an older one, or its server is away.
    """
    where = place_of(folder, settings.journal)
    if isinstance(where, Path) and not where.exists():
        return ""
    with suppress(JournalError), JournalReader.open(where) as journal:
        starts = journal.records(limit=1, kinds=("started",))
        return str(starts[-1]["data"].get("account", "")) if starts else ""
    return None


def refuse_strange(folder: Path, whole: Settings, settings: Settings) -> None:
    """Raise ConfigurationError when the journal of these settings is another account's.

    Its orders would be looked for where they are not, and those of the other one be unwatched.
    """
    if len(whole.accounts) < 2:
        return
    name, owner = settings.account().name, owner_of(folder, settings)
    if owner in whole.accounts and owner not in (name, PAPER):
        raise ConfigurationError(
            f"the journal {settings.journal} is that of the account {owner}, and runner.yaml gives "
            f"it to {name} now: write journal: {settings.journal} under accounts, {owner}, and "
            f"another journal under {name}"
        )


def distinct(names: Mapping[str, str]) -> None:
    """Raise ConfigurationError when two keys open one account; names as the exchange tells them."""
    first: dict[str, str] = {}
    for account, name in names.items():
        known = first.setdefault(name, account) if name else account
        if known != account:
            raise ConfigurationError(
                f"the keys of {known} and {account} open the same account on the exchange: each "
                "account of runner.yaml must be one of its own there. Remove one of the two, and "
                "let its rules name the other"
            )
