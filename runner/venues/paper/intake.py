"""From a request's parameters to an order: which go together, and what each may be."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from .account import Account
from .errors import refuse
from .numbers import ZERO
from .params import Params
from .symbols import CONDITIONAL_TYPES, Symbol

SIDES = ("BUY", "SELL")
TIMES_IN_FORCE = ("GTC", "IOC", "FOK", "GTX", "GTD")
STP_MODES = ("NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH")
# Which side's level each price match takes, and how deep (0 is the best); the ones that
# "have been temporarily removed" from placing are refused like unknown ones.
PRICE_MATCHES = {
    "OPPONENT": (False, 0),
    "OPPONENT_5": (False, 4),
    "QUEUE": (True, 0),
    "QUEUE_5": (True, 4),
    "QUEUE_10": (True, 9),
    "QUEUE_20": (True, 19),
}
GTD_SOONEST = 600_000
GTD_LATEST = 253_402_300_799_000


@dataclass(frozen=True, slots=True)
class Ask:
    """What a client asks for: an order, not yet checked against filters and account."""

    symbol: Symbol
    side: str
    type: str
    position_side: str
    time_in_force: str
    quantity: Decimal
    price: Decimal
    reduce_only: bool
    client_order_id: str
    price_match: str
    stp_mode: str
    good_till: int
    result: bool


def read_order(params: Params, symbol: Symbol, account: Account, now: int) -> Ask:
    """Return the order asked for by POST /fapi/v1/order; raises what it lacks."""
    side = params.choice("side", SIDES, -1117)
    kind = params.text("type").upper()
    if kind in CONDITIONAL_TYPES:
        raise refuse(-4120)
    if kind not in ("LIMIT", "MARKET"):
        raise refuse(-1116)
    limit = kind == "LIMIT"
    match = read_price_match(params, kind)
    if limit:
        tif = params.choice("timeInForce", symbol.time_in_force, -1115)
    else:
        params.forbid("timeInForce", "price")
        tif = "GTC"
    quantity = params.decimal("quantity")
    if quantity is None:
        raise refuse(-1102, "quantity")
    price = params.decimal("price")
    if limit and match == "NONE" and price is None:
        raise refuse(-1102, "price")
    position_side = read_position_side(params, account)
    return Ask(
        symbol=symbol,
        side=side,
        type=kind,
        position_side=position_side,
        time_in_force=tif,
        quantity=quantity,
        price=price or ZERO,
        reduce_only=read_reduce_only(params, account),
        client_order_id=params.client_id("newClientOrderId"),
        price_match=match,
        stp_mode=read_stp_mode(params),
        good_till=read_good_till(params, tif, now),
        result=read_response_type(params) == "RESULT",
    )


def read_position_side(params: Params, account: Account) -> str:
    """Return the position side; raises -4060 and, when the mode is another, -4061."""
    default = "BOTH"
    side = params.choice("positionSide", ("BOTH", "LONG", "SHORT"), -4060, default)
    if (side == "BOTH") == account.hedge:
        raise refuse(-4061)
    return side


def read_reduce_only(params: Params, account: Account) -> bool:
    """Return reduceOnly; raises -1106 in hedge mode, where it "cannot be sent"."""
    if account.hedge:
        params.forbid("reduceOnly")
    return params.flag("reduceOnly")


def read_price_match(params: Params, kind: str) -> str:
    """Return the price match or NONE; raises -5037, -5038 and, beside a price, -1106."""
    match = params.values.get("priceMatch", "NONE").upper()
    if match == "NONE":
        return match
    if match not in PRICE_MATCHES:
        raise refuse(-5037)
    if kind not in ("LIMIT", "STOP", "TAKE_PROFIT"):
        raise refuse(-5038)
    params.forbid("price")
    return match


def read_stp_mode(params: Params) -> str:
    """Return the self-trade prevention mode; raises -5039."""
    return params.choice("selfTradePreventionMode", STP_MODES, -5039, "EXPIRE_MAKER")


def read_response_type(params: Params) -> str:
    """Return newOrderRespType; raises -1136."""
    return params.choice("newOrderRespType", ("ACK", "RESULT"), -1136, "ACK")


def read_good_till(params: Params, time_in_force: str, now: int) -> int:
    """Return the end of a GTD order in whole seconds (ms), 0 for others; raises -5040."""
    if time_in_force != "GTD":
        return 0
    until = params.whole("goodTillDate")
    if not now + GTD_SOONEST < until < GTD_LATEST:
        raise refuse(-5040)
    return until - until % 1000
