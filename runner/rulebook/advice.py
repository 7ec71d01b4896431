"""What is sound and yet hardly meant: the same order twice, sizes over the guards, and the like."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runner.core.document import Path, Problem
from runner.core.orders import CONDITIONAL
from runner.core.rules import Rule
from runner.rulebook import canonical
from runner.rulebook.diagnostics import Diagnostic, Related
from runner.rulebook.guard_advice import over_the_guards
from runner.rulebook.source import Source
from runner.rulebook.together import Part

ENTRIES = ("place", "bracket", "ladder")
"""Actions of which two are one too many."""

ENTRY_NAMES = frozenset({"order_id", "strategy_order_id", "strategy.order.id"})
"""Fields that people fill with {{strategy.order.id}}: the entry's name, which comes again."""

TIME_NAMES = frozenset({"time", "timenow", "timestamp", "event_time"})
"""Fields that people fill with {{timenow}} or {{time}}: to the second, or to the candle."""

OPPOSITES = (frozenset({"buy", "sell"}), frozenset({"long", "short"}))
"""What alerts of both directions say."""

WEIGHT_PER_MINUTE = 2_400
"""Request weight that the exchange grants an address (exchangeInfo, rateLimits)."""

COUNTDOWN_WEIGHT = 10
"""Of one POST /fapi/v1/countdownCancelAll, which covers one symbol."""

REFRESHES = (10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600)
"""Seconds that are proposed."""


MOST_COMPARED = 3
"""Rules of the same event and order that a further one is compared with."""


@dataclass(frozen=True, slots=True)
class _Sender:
    """A rule that sends an order, its lines under `if`, and where it stands."""

    rule: Rule
    conditions: frozenset[str]
    source: Source
    path: Path

    def overlaps(self, other: _Sender) -> bool:
        """True when one of the two fires whenever the other does."""
        mine, theirs = self.conditions, other.conditions
        return self.rule.id != other.rule.id and (mine <= theirs or theirs <= mine)


def advise(parts: Sequence[Part], remarks: bool = False) -> Iterator[Diagnostic]:
    """Warnings about sound rules; with `remarks` also notes of what is as it must be."""
    yield from _twins(parts)
    yield from _shares(parts)
    for part in parts:
        for path, rule in part.rules:
            tree = part.source.value(path)
            problems = [*_identities(tree, path), *over_the_guards(rule, tree, path)]
            problems += _dropped(rule, tree, path)
            yield from (part.source.locate(problem) for problem in problems)
    if remarks:
        yield from _taken_along(parts)


def _twins(parts: Sequence[Part]) -> Iterator[Diagnostic]:
    """Two rules that send the same order for the same event, whenever the narrower one fires."""
    known: dict[tuple[str, str, str], list[_Sender]] = {}
    for part in parts:
        for path, rule in part.rules:
            if not rule.enabled:
                continue
            tree = part.source.value(path)
            conditions = frozenset(str(line) for line in tree.get("if", ()))
            sender = _Sender(rule, conditions, part.source, path)
            keys = _sent(rule, tree)
            twins = ((key, each) for key in keys for each in known.get(key, ()))
            twin = next((pair for pair in twins if pair[1].overlaps(sender)), None)
            if twin is not None:
                yield _twin(sender, *twin)
            for key in keys:
                others = known.setdefault(key, [])
                if len(others) < MOST_COMPARED:
                    others.append(sender)


def _sent(rule: Rule, tree: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(symbol, trigger, order) for every order that the rule sends on an event."""
    triggers = {canonical.dump(entry) for entry in tree["when"]}
    orders = {canonical.dump(entry) for entry in tree["do"] if next(iter(entry)) in ENTRIES}
    pairs = [(trigger, order) for trigger in triggers for order in orders]
    return [(symbol, *pair) for symbol in rule.symbols for pair in sorted(pairs)]


def _twin(sender: _Sender, key: tuple[str, str, str], other: _Sender) -> Diagnostic:
    message = f"{other.rule.id} sends the same order for the same event on {key[0]}"
    cure = "both are sent: delete one, or make the two differ"
    related = Related(other.source.file, other.source.line(other.path), "the other is at")
    place = (*sender.path, "when")
    problem = Problem(place, "same-order", message, cure, at_key=True, severity="warning")
    return sender.source.locate(problem, (related,))


def _identities(tree: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    """A `dedupe` whose only field comes again for another alert, or stays for two."""
    for index, entry in enumerate(tree["when"]):
        names = entry.get("webhook", {}).get("dedupe", ())
        if len(names) != 1:
            continue
        name, place = str(names[0]), (*path, "when", index, "webhook", "dedupe")
        if name.lower() in ENTRY_NAMES:
            message = f"{name} alone: {{{{strategy.order.id}}}} is the entry's name and comes again"
            cure = "the second alert would count as a duplicate for ever: add time"
        elif name.lower() in TIME_NAMES:
            message = f"{name} alone: two alerts can carry the same time"
            cure = "the second one would count as a duplicate: add action, or order_id"
        else:
            continue
        yield Problem(place, "dedupe", message, cure, severity="warning")


def _dropped(rule: Rule, tree: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    """Alerts of both directions where one of them is not heard while the other's run goes on."""
    if rule.mode != "single" or rule.supersedes or not _both_ways(tree):
        return
    written = "mode" in tree
    message = "mode: single drops the opposite alert that comes while the last run goes on"
    if not written:
        message = "an opposite alert is dropped while the bracket's exits rest: mode is single"
    cure = "write mode: restart (the new alert takes its place) or mode: queued (it waits)"
    place = (*path, "mode") if written else (*path, "do")
    yield Problem(place, "mode", message, cure, at_key=True, severity="warning")


def _both_ways(tree: Mapping[str, Any]) -> bool:
    """True when its alerts may say buy as well as sell."""
    for entry in tree["when"]:
        for kind in entry.get("webhook", {}).get("body", {}).values():
            values = kind.get("one_of", ()) if isinstance(kind, Mapping) else ()
            told = {str(value).lower() for value in values}
            if any(pair <= told for pair in OPPOSITES):
                return True
    return False


def _shares(parts: Sequence[Part]) -> Iterator[Diagnostic]:
    """Countdowns whose refreshes eat the request weight that orders and questions need."""
    men = {man.symbol: man for part in parts for man in part.dead_men}
    weight = sum(COUNTDOWN_WEIGHT * 60_000 / man.refresh for man in men.values())
    if weight <= WEIGHT_PER_MINUTE / 2:
        return
    part = max(parts, key=lambda part: len(part.dead_men))
    severity = "error" if weight > WEIGHT_PER_MINUTE else "warning"
    message = (
        f"refreshing {len(men)} countdowns takes {weight:.0f} of the {WEIGHT_PER_MINUTE} request "
        "weight a minute"
    )
    place = ("dead_man", "refresh")
    problem = Problem(place, "dead-man", message, _slower(len(men)), severity=severity)
    yield part.source.locate(problem)


def _slower(count: int) -> str:
    """The shortest refresh that takes a quarter of the weight at most, and its countdown."""
    fitting = [s for s in REFRESHES if count * COUNTDOWN_WEIGHT * 60 / s <= WEIGHT_PER_MINUTE / 4]
    seconds = fitting[0] if fitting else REFRESHES[-1]
    share = count * COUNTDOWN_WEIGHT * 60 / seconds
    return f"refresh: {_length(seconds)} with countdown: {_length(4 * seconds)} takes {share:.0f}"


def _length(seconds: int) -> str:
    return f"{seconds}s" if seconds % 60 else f"{seconds // 60}m"


def _taken_along(parts: Sequence[Part]) -> Iterator[Diagnostic]:
    """The exits that rest on the book of a symbol with a countdown: it cancels them too."""
    covered = {man.symbol for part in parts for man in part.dead_men}
    for part in parts:
        for path, rule in part.rules:
            symbols = [symbol for symbol in rule.symbols if symbol in covered]
            for place, stays in _exits(part.source.value(path), path) if symbols else ():
                fate = "may cancel this stop" if stays else "cancels this exit"
                message = f"a countdown of {_listed(symbols)} that runs out {fate} too"
                cure = "whether it does is not documented: rely on neither" if stays else None
                problem = Problem(place, "countdown", message, cure, at_key=True, severity="note")
                yield part.source.locate(problem)


def _exits(tree: Mapping[str, Any], path: Path) -> Iterator[tuple[Path, bool]]:
    """Every order that only closes, and whether it is a conditional one."""
    for index, action in enumerate(tree["do"]):
        place = (*path, "do", index)
        for key, usual in (("stop", "stop_market"), ("target", "limit")):
            exit_ = action.get("bracket", {}).get(key)
            if exit_ is not None:
                yield (*place, "bracket", key), _is_conditional(exit_, usual)
        orders = action.get("place", ())
        for number, order in enumerate([orders] if isinstance(orders, Mapping) else orders):
            if order.get("reduce_only") or order.get("close_position"):
                inner = () if isinstance(orders, Mapping) else (number,)
                yield (*place, "place", *inner), _is_conditional(order, "limit")


def _is_conditional(order: Mapping[str, Any], usual: str) -> bool:
    return str(order.get("type", usual)).upper() in CONDITIONAL


def _listed(symbols: Sequence[str]) -> str:
    more = f" and {len(symbols) - 3} more" if len(symbols) > 3 else ""
    return f"{', '.join(symbols[:3])}{more}"
