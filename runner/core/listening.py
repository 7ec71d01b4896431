"""Who hears of what: the loaded triggers by what they are about, and the levels they wait for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import cast

from runner.core.events import Due, Tick
from runner.core.firing import trigger_memory
from runner.core.formula import EvaluationError
from runner.core.levels import Levels, Owner
from runner.core.prices import Band, Key
from runner.core.rules import Interest, Rule, RuleSet, Trigger, WaitsForPrice, WaitsForTime
from runner.core.running import World
from runner.core.state import State, Work
from runner.core.values import replace
from runner.core.view import Names


class Listening:
    """The triggers of the rule set that runs, indexed so that an event finds its few."""

    def __init__(self, world: World, state: State) -> None:
        """Nobody listens yet."""
        self._world = world
        self._state = state
        self._levels = Levels()
        self._listeners: dict[Interest, list[tuple[Rule, Trigger]]] = {}
        self._priced: dict[Owner, tuple[Rule, Trigger]] = {}
        self._owners: dict[tuple[str, str], list[Owner]] = {}
        self._moving: dict[str, list[Owner]] = {}
        self._moved: set[str] = set()
        self._on: dict[tuple[Interest, str], list[tuple[Rule, Trigger]]] = {}
        self._timed: dict[Owner, tuple[Rule, Trigger]] = {}
        self._due: dict[Owner, int] = {}
        self._looking: frozenset[Owner] = frozenset()
        self._new = False

    def load(self, rules: RuleSet) -> None:
        """Index these rules instead of the former; the next `follow` finds what all wait for."""
        self._new = True
        self._listeners, self._priced, self._owners, self._moving = {}, {}, {}, {}
        self._on, self._timed, self._due = {}, {}, {}
        for rule in rules.rules.values():
            for trigger in rule.triggers:
                self._listeners.setdefault(trigger.interest, []).append((rule, trigger))
                for symbol in rule.symbols:
                    key = trigger.interest, symbol
                    self._on.setdefault(key, []).append((rule, trigger))
                    self._wait(rule, symbol, trigger)
        for owner in self._levels.owners():
            if owner not in self._priced:
                self._levels.drop(owner)

    def _wait(self, rule: Rule, symbol: str, trigger: Trigger) -> None:
        owner = (rule.id, symbol, trigger.name)
        if isinstance(trigger, WaitsForPrice):
            self._priced[owner] = (rule, trigger)
            if trigger.moving:
                self._moving.setdefault(symbol, []).append(owner)
        if isinstance(trigger, WaitsForTime):
            self._timed[owner] = (rule, trigger)
        if owner in self._priced or owner in self._timed:
            self._owners.setdefault(owner[:2], []).append(owner)

    def to(self, interest: Interest) -> Sequence[tuple[Rule, Trigger]]:
        """Every rule and trigger that wants to hear of this."""
        return self._listeners.get(interest, ())

    def on(self, interest: Interest, symbol: str) -> Sequence[tuple[Rule, Trigger]]:
        """Those of them that are about this symbol."""
        return self._on.get((interest, symbol), ())

    def timed(self) -> Iterable[tuple[str, Rule, Trigger]]:
        """Everybody who waits for time to pass, each with its symbol."""
        return [(owner[1], *pair) for owner, pair in self._timed.items()]

    def due(self, now: int) -> list[Due]:
        """Whose wait is over, the earliest first."""
        over = sorted((at, owner) for owner, at in self._due.items() if at <= now)
        return [Due(rule_id, name, symbol, at) for at, (rule_id, symbol, name) in over]

    def next_at(self) -> int | None:
        """When the next wait is over (ms)."""
        return min(self._due.values(), default=None)

    def affected(self, tick: Tick) -> Iterable[tuple[Owner, Rule, Trigger, Tick]]:
        """Who must look at this tick, in order of rule id, each with the extreme it trails."""
        found = self._levels.affected(tick)
        self._looking = frozenset(found)
        for owner in found:
            extreme = self._levels.extreme(owner, tick.source)
            seen = tick if extreme is None else replace(tick, high=extreme, low=extreme)
            yield (owner, *self._priced[owner], seen)

    def unheard(self, tick: Tick) -> None:
        """Nothing came of this tick after all: everybody looks at the next one."""
        self._looking = frozenset()
        self._levels.unheard(tick)

    def moved(self, symbols: Iterable[str] | None = None) -> None:
        """The position of these symbols is another, or the account is (None: every symbol)."""
        self._moved.update(self._moving if symbols is None else symbols)

    def follow(self, changed: Iterable[tuple[str, str]], now: int) -> None:
        """Wait anew for what the (rule, symbol) pairs whose memory changed, or that moved, say."""
        for owner in self._anew(changed):
            self.level(owner, now)
        self._looking = frozenset()

    def _anew(self, changed: Iterable[tuple[str, str]]) -> Iterable[Owner]:
        """Who may wait for something else than before."""
        moved, self._moved = self._moved, set()
        if self._new:
            self._new = False
            return {**self._priced, **self._timed}
        found = [owner for key in changed for owner in self._owners.get(key, ())]
        return [*found, *(owner for symbol in moved for owner in self._moving.get(symbol, ()))]

    def level(self, owner: Owner, now: int) -> None:
        """Wait for what this trigger waits for now; for nothing when that cannot be reckoned."""
        rule, trigger = self._priced.get(owner) or self._timed[owner]
        work = Work(self._state, now)
        memory = work.memory(rule.id, owner[1])
        # not by isinstance: it looks at a protocol's members one by one
        if owner in self._timed:
            at = cast(WaitsForTime, trigger).due_at(trigger_memory(memory, trigger))
            if at is None:
                self._due.pop(owner, None)
            else:
                self._due[owner] = at
        if owner not in self._priced:
            return
        exposure = partial(work.exposure, owner[1])
        names = Names(self._world.view, owner[1], now, {}, memory, exposure, rule.zone)
        try:
            waits = cast(WaitsForPrice, trigger).waits(trigger_memory(memory, trigger), names)
        except EvaluationError:
            self._levels.drop(owner)
            return
        since = self._world.view.board.version + 1
        self._levels.set(owner, waits, since, looking=owner in self._looking)

    def bands(self) -> dict[Key, Band]:
        """The bands that changed, with a new version."""
        return self._levels.bands(self._world.view.board.next_version())
