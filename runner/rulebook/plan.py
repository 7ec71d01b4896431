"""What a reload changes: each rule that differs, what becomes of its state, and what stays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from runner.core.rules import DeadMan, Rule, RuleSet, Trigger
from runner.core.triggers.schedule import ScheduleTrigger
from runner.rulebook import canonical
from runner.rulebook.differences import differences

CHANGED, ADDED, REMOVED, RENAMED = "~", "+", "-", ">"
DAY = 86_400_000
NAMES = ("id", "renamed_from")
"""Keys that say nothing of what a rule does."""


@dataclass(frozen=True, slots=True)
class Open:
    """How many orders are on the book that open a position, and how many that close one."""

    entries: int = 0
    exits: int = 0

    def __add__(self, other: Open) -> Open:
        return Open(self.entries + other.entries, self.exits + other.exits)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the plan must know besides the two rule sets; times are UTC ms.

    `next_run` tells the next instant of a schedule after a time, `last_fired` when a rule last
    fired (on any symbol), `open_orders` what each rule has on the book of each symbol.
    """

    now: int
    next_run: Callable[[ScheduleTrigger, int], int | None]
    last_fired: Mapping[str, int] = field(default_factory=dict)
    open_orders: Mapping[tuple[str, str], Open] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """One line: `~` changed, `+` new, `-` gone, `>` under another id; `then`: its state."""

    file: str
    mark: str
    name: str
    what: str
    then: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """The changes in order of their files; `unchanged` counts the others of each file."""

    changes: tuple[Change, ...]
    unchanged: Mapping[str, int]

    @property
    def empty(self) -> bool:
        """True when every rule runs on as it is."""
        return not self.changes

    def summary(self) -> str:
        """`2 changed, 1 new, 7 unchanged`."""
        words = {CHANGED: "changed", ADDED: "new", REMOVED: "removed", RENAMED: "renamed"}
        counts = {mark: sum(change.mark == mark for change in self.changes) for mark in words}
        parts = [f"{count} {words[mark]}" for mark, count in counts.items() if count]
        return ", ".join([*parts, f"{sum(self.unchanged.values())} unchanged"])

    def lines(self) -> list[str]:
        """As people read it: a file, below it a line for each rule that differs."""
        names = max((len(change.name) for change in self.changes), default=0)
        whats = max((len(change.what) for change in self.changes if change.then), default=0)
        found = []
        files = dict.fromkeys([*(change.file for change in self.changes), *self.unchanged])
        for file in sorted(files):
            found.append(file)
            for change in self.changes:
                if change.file == file:
                    line = f"  {change.mark} {change.name:<{names}}  {change.what:<{whats}}"
                    found.append(f"{line}  {change.then}".rstrip())
            if file in self.unchanged:
                found.append(f"  = {self.unchanged[file]} unchanged")
        return found


def plan(old: RuleSet, new: RuleSet, facts: Facts) -> Plan:
    """What becomes of every rule of `old` and `new`; pure."""
    changes = [*_of_rules(old, new, facts), *_of_dead_men(old.dead_men, new.dead_men)]
    touched = {change.name for change in changes}
    unchanged: dict[str, int] = {}
    for rule in new.rules.values():
        if rule.id not in touched:
            unchanged[rule.file] = unchanged.get(rule.file, 0) + 1
    return Plan(tuple(changes), unchanged)


def _of_rules(old: RuleSet, new: RuleSet, facts: Facts) -> Iterator[Change]:
    renamed: set[str] = set()
    for rule in new.rules.values():
        before = old.rules.get(rule.id)
        former = None if rule.renamed_from in new.rules else old.rules.get(rule.renamed_from)
        if before is not None:
            if before.text != rule.text:
                what, then = _what(before, rule) or "changed", _then(before, rule, facts)
                yield Change(rule.file, CHANGED, rule.id, what, then)
        elif former is not None:
            renamed.add(former.id)
            what = ", ".join(filter(None, (f"renamed from {former.id}", _what(former, rule))))
            yield Change(rule.file, RENAMED, rule.id, what, _then(former, rule, facts))
        else:
            yield Change(rule.file, ADDED, rule.id, _next(rule.triggers, facts) or "new")
    for rule in old.rules.values():
        if rule.id not in new.rules and rule.id not in renamed:
            yield Change(rule.file, REMOVED, rule.id, _left(rule.id, rule.symbols, rule, facts))


def _what(before: Rule, after: Rule) -> str:
    trees = [canonical.parse(rule.text) for rule in (before, after)]
    one, other = ({k: v for k, v in tree.items() if k not in NAMES} for tree in trees)
    return differences(one, other)


def _then(before: Rule, after: Rule, facts: Facts) -> str:
    """What becomes of the state that a changed rule had."""
    known = {trigger.name: trigger.fingerprint for trigger in before.triggers}
    afresh = [t for t in after.triggers if known.get(t.name) != t.fingerprint]
    started = [_afresh(trigger, trigger.name in known, facts) for trigger in afresh]
    come = [symbol for symbol in after.symbols if symbol not in before.symbols]
    parts = started or (["state kept"] if len(come) < len(after.symbols) else [])
    if come:
        parts.append(f"new on {', '.join(come)}")
    fired = facts.last_fired.get(before.id)
    if fired is not None and after.cooldown and fired + after.cooldown > facts.now:
        parts.append(f"cooldown until {_instant(fired + after.cooldown, facts.now)}")
    gone = [symbol for symbol in before.symbols if symbol not in after.symbols]
    if any(facts.open_orders.get((before.id, each), Open()) != Open() for each in gone):
        parts.append(_left(before.id, gone, after, facts))
    return ", ".join(parts)


def _afresh(trigger: Trigger, existed: bool, facts: Facts) -> str:
    """How a trigger begins that is new or was edited."""
    if isinstance(trigger, ScheduleTrigger):
        return _next((trigger,), facts)
    if not existed:
        return f"{trigger.name} is new"
    return (
        "its armed state starts over" if trigger.kind == "price" else f"{trigger.name} starts over"
    )


def _next(triggers: Sequence[Trigger], facts: Facts) -> str:
    """The next instant of the schedules among these; empty when there is none."""
    schedules = [trigger for trigger in triggers if isinstance(trigger, ScheduleTrigger)]
    instants = [facts.next_run(trigger, facts.now) for trigger in schedules]
    coming = [instant for instant in instants if instant is not None]
    if coming:
        return f"next {_instant(min(coming), facts.now)}"
    return "its time is over" if schedules else ""


def _left(rule_id: str, symbols: Sequence[str], rule: Rule, facts: Facts) -> str:
    """What becomes of the orders of a rule that is removed, or of its symbols that are."""
    found = sum((facts.open_orders.get((rule_id, each), Open()) for each in symbols), Open())
    if not rule.cancel_on_remove:
        found = Open(0, found.entries + found.exits)
    parts = []
    if found.entries:
        one, more = "1 open entry is", f"{found.entries} open entries are"
        parts.append(f"{one if found.entries == 1 else more} cancelled")
    if found.exits:
        orders = "exit" if rule.cancel_on_remove else "open order"
        stay = f"1 {orders} stays" if found.exits == 1 else f"{found.exits} {orders}s stay"
        parts.append(f"{stay} on the book")
    return ", ".join(parts) or "no open orders"


def _of_dead_men(old: Mapping[str, DeadMan], new: Mapping[str, DeadMan]) -> Iterable[Change]:
    for symbol in [*new, *(symbol for symbol in old if symbol not in new)]:
        before, after = old.get(symbol), new.get(symbol)
        if before == after:
            continue
        if after is None:
            yield _switch(REMOVED, symbol, "its countdown is stopped")
        elif before is None:
            yield _switch(ADDED, symbol, f"countdown {after.countdown // 1000} s")
        elif before.countdown != after.countdown:
            what = f"countdown {before.countdown // 1000} s -> {after.countdown // 1000} s"
            yield _switch(CHANGED, symbol, what)
        else:
            what = f"refresh {before.refresh // 1000} s -> {after.refresh // 1000} s"
            yield _switch(CHANGED, symbol, what)


def _switch(mark: str, symbol: str, what: str) -> Change:
    return Change("dead_man", mark, symbol, what)


def _instant(at: int, now: int) -> str:
    """The time of day of an instant of today, else the date too; UTC."""
    moment = datetime.fromtimestamp(at / 1000, UTC)
    return f"{moment:%H:%M:%S} UTC" if at // DAY == now // DAY else f"{moment:%Y-%m-%d %H:%M} UTC"
