"""Action `ladder`: limit orders between two prices, equally large or by weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, ClassVar

from runner.core.actions.order import (
    PROPERTIES,
    OrderSpec,
    build_order,
    schema,
    verdict,
)
from runner.core.actions.size import NotPossible, number
from runner.core.decision import Reason
from runner.core.document import Node, Term
from runner.core.events import PriceSource
from runner.core.formula import Formula
from runner.core.orders import OrderType
from runner.core.rules import ActionContext, ActionKind, Planned, Progress, Step
from runner.core.values import dataclass

MOST = 50


@dataclass(frozen=True, slots=True)
class Ladder:
    """`weights` share the size out, from the first price to the last. Legs: `0`, `1`, …"""

    kind: ClassVar[str] = "ladder"

    order: OrderSpec
    first: Term
    last: Term
    weights: tuple[Decimal, ...]

    def formulas(self) -> tuple[Formula, ...]:
        """Every formula in it."""
        ends = (term.formula for term in (self.first, self.last) if term.formula)
        return (*self.order.terms(), *ends)

    @property
    def sources(self) -> frozenset[PriceSource]:
        """The prices that it is sized by."""
        return self.order.size.sources

    def step(self, context: ActionContext) -> Step:
        """All orders at once, or none when one of them is not possible; then their verdict."""
        parts = tuple(str(index) for index in range(len(self.weights)))
        if context.leg(parts[0]) is not None:
            return verdict(context, parts)
        try:
            return Step(Progress.WAITING, tuple(self._planned(context, parts)))
        except NotPossible as problem:
            return Step(Progress.FAILED, reason=Reason.NOT_POSSIBLE, detail=str(problem))

    def _planned(self, context: ActionContext, parts: tuple[str, ...]) -> Iterator[Planned]:
        side, prices, total = self.order.side_now(context), self._prices(context), Decimal(0)
        whole = sum(self.weights)
        middle = sum(p * w for p, w in zip(prices, self.weights, strict=True)) / whole
        total = self.order.size.value(context, side, Decimal(middle))
        for part, price, weight in zip(parts, prices, self.weights, strict=True):
            quantity = total * weight / whole
            try:
                intent = self.order.intent(context, part, side=side, quantity=quantity, price=price)
            except NotPossible as problem:
                raise NotPossible(f"order {int(part) + 1} at {price:f}: {problem}") from None
            deadline = None if intent.protective else context.deadline(self.order.expires_after)
            yield Planned(context.leg_name(part), intent, deadline)

    def _prices(self, context: ActionContext) -> list[Decimal]:
        """Evenly from the first to the last, both included."""
        first, last = self.first.number(context.names), self.last.number(context.names)
        step = (last - first) / (len(self.weights) - 1)
        between = [first + step * index for index in range(1, len(self.weights) - 1)]
        return [first, *between, last]


KEYS = (
    "side",
    "quantity",
    "notional",
    "percent_of_available",
    "risk",
    "price_source",
    "round",
    "time_in_force",
    "good_till",
    "self_trade_prevention",
    "reduce_only",
    "position_side",
    "expires_after",
    "tag",
)

_ORDER = schema(*KEYS, required=("side", "from", "to", "orders"), description="")
SCHEMA: Mapping[str, Any] = {
    **_ORDER,
    "description": "Limit orders evenly between two prices; the size is that of all together. "
    "Example: {side: buy, from: 69000, to: 66000, orders: 4, quantity: 0.2}",
    "properties": {
        "side": PROPERTIES["side"],
        "from": number("The price of the first order: 69000, =mark * 0.99"),
        "to": number("The price of the last order: 66000, =mark * 0.95"),
        "orders": {
            "type": "integer",
            "minimum": 2,
            "maximum": MOST,
            "description": "How many orders: 4",
        },
        "weights": {
            "type": "array",
            "minItems": 2,
            "maxItems": MOST,
            "items": {
                "type": "number",
                "exclusiveMinimum": 0,
                "description": "The share of one order.",
            },
            "description": "How the size is shared out, from the first order to the last; equally "
            "when left out: [1, 2, 3, 4]",
        },
        **{key: below for key, below in _ORDER["properties"].items() if key != "side"},
    },
}


def build(node: Node) -> Ladder | None:
    """Read a `ladder:` block; notes problems and returns None when it is not usable."""
    before = len(node.problems)
    order = build_order(node, OrderType.LIMIT, priced=False)
    first, last = node.positive("from"), node.positive("to")
    count = node.integer("orders") or 2
    weights = tuple(Decimal(item.value) for item in node.child("weights").items())
    if weights and len(weights) != count:
        node.child("weights").problem(
            "range", f"{count} orders need {count} weights, here are {len(weights)}"
        )
    if first and last and first == last and first.formula is None:
        node.child("to").problem(
            "range", "to is the same price as from", "a ladder goes from one price to another"
        )
    if len(node.problems) > before or order is None or first is None or last is None:
        return None
    return Ladder(order, first, last, weights or (Decimal(1),) * count)


LADDER = ActionKind(
    "ladder",
    SCHEMA,
    build,
    "- ladder: {side: buy, from: 69000, to: 66000, orders: 4, quantity: 0.2}",
)
