"""Ends of candles that rules wait for; those that change nothing wait and are told together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from runner.core.candles import bounds
from runner.core.events import KlineClosed
from runner.core.firing import trigger_memory
from runner.core.rules import KLINE, RuleSet
from runner.core.state import State
from runner.core.triggers.crossing import NOT_PAST, PAST
from runner.core.triggers.price_closes import CloseTrigger

MOST_HELD = 400
"""Ends of candles that wait at most: fewer than the runner takes in at one turn."""


@dataclass(slots=True)
class _Due:
    """One symbol's candles of one interval; `at` (UTC ms) is when the present one ends."""

    symbol: str
    interval: str
    span: int
    at: int


class Closes:
    """Tells when candles end, and whether a rule takes notice of more than that they did."""

    def __init__(
        self, rules: RuleSet, state: State, wanted: Iterable[tuple[str, str]], now: int
    ) -> None:
        """`wanted` are (symbol, source) pairs; `state` is the engine's, which it changes."""
        self._state = state
        self.held: list[KlineClosed] = []
        self._due: list[_Due] = []
        for symbol, source in sorted(wanted):
            if source.startswith(KLINE):
                interval = source.removeprefix(KLINE)
                start, end = bounds(interval, now)
                self._due.append(_Due(symbol, interval, end - start, end))
        self._triggers = {
            (one.symbol, one.interval): [
                (rule.id, trigger)
                for rule in rules.rules.values()
                if one.symbol in rule.symbols
                for trigger in rule.triggers
                if isinstance(trigger, CloseTrigger) and trigger.interval == one.interval
            ]
            for one in self._due
        }

    def next_at(self) -> int | None:
        """When the next candle ends."""
        return min((one.at for one in self._due), default=None)

    def end(self, at: int) -> list[tuple[str, str, int]]:
        """The candles that end now, as symbol, interval and length (ms); the next ones begin."""
        found = []
        for one in self._due:
            if one.at <= at:
                found.append((one.symbol, one.interval, one.span))
                one.at = bounds(one.interval, at)[1]
        return found

    def hold(self, closed: KlineClosed) -> bool:
        """Take one in; True when it can wait until something else happens."""
        # a step, and what arms a rule anew, are told at once; decided before it is held
        dull = self._dull(closed) and len(self.held) < MOST_HELD
        self.held.append(closed)
        return dull

    def take(self) -> list[KlineClosed]:
        """Those that wait, in their order; none waits any more."""
        found, self.held = self.held, []
        return found

    def _dull(self, closed: KlineClosed) -> bool:
        return all(
            self._unmoved(rule_id, closed.symbol, trigger, closed.close)
            for rule_id, trigger in self._triggers[closed.symbol, closed.interval]
        )

    def _unmoved(self, rule_id: str, symbol: str, trigger: CloseTrigger, close: Decimal) -> bool:
        """True on the side of the level on which the last close was, with nothing to arm."""
        known = self._state.memories.get((rule_id, symbol))
        level = trigger.level.constant
        if known is None or not isinstance(level, Decimal):
            return False
        own = trigger_memory(known, trigger)
        past = close > level if trigger.above else close < level
        return own.get("side") == (PAST if past else NOT_PAST) and (past or bool(own.get("armed")))
