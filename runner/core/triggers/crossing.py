"""The step of a value from not past a level to past it: waits, rearming and gaps in one place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from runner.core.decision import Reason
from runner.core.events import Tick, Value
from runner.core.rules import Hit, Match, Memory, Miss, Quiet
from runner.core.values import dataclass

PAST, NOT_PAST = "past", "not past"


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a value, and how the journal says it: `what` `sign` `level` (mark 101 > 100).

    `fresh` is the first one after a silence, `away` says that prices were missing before it.
    `key` identifies the firing; left out, firings are counted.
    """

    past: bool
    at: int
    what: str
    sign: str
    level: str
    fields: Mapping[str, Value]
    fresh: bool = False
    away: bool = False
    key: str = ""

    @property
    def crossed(self) -> str:
        """What is true when it is past."""
        return f"{self.what} {self.sign} {self.level}"


def look(tick: Tick, stale_after: int, **shown: Any) -> Look:
    """A look at what came with a tick."""
    at, previous = tick.received_at, tick.previous_at
    away = previous is None or at - previous > stale_after
    return Look(at=at, fresh=tick.fresh_start, away=away, **shown)


@dataclass(frozen=True, slots=True)
class Crossing:
    """How long it must stay past (`hold`, ms), and whether a cross that nobody saw fires."""

    hold: int
    fire_after_gap: bool

    def match(self, seen: Look, memory: Memory, rearmed: Callable[[], bool]) -> Match:
        """One look. Memory: `side`, `armed`, `generation`, and `crossed_at` while it waits."""
        if "side" not in memory:
            return Quiet({**memory, "side": PAST if seen.past else NOT_PAST, "armed": True})
        if not seen.past:
            return self._not_past(seen, memory, rearmed)
        if seen.fresh:
            return self._fresh_start(seen, memory)
        return self._past(seen, memory)

    def _fresh_start(self, seen: Look, memory: Memory) -> Match:
        """Past the level after a silence or a reconnect: what was crossed is only recorded."""
        stepped = memory["side"] == NOT_PAST and memory["armed"]
        after = {**memory, "side": PAST}
        if stepped and not self.fire_after_gap:
            detail = f"{seen.crossed} while prices were missing"
            return Miss(Reason.CROSSED_WHILE_AWAY, detail, after)
        if stepped:
            return self._past(seen, memory)
        if seen.away and memory.get("crossed_at") is not None:
            after["crossed_at"] = seen.at
            return Quiet(after, ("reset", "the feed was silent, the wait starts over"))
        return Quiet(after)

    @staticmethod
    def _not_past(seen: Look, memory: Memory, rearmed: Callable[[], bool]) -> Match:
        after = {**memory, "side": NOT_PAST}
        if after.pop("crossed_at", None) is not None:
            return Quiet(after, ("reset", f"{seen.what} is back at {seen.level} too early"))
        if not memory["armed"] and rearmed():
            after["armed"] = True
            after.pop("told", None)
            return Quiet(after, ("armed", f"{seen.what}, waits for {seen.level}"))
        return Quiet(after)

    def _past(self, seen: Look, memory: Memory) -> Match:
        crossed_at = memory.get("crossed_at")
        if crossed_at is not None:
            return _hit(seen, memory) if seen.at - crossed_at >= self.hold else Quiet(memory)
        if memory["side"] == PAST:
            return Quiet(memory)
        if not memory["armed"]:
            return self._not_armed(seen, {**memory, "side": PAST})
        if not self.hold:
            return _hit(seen, memory)
        after = {**memory, "side": PAST, "crossed_at": seen.at}
        return Quiet(after, ("crossed", f"{seen.crossed}, waiting {self.hold / 1000:g} s"))

    @staticmethod
    def _not_armed(seen: Look, after: dict[str, Any]) -> Match:
        """A step over the level that cannot fire: said once until it is armed again."""
        if after.get("told"):
            return Quiet(after)
        detail = f"{seen.crossed}, but it was not back over its rearm level since it fired"
        return Miss(Reason.NOT_ARMED, detail, {**after, "told": True})

    def wake_at(self, memory: Memory) -> int | None:
        """When the wait that goes on is over."""
        crossed_at = memory.get("crossed_at")
        return None if crossed_at is None else crossed_at + self.hold


def _hit(seen: Look, memory: Memory) -> Hit:
    generation = memory.get("generation", 0) + 1
    after = {**memory, "side": PAST, "armed": False, "generation": generation}
    after.pop("crossed_at", None)
    return Hit(seen.key or str(generation), seen.fields, after, seen.crossed)
