"""Action `place`: independent orders; market and limit go out as signed batches of at most five."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from runner.core.actions.order import (
    PROPERTIES,
    OrderSpec,
    build_order,
    schema,
    verdict,
)
from runner.core.actions.size import NotPossible
from runner.core.decision import Reason
from runner.core.document import Node
from runner.core.events import PriceSource
from runner.core.formula import Formula
from runner.core.orders import OrderType
from runner.core.rules import ActionContext, ActionKind, Planned, Progress, Step
from runner.core.values import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """One to many orders, none of which depends on another. Legs: `0`, `1`, …"""

    kind: ClassVar[str] = "place"

    orders: tuple[OrderSpec, ...]

    def formulas(self) -> tuple[Formula, ...]:
        """Every formula in it."""
        return tuple(formula for order in self.orders for formula in order.terms())

    @property
    def sources(self) -> frozenset[PriceSource]:
        """The prices that sizes are reckoned with."""
        return frozenset(source for order in self.orders for source in order.size.sources)

    def step(self, context: ActionContext) -> Step:
        """All orders at once, or none when one of them is not possible; then their verdict."""
        parts = tuple(str(index) for index in range(len(self.orders)))
        if context.leg(parts[0]) is not None:
            return verdict(context, parts)
        planned = []
        for part, order in zip(parts, self.orders, strict=True):
            try:
                intent = order.intent(context, part)
            except NotPossible as problem:
                detail = f"order {int(part) + 1}: {problem}"
                return Step(Progress.FAILED, reason=Reason.NOT_POSSIBLE, detail=detail)
            deadline = None if intent.protective else context.deadline(order.expires_after)
            planned.append(Planned(context.leg_name(part), intent, deadline))
        return Step(Progress.WAITING, tuple(planned))


SCHEMA: Mapping[str, Any] = {
    "type": ["array", "object"],
    "minItems": 1,
    "maxItems": 50,
    "description": "Orders to place: one, or a list of independent ones. "
    "Example: [{side: buy, type: market, quantity: 0.02}]",
    "items": schema(*PROPERTIES, required=("side", "type"), description="One order of the block."),
    **{
        key: value
        for key, value in schema(*PROPERTIES, required=("side", "type"), description="").items()
        if key in ("additionalProperties", "required", "properties")
    },
}


def build(node: Node) -> Place | None:
    """Read a `place:` block; notes problems and returns None when it is not usable."""
    orders = [build_order(item, OrderType(item.text("type").upper())) for item in node.items()]
    _check_independent(node)
    if not orders or None in orders:
        return None
    return Place(tuple(order for order in orders if order is not None))


def _check_independent(node: Node) -> None:
    """The legs of a batch run at the same time: an exit beside its entry may come too early."""
    flags = [
        (item, item.flag("reduce_only") or item.flag("close_position")) for item in node.items()
    ]
    if {flag for _, flag in flags} != {True, False}:
        return
    for item, exits in flags:
        if exits:
            item.problem(
                "dependent-orders",
                "an exit cannot stand beside the entry it depends on: a block's orders run at "
                "the same time",
                "use bracket, or put the exit in a second place",
            )


PLACE = ActionKind(
    "place", SCHEMA, build, "- place: [{side: buy, type: limit, price: 69000, quantity: 0.02}]"
)
