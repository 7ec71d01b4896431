"""Action `trail`: a native trailing stop for the symbol's position, reduce-only."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

from runner.core.actions.close import SIDES, meant_sides
from runner.core.actions.order import OrderSpec, build_order, schema, verdict
from runner.core.actions.size import NotPossible
from runner.core.decision import Reason
from runner.core.document import Node
from runner.core.formula import Formula
from runner.core.orders import OrderType, Side
from runner.core.rules import ActionContext, ActionKind, Planned, Progress, Step
from runner.core.values import dataclass, replace


@dataclass(frozen=True, slots=True)
class Trail:
    """The exchange follows the price; what is held now is what the stop closes.

    Legs: `both` in one-way mode, `long` and `short` in hedge mode.
    """

    kind: ClassVar[str] = "trail"

    order: OrderSpec

    def formulas(self) -> tuple[Formula, ...]:
        """Every formula in it."""
        return self.order.terms()

    def step(self, context: ActionContext) -> Step:
        """One stop a position; nothing to do when the symbol is flat."""
        parts = tuple(side.lower() for side in SIDES)
        if any(context.leg(part) is not None for part in parts):
            return verdict(context, parts)
        sides = meant_sides(self.order)
        held = {side: size for side in sides if (size := context.held(side))}
        if not held:
            return Step(Progress.DONE, detail=f"{context.symbol} has no position to trail")
        try:
            planned = tuple(self._planned(context, side, size) for side, size in held.items())
        except NotPossible as problem:
            return Step(Progress.FAILED, reason=Reason.NOT_POSSIBLE, detail=str(problem))
        return Step(Progress.WAITING, planned)

    def _planned(self, context: ActionContext, position_side: str, size: Decimal) -> Planned:
        part = position_side.lower()
        intent = replace(self.order, position_side=position_side).intent(
            context,
            part,
            side=Side.SELL if size > 0 else Side.BUY,
            quantity=abs(size),
            reduce_only=True,
        )
        return Planned(context.leg_name(part), intent)


SCHEMA: Mapping[str, Any] = schema(
    "callback_rate",
    "activation_price",
    "working_type",
    "position_side",
    "tag",
    required=("callback_rate",),
    description="A trailing stop on the exchange for the whole position, reduce-only; it stays "
    "when the runner is gone. Example: {callback_rate: 1.5}",
)


def build(node: Node) -> Trail | None:
    """Read a `trail:` block; notes problems and returns None when it is not usable."""
    order = build_order(node, OrderType.TRAILING_STOP_MARKET, sized=False)
    rate = (
        node.decimal("callback_rate") if not isinstance(node.value["callback_rate"], str) else None
    )
    if rate is not None and not Decimal("0.1") <= rate <= 20:
        node.child("callback_rate").problem("range", "callback_rate must be from 0.1 to 20")
        return None
    return None if order is None else Trail(order)


TRAIL = ActionKind("trail", SCHEMA, build, "- trail: {callback_rate: 1.5}")
