"""Action `bracket`: an entry whose stop and target follow what really filled."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

from runner.core.actions import size
from runner.core.actions.bracket_exits import (
    Held,
    Wanted,
    all_closed,
    cancels,
    clear,
    close,
    dead,
    lost,
    not_filled,
    older,
    placed,
    progress,
    taken_off,
    was_cancelled,
)
from runner.core.actions.order import OrderSpec, build_order, fills_at_once, schema
from runner.core.actions.size import NotPossible
from runner.core.decision import FAILED, Reason
from runner.core.document import Node, Term
from runner.core.events import PriceSource
from runner.core.formula import Formula
from runner.core.orders import OrderState, OrderType
from runner.core.rules import ActionContext, ActionKind, Planned, Progress, Step
from runner.core.values import dataclass, replace


@dataclass(frozen=True, slots=True)
class Bracket:
    """Entry, and exits for the cumulative filled quantity.

    Legs: `entry`; `stop@Q`, `target@Q` and `naked@Q` (the close at market when a stop could not
    stand), where Q is the filled quantity they were placed for, so that stream and query lead
    to the same exits and a larger one replaces a smaller one; `cancel:LEG` for every leg that
    is taken off again. What an exit is placed for is what no other exit has closed by then.
    A position that is closed by other means ends the bracket: its exits go.
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

    @property
    def sources(self) -> frozenset[PriceSource]:
        """The prices that its entry is sized by."""
        return self.entry.size.sources

    def step(self, context: ActionContext) -> Step:
        """Entry first; then exits for what filled; then, one exit done, the other's cancel."""
        entry = context.leg("entry")
        if entry is None:
            return self._enter(context)
        held = Held(context, entry)
        if held.filled == 0:
            return not_filled(entry)
        if entry.open and fills_at_once(entry):
            return Step(Progress.WAITING)
        if held.left <= 0:
            return all_closed(held)
        closed = held.closed
        if closed is not None:
            return lost(held, closed)
        return self._exits(held)

    def _enter(self, context: ActionContext) -> Step:
        try:
            intent = self.entry.intent(context, "entry")
        except NotPossible as problem:
            return Step(Progress.FAILED, reason=Reason.NOT_POSSIBLE, detail=f"entry: {problem}")
        deadline = context.deadline(self.entry.expires_after)
        return Step(Progress.WAITING, (Planned(context.leg_name("entry"), intent, deadline),))

    def _exits(self, held: Held) -> Step:
        """Stop before target, and both for what is still held."""
        stop = self._stop(held)
        if stop.naked and self.close_naked:
            return progress(held, stop.and_then(close(held)).and_then(clear(held)))
        replaced = Wanted(cancels(held, older(held.stops, held.part("stop"))))
        wanted = stop.and_then(replaced) if stop.stands else stop
        if held.stopped_out:
            # it is being stopped out: no further entry, no new target
            return progress(held, wanted.and_then(Wanted(cancels(held, (held.entry,)))))
        return progress(held, wanted.and_then(self._target(held)) if stop.stands else wanted)

    def _stop(self, held: Held) -> Wanted:
        """The stop for all that is held: to be placed, on its way, standing, or not possible."""
        if self.stop is None:
            return Wanted(stands=True)
        leg = held.leg("stop")
        if leg is None:
            wanted = placed(held, self.stop, "stop")
            return replace(wanted, naked=bool(wanted.problems))
        if leg.open:
            return Wanted(stands=leg.state is OrderState.LIVE)
        if leg.state is OrderState.CANCELED:
            # whoever took it off the book wanted that: say so, but do not close over their head
            return taken_off(held, leg, "stop")
        return Wanted(problems=(dead(leg, "stop"),), naked=True)

    def _target(self, held: Held) -> Wanted:
        """The target for all that is held; an older one goes first.

        Two targets together could ask for more than the position.
        """
        if self.target is None:
            return Wanted()
        leg = held.leg("target")
        if leg is not None and leg.state is OrderState.CANCELED and not was_cancelled(held, leg):
            # whoever took it off the book wanted that, or a countdown ran out: it stays away
            return taken_off(held, leg, "target")
        if leg is not None:
            return Wanted(problems=(dead(leg, "target"),) if leg.state in FAILED else ())
        if any(target.open for target in held.targets):
            return Wanted(cancels(held, held.targets))
        return placed(held, self.target, "target")


ENTRY_KEYS = (
    "side",
    "type",
    *size.PROPERTIES,
    "price",
    "time_in_force",
    "good_till",
    "price_match",
    "self_trade_prevention",
    "position_side",
    "expires_after",
    "tag",
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
    _check_sides(node, built, stop, target)
    if len(node.problems) > before:
        return None
    return Bracket(built, stop, target, node.text("on_naked", "close") == "close")


def _check_sides(
    node: Node, entry: OrderSpec, stop: OrderSpec | None, target: OrderSpec | None
) -> None:
    """Exits that would close at once: as far as everything is written as a number."""
    side = entry.side.constant if entry.side is not None else None
    if side is None:
        return
    buy, at = str(side).lower() == "buy", _constant(entry.price)
    level = _constant(stop.trigger_price) if stop is not None else None
    key = "price" if target is not None and target.price is not None else "trigger_price"
    aim = _constant(target.price or target.trigger_price) if target is not None else None
    for name, other in (("target", aim), ("entry", at)):
        if level is not None and other is not None and (level >= other if buy else level <= other):
            _wrong_side(node, ("stop", "trigger_price"), f"{side}", name, (level, other), below=buy)
            return
    if aim is not None and at is not None and (aim <= at if buy else aim >= at):
        _wrong_side(node, ("target", key), f"{side}", "entry", (aim, at), below=not buy)


def _wrong_side(
    node: Node,
    place: tuple[str, str],
    side: str,
    other: str,
    prices: tuple[Decimal, Decimal],
    *,
    below: bool,
) -> None:
    """An exit and what it must be below (or above), with their prices."""
    exit_, key = place
    where, border = "below" if below else "above", f"{prices[1]:f}"
    message = f"the {exit_} of a {side} must be {where} its {other}: {prices[0]:f}, {border}"
    does = "start" if key == "trigger_price" else "fill"
    cure = f"it would {does} at once; write a {key} {where} {border}"
    node.child(exit_).child(key).problem("sides", message, cure)


def _constant(term: Term | None) -> Decimal | None:
    value = None if term is None else term.constant
    return value if isinstance(value, Decimal) else None


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
