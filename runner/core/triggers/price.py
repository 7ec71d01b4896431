"""Trigger `price`: fires on the step of a price from not past a level to past it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

from runner.core.decision import Reason
from runner.core.document import Node, Scope, Term
from runner.core.events import Event, PriceSource, Tick, Value
from runner.core.figures import figure
from runner.core.formula import NUMBER, TEXT
from runner.core.rules import Hit, Interest, Match, Memory, Miss, Quiet, TriggerKind, Waits
from runner.core.view import Names

SOURCES: tuple[PriceSource, ...] = ("mark", "last", "bid", "ask", "index")
PAST, NOT_PAST = "past", "not past"
MOVING = frozenset({"position", "account"})


@dataclass(frozen=True, slots=True)
class PriceTrigger:
    """`crosses_above` or `crosses_below` a level; equal is not past.

    Memory: `side` (past / not past / absent when new), `armed`, `generation` (the event key,
    counts firings and never restarts), `crossed_at` while `for:` is running.
    """

    kind: ClassVar[str] = "price"

    name: str
    above: bool
    level: Term
    source: PriceSource
    hold: int
    rearm: Term | None
    fire_after_gap: bool
    fingerprint: str

    @property
    def fields(self) -> Scope:
        """The price that fired it and the level it crossed."""
        return {"price": NUMBER, "level": NUMBER, "source": TEXT}

    @property
    def interest(self) -> Interest:
        """Ticks of its source."""
        return ("price", self.source)

    @property
    def moving(self) -> bool:
        """True when a level is a formula."""
        terms = (self.level, self.rearm)
        return any(term is not None and term.formula is not None for term in terms)

    def waits(self, memory: Memory, names: Names) -> Waits:
        """Its level, and the level that arms it again."""
        levels = [self.level.number(names)]
        if self.rearm is not None:
            levels.append(self.rearm.number(names))
        crossed_at = memory.get("crossed_at")
        wake_at = None if crossed_at is None else crossed_at + self.hold
        return Waits(self.source, tuple(levels), "side" not in memory, wake_at)

    def match(self, event: Event, memory: Memory, names: Names) -> Match:
        """One tick. Raises EvaluationError when the level has no value now."""
        assert isinstance(event, Tick)
        level = self.level.number(names)
        past = event.price > level if self.above else event.price < level
        if "side" not in memory:
            return Quiet({**memory, "side": _side(past), "armed": True})
        if not past:
            return self._not_past(event, memory, level, names)
        if event.fresh_start:
            return self._fresh_start(event, memory, level, names.view.board.stale_after)
        return self._past(event, memory, level)

    def _fresh_start(self, event: Tick, memory: Memory, level: Decimal, stale_after: int) -> Match:
        """Past the level after a silence or a reconnect: what was crossed is only recorded."""
        stepped = memory["side"] == NOT_PAST and memory["armed"]
        after = {**memory, "side": PAST}
        if stepped and not self.fire_after_gap:
            detail = f"{self._crossed(event, level)} while prices were missing"
            return Miss(Reason.CROSSED_WHILE_AWAY, detail, after)
        if stepped:
            return self._past(event, memory, level)
        away = event.previous_at is None or event.received_at - event.previous_at > stale_after
        if away and memory.get("crossed_at") is not None:
            after["crossed_at"] = event.received_at
            return Quiet(after, ("reset", "the feed was silent, the wait starts over"))
        return Quiet(after)

    def _not_past(self, event: Tick, memory: Memory, level: Decimal, names: Names) -> Match:
        after = {**memory, "side": NOT_PAST}
        if memory.get("crossed_at") is not None:
            return _reset(after, event, level)
        if not memory["armed"] and self._rearmed(event.price, names):
            after["armed"] = True
            return Quiet(
                after, ("armed", f"{self.source} {figure(event.price)}, waits for {figure(level)}")
            )
        return Quiet(after)

    def _rearmed(self, price: Decimal, names: Names) -> bool:
        """Without `rearm:` being not past the level is enough."""
        if self.rearm is None:
            return True
        border = self.rearm.number(names)
        return price < border if self.above else price > border

    def _past(self, event: Tick, memory: Memory, level: Decimal) -> Match:
        crossed_at = memory.get("crossed_at")
        if crossed_at is not None:
            if event.received_at - crossed_at >= self.hold:
                return self._hit(event, memory, level)
            return Quiet(memory)
        if memory["side"] == PAST or not memory["armed"]:
            return Quiet({**memory, "side": PAST})
        if not self.hold:
            return self._hit(event, memory, level)
        after = {**memory, "side": PAST, "crossed_at": event.received_at}
        note = f"{self._crossed(event, level)}, waiting {self.hold / 1000:g} s"
        return Quiet(after, ("crossed", note))

    def _hit(self, event: Tick, memory: Memory, level: Decimal) -> Hit:
        generation = memory.get("generation", 0) + 1
        after = {**memory, "side": PAST, "armed": False, "generation": generation}
        after.pop("crossed_at", None)
        fields: dict[str, Value] = {
            "price": event.price,
            "level": level,
            "source": str(self.source),
        }
        return Hit(str(generation), fields, after, self._crossed(event, level))

    def _crossed(self, event: Tick, level: Decimal) -> str:
        return f"{self.source} {figure(event.price)} {'>' if self.above else '<'} {figure(level)}"


def _side(past: bool) -> str:
    return PAST if past else NOT_PAST


def _reset(memory: dict[str, Any], event: Tick, level: Decimal) -> Quiet:
    """Back over the level: the running `for:` is over."""
    del memory["crossed_at"]
    note = f"{event.source} {figure(event.price)} is back at {figure(level)} too early"
    return Quiet(memory, ("reset", note))


SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "description": "Fires when a price crosses a level. Example: {crosses_above: 70000, for: 15s}",
    "additionalProperties": False,
    "properties": {
        "crosses_above": {
            "type": ["number", "string"],
            "pattern": "^=",
            "description": "Fires on the step to above this level; equal is not above. "
            "A number or a formula: 70000, =position.entry_price * 1.02",
        },
        "crosses_below": {
            "type": ["number", "string"],
            "pattern": "^=",
            "description": "Fires on the step to below this level; equal is not below. "
            "A number or a formula: 68000, =position.entry_price * 0.98",
        },
        "source": {
            "enum": list(SOURCES),
            "description": "Which price is compared: mark (default), last, bid, ask or index.",
        },
        "for": {
            "type": "string",
            "description": "How long the price must stay past the level before it fires: 15s, 5m.",
        },
        "rearm": {
            "type": ["number", "string"],
            "pattern": "^=",
            "description": "After a fire, the price must first be on the other side of this "
            "level: 69500. Left out: on the other side of the level itself.",
        },
        "after_gap": {
            "enum": ["wait", "fire"],
            "description": "What to do about a cross that happened while prices were missing: "
            "wait (default: recorded, not fired) or fire.",
        },
    },
}


def build(node: Node, name: str) -> PriceTrigger | None:
    """Read a `price:` block; notes problems and returns None when it is not usable."""
    written = [key for key in ("crosses_above", "crosses_below") if node.has(key)]
    if len(written) != 1:
        node.problem(
            "missing-key",
            "price needs exactly one of crosses_above and crosses_below",
            "to watch both sides, write two price triggers",
        )
        return None
    level = node.term(written[0])
    rearm = node.term("rearm")
    hold = node.duration("for") or 0
    above = written[0] == "crosses_above"
    if level is None:
        return None
    for key, term in ((written[0], level), ("rearm", rearm)):
        _check_names(node.child(key), term)
    _check_rearm(node, above, level, rearm)
    source: PriceSource = node.value.get("source", "mark")
    return PriceTrigger(
        name=name,
        above=above,
        level=level,
        source=source,
        hold=hold,
        rearm=rearm,
        fire_after_gap=node.text("after_gap", "wait") == "fire",
        # the wait and the gap policy may change without forgetting which side the price is on
        fingerprint=f"{written[0]} {node.value[written[0]]} {source} {node.value.get('rearm')}",
    )


def _check_names(node: Node, term: Term | None) -> None:
    """A level is reckoned again when the position or the account moves, not with every price."""
    named = term.formula.names if term is not None and term.formula is not None else frozenset()
    for name in sorted(named):
        if name.partition(".")[0] not in MOVING:
            node.problem(
                "formula",
                f"a level cannot follow {name}: only position.… and account.… move a level",
                "compare the two under if, such as - mark > index * 1.01",
            )


def _check_rearm(node: Node, above: bool, level: Term, rearm: Term | None) -> None:
    if rearm is None or rearm.constant is None or level.constant is None:
        return
    assert isinstance(rearm.constant, Decimal)
    assert isinstance(level.constant, Decimal)
    wrong = rearm.constant > level.constant if above else rearm.constant < level.constant
    if wrong:
        side = "below" if above else "above"
        node.child("rearm").problem("rearm", f"rearm must be {side} the level it arms again")


PRICE = TriggerKind(
    "price", SCHEMA, build, "- price: {crosses_above: 70000, source: mark, for: 15s, rearm: 69500}"
)
