"""A conditional order (stop, take-profit, trailing stop): when it triggers and how it is told."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from .numbers import ONE, ZERO, JsonObject, fixed
from .orders import RETENTION
from .symbols import Symbol

TRAILING = "TRAILING_STOP_MARKET"
STOPS = ("STOP", "STOP_MARKET")
LIMITED = ("STOP", "TAKE_PROFIT")


@dataclass(slots=True)
class Algo:
    """One conditional order; `extreme` is the best price a trailing stop saw once active."""

    algo_id: int
    client_algo_id: str
    account: str
    symbol: str
    side: str
    type: str
    time_in_force: str
    quantity: Decimal
    create_time: int
    update_time: int
    position_side: str = "BOTH"
    trigger_price: Decimal = ZERO
    price: Decimal = ZERO
    activate_price: Decimal = ZERO
    callback_rate: Decimal = ZERO
    working_type: str = "CONTRACT_PRICE"
    price_match: str = "NONE"
    close_position: bool = False
    price_protect: bool = False
    reduce_only: bool = False
    stp_mode: str = "EXPIRE_MAKER"
    good_till: int = 0
    status: str = "NEW"
    activated: bool = False
    extreme: Decimal = ZERO
    trigger_time: int = 0
    actual_order_id: int = 0
    actual_price: Decimal = ZERO
    actual_quantity: Decimal = ZERO
    reason: str = ""

    @property
    def actual_type(self) -> str:
        """Return the type of the order that the trigger leads to."""
        return "LIMIT" if self.type in LIMITED else "MARKET"

    @property
    def rising(self) -> bool:
        """Return whether the order triggers when the price rises to its level."""
        return (self.side == "BUY") == (self.type in STOPS)

    def reached(self, price: Decimal) -> bool:
        """Return whether `price` triggers the order; a trailing stop follows it first."""
        if self.type == TRAILING:
            return self._trail(price)
        return price >= self.trigger_price if self.rising else price <= self.trigger_price

    def _trail(self, price: Decimal) -> bool:
        if not self.activated:
            return False
        rate = self.callback_rate / 100
        if self.side == "SELL":
            self.extreme = max(self.extreme, price)
            return price <= self.extreme * (ONE - rate)
        self.extreme = min(self.extreme, price)
        return price >= self.extreme * (ONE + rate)

    def activates(self, price: Decimal) -> bool:
        """Return whether `price` sets a trailing stop going that was not yet."""
        if self.type != TRAILING or self.activated:
            return False
        if not self.activate_price:
            return True
        if self.side == "SELL":
            return price >= self.activate_price
        return price <= self.activate_price

    def retained(self, now: int, kept: tuple[int, int] = RETENTION) -> bool:
        """Return whether queries still find the order; `kept` as for orders."""
        if self.status in ("NEW", "TRIGGERING"):
            return True
        unfilled = not self.actual_quantity and self.status in ("CANCELED", "EXPIRED")
        return now - self.create_time <= kept[0 if unfilled else 1]


def algo_placed(algo: Algo, symbol: Symbol) -> JsonObject:
    """Return the answer to placing a conditional order."""
    tick = symbol.price_digits
    trailing = algo.type == TRAILING
    return {
        "algoId": algo.algo_id,
        "clientAlgoId": algo.client_algo_id,
        "algoType": "CONDITIONAL",
        "orderType": algo.type,
        "symbol": algo.symbol,
        "side": algo.side,
        "positionSide": algo.position_side,
        "timeInForce": algo.time_in_force,
        "quantity": fixed(algo.quantity, symbol.quantity_digits),
        "algoStatus": algo.status,
        "triggerPrice": fixed(algo.trigger_price, tick),
        "price": fixed(algo.price, tick),
        "icebergQuantity": None,
        "selfTradePreventionMode": algo.stp_mode,
        "workingType": algo.working_type,
        "priceMatch": algo.price_match,
        "closePosition": algo.close_position,
        "priceProtect": algo.price_protect,
        "reduceOnly": algo.reduce_only,
        "activatePrice": fixed(algo.activate_price, tick) if trailing else "",
        "callbackRate": format(algo.callback_rate.normalize(), "f") if trailing else "",
        "createTime": algo.create_time,
        "updateTime": algo.update_time,
        "triggerTime": algo.trigger_time,
        "goodTillDate": algo.good_till,
    }


def algo_stored(algo: Algo, symbol: Symbol) -> JsonObject:
    """Return the answer to a query: with what the trigger led to."""
    tick, lot = symbol.price_digits, symbol.quantity_digits
    triggered = algo.actual_order_id != 0
    return algo_placed(algo, symbol) | {
        "actualOrderId": str(algo.actual_order_id) if triggered else "",
        "actualPrice": fixed(algo.actual_price, max(5, tick)),
        "actualType": algo.actual_type if triggered else "",
        "actualQty": fixed(algo.actual_quantity, lot) if triggered else "",
        "tpTriggerPrice": fixed(ZERO, tick),
        "tpPrice": fixed(ZERO, tick),
        "slTriggerPrice": fixed(ZERO, tick),
        "slPrice": fixed(ZERO, tick),
        "tpOrderType": "",
    }


def algo_update(algo: Algo, symbol: Symbol, now: int) -> JsonObject:
    """Return the ALGO_UPDATE event of the order's present state."""
    tick = symbol.price_digits
    details: JsonObject = {
        "caid": algo.client_algo_id,
        "aid": algo.algo_id,
        "at": "CONDITIONAL",
        "o": algo.type,
        "s": algo.symbol,
        "S": algo.side,
        "ps": algo.position_side,
        "f": algo.time_in_force,
        "q": fixed(algo.quantity, symbol.quantity_digits),
        "X": algo.status,
        "ai": str(algo.actual_order_id) if algo.actual_order_id else "",
    }
    if algo.actual_order_id:
        details["ap"] = fixed(algo.actual_price, max(5, tick))
        details["aq"] = fixed(algo.actual_quantity, symbol.quantity_digits)
        details["act"] = algo.actual_type
    details |= {
        "tp": fixed(algo.trigger_price, tick),
        "p": fixed(algo.price, tick),
        "V": algo.stp_mode,
        "wt": algo.working_type,
        "pm": algo.price_match,
        "cp": algo.close_position,
        "pP": algo.price_protect,
        "R": algo.reduce_only,
        "tt": algo.trigger_time,
        "gtd": algo.good_till,
    }
    if algo.reason:
        details["rm"] = algo.reason
    if algo.type == TRAILING:
        details |= {
            "AP": fixed(algo.activate_price, tick),
            "cr": format(algo.callback_rate.normalize(), "f"),
            "ia": algo.activated,
        }
    return {"e": "ALGO_UPDATE", "E": now, "T": now, "o": details}
