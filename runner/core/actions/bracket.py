"""Action `bracket`: an entry whose stop and target follow what really filled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, ClassVar

from runner.core.actions.order import NotPossible, OrderSpec, build_order, schema
from runner.core.decision import FAILED, Leg, Reason
from runner.core.document import Node
from runner.core.formula import EvaluationError, Formula
from runner.core.orders import CancelIntent, OrderIntent, OrderState, OrderType, TimeInForce
from runner.core.rules import ActionContext, ActionKind, Planned, Progress, Step

ZERO = Decimal(0)
IMMEDIATE = frozenset({TimeInForce.IOC, TimeInForce.FOK})


@dataclass(frozen=True, slots=True)
class Bracket:
    """Entry, and exits for the cumulative filled quantity.

    Legs: `entry`; `stop@Q` and `target@Q`, where Q is the filled quantity they were placed for,
    so that stream and query lead to the same exits and a larger one replaces a smaller one;
    `cancel:LEG` for every exit that is taken off again; `naked@Q` when a stop could not stand.
    """

    kind: ClassVar[str] = "bracket"

    entry: OrderSpec
    stop: OrderSpec | None
    target: OrderSpec | None
    close_naked: bool

    def formulas(self) -> tuple[Formula, ...]:
        """Every formula in it."""
        orders = (self.entry, self.stop, self.target)
        return tuple(formula for order in orders if order for formula in order.terms())

    def step(self, context: ActionContext) -> Step:
        """Entry first; then exits for what filled; then, one exit done, the other's cancel."""
        entry = context.leg("entry")
        if entry is None:
            return self._enter(context)
        filled = entry.cumulative_quantity
        if entry.state in FAILED and filled == 0:
            return Step(
                Progress.FAILED,
                reason=Reason.REJECTED,
                detail=f"entry {entry.state.value}: {entry.message}".strip(": "),
            )
        if filled == 0:
            return Step(Progress.WAITING if entry.open else Progress.DONE, detail="nothing filled")
        if entry.open and self._fills_at_once(entry):
            return Step(Progress.WAITING)
        return self._exits(context, entry, filled)

    def _enter(self, context: ActionContext) -> Step:
        try:
            intent = self.entry.intent(context, "entry")
        except NotPossible as problem:
            return Step(Progress.FAILED, reason=Reason.NOT_POSSIBLE, detail=f"entry: {problem}")
        deadline = context.deadline(self.entry.expires_after)
        return Step(Progress.WAITING, (Planned(context.leg_name("entry"), intent, deadline),))

    def _fills_at_once(self, entry: Leg) -> bool:
        """Fills of a market or IOC entry come in a burst: wait for its end, place exits once."""
        intent = entry.intent
        assert isinstance(intent, OrderIntent)
        return intent.type is OrderType.MARKET or intent.time_in_force in IMMEDIATE

    def _exits(self, context: ActionContext, entry: Leg, filled: Decimal) -> Step:
        stops, targets = _legs(context, "stop@"), _legs(context, "target@")
        if _filled(stops) > 0 and not any(leg.open for leg in stops):
            return self._closed(context, entry, (*targets, *stops))
        if targets and _filled(targets) >= filled:
            return self._closed(context, entry, (*stops, *targets))
        planned: list[Planned] = []
        problems: list[str] = []
        naked = self._want_stop(context, entry, filled, stops, planned, problems)
        if not naked:
            stop_stands = self.stop is None or _stands(context.leg(_part("stop", filled)))
            if stop_stands:
                self._want_target(context, entry, filled, targets, planned, problems)
                planned += _cancels(context, _older(stops, _part("stop", filled)))
        return self._progress(context, entry, planned, problems, naked)

    def _want_stop(
        self,
        context: ActionContext,
        entry: Leg,
        filled: Decimal,
        stops: tuple[Leg, ...],
        planned: list[Planned],
        problems: list[str],
    ) -> bool:
        """Plan the stop for the whole filled quantity; True when the position stands naked."""
        if self.stop is None:
            return False
        part = _part("stop", filled)
        stop = context.leg(part)
        if stop is None:
            return not self._plan_exit(context, entry, self.stop, part, filled, planned, problems)
        died = stop.state in FAILED or (not stop.open and stop.cumulative_quantity == 0)
        if died:
            problems.append(f"the stop is {stop.state.value} {stop.message}".strip())
        return died and not any(leg.open for leg in stops)

    def _want_target(
        self,
        context: ActionContext,
        entry: Leg,
        filled: Decimal,
        targets: tuple[Leg, ...],
        planned: list[Planned],
        problems: list[str],
    ) -> None:
        """Plan the target for what filled and no earlier target has closed."""
        part = _part("target", filled)
        if self.target is None or context.leg(part) is not None:
            return
        older = _older(targets, part)
        if any(leg.open for leg in older):
            # two targets together could ask for more than the position: first the old one goes
            planned += _cancels(context, older)
            return
        self._plan_exit(
            context, entry, self.target, part, filled - _filled(targets), planned, problems
        )

    def _plan_exit(
        self,
        context: ActionContext,
        entry: Leg,
        order: OrderSpec,
        part: str,
        quantity: Decimal,
        planned: list[Planned],
        problems: list[str],
    ) -> bool:
        assert isinstance(entry.intent, OrderIntent)
        try:
            intent = order.intent(
                context,
                part,
                side=entry.intent.side.opposite,
                quantity=quantity,
                reduce_only=True,
            )
        except (NotPossible, EvaluationError) as problem:
            problems.append(f"{part.partition('@')[0]}: {problem}")
            return False
        planned.append(Planned(context.leg_name(part), intent))
        return True

    def _progress(
        self,
        context: ActionContext,
        entry: Leg,
        planned: list[Planned],
        problems: list[str],
        naked: bool,
    ) -> Step:
        if naked and self.close_naked:
            planned = [*_close(context, entry), *_cancels(context, _legs(context, "target@"))]
        exits = [leg for leg in context.legs.values() if leg is not entry]
        over = not planned and not entry.open and not any(leg.open for leg in exits)
        settled = not planned and all(leg.settled for leg in exits)
        progress = Progress.DONE if over else Progress.PASSED if settled else Progress.WAITING
        detail = "; ".join(problems)
        return Step(progress, tuple(planned), detail=detail, critical=bool(problems))

    def _closed(self, context: ActionContext, entry: Leg, exits: tuple[Leg, ...]) -> Step:
        """One exit is done: whatever else is open goes off the book."""
        planned = _cancels(context, (entry, *exits))
        waiting = [leg for leg in (entry, *exits) if leg.open]
        if not planned and not waiting:
            return Step(Progress.DONE)
        return Step(Progress.PASSED, tuple(planned))


def _part(kind: str, quantity: Decimal) -> str:
    return f"{kind}@{quantity.normalize():f}"


def _legs(context: ActionContext, prefix: str) -> tuple[Leg, ...]:
    start = context.leg_name(prefix)
    return tuple(leg for name, leg in context.legs.items() if name.startswith(start))


def _older(legs: tuple[Leg, ...], part: str) -> tuple[Leg, ...]:
    return tuple(leg for leg in legs if not leg.name.endswith(f".{part}"))


def _filled(legs: tuple[Leg, ...]) -> Decimal:
    return sum((leg.cumulative_quantity for leg in legs), ZERO)


def _stands(leg: Leg | None) -> bool:
    return leg is not None and leg.state is OrderState.LIVE


def _cancels(context: ActionContext, legs: tuple[Leg, ...]) -> list[Planned]:
    """A cancel for every leg that may still be on the book; said once a leg."""
    planned = []
    for leg in legs:
        part = f"cancel:{leg.name.partition('.')[2]}"
        if not leg.open or context.leg(part) is not None:
            continue
        assert isinstance(leg.intent, OrderIntent)
        intent = CancelIntent(
            context.client_order_id(part),
            context.symbol,
            leg.intent.family,
            leg.client_order_id,
        )
        planned.append(Planned(context.leg_name(part), intent))
    return planned


def _close(context: ActionContext, entry: Leg) -> list[Planned]:
    """A reduce-only market order for all that filled, once."""
    assert isinstance(entry.intent, OrderIntent)
    part = _part("naked", entry.cumulative_quantity)
    if context.leg(part) is not None:
        return []
    intent = OrderIntent(
        client_order_id=context.client_order_id(part),
        symbol=context.symbol,
        side=entry.intent.side.opposite,
        type=OrderType.MARKET,
        quantity=entry.cumulative_quantity,
        reduce_only=entry.intent.position_side == "BOTH",
        position_side=entry.intent.position_side,
    )
    return [Planned(context.leg_name(part), intent)]


ENTRY_KEYS = (
    "side",
    "type",
    "quantity",
    "notional",
    "price",
    "time_in_force",
    "position_side",
    "expires_after",
)
STOP_KEYS = ("type", "trigger_price", "price", "callback_rate", "activation_price")
TARGET_KEYS = ("type", "trigger_price", "price", "time_in_force")
CONDITION_KEYS = ("working_type", "price_protect")

SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "description": "An entry with its stop and target; the exits follow what really filled, and "
    "when one exit is done the other is cancelled.",
    "additionalProperties": False,
    "required": ["entry"],
    "properties": {
        "entry": schema(
            *ENTRY_KEYS,
            required=("side", "type"),
            description="The order that opens: {side: buy, type: market, quantity: 0.02}",
        ),
        "stop": schema(
            *STOP_KEYS,
            *CONDITION_KEYS,
            required=(),
            description="The stop, a stop_market unless type says otherwise: "
            "{trigger_price: 68000}",
        ),
        "target": schema(
            *TARGET_KEYS,
            *CONDITION_KEYS,
            required=(),
            description="The target, a limit order unless type says otherwise: {price: 75000.10}",
        ),
        "on_naked": {
            "enum": ["close", "alarm"],
            "description": "What to do when the stop cannot be placed: close the position at "
            "market (default) or only raise the alarm.",
        },
    },
}


def build(node: Node) -> Bracket | None:
    """Read a `bracket:` block; notes problems and returns None when it is not usable."""
    before = len(node.problems)
    entry = node.child("entry")
    entry_type = OrderType(entry.text("type").upper())
    if entry_type not in (OrderType.MARKET, OrderType.LIMIT):
        entry.child("type").problem("wrong-type", "a bracket's entry is a market or limit order")
        return None
    if not node.has("stop") and not node.has("target"):
        node.problem("missing-key", "a bracket needs a stop, a target or both")
    built = build_order(entry, entry_type)
    stop = _exit(node, "stop", OrderType.STOP_MARKET, built)
    target = _exit(node, "target", OrderType.LIMIT, built)
    if built is None or len(node.problems) > before:
        return None
    return Bracket(built, stop, target, node.text("on_naked", "close") == "close")


def _exit(node: Node, key: str, default: OrderType, entry: OrderSpec | None) -> OrderSpec | None:
    if not node.has(key):
        return None
    child = node.child(key)
    order_type = OrderType(child.text("type", default.value).upper())
    allowed = _STOPS if key == "stop" else _TARGETS
    if order_type not in allowed:
        names = ", ".join(sorted(kind.value.lower() for kind in allowed))
        child.child("type").problem("wrong-type", f"a {key} is one of {names}")
        return None
    spec = build_order(child, order_type, sized=False)
    if spec is None or entry is None:
        return None
    return replace(spec, position_side=entry.position_side)


_STOPS = frozenset({OrderType.STOP_MARKET, OrderType.STOP, OrderType.TRAILING_STOP_MARKET})
_TARGETS = frozenset({OrderType.LIMIT, OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_MARKET})

BRACKET = ActionKind(
    "bracket",
    SCHEMA,
    build,
    "- bracket:\n"
    "    entry: {side: buy, type: market, quantity: 0.02}\n"
    "    stop: {trigger_price: 68000}\n"
    "    target: {price: 75000.10}",
)
