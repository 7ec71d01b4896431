"""Action `target`: brings the symbol's position to a size, from wherever it is."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

from runner.core.actions.order import FAILURES, OrderSpec, build_order, fills_at_once, schema
from runner.core.actions.size import SIZES, NotPossible, number
from runner.core.decision import FAILED, Leg, Reason
from runner.core.document import Node, Term
from runner.core.events import PriceSource
from runner.core.figures import figure
from runner.core.formula import Formula, one_of
from runner.core.orders import Family, OrderIntent, OrderState, OrderType, Side
from runner.core.rules import ActionContext, ActionKind, Planned, Progress, Step
from runner.core.values import dataclass
from runner.core.wording import told_words

ZERO = Decimal(0)
WAYS = one_of("long", "short", "flat")
MEMORY = "target"
"""Where a rule's memory keeps which run set the newest target, and its event's time."""


@dataclass(frozen=True, slots=True)
class Target:
    """The position is reckoned with all that filled; while an order is on its way it waits.

    Legs: `reduce`, or `open`, or, across zero, `close` and then `open`. A newer target of the same
    rule ends this one: what it has not sent yet is not sent any more.
    """

    kind: ClassVar[str] = "target"

    order: OrderSpec
    size: Term | None
    side: Term | None

    def formulas(self) -> tuple[Formula, ...]:
        """Every formula in it."""
        own = (term.formula for term in (self.size, self.side) if term and term.formula)
        return (*self.order.terms(), *own)

    @property
    def sources(self) -> frozenset[PriceSource]:
        """The prices that it is sized by."""
        return self.order.size.sources

    def step(self, context: ActionContext) -> Step:
        """Wait for what is on its way; then the one or two orders that lead there."""
        newest = context.names.memory.triggers.get(MEMORY, {}).get("run_id")
        if newest not in (None, context.run.run_id):
            unsent = tuple(
                name for name, leg in context.legs.items() if leg.state is OrderState.PLANNED
            )
            why = f"run {newest} set a newer target"
            return Step(Progress.FAILED, withdraw=unsent, reason=Reason.SUPERSEDED, detail=why)
        try:
            return self._next(context)
        except NotPossible as problem:
            return Step(Progress.FAILED, reason=Reason.NOT_POSSIBLE, detail=str(problem))

    def _next(self, context: ActionContext) -> Step:
        legs = [context.leg(part) for part in ("close", "reduce", "open")]
        planned = [leg for leg in legs if leg is not None]
        if any(leg.open for leg in planned):
            return Step(Progress.WAITING)
        for leg in planned:
            if leg.state is not OrderState.FILLED:
                return _missed(leg)
        if planned and (context.leg("close") is None or context.leg("open") is not None):
            return Step(Progress.DONE)
        if not planned and _on_its_way(context, self.order.position_side):
            return Step(Progress.WAITING, ask_again=True)
        want = self._wanted(context)
        if planned:
            return self._open(context, want, abs(want)) if want else Step(Progress.DONE)
        return self._first(context, context.held(self.order.position_side), want)

    def _wanted(self, context: ActionContext) -> Decimal:
        """The signed size, on the step."""
        instrument = context.view.instruments.get(context.symbol)
        if instrument is None:
            raise NotPossible(f"{context.symbol} is not known to the exchange")
        size = self._signed(context)
        rounded = instrument.round_quantity(abs(size), OrderType.MARKET, self.order.size.rounding)
        if size and not rounded:
            raise NotPossible(f"{figure(size)} is less than the step size of {context.symbol}")
        wrong = {"LONG": size < 0, "SHORT": size > 0}.get(self.order.position_side, False)
        if wrong:
            raise NotPossible(f"a {self.order.position_side.lower()} side cannot be {figure(size)}")
        return rounded.copy_sign(size)

    def _signed(self, context: ActionContext) -> Decimal:
        if self.size is not None:
            return self.size.number(context.names)
        assert self.side is not None
        way = self.side.value(context.names)
        if way == "flat":
            return ZERO
        if way not in ("long", "short"):
            raise NotPossible(f"the side must be long, short or flat, the formula gave {way}")
        side = Side.BUY if way == "long" else Side.SELL
        size = self.order.size.value(context, side)
        return size if side is Side.BUY else -size

    def _first(self, context: ActionContext, have: Decimal, want: Decimal) -> Step:
        """The first order: the way there begins with a close when it leads across zero."""
        if have * want < 0:
            return self._reduce(context, "close", have, abs(have))
        if abs(want) < abs(have):
            return self._reduce(context, "reduce", have, abs(have) - abs(want))
        more = abs(want) - abs(have)
        if not more or (have and self._too_little(context, more)):
            near = f", {figure(want)} is too near" if more else ""
            return Step(Progress.DONE, detail=f"{context.symbol} is at {figure(have)}{near}")
        return self._open(context, want, more)

    def _too_little(self, context: ActionContext, quantity: Decimal) -> bool:
        """True when the exchange takes no order for so small a difference."""
        instrument = context.view.instruments[context.symbol]
        mark = context.view.price(context.symbol, "mark", context.now)
        worth = instrument.min_notional if mark is None else quantity * mark
        return worth < instrument.min_notional or quantity < instrument.market_min_quantity

    def _reduce(self, context: ActionContext, part: str, have: Decimal, quantity: Decimal) -> Step:
        side = Side.SELL if have > 0 else Side.BUY
        intent = self.order.intent(context, part, side=side, quantity=quantity, reduce_only=True)
        return Step(Progress.WAITING, (Planned(context.leg_name(part), intent),))

    def _open(self, context: ActionContext, want: Decimal, quantity: Decimal) -> Step:
        side = Side.BUY if want > 0 else Side.SELL
        intent = self.order.intent(context, "open", side=side, quantity=quantity)
        deadline = context.deadline(self.order.expires_after)
        return Step(Progress.WAITING, (Planned(context.leg_name("open"), intent, deadline),))


def _on_its_way(context: ActionContext, position_side: str) -> bool:
    """True while an order may be about to change the position, and nobody knows yet."""
    return any(
        not leg.settled or fills_at_once(leg)
        for leg in context.open_legs(None)
        if isinstance(leg.intent, OrderIntent)
        and leg.intent.family is Family.ORDER
        and leg.intent.position_side == position_side
    )


def _missed(leg: Leg) -> Step:
    """An order that came to an end without all of its quantity."""
    detail = told_words(leg.name, leg.state, leg.message)
    if leg.state not in FAILED:
        detail = f"{detail}, {figure(leg.cumulative_quantity)} filled"
    reason = FAILURES.get(leg.state, Reason.NOT_POSSIBLE)
    return Step(Progress.FAILED, reason=reason, detail=detail)


KEYS = (*SIZES, "price_source", "round", "position_side", "expires_after", "tag")

_ORDER = schema(*KEYS, required=(), description="")
SCHEMA: Mapping[str, Any] = {
    **_ORDER,
    "description": "Brings the position to this size by market orders; a newer alert goes before "
    "an older one, by the time that the alert carries. "
    "Example: {side: =trigger.market_position, quantity: 0.02}",
    "properties": {
        "size": number("The size to reach; short is below zero, 0 is flat: =trigger.size"),
        "side": {
            "type": "string",
            "pattern": "^(long|short|flat|=.*)$",
            "description": "Instead of size: long, short, flat, or a formula that gives one of "
            "them: =trigger.market_position",
        },
        **_ORDER["properties"],
    },
}


def build(node: Node) -> Target | None:
    """Read a `target:` block; notes problems and returns None when it is not usable."""
    before = len(node.problems)
    _check_keys(node)
    order = build_order(node, OrderType.MARKET, sized=False, sided=False)
    size, side = node.term("size"), node.term("side", WAYS)
    if order is None or len(node.problems) > before:
        return None
    return Target(order, size, side)


def _check_keys(node: Node) -> None:
    sizes = [key for key in SIZES if node.has(key)]
    if node.has("size") == node.has("side"):
        node.problem(
            "missing-key",
            "a target needs size or side",
            "write size: 0.02, or side: long and quantity: 0.02",
        )
    elif node.has("size") and sizes:
        node.child(sizes[0]).problem(
            "unknown-key", f"a target with size has no {sizes[0]}", at_key=True
        )
    elif node.text("side") == "flat":
        for key in sizes:
            node.child(key).problem("unknown-key", f"flat has no {key}", at_key=True)
    elif node.has("side") and len(sizes) != 1:
        cure = f"write one of {', '.join(SIZES[:-1])} and {SIZES[-1]}"
        node.problem("missing-key", "a target with side needs exactly one size", cure)


TARGET = ActionKind("target", SCHEMA, build, "- target: {side: long, quantity: 0.02}")
