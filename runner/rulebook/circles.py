"""Rules that lead to each other: fills that fire rules for ever, rules that nobody enables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from runner.core.document import Path, Problem
from runner.core.rules import Rule
from runner.core.triggers.order import OrderTrigger
from runner.rulebook.diagnostics import Diagnostic
from runner.rulebook.source import Source
from runner.rulebook.together import Part

Known = Mapping[str, tuple[Source, Path, Rule]]
Edges = Mapping[str, frozenset[str]]

MOST_NAMED = 5
"""Rules of a circle that a message names."""


def check(parts: Sequence[Part]) -> Iterator[Diagnostic]:
    """Every circle among sound rules, each told once, in time that grows with their number."""
    known = {rule.id: (part.source, path, rule) for part in parts for path, rule in part.rules}
    yield from _endless(known)
    yield from _never_enabled(known)


def _endless(known: Known) -> Iterator[Diagnostic]:
    """Market orders whose fills fire each other, with nothing to hold them up: money burns."""
    unheld = {
        rule_id: place
        for rule_id, place in known.items()
        if _trades_at_once(place[0].value(place[1])) and not _is_held(place[2])
    }
    rules = {rule_id: rule for rule_id, (_, _, rule) in unheld.items()}
    edges = {rule_id: _fired_by(rule, rules) for rule_id, rule in rules.items()}
    for circle in circles(edges):
        source, path, _ = unheld[circle[0]]
        message = f"fills fire this rule again and again: {_way(circle)}"
        cure = "give one of them a cooldown, a max_fires or a condition under if"
        problem = Problem((*path, "when"), "circle", message, cure, at_key=True)
        yield source.locate(problem)


def _trades_at_once(tree: Mapping[str, Any]) -> bool:
    """True when it sends a market order each time it fires."""
    for action in tree["do"]:
        orders = action.get("place", ())
        listed = [orders] if isinstance(orders, Mapping) else list(orders)
        listed.append(action.get("bracket", {}).get("entry", {}))
        if any(map(_adds_at_once, listed)):
            return True
    return False


def _adds_at_once(order: Mapping[str, Any]) -> bool:
    return order.get("type") == "market" and not order.get("reduce_only")


def _is_held(rule: Rule) -> bool:
    """True when it cannot fire again at once, or when nobody can say."""
    limited = rule.max_fires is not None or rule.max_fires_per_day is not None
    off = rule.dry_run or not rule.enabled
    return bool(rule.cooldown or rule.conditions or limited or off)


def _fired_by(rule: Rule, others: Mapping[str, Rule]) -> frozenset[str]:
    """Which of the others fire it as soon as their market orders are filled."""
    symbols = set(rule.symbols)
    return frozenset(
        trigger.rule
        for trigger in rule.triggers
        if isinstance(trigger, OrderTrigger) and "filled" in trigger.statuses
        if trigger.leg in (None, "entry") or trigger.leg.isdigit()
        if trigger.rule in others and not symbols.isdisjoint(others[trigger.rule].symbols)
    )


def _never_enabled(known: Known) -> Iterator[Diagnostic]:
    """Rules that are off, and that only each other would switch on."""
    enables = {rule_id: _enabled_by(place) & known.keys() for rule_id, place in known.items()}
    alive = [rule_id for rule_id, (_, _, rule) in known.items() if rule.enabled]
    seen = set(alive)
    while alive:
        reached = enables[alive.pop()] - seen
        seen |= reached
        alive += reached
    edges = {rule_id: enables[rule_id] - seen for rule_id in known if rule_id not in seen}
    for circle in circles(edges):
        source, path, _ = known[circle[0]]
        names = [*circle[: MOST_NAMED - 1], "…"] if len(circle) > MOST_NAMED else circle
        message = f"these rules are off, and only they enable each other: {', '.join(names)}"
        cure = "none of them ever fires: leave out enabled: false at one"
        yield source.locate(Problem((*path, "enabled"), "circle", message, cure))


def _enabled_by(place: tuple[Source, Path, Rule]) -> frozenset[str]:
    source, path, _ = place
    found: set[str] = set()
    for action in source.value(path)["do"]:
        names = action.get("enable", ())
        found.update([names] if isinstance(names, str) else map(str, names))
    return frozenset(found)


def circles(edges: Edges) -> Iterator[tuple[str, ...]]:
    """A circle through each group of rules that lead to each other, one for each first rule.

    Walks every edge once, with a list in the place of recursion, so that no chain is too long.
    """
    place: dict[str, int] = {}  # on the way from the start; -1 once it is done
    told: set[str] = set()
    for start in edges:
        if start in place:
            continue
        place[start] = 0
        way = [start]
        left = [iter(sorted(edges[start]))]
        while way:
            following = next(left[-1], None)
            if following is None:
                place[way.pop()] = -1
                left.pop()
            elif following not in place:
                place[following] = len(way)
                way.append(following)
                left.append(iter(sorted(edges[following])))
            elif place[following] >= 0 and following not in told:
                told.add(following)
                yield tuple(way[place[following] :])


def _way(circle: Sequence[str]) -> str:
    """The circle in the order in which the rules fire each other."""
    names = [circle[0], *reversed(circle[1:])]
    if len(names) > MOST_NAMED:
        names = [*names[: MOST_NAMED - 1], "…"]
    return " -> ".join([*names, circle[0]])
