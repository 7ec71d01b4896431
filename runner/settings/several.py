"""Several accounts in one runner.yaml: what they must not share, and where each is remembered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, Final

from runner.errors import ConfigurationError
from runner.settings.reading import Mistake

PAPER: Final = "paper"
FOLDER: Final = "journals"
FILES: Final = "sqlite:///"


def mistakes(tree: Mapping[str, Any]) -> Iterator[Mistake]:
    """What no account may lack, and what no two may have in common."""
    accounts: Mapping[str, Mapping[str, Any]] = tree.get("accounts", {})
    yield from _defaults(accounts)
    for name, account in accounts.items():
        missing = [key for key in ("api_key", "api_secret") if key not in account]
        for key in missing if account["address"] != PAPER else ():
            text = f"{name} needs {key}: only paper accounts do without"
            cure = f"write the name of the secret that holds it: {name}_{key.partition('_')[2]}"
            yield Mistake(("accounts", name), "missing-key", text, cure)
    yield from _shared_keys(accounts)
    yield from _shared_journals(accounts, tree.get("journal", "journal.db"))


def _defaults(accounts: Mapping[str, Mapping[str, Any]]) -> Iterator[Mistake]:
    defaults = [name for name, account in accounts.items() if account.get("default")]
    if len(accounts) > 1 and not defaults:
        text = "several accounts, and none is the default"
        cure = "write default: true in one of them"
        yield Mistake(("accounts",), "no-default", text, cure)
    for name in defaults[1:]:
        text = f"{name} is a second default account"
        cure = f"{defaults[0]} is the first, keep one of them"
        yield Mistake(("accounts", name, "default"), "two-defaults", text, cure)


def _shared_keys(accounts: Mapping[str, Mapping[str, Any]]) -> Iterator[Mistake]:
    """One key opens one account: two that use it would take each other's orders for strangers'."""
    first: dict[str, str] = {}
    for name, account in accounts.items():
        if account["address"] == PAPER or "api_key" not in account:
            continue
        known = first.setdefault(account["api_key"], name)
        if known != name:
            text = f"{name} and {known} have the same API key"
            cure = "an account of its own has a key of its own: make one, or remove one of the two"
            yield Mistake(("accounts", name, "api_key"), "shared-key", text, cure)


def _shared_journals(accounts: Mapping[str, Mapping[str, Any]], journal: str) -> Iterator[Mistake]:
    default = next((name for name, one in accounts.items() if one.get("default")), None)
    if len(accounts) == 1:
        default = next(iter(accounts))
    first: dict[str, str] = {}
    for name in sorted(accounts, key=lambda name: name != default):
        written = accounts[name].get("journal")
        if name == default:
            place = written or journal
        elif written or not _is_server(journal):
            place = written or journal_beside(journal, name)
        else:
            continue  # told when the account is used
        known = first.setdefault(_plain(place), name)
        if known != name:
            text = f"{name} and {known} have the same journal"
            cure = f"each account is remembered apart: write journal: {FOLDER}/{name}.db"
            path = ("accounts", name, "journal") if written else ("accounts", name)
            yield Mistake(path, "shared-journal", text, cure)


def _plain(place: str) -> str:
    """The same place however it is written, as far as the text tells."""
    path = place.removeprefix(FILES)
    return path if "://" in path else str(PurePosixPath(path))


def _is_server(journal: str) -> bool:
    return "://" in journal and not journal.startswith("sqlite:")


def journal_beside(journal: str, name: str) -> str:
    """Where an account is remembered that says nothing of it: a file beside the journal.

    Raises ConfigurationError where the journal is no file.
    """
    if _is_server(journal):
        raise ConfigurationError(
            f"the journal is on a server, where the account {name} has no place of its own: make a "
            f"database for it, and write its URL as journal: under accounts, {name}"
        )
    scheme = FILES if journal.startswith(FILES) else ""
    return scheme + str(PurePosixPath(journal.removeprefix(scheme)).parent / FOLDER / f"{name}.db")


def witness_beside(witness: str, name: str) -> str:
    """The witness of that journal: witness/journal.witness -> witness/journal-hedge.witness."""
    path = PurePosixPath(witness)
    return str(path.with_name(f"{path.stem}-{name}{path.suffix}"))
