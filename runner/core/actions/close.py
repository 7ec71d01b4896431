"""Action `close`: closes the symbol's position with reduce-only orders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from runner.core.actions.order import OrderSpec, build_order, schema, verdict
from runner.core.actions.size import NotPossible
from runner.core.decision import Reason
from runner.core.document import Node
from runner.core.formula import EvaluationError, Formula
from runner.core.orders import OrderType, Side
from runner.core.rules import ActionContext, ActionKind, Planned, Progress, Step
from runner.core.values import dataclass, replace

SIDES = ("BOTH", "LONG", "SHORT")


@dataclass(frozen=True, slots=True)
class Close:
    """Close by market or by limit. Legs: `both` in one-way mode, `long` and `short` in hedge.

    An order whose `position_side` is BOTH closes whatever is held, else that side alone.
    """

    kind: ClassVar[str] = "close"

    order: OrderSpec

    def formulas(self) -> tuple[Formula, ...]:
        """Every formula in it."""
        return self.order.terms()

    def step(self, context: ActionContext) -> Step:
        """One order a position; nothing to do when the symbol is flat."""
        parts = tuple(side.lower() for side in SIDES)
        if any(context.leg(part) is not None for part in parts):
            return verdict(context, parts)
        if not context.view.positions_known:
            # "flat" would be a guess, and a position left open in silence: wait for the reading
            raise EvaluationError(f"what {context.symbol} holds is not known yet", "position.size")
        try:
            planned = tuple(self._planned(context))
        except NotPossible as problem:
            return Step(Progress.FAILED, reason=Reason.NOT_POSSIBLE, detail=str(problem))
        if not planned:
            return Step(Progress.DONE, detail=f"{context.symbol} has no position to close")
        return Step(Progress.WAITING, planned)

    def _planned(self, context: ActionContext) -> list[Planned]:
        planned = []
        for position_side in meant_sides(self.order):
            position = context.view.positions.get((context.symbol, position_side))
            if position is None or position.size == 0:
                continue
            order = replace(self.order, position_side=position_side)
            intent = order.intent(
                context,
                position_side.lower(),
                side=Side.SELL if position.size > 0 else Side.BUY,
                quantity=abs(position.size),
                reduce_only=True,
            )
            planned.append(Planned(context.leg_name(position_side.lower()), intent))
        return planned


def meant_sides(order: OrderSpec) -> tuple[str, ...]:
    """The position sides that an order for what is held is about."""
    return SIDES if order.position_side == "BOTH" else (order.position_side,)


SCHEMA: Mapping[str, Any] = schema(
    "type",
    "price",
    "time_in_force",
    "position_side",
    required=("type",),
    description="Closes the symbol's position, reduce-only. Example: {type: market}",
)


def build(node: Node) -> Close | None:
    """Read a `close:` block; notes problems and returns None when it is not usable."""
    order_type = OrderType(node.text("type").upper())
    if order_type not in (OrderType.MARKET, OrderType.LIMIT):
        node.child("type").problem("wrong-type", "close is by market or by limit")
        return None
    order = build_order(node, order_type, sized=False)
    return None if order is None else Close(order)


CLOSE = ActionKind("close", SCHEMA, build, "- close: {type: market}")
