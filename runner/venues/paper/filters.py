"""The symbol's filters, each with the code the exchange answers when one is not passed."""

from __future__ import annotations

from decimal import Decimal

from .errors import refuse
from .numbers import ZERO, decimals, fixed
from .symbols import Symbol

# States in which a symbol will not open again; any other that is not TRADING may.
CLOSED = ("CLOSE", "CLOSED", "SETTLING", "DELIVERING", "DELIVERED", "PRE_SETTLE", "PRE_DELIVERING")


def check_status(symbol: Symbol) -> None:
    """Raise -4141 for a closed symbol, -4140 for one that does not trade now."""
    if symbol.status in CLOSED:
        raise refuse(-4141)
    if symbol.status != "TRADING":
        raise refuse(-4140)


def check_price(symbol: Symbol, price: Decimal) -> None:
    """Check PRICE_FILTER and the precision of a limit price."""
    if price <= 0:
        raise refuse(-4001)
    if decimals(price) > symbol.price_digits:
        raise refuse(-1111)
    if symbol.max_price and price > symbol.max_price:
        raise refuse(-4002)
    if price < symbol.min_price:
        raise refuse(-4013)
    if (price - symbol.min_price) % symbol.tick:
        raise refuse(-4014)


def check_trigger(symbol: Symbol, price: Decimal) -> None:
    """Check a trigger or activation price, which has codes of its own."""
    if price <= 0:
        raise refuse(-4006)
    if decimals(price) > symbol.price_digits:
        raise refuse(-1111)
    if symbol.max_price and price > symbol.max_price:
        raise refuse(-4007)
    if price < symbol.min_price:
        raise refuse(-4013)
    if (price - symbol.min_price) % symbol.tick:
        raise refuse(-4014)


def check_quantity(symbol: Symbol, quantity: Decimal, *, market: bool) -> None:
    """Check LOT_SIZE, or MARKET_LOT_SIZE for an order without a price."""
    if quantity <= 0:
        raise refuse(-4003)
    if decimals(quantity) > symbol.quantity_digits:
        raise refuse(-1111)
    least = symbol.market_min_quantity if market else symbol.min_quantity
    most = symbol.market_max_quantity if market else symbol.max_quantity
    step = symbol.market_step if market else symbol.step
    if quantity < least:
        raise refuse(-4004)
    if most and quantity > most:
        raise refuse(-4005)
    if (quantity - least) % step:
        raise refuse(-4023)


def check_notional(symbol: Symbol, notional: Decimal) -> None:
    """Check MIN_NOTIONAL (orders that can only reduce never come here)."""
    if notional < symbol.min_notional:
        raise refuse(-4164, format(symbol.min_notional.normalize(), "f"))


def check_percent(symbol: Symbol, side: str, price: Decimal, mark: Decimal) -> None:
    """Check PERCENT_PRICE of a limit price against the mark price."""
    cap, floor = mark * symbol.multiplier_up, mark * symbol.multiplier_down
    if side == "BUY" and price > cap:
        raise refuse(-4016, fixed(cap, symbol.price_digits))
    if side == "SELL" and price < floor:
        raise refuse(-4024, fixed(floor, symbol.price_digits))


def check_stop_percent(symbol: Symbol, side: str, price: Decimal, trigger: Decimal) -> None:
    """Check the limit price of a conditional order against its trigger price."""
    cap, floor = trigger * symbol.multiplier_up, trigger * symbol.multiplier_down
    if side == "BUY" and price > cap:
        raise refuse(-4183, fixed(cap, symbol.price_digits))
    if side == "SELL" and price < floor:
        raise refuse(-4184, fixed(floor, symbol.price_digits))


def check_counterparty(symbol: Symbol, side: str, best: Decimal, mark: Decimal) -> None:
    """Raise -4131 when a market order would start beyond the PERCENT_PRICE band."""
    if best <= ZERO:
        raise refuse(-1112)
    if side == "BUY" and best > mark * symbol.multiplier_up:
        raise refuse(-4131)
    if side == "SELL" and best < mark * symbol.multiplier_down:
        raise refuse(-4131)
