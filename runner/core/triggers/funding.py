"""Trigger `funding`: the funding rate of the symbol crosses a level."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

from runner.core.document import Node, Scope
from runner.core.events import Event, Tick
from runner.core.formula import NUMBER
from runner.core.rules import Interest, Match, Memory, TriggerKind, Waits
from runner.core.triggers.crossing import Crossing, look
from runner.core.triggers.shares import percent, signed_share
from runner.core.values import dataclass
from runner.core.view import Names


@dataclass(frozen=True, slots=True)
class FundingTrigger:
    """The rate of the next funding steps over a level; equal is not past.

    It comes with the mark price, every second, so that the level is one of a price like any
    other. Memory as that of PriceTrigger.
    """

    kind: ClassVar[str] = "funding"
    moving: ClassVar[bool] = False

    name: str
    above: bool
    level: Decimal
    rearm: Decimal | None
    hold: int
    fire_after_gap: bool
    fingerprint: str

    @property
    def fields(self) -> Scope:
        """The rate that fired it and the level, as fractions: 0.0001 is 0.01%."""
        return {"rate": NUMBER, "level": NUMBER}

    @property
    def interest(self) -> Interest:
        """Funding rates."""
        return ("price", "funding")

    @property
    def crossing(self) -> Crossing:
        """How it waits."""
        return Crossing(self.hold, self.fire_after_gap)

    def waits(self, memory: Memory, names: Names) -> Waits:
        """Its level, and the level that arms it again."""
        del names
        levels = (self.level,) if self.rearm is None else (self.level, self.rearm)
        return Waits("funding", levels, "side" not in memory, self.crossing.wake_at(memory))

    def match(self, event: Event, memory: Memory, names: Names) -> Match:
        """One funding rate."""
        assert isinstance(event, Tick)
        rate = event.price
        seen = look(
            event,
            names.view.board.stale_after,
            past=rate > self.level if self.above else rate < self.level,
            what=f"funding rate {percent(rate)}",
            sign=">" if self.above else "<",
            level=percent(self.level),
            fields={"rate": rate, "level": self.level},
        )
        return self.crossing.match(seen, memory, lambda: self._rearmed(rate))

    def _rearmed(self, rate: Decimal) -> bool:
        if self.rearm is None:
            return True
        return rate < self.rearm if self.above else rate > self.rearm


def _rate(description: str) -> dict[str, Any]:
    return {"type": ["string", "number"], "description": description}


SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "description": "Fires when the rate of the next funding crosses a level. "
    "Example: {crosses_above: 0.05%}",
    "additionalProperties": False,
    "properties": {
        "crosses_above": _rate("Fires on the step to above this rate: 0.05%, or 0.0005"),
        "crosses_below": _rate("Fires on the step to below this rate: -0.01%, or -0.0001"),
        "for": {
            "type": "string",
            "description": "How long the rate must stay past the level before it fires: 1m.",
        },
        "rearm": _rate(
            "After a fire, the rate must first be on the other side of this: 0.03%. Left out: on "
            "the other side of the level itself."
        ),
        "after_gap": {
            "enum": ["wait", "fire"],
            "description": "What to do about a cross that happened while rates were missing: "
            "wait (default: recorded, not fired) or fire.",
        },
    },
}


def build(node: Node, name: str) -> FundingTrigger | None:
    """Read a `funding:` block; notes problems and returns None when it is not usable."""
    written = [key for key in ("crosses_above", "crosses_below") if node.has(key)]
    if len(written) != 1:
        node.problem("missing-key", "funding needs exactly one of crosses_above and crosses_below")
        return None
    way, above = written[0], written[0] == "crosses_above"
    level, rearm = _read(node, way), _read(node, "rearm")
    hold = node.duration("for") or 0
    if level is None:
        return None
    if rearm is not None and (rearm > level if above else rearm < level):
        side = "below" if above else "above"
        node.child("rearm").problem("rearm", f"rearm must be {side} the level it arms again")
    return FundingTrigger(
        name=name,
        above=above,
        level=level,
        rearm=rearm,
        hold=hold,
        fire_after_gap=node.text("after_gap", "wait") == "fire",
        fingerprint=f"{way} {level} {rearm}",
    )


def _read(node: Node, key: str) -> Decimal | None:
    """A rate as a fraction; notes a problem when it is none, or no rate that ever comes."""
    child = node.child(key)
    if child.value is None:
        return None
    rate = node.decimal(key)
    rate = signed_share(str(child.value)) if rate is None else rate
    if rate is None:
        child.problem("rate", f"{child.value} is no rate", "write 0.05% or 0.0005")
    elif abs(rate) >= 1:
        child.problem("rate", f"a rate of {percent(rate)} never comes", f"write {rate:f}%")
    return rate


FUNDING = TriggerKind("funding", SCHEMA, build, "- funding: {crosses_above: 0.05%}")
