"""Trigger `position`: opened, closed, liquidated, reduced by ADL, warned of, in loss or profit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from runner.core.decision import Reason
from runner.core.document import Node, Scope
from runner.core.events import Event, PositionIncident, PositionUpdate, Value
from runner.core.figures import figure
from runner.core.formula import NUMBER, one_of
from runner.core.rules import (
    Hit,
    Interest,
    Match,
    Memory,
    Miss,
    Quiet,
    Trigger,
    TriggerKind,
)
from runner.core.triggers import position_result
from runner.core.values import dataclass
from runner.core.view import Names

STEPS = ("opened", "closed")
INCIDENTS = ("liquidation", "adl", "margin_call")
SIDES = ("BOTH", "LONG", "SHORT")


@dataclass(frozen=True, slots=True)
class PositionTrigger:
    """A position of the symbol began or ended, or the exchange acted on it.

    One that turns from long to short is closed and opened. Memory: `sides`, where each position
    side stood (long, short, flat; absent when new), `generation` (the event key of opened and
    closed), `incident` (the last one's key). What only a reading shows follows `after_gap`.
    """

    kind: ClassVar[str] = "position"

    name: str
    what: str
    fire_after_gap: bool
    fingerprint: str

    @property
    def fields(self) -> Scope:
        """What happened; the side it is (or was) on, its signed size now, its entry price.

        Of a liquidation: the size and price of the closing order; of a margin call: the mark.
        """
        sides = one_of("long", "short")
        return {
            "what": one_of(*STEPS, *INCIDENTS),
            "side": sides,
            "size": NUMBER,
            "price": NUMBER,
        }

    @property
    def interest(self) -> Interest:
        """Positions and what happens to them."""
        return ("position", "")

    def begin(self, memory: Memory, names: Names) -> Memory:
        """Where the position stands, if that is known."""
        if "sides" in memory or not names.view.positions_known:
            return memory
        known = names.view.positions
        sides = {side: _side(known.get((names.symbol, side))) for side in SIDES}
        return {**memory, "sides": sides}

    def match(self, event: Event, memory: Memory, names: Names) -> Match:
        """One statement of a position, or one incident."""
        del names
        if isinstance(event, PositionIncident):
            return self._incident(event, memory)
        assert isinstance(event, PositionUpdate)
        sides = memory.get("sides", {})
        before, now = sides.get(event.position_side), _side(event)
        after = {**memory, "sides": {**sides, event.position_side: now}}
        if before is None or before == now or self.what not in STEPS:
            return Quiet(after)
        side = now if self.what == "opened" else before
        if side == "flat":
            return Quiet(after)
        if event.reading and not self.fire_after_gap:
            detail = f"a {side} position {self.what} while nobody listened"
            return Miss(Reason.CROSSED_WHILE_AWAY, detail, after)
        after["generation"] = after.get("generation", 0) + 1
        fields = self._fields(side, event)
        return Hit(str(after["generation"]), fields, after, f"{side} position {self.what}")

    def _fields(self, side: str, event: PositionUpdate | PositionIncident) -> dict[str, Value]:
        price = event.entry_price if isinstance(event, PositionUpdate) else event.price
        return {"what": self.what, "side": side, "size": event.size, "price": price}

    def _incident(self, event: PositionIncident, memory: Memory) -> Match:
        key = f"{event.what} {event.key}"
        if event.what != self.what or memory.get("incident") == key:
            return Quiet(memory)
        side = "short" if event.size < 0 else "long"
        detail = f"{event.what.replace('_', ' ')}: {side} {figure(abs(event.size))}"
        return Hit(key, self._fields(side, event), {**memory, "incident": key}, detail)


def _side(position: PositionUpdate | None) -> str:
    if position is None or not position.size:
        return "flat"
    return "long" if position.size > 0 else "short"


SCHEMA: Mapping[str, Any] = {
    "type": ["string", "object"],
    "description": "Fires when a position of the symbol is opened or closed, on a liquidation, adl "
    "or margin_call, or when its loss or profit passes a number: {loss: 100}. Example: closed",
    "additionalProperties": False,
    "properties": {
        "is": {
            "enum": [*STEPS, *INCIDENTS],
            "description": "What happens to it: opened, closed, liquidation, adl or margin_call; "
            "the same as the word alone.",
        },
        **position_result.PROPERTIES,
        "after_gap": {
            "enum": ["wait", "fire"],
            "description": "What to do about what happened while nobody listened: wait (default: "
            "recorded, not fired) or fire.",
        },
    },
}


def build(node: Node, name: str) -> Trigger | None:
    """Read a `position:` entry; notes problems and returns None when it is not usable."""
    words = (*STEPS, *INCIDENTS)
    if not isinstance(node.value, Mapping):
        if node.value not in words:
            cure = f"write {', '.join(words)}, or {{loss: 100}}"
            node.problem("enum", f"position cannot be {node.value}", cure)
            return None
        return PositionTrigger(name, str(node.value), False, str(node.value))
    written = [key for key in ("is", "loss", "profit") if node.has(key)]
    if len(written) != 1:
        node.problem("missing-key", "position needs exactly one of is, loss and profit")
        return None
    if written[0] != "is":
        return position_result.read(node, name, written[0])
    for key in ("for", "rearm"):
        if node.has(key):
            cure = f"{key} goes with loss and profit"
            node.child(key).problem("unknown-key", f"{key} does not go with is", cure, at_key=True)
            return None
    what = node.text("is")
    return PositionTrigger(name, what, node.text("after_gap", "wait") == "fire", what)


POSITION = TriggerKind("position", SCHEMA, build, "- position: closed")
