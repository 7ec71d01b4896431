"""Live arming: a rule trades with real money once it has fired where nothing can be lost."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from runner.core.rules import Rule, RuleSet
from runner.errors import ConfigurationError
from runner.journal import JournalReader, place_of
from runner.settings import load


@dataclass(frozen=True, slots=True)
class Arming:
    """The accounts that trade with real money, and why rules may do so that never fired.

    Without a reason they may not. `elsewhere`: other folders' journals, which tell of rules too.
    """

    accounts: frozenset[str] = frozenset()
    reason: str = ""
    elsewhere: tuple[str | Path, ...] = ()

    def check(self, by_account: Mapping[str, RuleSet], journals: Iterable[str | Path]) -> None:
        """Raise ConfigurationError for rules of these accounts that fired in none of the journals.

        A rule is the same as long as its text is, but for the account that it names.
        """
        armed = {name: by_account[name] for name in self.accounts if name in by_account}
        if self.reason or not armed:
            return
        known = _exercised({*journals, *self.elsewhere})
        for account, rules in armed.items():
            fresh = [rule.id for rule in rules.rules.values() if not _proven(rule, known)]
            if fresh:
                raise ConfigurationError(_told(account, fresh))


def journals_of(folder: Path) -> tuple[str | Path, ...]:
    """Where the accounts of a runner's folder keep their journals. Raises ConfigurationError."""
    settings = load(folder)
    shares = [settings.of(name) for name in settings.accounts] or [settings]
    return tuple(place_of(folder, share.journal) for share in shares)


def _proven(rule: Rule, known: frozenset[str]) -> bool:
    return rule.dry_run or _same(rule.text) in known


def _exercised(journals: Iterable[str | Path]) -> frozenset[str]:
    """The texts of all rules that ever fired there."""
    found: set[str] = set()
    for address in journals:
        if isinstance(address, Path) and not address.exists():
            continue
        with JournalReader.open(address, older=True) as journal:
            found.update(map(_same, journal.rule_texts()))
    return frozenset(found)


def _same(text: str) -> str:
    document = json.loads(text)
    if isinstance(document, dict):
        document.pop("account", None)
    return json.dumps(document, sort_keys=True)


def _told(account: str, fresh: list[str]) -> str:
    rules = f"the rule {fresh[0]}" if len(fresh) == 1 else f"the rules {', '.join(fresh)}"
    return (
        f"the account {account} trades with real money, and {rules} as written now never fired: "
        "let each fire once on paper or on the demo exchange, and name that runner's folder with "
        "--exercised-in DIR where it is another one; or start with --accept-unexercised REASON, "
        "which the journal keeps"
    )
