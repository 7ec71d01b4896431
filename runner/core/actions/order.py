"""An order as written in a rule file, and how it becomes an intent on tick and step."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from runner.core.actions import size
from runner.core.actions.size import NotPossible, Size, check_one_size, number, read_size
from runner.core.decision import FAILED, Leg, Reason
from runner.core.document import Node, Term, duration
from runner.core.formula import Formula, one_of
from runner.core.orders import CONDITIONAL, OrderIntent, OrderState, OrderType, Side, TimeInForce
from runner.core.rules import ActionContext, Progress, Step
from runner.core.values import dataclass
from runner.core.wording import told_words

PRICED = frozenset({OrderType.LIMIT, OrderType.STOP, OrderType.TAKE_PROFIT})
TRIGGERED = CONDITIONAL - {OrderType.TRAILING_STOP_MARKET}
SIDE = one_of("buy", "sell")
IMMEDIATE = frozenset({TimeInForce.IOC, TimeInForce.FOK})
UNSIZED = Size()
FAILURES = {
    OrderState.REJECTED: Reason.REJECTED,
    OrderState.LAPSED: Reason.LAPSED,
    OrderState.PARKED: Reason.PARKED,
}
"""Why an action failed, by what became of its order."""


@dataclass(frozen=True, slots=True)
class OrderSpec:
    """One order of a rule, its numbers still to be evaluated."""

    side: Term | None
    type: OrderType
    size: Size = UNSIZED
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
    good_till: int | None = None
    price_match: str | None = None
    self_trade_prevention: str | None = None
    tag: str = ""

    def terms(self) -> tuple[Formula, ...]:
        """Every formula in it."""
        terms = (self.side, self.price, self.trigger_price)
        more = (self.activation_price, self.callback_rate)
        own = (term.formula for term in (*terms, *more) if term and term.formula)
        return (*self.size.formulas(), *own)

    def intent(
        self,
        context: ActionContext,
        part: str,
        *,
        side: Side | None = None,
        quantity: Decimal | None = None,
        price: Decimal | None = None,
        reduce_only: bool | None = None,
    ) -> OrderIntent:
        """The order as it would be sent now; given values take precedence over written ones.

        Raises NotPossible when the exchange would refuse it, EvaluationError when a formula
        has no value.
        """
        instrument = context.view.instruments.get(context.symbol)
        if instrument is None:
            raise NotPossible(f"{context.symbol} is not known to the exchange")
        side = side or self.side_now(context)
        close = self.close_position
        limit = self._limit(context, price, side)
        if quantity is None and not close:
            quantity = self.size.value(context, side, limit)
        intent = OrderIntent(
            client_order_id=context.client_order_id(part),
            symbol=context.symbol,
            side=side,
            type=self.type,
            quantity=None
            if quantity is None
            else instrument.round_quantity(quantity, self.type, self.size.rounding),
            price=limit,
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
            good_till_time=self._good_till_time(context),
            price_match=self.price_match,
            self_trade_prevention=self.self_trade_prevention,
            tag=self.tag,
        )
        problem = instrument.violation(
            intent, context.view.price(context.symbol, "mark", context.now)
        )
        if problem is not None:
            raise NotPossible(problem)
        return intent

    def side_now(self, context: ActionContext) -> Side:
        """The side; raises NotPossible when its formula gives neither buy nor sell."""
        assert self.side is not None
        text = self.side.value(context.names)
        if text not in ("buy", "sell"):
            raise NotPossible(f"the side must be buy or sell, the formula gave {text}")
        return Side(str(text).upper())

    def _limit(self, context: ActionContext, given: Decimal | None, side: Side) -> Decimal | None:
        if given is not None:
            return context.view.instruments[context.symbol].round_price(given, side)
        return self._grid(context, self.price, side)

    def _grid(self, context: ActionContext, term: Term | None, side: Side) -> Decimal | None:
        if term is None:
            return None
        return context.view.instruments[context.symbol].round_price(
            term.number(context.names), side
        )

    def _time_in_force(self) -> TimeInForce | None:
        if self.good_till is not None:
            return TimeInForce.GTD
        return self.time_in_force or (TimeInForce.GTC if self.type in PRICED else None)

    def _good_till_time(self, context: ActionContext) -> int | None:
        """The exchange keeps whole seconds only; the first is the least that it takes."""
        if self.good_till is None:
            return None
        return (context.run.fired_at + self.good_till) // 1000 * 1000


def _number_of(term: Term | None, context: ActionContext) -> Decimal | None:
    return None if term is None else term.number(context.names)


def fills_at_once(leg: Leg) -> bool:
    """Fills of a market, IOC or FOK order come in a burst: whoever needs them waits for its end."""
    intent = leg.intent
    if not isinstance(intent, OrderIntent):
        return False
    return intent.type is OrderType.MARKET or intent.time_in_force in IMMEDIATE


def verdict(context: ActionContext, parts: tuple[str, ...]) -> Step:
    """The usual progress of legs that were planned: any failure fails, all settled is done.

    An order that fills at once is settled when it is over: the next action may need its fills.
    """
    legs = [leg for part in parts if (leg := context.leg(part)) is not None]
    for leg in legs:
        if leg.state in FAILED:
            detail = told_words(leg.name, leg.state, leg.message)
            return Step(Progress.FAILED, reason=FAILURES[leg.state], detail=detail)
    done = all(leg.settled and not (leg.open and fills_at_once(leg)) for leg in legs)
    return Step(Progress.DONE if done else Progress.WAITING)


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
    **size.PROPERTIES,
    "price": number("The limit price: 75000.10, =mark * 0.99"),
    "trigger_price": number("The price at which a stop or take-profit order starts: 68000"),
    "activation_price": number("The price at which a trailing stop starts to trail: 71000"),
    "callback_rate": number("A trailing stop's distance in percent: 1.5"),
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
    "good_till": {
        "type": "string",
        "description": "A limit order that the exchange cancels this long after the fire; at "
        "least 11m: 2h",
    },
    "price_match": {
        "enum": ["opponent", "opponent_5", "queue", "queue_5", "queue_10", "queue_20"],
        "description": "Instead of a price: the best price of the other side (opponent) or of the "
        "own side (queue), or the fifth and so on of it.",
    },
    "self_trade_prevention": {
        "enum": ["expire_taker", "expire_maker", "expire_both"],
        "description": "Which order goes when it would trade with another of your own.",
    },
    "tag": {
        "type": "string",
        "pattern": "^[a-z][a-z0-9-]{1,47}$",
        "description": "A name for orders that belong together, for cancel and modify: grid",
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


def build_order(
    node: Node,
    order_type: OrderType,
    *,
    sized: bool = True,
    priced: bool = True,
    sided: bool = True,
) -> OrderSpec | None:
    """Read an order; notes problems and returns None when it is not usable.

    Its size, its price or its side may be said elsewhere.
    """
    before = len(node.problems)
    _check_keys(node, order_type, sized, priced)
    force = node.text("time_in_force").upper()
    spec = OrderSpec(
        side=node.term("side", SIDE) if sided else None,
        type=order_type,
        size=read_size(node),
        price=node.positive("price"),
        trigger_price=node.positive("trigger_price"),
        activation_price=node.positive("activation_price"),
        callback_rate=node.term("callback_rate"),
        time_in_force=TimeInForce(force) if force else None,
        reduce_only=node.flag("reduce_only"),
        close_position=node.flag("close_position"),
        position_side=node.text("position_side", "both").upper(),
        working_type=node.text("working_type").upper() or None,
        price_protect=node.flag("price_protect"),
        expires_after=node.duration("expires_after"),
        good_till=node.duration("good_till"),
        price_match=node.text("price_match").upper() or None,
        self_trade_prevention=node.text("self_trade_prevention").upper() or None,
        tag=node.text("tag"),
    )
    return spec if len(node.problems) == before else None


LEAST_GOOD_TILL = 660_000
"""Ms; the exchange wants more than 600 s, and the order needs a while to get there."""


def _check_keys(node: Node, order_type: OrderType, sized: bool, priced: bool) -> None:
    """The keys an order type needs and cannot have, in the user's words."""
    name = order_type.value.lower()
    limit = order_type is OrderType.LIMIT
    needs = {
        "price": priced and order_type in PRICED and not (limit and node.has("price_match")),
        "trigger_price": order_type in TRIGGERED,
        "callback_rate": order_type is OrderType.TRAILING_STOP_MARKET,
    }
    for key, needed in needs.items():
        if needed and not node.has(key):
            node.problem(
                "missing-key", f"a {name} order needs {key}", f"add {key}: {EXAMPLES[key]}"
            )
        if node.has(key) and not needed:
            _not_here(node, key, order_type, limit and key == "price")
    takes = {
        "time_in_force": order_type in PRICED,
        "good_till": limit,
        "price_match": limit,
        "self_trade_prevention": order_type in PRICED,
    }
    for key, taken in takes.items():
        if node.has(key) and not taken:
            _not_here(node, key, order_type, matched=False)
    _check_good_till(node)
    if sized and node.flag("close_position"):
        for key in size.SIZES:
            if node.has(key):
                node.child(key).problem(
                    "unknown-key", f"close_position closes all, it has no {key}", at_key=True
                )
    elif sized:
        closes = " (or close_position)" if order_type in CONDITIONAL else ""
        check_one_size(node, f"a {name} order", instead=closes)


EXAMPLES = {"price": "69000", "trigger_price": "68000", "callback_rate": "1.5"}
"""What may be written for the keys that an order type needs."""

HOMES = {
    "price": "limit",
    "trigger_price": "stop_market",
    "callback_rate": "trailing_stop_market",
    "time_in_force": "limit",
    "good_till": "limit",
    "price_match": "limit",
    "self_trade_prevention": "limit",
}
"""The order type that somebody has in mind who writes this key."""


def _not_here(node: Node, key: str, order_type: OrderType, matched: bool) -> None:
    message = f"a {order_type.value.lower()} order has no {key}"
    cure = "delete it"
    if matched:
        message = "an order has a price or a price_match, not both"
        cure = "delete one of them"
    elif order_type is OrderType.MARKET and node.has("type"):
        cure = f"delete it, or write type: {HOMES[key]}"
    node.child(key).problem("unknown-key", message, cure, at_key=True)


def _check_good_till(node: Node) -> None:
    child = node.child("good_till")
    length = duration(str(child.value)) if child.value is not None else None
    if length is not None and length < LEAST_GOOD_TILL:
        child.problem("range", "good_till must be at least 11m, the exchange takes no less")
    if length is not None and node.has("time_in_force"):
        child.problem(
            "unknown-key", "an order has a good_till or a time_in_force, not both", at_key=True
        )
