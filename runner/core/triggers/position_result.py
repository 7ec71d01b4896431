"""Position `loss` and `profit`: the unrealised result passes a number, as a level of the mark."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

from runner.core.document import Node, Scope, Term
from runner.core.events import Event, Tick
from runner.core.figures import figure
from runner.core.formula import NUMBER, TEXT, EvaluationError
from runner.core.rules import Interest, Match, Memory, Waits
from runner.core.triggers.crossing import Crossing, look
from runner.core.triggers.price_cross import check_names
from runner.core.values import dataclass
from runner.core.view import Names

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class ResultTrigger:
    """The unrealised loss (or profit) of all the symbol's positions steps over `level`, in USDT.

    It listens to the mark price and reckons the result from sizes and entry prices, so that it
    does not wait for the exchange to state it: a result is a mark price that it is reached at.
    Equal is not past. Memory as that of PriceTrigger; when flat there is nothing to wait for.
    """

    kind: ClassVar[str] = "position"
    moving: ClassVar[bool] = True

    name: str
    what: str
    level: Term
    rearm: Term | None
    hold: int
    fire_after_gap: bool
    fingerprint: str

    @property
    def fields(self) -> Scope:
        """What is past its level: the loss (or profit) now, the level, and the mark price."""
        return {"what": TEXT, "result": NUMBER, "level": NUMBER, "price": NUMBER}

    @property
    def interest(self) -> Interest:
        """The mark price."""
        return ("price", "mark")

    @property
    def crossing(self) -> Crossing:
        """How it waits."""
        return Crossing(self.hold, self.fire_after_gap)

    def waits(self, memory: Memory, names: Names) -> Waits:
        """The mark prices at which the result is the level, and that which arms it again."""
        size, cost = self._held(names)
        terms = [self.level] if self.rearm is None else [self.level, self.rearm]
        levels = tuple((term.number(names) + cost) / size for term in terms)
        return Waits("mark", levels, "side" not in memory, self.crossing.wake_at(memory))

    def match(self, event: Event, memory: Memory, names: Names) -> Match:
        """One mark price. Raises EvaluationError when there is no position."""
        assert isinstance(event, Tick)
        size, cost = self._held(names)
        level, result = self.level.number(names), size * event.price - cost
        seen = look(
            event,
            names.view.board.stale_after,
            past=result > level,
            what=f"{self.what} {figure(result)} at mark {figure(event.price)}",
            sign=">",
            level=figure(level),
            fields={"what": self.what, "result": result, "level": level, "price": event.price},
        )
        return self.crossing.match(seen, memory, lambda: self._rearmed(result, names))

    def _held(self, names: Names) -> tuple[Decimal, Decimal]:
        """Signed size and cost of all positions: size x mark - cost is profit (or loss)."""
        known = [names.view.positions.get((names.symbol, side)) for side in _SIDES]
        held = [position for position in known if position is not None]
        sign = 1 if self.what == "profit" else -1
        size = sign * sum((position.size for position in held), ZERO)
        if not names.view.positions_known or not size:
            # in hedge mode also when both sides are equally large: then the result stands still
            raise EvaluationError("no position whose result moves", name="position.size")
        return size, sign * sum((p.size * p.entry_price for p in held), ZERO)

    def _rearmed(self, result: Decimal, names: Names) -> bool:
        return self.rearm is None or result < self.rearm.number(names)


_SIDES = ("BOTH", "LONG", "SHORT")

PROPERTIES: Mapping[str, Any] = {
    "loss": {
        "type": ["number", "string"],
        "pattern": "^=",
        "description": "Fires when the unrealised loss becomes larger than this, in USDT: 100, "
        "=account.equity * 2%",
    },
    "profit": {
        "type": ["number", "string"],
        "pattern": "^=",
        "description": "Fires when the unrealised profit becomes larger than this, in USDT: 250, "
        "=account.equity * 5%",
    },
    "for": {
        "type": "string",
        "description": "How long the loss or profit must stay past it: 15s, 5m.",
    },
    "rearm": {
        "type": ["number", "string"],
        "pattern": "^=",
        "description": "After a fire, the loss (or profit) must first be smaller than this: 50. "
        "Left out: not larger than its own number.",
    },
}


def read(node: Node, name: str, what: str) -> ResultTrigger | None:
    """Read `loss:` or `profit:`; notes problems."""
    level, rearm = node.term(what), node.term("rearm")
    hold = node.duration("for") or 0
    if level is None:
        return None
    for key, term in ((what, level), ("rearm", rearm)):
        check_names(node.child(key), term)
        if term is not None and isinstance(term.constant, Decimal) and term.constant <= 0:
            cure = "a loss is written without its sign: 100" if what == "loss" else None
            node.child(key).problem("range", f"{key} must be more than 0", cure)
    return ResultTrigger(
        name=name,
        what=what,
        level=level,
        rearm=rearm,
        hold=hold,
        fire_after_gap=node.text("after_gap", "wait") == "fire",
        fingerprint=f"{what} {node.value[what]} {node.value.get('rearm')}",
    )
