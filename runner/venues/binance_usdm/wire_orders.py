"""Calls in Binance's words: method, path and percent-encoded parameters, without a signature."""

from __future__ import annotations

import json
from decimal import Decimal
from functools import lru_cache
from urllib.parse import quote

from runner.core.orders import (
    AmendCall,
    AmendIntent,
    Call,
    CancelCall,
    CancelIntent,
    DeadManCall,
    Family,
    OrderIntent,
    OrderType,
    PlaceCall,
    ProbeCall,
    ReadCall,
    Setting,
    SettingCall,
    SettingIntent,
    TimeInForce,
)
from runner.venues import Request
from runner.venues.binance_usdm.breaker import group_of
from runner.venues.binance_usdm.limits import Cost

ORDER = "/fapi/v1/order"
BATCH = "/fapi/v1/batchOrders"
ALGO = "/fapi/v1/algoOrder"
TIME = "/fapi/v1/time"
LISTEN_KEY = "/fapi/v1/listenKey"

Parameters = tuple[tuple[str, str], ...]

_READS: dict[str, tuple[str, Cost, Cost]] = {
    # what: path, cost with a symbol, cost of all symbols
    "open_orders": ("/fapi/v1/openOrders", Cost(1), Cost(40)),
    "open_algo_orders": ("/fapi/v1/openAlgoOrders", Cost(1), Cost(40)),
    "positions": ("/fapi/v3/positionRisk", Cost(5), Cost(5)),
    "account": ("/fapi/v3/account", Cost(5), Cost(5)),
}

_LIMIT_TYPES = frozenset({OrderType.LIMIT, OrderType.STOP, OrderType.TAKE_PROFIT})


def request(call: Call) -> Request:
    """The call as an unsigned request. Raises ValueError for a batch the exchange cannot take."""
    match call:
        case PlaceCall(intents=(intent,)):
            path = ALGO if intent.family is Family.ALGO else ORDER
            return Request(call, "POST", path, text(order_parameters(intent)))
        case PlaceCall(intents=intents):
            return Request(call, "POST", BATCH, _batch(intents))
        case CancelCall(intent=cancel):
            path, parameters = _cancel(cancel)
            return Request(call, "DELETE", path, text(parameters))
        case AmendCall(intent=amend):
            return Request(call, "PUT", ORDER, text(_amend(amend)))
        case SettingCall(intent=setting):
            path, parameters = _setting(setting)
            return Request(call, "POST", path, text(parameters))
        case ProbeCall():
            path, parameters = _probe(call)
            return Request(call, "GET", path, text(parameters))
        case ReadCall(what=what, symbol=symbol):
            only = (("symbol", symbol),) if symbol and what != "account" else ()
            return Request(call, "GET", _READS[what][0], text(only))
        case DeadManCall(symbol=symbol, countdown=countdown):
            timer = (("symbol", symbol), ("countdownTime", str(countdown)))
            return Request(call, "POST", "/fapi/v1/countdownCancelAll", text(timer))
        case _:
            return Request(call, "GET", TIME, "")


def group(call: Call) -> str:
    """The group of calls whose failures keep this one waiting (breaker.group_of)."""
    match call:
        case PlaceCall() | AmendCall():
            return group_of("POST", ORDER)
        case ProbeCall(family=family):
            return group_of("GET", ALGO if family is Family.ALGO else ORDER)
        case ReadCall(what=what):
            return group_of("GET", _READS[what][0])
        case _:
            return group_of("GET", TIME)


def cost(call: Call) -> Cost:
    """What the call takes of the rate limits (documentation of 2026-05)."""
    match call:
        case PlaceCall(intents=(_,)) | AmendCall():
            return Cost(0, 1, 1)
        case PlaceCall():
            return Cost(5, 5, 1)
        case ReadCall(what=what, symbol=symbol):
            _, of_one, of_all = _READS[what]
            return of_one if symbol else of_all
        case DeadManCall():
            return Cost(10)
        case _:
            return Cost(1)


def text(parameters: Parameters) -> str:
    """`name=value&…`, each value percent-encoded as UTF-8 once."""
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in parameters)


def number(value: Decimal) -> str:
    """A decimal without an exponent or trailing zeros: too many digits are refused (-1111)."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def order_parameters(intent: OrderIntent) -> Parameters:
    """The parameters of one order, in the family that its type belongs to."""
    return _fixed(*_shape(intent)) + _varying(intent)


def _shape(intent: OrderIntent) -> tuple[object, ...]:
    return (
        intent.symbol,
        intent.side.value,
        intent.type,
        intent.position_side,
        intent.time_in_force,
        intent.reduce_only,
        intent.close_position,
        intent.working_type,
        intent.price_protect,
        intent.price_match,
        intent.self_trade_prevention,
    )


@lru_cache(maxsize=1_024)
def _fixed(
    symbol: str,
    side: str,
    kind: OrderType,
    position_side: str,
    time_in_force: TimeInForce | None,
    reduce_only: bool,
    close_position: bool,
    working_type: str | None,
    price_protect: bool,
    price_match: str | None,
    self_trade_prevention: str | None,
) -> Parameters:
    """What all orders of one shape have in common; a rule sends few shapes, again and again."""
    conditional = kind not in (OrderType.LIMIT, OrderType.MARKET)
    found = [("algoType", "CONDITIONAL")] if conditional else []
    found += [("symbol", symbol), ("side", side), ("type", kind.value)]
    if position_side != "BOTH":
        found.append(("positionSide", position_side))
    if kind in _LIMIT_TYPES:
        found.append(("timeInForce", (time_in_force or TimeInForce.GTC).value))
    if close_position:
        found.append(("closePosition", "true"))
    elif reduce_only and position_side == "BOTH":
        # "cannot be sent in Hedge Mode": there the side against the position is the exit
        found.append(("reduceOnly", "true"))
    if working_type is not None and conditional:
        found.append(("workingType", working_type))
    if price_protect and conditional:
        found.append(("priceProtect", "TRUE"))
    if price_match is not None:
        found.append(("priceMatch", price_match))
    if self_trade_prevention is not None:
        found.append(("selfTradePreventionMode", self_trade_prevention))
    if kind is OrderType.MARKET:
        # answered once it is filled: the quantity is known before the stream tells
        found.append(("newOrderRespType", "RESULT"))
    return tuple(found)


def _varying(intent: OrderIntent) -> Parameters:
    found = []
    if intent.quantity is not None and not intent.close_position:
        found.append(("quantity", number(intent.quantity)))
    if intent.price is not None:
        found.append(("price", number(intent.price)))
    if intent.family is Family.ALGO:
        found += _conditional(intent)
    if intent.good_till_time is not None:
        found.append(("goodTillDate", str(intent.good_till_time)))
    id_name = "clientAlgoId" if intent.family is Family.ALGO else "newClientOrderId"
    return (*found, (id_name, intent.client_order_id))


def _conditional(intent: OrderIntent) -> list[tuple[str, str]]:
    prices = (
        ("triggerPrice", intent.trigger_price),
        ("activatePrice", intent.activation_price),
        ("callbackRate", intent.callback_rate),
    )
    return [(name, number(value)) for name, value in prices if value is not None]


def _batch(intents: tuple[OrderIntent, ...]) -> str:
    if not 2 <= len(intents) <= 5 or any(one.family is Family.ALGO for one in intents):
        raise ValueError("a batch takes 2 to 5 orders, none of them conditional")
    return f"batchOrders=%5B{'%2C'.join(_batch_leg(intent) for intent in intents)}%5D"


def _batch_leg(intent: OrderIntent) -> str:
    # numbers and our own ids need no escape
    varying = "%2C".join(f"%22{name}%22%3A%22{value}%22" for name, value in _varying(intent))
    return f"%7B{_batch_head(*_shape(intent))}%2C{varying}%7D"


@lru_cache(maxsize=1_024)
def _batch_head(*shape: object) -> str:
    fixed = _fixed(*shape)
    inside = json.dumps(dict(fixed), ensure_ascii=False, separators=(",", ":"))[1:-1]
    return quote(inside, safe="")


def _cancel(cancel: CancelIntent) -> tuple[str, Parameters]:
    if cancel.target is None:
        path = "algoOpenOrders" if cancel.family is Family.ALGO else "allOpenOrders"
        return f"/fapi/v1/{path}", (("symbol", cancel.symbol),)
    if cancel.family is Family.ALGO:
        return ALGO, (("clientAlgoId", cancel.target),)
    return ORDER, (("symbol", cancel.symbol), ("origClientOrderId", cancel.target))


def _amend(amend: AmendIntent) -> Parameters:
    return (
        ("symbol", amend.symbol),
        ("side", amend.side.value),
        ("origClientOrderId", amend.target),
        ("quantity", number(amend.quantity)),
        ("price", number(amend.price)),
    )


def _setting(intent: SettingIntent) -> tuple[str, Parameters]:
    """Each setting has an endpoint of its own; position mode is the account's."""
    symbol, value = ("symbol", intent.symbol), intent.value
    match intent.setting:
        case Setting.LEVERAGE:
            return "/fapi/v1/leverage", (symbol, ("leverage", value))
        case Setting.MARGIN_TYPE:
            kind = "ISOLATED" if value == "isolated" else "CROSSED"
            return "/fapi/v1/marginType", (symbol, ("marginType", kind))
        case Setting.POSITION_MODE:
            hedge = "true" if value == "hedge" else "false"
            return "/fapi/v1/positionSide/dual", (("dualSidePosition", hedge),)
        case Setting.ISOLATED_MARGIN:
            less = value.startswith("-")
            side = (
                () if intent.position_side == "BOTH" else (("positionSide", intent.position_side),)
            )
            amount = (("amount", value.removeprefix("-")), ("type", "2" if less else "1"))
            return "/fapi/v1/positionMargin", (symbol, *side, *amount)


def _probe(call: ProbeCall) -> tuple[str, Parameters]:
    if call.family is Family.ALGO:
        return ALGO, (("clientAlgoId", call.client_order_id),)
    return ORDER, (("symbol", call.symbol), ("origClientOrderId", call.client_order_id))
