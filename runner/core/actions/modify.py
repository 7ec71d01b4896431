"""Action `modify`: gives open limit orders another price or quantity, in their place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from runner.core.actions.order import PROPERTIES, verdict
from runner.core.actions.size import NotPossible, number
from runner.core.decision import Leg, Reason
from runner.core.document import Node, Term
from runner.core.formula import Formula
from runner.core.orders import AmendIntent, OrderIntent, OrderState, OrderType
from runner.core.rules import ActionContext, ActionKind, Planned, Progress, Step
from runner.core.values import dataclass, replace


@dataclass(frozen=True, slots=True)
class Modify:
    """The limit orders of a rule, of a tag, of both. Legs: the client order id of each order."""

    kind: ClassVar[str] = "modify"

    rule: str | None
    tag: str | None
    price: Term | None
    quantity: Term | None

    def formulas(self) -> tuple[Formula, ...]:
        """Every formula in it."""
        return tuple(t.formula for t in (self.price, self.quantity) if t and t.formula)

    def step(self, context: ActionContext) -> Step:
        """Plan the changes once, when each order is known to rest; then their verdict."""
        own = tuple(name.partition(".")[2] for name in context.legs)
        if own:
            return verdict(context, own)
        targets = self._targets(context)
        if any(not leg.settled or _being_changed(context, leg) for leg in targets):
            return Step(Progress.WAITING, ask_again=True)
        try:
            found = [self._planned(context, leg) for leg in targets]
        except NotPossible as problem:
            return Step(Progress.FAILED, reason=Reason.NOT_POSSIBLE, detail=str(problem))
        planned = tuple(change for change in found if change is not None)
        if not planned:
            return Step(Progress.DONE, detail="no open limit order to modify")
        return Step(Progress.WAITING, planned)

    def _targets(self, context: ActionContext) -> list[Leg]:
        return [
            leg
            for leg in context.open_legs(self.rule)
            if isinstance(leg.intent, OrderIntent)
            and leg.intent.type is OrderType.LIMIT
            and self.tag in (None, leg.intent.tag)
        ]

    def _planned(self, context: ActionContext, leg: Leg) -> Planned | None:
        """The change of one order; None when it is so already."""
        order = leg.intent
        assert isinstance(order, OrderIntent)
        after = self._changed(context, order)
        if after == order:
            return None
        assert after.price is not None
        assert after.quantity is not None
        part = order.client_order_id
        intent = AmendIntent(
            client_order_id=context.client_order_id(part),
            symbol=order.symbol,
            target=order.client_order_id,
            side=order.side,
            quantity=after.quantity,
            price=after.price,
            protective=order.protective,
        )
        deadline = None if order.protective else context.deadline()
        return Planned(context.leg_name(part), intent, deadline)

    def _changed(self, context: ActionContext, order: OrderIntent) -> OrderIntent:
        instrument = context.view.instruments.get(context.symbol)
        if instrument is None:
            raise NotPossible(f"{context.symbol} is not known to the exchange")
        if self.price is not None:
            price = instrument.round_price(self.price.number(context.names), order.side)
            order = replace(order, price=price)
        if self.quantity is not None:
            quantity = self.quantity.number(context.names)
            order = replace(order, quantity=instrument.round_quantity(quantity, order.type))
        if order.price is None:
            raise NotPossible("an order with a price_match can only be modified with a price")
        mark = context.view.price(context.symbol, "mark", context.now)
        problem = instrument.violation(order, mark)
        if problem is not None:
            raise NotPossible(problem)
        return order


def _being_changed(context: ActionContext, leg: Leg) -> bool:
    """True while an earlier change of the order has no verdict: the two could swap places."""
    return any(
        isinstance(other.intent, AmendIntent)
        and other.intent.target == leg.client_order_id
        and other.state is not OrderState.DONE
        for other in context.open_legs(None)
    )


SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "description": "Changes open limit orders of the symbol where they are: the orders of a rule, "
    "of a tag, or of both. Example: {tag: grid, price: =mark * 0.99}",
    "additionalProperties": False,
    "minProperties": 2,
    "properties": {
        "rule": {"type": "string", "description": "The id of the rule: eth-ladder"},
        "tag": PROPERTIES["tag"],
        "price": number("The new limit price: 69000, =mark * 0.99"),
        "quantity": number("What each order shall be in all, with what has filled of it: 0.1"),
    },
}


def build(node: Node) -> Modify | None:
    """Read a `modify:` block; notes problems and returns None when it is not usable."""
    before = len(node.problems)
    if not node.has("rule") and not node.has("tag"):
        node.problem("missing-key", "modify needs a rule or a tag", "add tag: grid")
    if not node.has("price") and not node.has("quantity"):
        node.problem("missing-key", "modify needs a price or a quantity", "add price: 69000")
    price, quantity = node.positive("price"), node.positive("quantity")
    if len(node.problems) > before:
        return None
    return Modify(node.text("rule") or None, node.text("tag") or None, price, quantity)


MODIFY = ActionKind("modify", SCHEMA, build, "- modify: {rule: btc-breakout, price: =mark * 0.99}")
