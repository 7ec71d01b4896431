"""Price `closes_above` and `closes_below`: the step of a candle's close over a level."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from runner.core.document import Node, Scope, Term
from runner.core.events import Event, KlineClosed
from runner.core.figures import figure
from runner.core.formula import NUMBER, TEXT
from runner.core.rules import Interest, Match, Memory, Quiet
from runner.core.triggers.crossing import Crossing, Look
from runner.core.triggers.price_cross import read_levels
from runner.core.values import dataclass
from runner.core.view import Names


@dataclass(frozen=True, slots=True)
class CloseTrigger:
    """A candle of `interval` closes past the level, and the one before did not; equal is not past.

    Memory as that of PriceTrigger, and `close_time` of the last candle: that time is the event
    key. After a missing candle, or with one told late, `after_gap` decides.
    """

    name: str
    above: bool
    level: Term
    interval: str
    rearm: Term | None
    fire_after_gap: bool
    fingerprint: str

    kind: ClassVar[str] = "price"

    @property
    def fields(self) -> Scope:
        """The close, the level it is past, and `15m`."""
        return {"price": NUMBER, "level": NUMBER, "interval": TEXT}

    @property
    def interest(self) -> Interest:
        """Closed candles of its interval."""
        return ("kline", self.interval)

    def match(self, event: Event, memory: Memory, names: Names) -> Match:
        """One closed candle. Raises EvaluationError when the level has no value now."""
        assert isinstance(event, KlineClosed)
        known = memory.get("close_time")
        if known is not None and event.close_time <= known:
            return Quiet(memory)
        level = self.level.number(names)
        missing = known is not None and event.close_time - known > event.span
        late = event.received_at - event.close_time > names.view.board.stale_after
        seen = Look(
            past=event.close > level if self.above else event.close < level,
            at=event.received_at,
            what=f"close {figure(event.close)} of {self.interval}",
            sign=">" if self.above else "<",
            level=figure(level),
            fields={"price": event.close, "level": level, "interval": self.interval},
            fresh=missing or late,
            key=str(event.close_time),
        )
        after = {**memory, "close_time": event.close_time}
        crossing = Crossing(0, self.fire_after_gap)
        return crossing.match(seen, after, lambda: self._rearmed(event.close, names))

    def _rearmed(self, close: Decimal, names: Names) -> bool:
        if self.rearm is None:
            return True
        border = self.rearm.number(names)
        return close < border if self.above else close > border


def read(node: Node, name: str, way: str) -> CloseTrigger | None:
    """Read the `way` (closes_above or closes_below) of a block, and its `on`."""
    levels = read_levels(node, way, above=way == "closes_above")
    if not node.has("on"):
        node.problem("missing-key", f"{way} needs on", "the length of the candle: on: 15m")
        return None
    if levels is None:
        return None
    interval = node.text("on")
    return CloseTrigger(
        name=name,
        above=way == "closes_above",
        level=levels[0],
        interval=interval,
        rearm=levels[1],
        fire_after_gap=node.text("after_gap", "wait") == "fire",
        fingerprint=f"{way} {node.value[way]} {interval} {node.value.get('rearm')}",
    )
