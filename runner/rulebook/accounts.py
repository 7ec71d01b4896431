"""Which account a rule belongs to, and what the rules of two accounts cannot do to each other.

Each account decides by itself, in a loop and a journal of its own; so a rule reaches the rules and
the orders of its own account only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runner.core.document import Path, Problem
from runner.core.rules import DeadMan, RuleSet
from runner.rulebook.diagnostics import Diagnostic
from runner.rulebook.together import Part, named
from runner.rulebook.words import meant

if TYPE_CHECKING:
    from runner.rulebook.meaning import Instruments


@dataclass(frozen=True, slots=True)
class Accounts:
    """The accounts of runner.yaml; `default` is that of rules which name none.

    `instruments` is what each one's exchange trades, of those whose exchange was asked.
    """

    names: tuple[str, ...]
    default: str
    instruments: Mapping[str, Instruments] = field(default_factory=dict)

    def of(self, written: str) -> str:
        """The account that a rule or a file means."""
        return written or self.default


Owned = tuple[str, DeadMan]
"""A dead-man switch, and the account its file names; "" where it names none."""


def share(rules: RuleSet, dead_men: Sequence[Owned], accounts: Accounts, name: str) -> RuleSet:
    """The rules and dead-man switches of one account; the revision stays that of all files."""
    own = {key: rule for key, rule in rules.rules.items() if accounts.of(rule.account) == name}
    switches = {one.symbol: one for owner, one in dead_men if accounts.of(owner) == name}
    return RuleSet(own, switches, rules.revision)


def named_by(rules: RuleSet, dead_men: Sequence[Owned], accounts: Accounts) -> frozenset[str]:
    """The accounts that these rules trade with."""
    written = {rule.account for rule in rules.rules.values()} | {owner for owner, _ in dead_men}
    return frozenset(map(accounts.of, written))


def check(parts: Sequence[Part], accounts: Accounts) -> Iterator[Diagnostic]:
    """Accounts that are not there, and rules that name a rule of another account."""
    for part in parts:
        for path, name in _written(part):
            if name not in accounts.names:
                guess = meant(name, accounts.names)
                known = ", ".join(accounts.names)
                cure = f"did you mean {guess}?" if guess else f"the accounts: {known}"
                message = f"there is no account {name} in runner.yaml"
                yield part.source.locate(Problem(path, "unknown-account", message, cure))
    yield from _elsewhere(parts, accounts)


def _written(part: Part) -> Iterator[tuple[Path, str]]:
    """Every account that is named, with its place; what is no text is told by the schema."""
    places: list[tuple[Path, Any]] = [(("account",), part.source.value(("account",)))]
    places += [((*path, "account"), tree.get("account")) for path, tree in part.trees()]
    return ((path, name) for path, name in places if isinstance(name, str) and name)


def _elsewhere(parts: Sequence[Part], accounts: Accounts) -> Iterator[Diagnostic]:
    owners = {rule.id: accounts.of(rule.account) for part in parts for _, rule in part.rules}
    for part in parts:
        ids = {path: rule.id for path, rule in part.rules}
        for path, name in named(part):
            rule_id = ids.get(path[:2])
            if rule_id is None or not isinstance(name, str) or name not in owners:
                continue
            own, other = owners[rule_id], owners[name]
            if own != other:
                message = f"{name} belongs to the account {other}, this rule to {own}"
                cure = "a rule reaches the rules of its own account only"
                yield part.source.locate(Problem(path, "other-account", message, cure))
