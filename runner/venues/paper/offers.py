"""What a taker meets: resting orders of the accounts before the synthesised book at a price."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from .book import Market
from .numbers import ZERO
from .orders import Order
from .state import State


@dataclass(frozen=True, slots=True)
class Offer:
    """A price and what can be had there: a resting order, or the book's quantity (None: any)."""

    price: Decimal
    quantity: Decimal | None
    maker: Order | None = None


def offers(state: State, order: Order) -> Iterator[Offer]:
    """Yield what an order would meet within its limit, best first."""
    market = state.market(order.symbol)
    sign = 1 if order.side == "BUY" else -1
    found = heapq.merge(
        _resting(state, order, sign),
        (Offer(price, quantity) for price, quantity in market.offers(order.side)),
        key=lambda one: sign * one.price,
    )
    for offer in found:
        if order.type == "LIMIT" and sign * (offer.price - order.price) > 0:
            return
        if order.type == "MARKET" and _out_of_band(market, order.side, offer.price):
            return
        yield offer


def _resting(state: State, order: Order, sign: int) -> list[Offer]:
    """Return the resting orders of the other side, the queue kept at each price."""
    resting = state.resting.get(order.symbol, {}).values()
    facing = [one for one in resting if one.side != order.side and one.is_open]
    free = [one for one in facing if one.client_order_id not in state.held]
    free.sort(key=lambda one: sign * one.price)
    return [Offer(one.price, one.left, one) for one in free]


def prevents(order: Order, maker: Order) -> bool:
    """Return whether self-trade prevention keeps two orders apart (GTC, IOC and GTD only)."""
    same = order.account == maker.account and order.stp_mode != "NONE"
    return same and order.time_in_force in ("GTC", "IOC", "GTD")


def fillable(state: State, order: Order) -> Decimal:
    """Return how much of an order the book would fill at once."""
    total = ZERO
    for offer in offers(state, order):
        if offer.quantity is None:
            return order.left
        total += offer.quantity
        if total >= order.left:
            return order.left
    return total


def _out_of_band(market: Market, side: str, price: Decimal) -> bool:
    symbol = market.symbol
    if side == "BUY":
        return price > market.mark * symbol.multiplier_up
    return price < market.mark * symbol.multiplier_down
