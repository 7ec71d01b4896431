"""Who is told what follows from an event: own orders, positions, a start, the end of a wait."""

from __future__ import annotations

from runner.core.decision import Leg
from runner.core.events import Event, Positions, PositionUpdate, Started
from runner.core.firing import offer
from runner.core.happenings import order_changes
from runner.core.legs import Moment
from runner.core.listening import Listening
from runner.core.rules import Interest
from runner.core.running import World
from runner.core.state import Work
from runner.core.values import replace
from runner.core.view import ZERO

START_PATIENCE = 15_000
"""Ms after a start for which `system: started` waits for the first price of every symbol."""


class Telling:
    """Offers events to the triggers that listen; knows whether the start was told."""

    def __init__(self, world: World, listening: Listening) -> None:
        """Nothing has started yet."""
        self._world = world
        self._listening = listening
        self._started_at: int | None = None
        self._told_start = False

    def follow(self, listening: Listening) -> None:
        """Go on with those who listen now; that the process began stays told."""
        self._listening = listening

    def tell(self, work: Work, interest: Interest, symbol: str, event: Event) -> None:
        """Everybody who listens to this on the symbol."""
        for rule, trigger in self._listening.on(interest, symbol):
            offer(work, self._world, rule, symbol, trigger, event)

    def tell_all(self, work: Work, interest: Interest, event: Event) -> None:
        """Something about no symbol: every rule hears it on each of its own."""
        for rule, trigger in self._listening.to(interest):
            for symbol in rule.symbols:
                offer(work, self._world, rule, symbol, trigger, event)

    def orders(self, work: Work, told: dict[str, Leg]) -> bool:
        """What happened to own orders since the last call in this decision; False for nothing."""
        changes = order_changes(work, told)
        for change in changes:
            for interest in (("order", change.rule_id), ("order", "")):
                self.tell(work, interest, change.symbol, change)
        return bool(changes)

    def positions(self, work: Work, reading: Positions) -> None:
        """A reading of all positions, already in the view: also what it does not list is known."""
        known = self._world.view.positions
        for rule, trigger in self._listening.to(("position", "")):
            for symbol in rule.symbols:
                for side in ("BOTH", "LONG", "SHORT"):
                    flat = PositionUpdate(symbol, side, ZERO, ZERO, ZERO, reading.asked_time)
                    stated = known.get((symbol, side), flat)
                    held = replace(stated if stated.size else flat, reading=True)
                    offer(work, self._world, rule, symbol, trigger, held)

    # time

    def start(self, work: Work) -> None:
        """The process begins: waits go on without the time in which it was away."""
        if self._started_at is not None:
            return
        self._started_at = work.now
        self._told_start = not self._listening.to(("system", "started"))
        for symbol, rule, trigger in self._listening.timed():
            offer(work, self._world, rule, symbol, trigger, self._start(work.now, ready=False))

    def pass_time(self, work: Work, moment: Moment) -> None:
        """The start is told once all is known; and whose wait is over."""
        if self._started_at is not None and not self._told_start and self._ready(moment):
            self._told_start = True
            started = self._start(self._started_at, ready=True)
            self.tell_all(work, ("system", "started"), started)
        for due in self._listening.due(moment.now):
            rule = self._world.rules.rules[due.rule_id]
            for trigger in rule.triggers:
                if trigger.name == due.trigger:
                    offer(work, self._world, rule, due.symbol, trigger, due)

    def next_at(self) -> int | None:
        """When time alone may change something (ms)."""
        due_at = self._listening.next_at()
        if self._told_start or self._started_at is None:
            return due_at
        ready_at = self._started_at + START_PATIENCE
        return ready_at if due_at is None else min(due_at, ready_at)

    def _start(self, at: int, *, ready: bool) -> Started:
        alive_at = self._world.view.board.alive_at
        return Started(at, 0 if alive_at is None else max(at - alive_at, 0), ready)

    def _ready(self, moment: Moment) -> bool:
        """Account and prices are known; a price that does not come is not waited for for ever."""
        view = self._world.view
        if not view.positions_known or view.account is None:
            return False
        assert self._started_at is not None
        patient = moment.now - self._started_at < START_PATIENCE
        return not patient or all(view.board.last(*key) for key in self._world.rules.wanted)
