"""An order as the engine keeps it, and the documents that describe it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from .numbers import ZERO, JsonObject, brief, fixed
from .symbols import Symbol

OPEN_STATUSES = ("NEW", "PARTIALLY_FILLED")
# How long GET /order finds an order that never filled, and any other (ms).
RETENTION = (3 * 86_400_000, 90 * 86_400_000)


@dataclass(slots=True)
class Order:
    """One order; `algo_id` names the conditional order it came from, 0 for none."""

    order_id: int
    client_order_id: str
    account: str
    symbol: str
    side: str
    type: str
    time_in_force: str
    price: Decimal
    quantity: Decimal
    time: int
    update_time: int
    position_side: str = "BOTH"
    reduce_only: bool = False
    close_position: bool = False
    working_type: str = "CONTRACT_PRICE"
    price_protect: bool = False
    price_match: str = "NONE"
    stp_mode: str = "EXPIRE_MAKER"
    good_till: int = 0
    status: str = "NEW"
    executed: Decimal = ZERO
    quote: Decimal = ZERO
    expiry_reason: str = "0"
    algo_id: int = 0
    amendments: int = 0

    @property
    def is_open(self) -> bool:
        """Return whether the order still rests in the book."""
        return self.status in OPEN_STATUSES

    @property
    def left(self) -> Decimal:
        """Return the quantity not yet filled."""
        return self.quantity - self.executed

    @property
    def average(self) -> Decimal:
        """Return the average fill price, 0 before the first fill."""
        return self.quote / self.executed if self.executed else ZERO

    @property
    def closing(self) -> bool:
        """Return whether the order can only make a position smaller."""
        hedge = (self.position_side, self.side)
        return self.reduce_only or hedge in (("LONG", "SELL"), ("SHORT", "BUY"))

    def retained(self, now: int, kept: tuple[int, int] = RETENTION) -> bool:
        """Return whether queries still find the order (All Orders, "will not be found").

        `kept` is how long (ms) an order that never filled is found, and how long any other.
        """
        if self.is_open:
            return True
        unfilled = not self.executed and self.status in ("CANCELED", "EXPIRED")
        return now - self.time <= kept[0 if unfilled else 1]


def placed(order: Order, symbol: Symbol) -> JsonObject:
    """Return the answer to placing, changing or cancelling: no avgPrice, no cumQuote."""
    lot, tick = symbol.quantity_digits, symbol.price_digits
    return {
        "orderId": order.order_id,
        "symbol": order.symbol,
        "status": order.status,
        "clientOrderId": order.client_order_id,
        "price": fixed(order.price, tick),
        "origQty": fixed(order.quantity, lot),
        "executedQty": fixed(order.executed, lot),
        "cumQty": fixed(order.executed, lot),
        "timeInForce": order.time_in_force,
        "type": order.type,
        "reduceOnly": order.reduce_only,
        "closePosition": order.close_position,
        "side": order.side,
        "positionSide": order.position_side,
        "stopPrice": fixed(ZERO, tick),
        "workingType": order.working_type,
        "priceProtect": order.price_protect,
        "origType": order.type,
        "priceMatch": order.price_match,
        "selfTradePreventionMode": order.stp_mode,
        "goodTillDate": order.good_till,
        "updateTime": order.update_time,
    }


def acknowledged(order: Order, symbol: Symbol) -> JsonObject:
    """Return the ACK answer: what the exchange knew before it tried to match."""
    nothing = fixed(ZERO, symbol.quantity_digits)
    return placed(order, symbol) | {
        "status": "NEW",
        "executedQty": nothing,
        "cumQty": nothing,
        "updateTime": order.time,
    }


def stored(order: Order, symbol: Symbol) -> JsonObject:
    """Return the answer to a query, with the average price and the quote amount."""
    document = placed(order, symbol)
    del document["cumQty"]
    return document | {
        "avgPrice": fixed(order.average, max(5, symbol.price_digits)),
        "cumQuote": fixed(order.quote, 5) if order.quote else "0",
        "time": order.time,
    }


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution of an order."""

    trade_id: int
    order_id: int
    client_order_id: str
    symbol: str
    side: str
    position_side: str
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str
    realized: Decimal
    maker: bool
    time: int


def user_trade(fill: Fill, symbol: Symbol) -> JsonObject:
    """Return one row of userTrades."""
    return {
        "buyer": fill.side == "BUY",
        "commission": fixed(fill.fee, 8),
        "commissionAsset": fill.fee_asset,
        "id": fill.trade_id,
        "maker": fill.maker,
        "orderId": fill.order_id,
        "price": fixed(fill.price, symbol.price_digits),
        "qty": fixed(fill.quantity, symbol.quantity_digits),
        "quoteQty": fixed(fill.price * fill.quantity, 8),
        "marginAsset": fill.fee_asset,
        "realizedPnl": fixed(fill.realized, 8),
        "side": fill.side,
        "positionSide": fill.position_side,
        "symbol": fill.symbol,
        "pair": fill.symbol,
        "time": fill.time,
    }


def order_trade_update(
    order: Order,
    symbol: Symbol,
    execution: str,
    *,
    now: int,
    fill: Fill | None = None,
    bids: Decimal = ZERO,
    asks: Decimal = ZERO,
) -> JsonObject:
    """Return the ORDER_TRADE_UPDATE event of what just happened to an order."""
    lot, tick = symbol.quantity_digits, symbol.price_digits
    details: JsonObject = {
        "s": order.symbol,
        "c": order.client_order_id,
        "S": order.side,
        "o": order.type,
        "f": order.time_in_force,
        "q": brief(order.quantity, lot),
        "p": brief(order.price, tick),
        "ap": brief(order.average, max(5, tick)),
        "sp": "0",
        "x": execution,
        "X": order.status,
        "i": order.order_id,
        "l": brief(fill.quantity, lot) if fill else "0",
        "z": brief(order.executed, lot),
        "L": brief(fill.price, tick) if fill else "0",
        "n": brief(fill.fee, 8) if fill else "0",
        "N": fill.fee_asset if fill else symbol.margin,
        "T": now,
        "t": fill.trade_id if fill else 0,
        "b": brief(bids, 8),
        "a": brief(asks, 8),
        "m": fill.maker if fill else False,
        "R": order.reduce_only,
        "wt": order.working_type,
        "ot": order.type,
        "ps": order.position_side,
        "cp": order.close_position,
        "rp": brief(fill.realized, 8) if fill else "0",
        "pP": order.price_protect,
        "si": 0,
        "ss": 0,
        "V": order.stp_mode,
        "pm": order.price_match,
        "gtd": order.good_till,
        "er": order.expiry_reason,
    }
    return {"e": "ORDER_TRADE_UPDATE", "E": now, "T": now, "o": details}


def trade_lite(order: Order, symbol: Symbol, fill: Fill) -> JsonObject:
    """Return the TRADE_LITE event of a fill: the same fill, sooner and shorter."""
    lot, tick = symbol.quantity_digits, symbol.price_digits
    return {
        "e": "TRADE_LITE",
        "E": fill.time,
        "T": fill.time,
        "s": order.symbol,
        "q": brief(order.quantity, lot),
        "p": brief(order.price, tick),
        "m": fill.maker,
        "c": order.client_order_id,
        "S": order.side,
        "L": brief(fill.price, tick),
        "l": brief(fill.quantity, lot),
        "t": fill.trade_id,
        "i": order.order_id,
    }
