"""An order as written in a rule file, and how it becomes an intent on tick and step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from runner.core.decision import FAILED, Reason
from runner.core.document import Node, Term
from runner.core.formula import EvaluationError, Formula, one_of
from runner.core.orders import CONDITIONAL, OrderIntent, OrderState, OrderType, Side, TimeInForce
from runner.core.rules import ActionContext, Progress, Step

PRICED = frozenset({OrderType.LIMIT, OrderType.STOP, OrderType.TAKE_PROFIT})
TRIGGERED = CONDITIONAL - {OrderType.TRAILING_STOP_MARKET}
SIDE = one_of("buy", "sell")
FAILURES = {
    OrderState.REJECTED: Reason.REJECTED,
    OrderState.LAPSED: Reason.LAPSED,
    OrderState.PARKED: Reason.PARKED,
}
"""Why an action failed, by what became of its order."""


class NotPossible(Exception):
    """This order cannot be made now; the text says why, for the run's record."""


@dataclass(frozen=True, slots=True)
class OrderSpec:
    """One order of a rule, its numbers still to be evaluated."""

    side: Term | None
    type: OrderType
    quantity: Term | None = None
    notional: Term | None = None
    price: Term | None = None
    trigger_price: Term | None = None
    activation_price: Term | None = None
    callback_rate: Term | None = None
    time_in_force: TimeInForce | None = None
    reduce_only: bool = False
    close_position: bool = False
    position_side: str = "BOTH"
    working_type: str | None = None
    price_protect: bool = False
    expires_after: int | None = None

    def terms(self) -> tuple[Formula, ...]:
        """Every formula in it."""
        terms = (self.side, self.quantity, self.notional, self.price, self.trigger_price)
        more = (self.activation_price, self.callback_rate)
        return tuple(term.formula for term in (*terms, *more) if term and term.formula)

    def intent(
        self,
        context: ActionContext,
        part: str,
        *,
        side: Side | None = None,
        quantity: Decimal | None = None,
        reduce_only: bool | None = None,
    ) -> OrderIntent:
        """The order as it would be sent now; given values take precedence over written ones.

        Raises NotPossible when the exchange would refuse it, EvaluationError when a formula
        has no value.
        """
        instrument = context.view.instruments.get(context.symbol)
        if instrument is None:
            raise NotPossible(f"{context.symbol} is not known to the exchange")
        side = side or self._side(context)
        close = self.close_position
        size = None if close else self._quantity(context) if quantity is None else quantity
        intent = OrderIntent(
            client_order_id=context.client_order_id(part),
            symbol=context.symbol,
            side=side,
            type=self.type,
            quantity=size if size is None else instrument.round_quantity(size, self.type),
            price=self._grid(context, self.price, side),
            trigger_price=self._grid(context, self.trigger_price, side),
            time_in_force=self._time_in_force(),
            reduce_only=(self.reduce_only if reduce_only is None else reduce_only)
            and not close
            and self.position_side == "BOTH",
            close_position=close,
            position_side=self.position_side,
            working_type=self.working_type,
            price_protect=self.price_protect,
            activation_price=self._grid(context, self.activation_price, side),
            callback_rate=_number_of(self.callback_rate, context),
        )
        problem = instrument.violation(
            intent, context.view.price(context.symbol, "mark", context.now)
        )
        if problem is not None:
            raise NotPossible(problem)
        return intent

    def _side(self, context: ActionContext) -> Side:
        assert self.side is not None
        text = self.side.value(context.names)
        if text not in ("buy", "sell"):
            raise NotPossible(f"the side must be buy or sell, the formula gave {text}")
        return Side(str(text).upper())

    def _quantity(self, context: ActionContext) -> Decimal:
        if self.quantity is not None:
            return self.quantity.number(context.names)
        assert self.notional is not None
        # sized by the index price where it is streamed, else the mark; never the last trade
        for source in ("index", "mark"):
            price = context.view.price(context.symbol, source, context.now)
            if price:
                return self.notional.number(context.names) / price
        raise EvaluationError(f"no data for the mark of {context.symbol}", "mark")

    def _grid(self, context: ActionContext, term: Term | None, side: Side) -> Decimal | None:
        if term is None:
            return None
        return context.view.instruments[context.symbol].round_price(
            term.number(context.names), side
        )

    def _time_in_force(self) -> TimeInForce | None:
        return self.time_in_force or (TimeInForce.GTC if self.type in PRICED else None)


def _number_of(term: Term | None, context: ActionContext) -> Decimal | None:
    return None if term is None else term.number(context.names)


def verdict(context: ActionContext, parts: tuple[str, ...]) -> Step:
    """The usual progress of legs that were planned: any failure fails, all settled is done."""
    legs = [leg for part in parts if (leg := context.leg(part)) is not None]
    for leg in legs:
        if leg.state in FAILED:
            detail = f"{leg.name} {leg.state.value}: {leg.message}".strip()
            return Step(Progress.FAILED, reason=FAILURES[leg.state], detail=detail)
    done = all(leg.settled for leg in legs)
    return Step(Progress.DONE if done else Progress.WAITING)


NUMBER_OR_FORMULA: Mapping[str, Any] = {"type": ["number", "string"], "pattern": "^="}


def _number(description: str) -> dict[str, Any]:
    return {**NUMBER_OR_FORMULA, "description": description}


PROPERTIES: Mapping[str, Any] = {
    "side": {
        "type": "string",
        "pattern": "^(buy|sell|=.*)$",
        "description": "buy, sell, or a formula that gives one of them: =trigger.action",
    },
    "type": {
        "enum": [kind.value.lower() for kind in OrderType],
        "description": "The order type: market, limit, stop_market, take_profit_market, …",
    },
    "quantity": _number("How much, in the base asset: 0.02, =10% * account.available / mark"),
    "notional": _number("How much, in the quote asset (USDT): 500"),
    "price": _number("The limit price: 75000.10, =mark * 0.99"),
    "trigger_price": _number("The price at which a stop or take-profit order starts: 68000"),
    "activation_price": _number("The price at which a trailing stop starts to trail: 71000"),
    "callback_rate": _number("A trailing stop's distance in percent: 1.5"),
    "time_in_force": {
        "enum": ["gtc", "ioc", "fok", "gtx"],
        "description": "gtc: stays (default of limit orders), ioc: what fills at once, fok: all "
        "at once or nothing, gtx: only if it rests on the book.",
    },
    "reduce_only": {
        "type": "boolean",
        "description": "true: it can only make a position smaller.",
    },
    "close_position": {
        "type": "boolean",
        "description": "true: a stop or take-profit that closes the whole position.",
    },
    "position_side": {
        "enum": ["both", "long", "short"],
        "description": "In hedge mode: long or short. Left out in one-way mode.",
    },
    "working_type": {
        "enum": ["mark_price", "contract_price"],
        "description": "Which price starts a conditional order; contract_price when left out.",
    },
    "price_protect": {
        "type": "boolean",
        "description": "true: a conditional order does not start while last and mark are apart.",
    },
    "expires_after": {
        "type": "string",
        "description": "An entry decided this long ago is not sent any more: 30s. Default 60s.",
    },
}


def schema(*keys: str, required: tuple[str, ...], description: str) -> dict[str, Any]:
    """The schema of an order that has these keys."""
    return {
        "type": "object",
        "description": description,
        "additionalProperties": False,
        "required": list(required),
        "properties": {key: PROPERTIES[key] for key in keys},
    }


def build_order(node: Node, order_type: OrderType, *, sized: bool = True) -> OrderSpec | None:
    """Read an order; notes problems and returns None when it is not usable."""
    before = len(node.problems)
    _check_keys(node, order_type, sized)
    force = node.text("time_in_force").upper()
    spec = OrderSpec(
        side=node.term("side", SIDE),
        type=order_type,
        quantity=node.term("quantity"),
        notional=node.term("notional"),
        price=node.term("price"),
        trigger_price=node.term("trigger_price"),
        activation_price=node.term("activation_price"),
        callback_rate=node.term("callback_rate"),
        time_in_force=TimeInForce(force) if force else None,
        reduce_only=node.flag("reduce_only"),
        close_position=node.flag("close_position"),
        position_side=node.text("position_side", "both").upper(),
        working_type=node.text("working_type").upper() or None,
        price_protect=node.flag("price_protect"),
        expires_after=node.duration("expires_after"),
    )
    return spec if len(node.problems) == before else None


def _check_keys(node: Node, order_type: OrderType, sized: bool) -> None:
    """The keys an order type needs and cannot have, in the user's words."""
    name = order_type.value.lower()
    needs = {
        "price": order_type in PRICED,
        "trigger_price": order_type in TRIGGERED,
        "callback_rate": order_type is OrderType.TRAILING_STOP_MARKET,
    }
    for key, needed in needs.items():
        if needed and not node.has(key):
            node.problem("missing-key", f"a {name} order needs {key}")
        if node.has(key) and not needed:
            node.child(key).problem("unknown-key", f"a {name} order has no {key}", at_key=True)
    if node.has("time_in_force") and order_type not in PRICED:
        node.child("time_in_force").problem(
            "unknown-key", f"a {name} order has no time_in_force", at_key=True
        )
    sizes = [key for key in ("quantity", "notional") if node.has(key)]
    if sized and len(sizes) + node.flag("close_position") != 1:
        node.problem(
            "missing-key",
            f"a {name} order needs exactly one size",
            "write one of quantity and notional (or close_position on a stop)",
        )
