"""Price `trails: 1.5%`: the price fell so far from its highest (or rose from its lowest)."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, ClassVar

from runner.core.decision import Reason
from runner.core.document import Node, Scope
from runner.core.events import Event, PriceSource, Tick, Value
from runner.core.figures import figure
from runner.core.formula import NUMBER, TEXT
from runner.core.prices import Trail
from runner.core.rules import Hit, Interest, Match, Memory, Miss, Quiet, Waits
from runner.core.triggers.shares import percent, share
from runner.core.values import dataclass
from runner.core.view import Names

KEPT_EVERY = Decimal("0.1")
"""The extreme is remembered whenever it went on by this part of the share: what a crash loses."""

CURE = "write a share below 100%: trails: 1.5%, or trails: 1.5% from low"


@dataclass(frozen=True, slots=True)
class TrailTrigger:
    """The price is more than `share` under its highest since armed, or over its lowest.

    The first price arms it; a firing arms it anew at that price. Memory: `extreme` (text) and
    `generation`, the event key. The extreme between two looks is the price board's to keep.
    """

    name: str
    share: Decimal
    from_high: bool
    source: PriceSource
    fire_after_gap: bool
    fingerprint: str

    kind: ClassVar[str] = "price"
    moving: ClassVar[bool] = False

    @property
    def fields(self) -> Scope:
        """The price, the level it passed, and the extreme that this was reckoned from."""
        return {"price": NUMBER, "level": NUMBER, "extreme": NUMBER, "source": TEXT}

    @property
    def interest(self) -> Interest:
        """Ticks of its source."""
        return ("price", self.source)

    def waits(self, memory: Memory, names: Names) -> Waits:
        """The trailing level, and where the extreme has gone on so far that it must be kept."""
        del names
        if "extreme" not in memory:
            return Waits(self.source, (), awake=True)
        trail = Trail(self.share, Decimal(memory["extreme"]), self.from_high)
        step = self.share * KEPT_EVERY
        further = trail.extreme * (1 + step if self.from_high else 1 - step)
        return Waits(self.source, (further,), trail=trail)

    def match(self, event: Event, memory: Memory, names: Names) -> Match:
        """One tick; its `high` and `low` are the extremes since the last look."""
        del names
        assert isinstance(event, Tick)
        price = event.price
        if "extreme" not in memory:
            note = f"{self.source} {figure(price)}, trails {percent(self.share)}"
            return Quiet({**memory, "extreme": str(price)}, ("armed", note))
        trail = Trail(self.share, self._furthest(event, memory), self.from_high)
        level = trail.level(trail.extreme)
        past = price < level if self.from_high else price > level
        if not past:
            return Quiet({**memory, "extreme": str(trail.extreme)})
        return self._past(event, trail, {**memory, "extreme": str(price)})

    def _past(self, event: Tick, trail: Trail, after: dict[str, Any]) -> Match:
        side, extreme = ("under", "high") if self.from_high else ("over", "low")
        share_now = percent(abs(event.price - trail.extreme) / trail.extreme)
        what = f"{self.source} {figure(event.price)} is {share_now} {side}"
        detail = f"{what} the {extreme} {figure(trail.extreme)}"
        if event.fresh_start and not self.fire_after_gap:
            return Miss(Reason.CROSSED_WHILE_AWAY, f"{detail}, and prices were missing", after)
        after["generation"] = after.get("generation", 0) + 1
        fields: dict[str, Value] = {
            "price": event.price,
            "level": trail.level(trail.extreme),
            "extreme": trail.extreme,
            "source": str(self.source),
        }
        return Hit(str(after["generation"]), fields, after, detail)

    def _furthest(self, event: Tick, memory: Memory) -> Decimal:
        known = Decimal(memory["extreme"])
        if self.from_high:
            return max(known, event.price, event.high or event.price)
        return min(known, event.price, event.low or event.price)


def read(node: Node, name: str, source: PriceSource) -> TrailTrigger | None:
    """Read `trails: 1.5%`, `trails: 1.5% from high` or `trails: 1.5% from low`."""
    child = node.child("trails")
    parts = re.fullmatch(r"(\S+?)(?:\s+from\s+(high|low))?", str(child.value).strip())
    trailed = share(parts[1]) if parts is not None else None
    if parts is None or trailed is None:
        cure = CURE if isinstance(child.value, str) else f"write trails: {child.value}%"
        child.problem("trails", f"{child.value} is no share to trail by", cure)
        return None
    from_high = parts[2] != "low"
    return TrailTrigger(
        name=name,
        share=trailed,
        from_high=from_high,
        source=source,
        fire_after_gap=node.text("after_gap", "wait") == "fire",
        fingerprint=f"trails {trailed} {'high' if from_high else 'low'} {source}",
    )
