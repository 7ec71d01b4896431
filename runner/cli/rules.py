"""Finds a rule in a folder's rule files for the verbs that speak of one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

from runner.cli.accounts import share_in_effect
from runner.connecting import Place
from runner.core.rules import Rule, RuleSet
from runner.errors import ConfigurationError, UsageError
from runner.rulebook.shelf import Shelf
from runner.settings import load
from runner.sharing import read_rules
from runner.venues import Venue


def rules_of(folder: Path, venue: Venue | None = None, shelf: Shelf | None = None) -> RuleSet:
    """The rules of a folder, as far as they are the account's that is in effect.

    What `shelf` remembers is not read again. Raises RulesRefused, or ConfigurationError without
    rules/.
    """
    place = Place(folder, shelf)
    if not place.rules.is_dir():
        raise ConfigurationError(
            f"there is no folder {place.rules}: put rule files there, rules/*.yaml; "
            f"to begin: runner init {folder}"
        )
    try:
        settings = load(folder)
    except ConfigurationError:
        settings = None  # whoever needs them says what is wrong with them
    return share_in_effect(read_rules(place, venue, settings), settings)


def rule_of(rules: RuleSet, rule_id: str) -> Rule:
    """The rule of this id. Raises UsageError with the id that was probably meant."""
    if rule_id not in rules.rules:
        raise unknown(rule_id, rules.rules)
    return rules.rules[rule_id]


def unknown(rule_id: str, known: Iterable[str]) -> UsageError:
    """There is no such rule: the nearest id, or all of them."""
    ids = sorted(known)
    near = difflib.get_close_matches(rule_id, ids, 1)
    cure = f"did you mean {near[0]}?" if near else f"there are {', '.join(ids) or 'none'}"
    return UsageError(f"there is no rule {rule_id}: {cure}")
