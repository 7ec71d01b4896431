"""Reasons to refuse an order: limits on what will be true after everything in flight."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from runner.core.decision import Leg
from runner.core.orders import OrderIntent, Side
from runner.core.rules import Limits
from runner.core.view import View

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class UnderWay:
    """What is decided and not yet part of the position.

    `open_legs` are the symbol's, `entries` how many risk-adding orders were planned within the
    last minute, `unseen` the signed size that filled and that the position does not show yet.
    """

    open_legs: list[Leg]
    entries: int = 0
    unseen: Decimal = ZERO


def verdict(
    intent: OrderIntent, limits: Limits, view: View, under_way: UnderWay, now: int
) -> str | None:
    """The guard that refuses this order and why, as `name: text`; None when it may pass.

    Exits always pass and count towards nothing.
    """
    if intent.protective:
        return None
    limit, entries = limits.max_orders_per_minute, under_way.entries
    if limit is not None and entries >= limit:
        return f"max_orders_per_minute: {entries} orders within a minute, the limit is {limit}"
    if limits.max_order_notional is None and limits.max_position_notional is None:
        return None
    mark = view.price(intent.symbol, "mark", now)
    price = intent.price or intent.trigger_price or mark
    if not view.positions_known:
        return f"no position: what {intent.symbol} holds is not known yet"
    if price is None or mark is None:
        return f"no price: the notional of {intent.symbol} cannot be told without its mark"
    return _order_notional(intent, limits, max(price, mark)) or _position_notional(
        intent, limits, view, under_way, max(price, mark)
    )


def _order_notional(intent: OrderIntent, limits: Limits, price: Decimal) -> str | None:
    limit = limits.max_order_notional
    notional = price * (intent.quantity or ZERO)
    if limit is None or notional <= limit:
        return None
    return f"max_order_notional: the order is {notional:.2f}, the limit is {limit}"


def _position_notional(
    intent: OrderIntent, limits: Limits, view: View, under_way: UnderWay, price: Decimal
) -> str | None:
    limit = limits.max_position_notional
    if limit is None:
        return None
    size = _signed(intent, intent.quantity or ZERO) + _in_flight(intent, under_way.open_legs)
    size += _position(intent, view) + _same_way(intent, under_way.unseen)
    notional = abs(size) * price
    if notional <= limit:
        return None
    return f"max_position_notional: the position would be {notional:.2f}, the limit is {limit}"


def _position(intent: OrderIntent, view: View) -> Decimal:
    position = view.positions.get((intent.symbol, intent.position_side))
    return position.size if position is not None else ZERO


def _in_flight(intent: OrderIntent, open_legs: list[Leg]) -> Decimal:
    """Signed size of every open risk-adding order on the same side: all of them may fill."""
    total = ZERO
    for leg in open_legs:
        other = leg.intent
        if not isinstance(other, OrderIntent) or other.protective:
            continue
        if other.side is intent.side and other.position_side == intent.position_side:
            total += _signed(other, (other.quantity or ZERO) - leg.cumulative_quantity)
    return total


def _same_way(intent: OrderIntent, unseen: Decimal) -> Decimal:
    """Only what makes the limit nearer: a fill the other way may be part of the position."""
    return max(unseen, ZERO) if intent.side is Side.BUY else min(unseen, ZERO)


def _signed(intent: OrderIntent, quantity: Decimal) -> Decimal:
    return quantity if intent.side is Side.BUY else -quantity
