"""Fills: an order against the book as it stands, and resting orders against a moved price."""

from __future__ import annotations

from decimal import Decimal

from .account import Account, Position
from .algo import algo_update
from .book import Market
from .lag import note_past
from .ledger import account_update, note_fill
from .numbers import ZERO, booked
from .offers import offers, prevents
from .orders import Fill, Order, order_trade_update, trade_lite
from .state import Cross, State

# Expiry reasons of ORDER_TRADE_UPDATE (`er`).
SELF_TRADE = "1"
IOC_UNFILLED = "2"
IOC_SELF_TRADE = "3"
REDUCE_ONLY_KNOCKED_OUT = "4"
LIQUIDATED = "5"
DELISTED = "7"
MARKET_UNFILLED = "9"
IN_MATCH = "EXPIRED_IN_MATCH"


def tell_order(
    state: State, order: Order, execution: str, now: int, fill: Fill | None = None
) -> None:
    """Send the ORDER_TRADE_UPDATE of what just happened to an order."""
    account = state.accounts[order.account]
    state.changed_orders.add(order.order_id)
    bids = asks = ZERO
    for other in account.open.values():
        if other.symbol == order.symbol:
            if other.side == "BUY":
                bids += other.left * other.price
            else:
                asks += other.left * other.price
    event = order_trade_update(
        order, state.symbols[order.symbol], execution, now=now, fill=fill, bids=bids, asks=asks
    )
    state.tell(order.account, event)
    note_past(state, order)
    if order.algo_id and not order.is_open:
        finish_algo(state, order, now)


def finish_algo(state: State, order: Order, now: int) -> None:
    """Tell that the order a conditional order led to has ended, once TRIGGERED was told."""
    algo = state.accounts[order.account].algos[order.algo_id]
    if algo.status != "TRIGGERED":
        return
    algo.status = "FINISHED"
    state.changed_algos.add(algo.algo_id)
    algo.update_time = now
    algo.actual_price, algo.actual_quantity = order.average, order.executed
    state.tell(order.account, algo_update(algo, state.symbols[order.symbol], now))
    note_past(state, algo)


def accept(state: State, order: Order, now: int) -> None:
    """Put a checked order into the book, tell it, match it, and expire what may not rest."""
    state.rest(order)
    tell_order(state, order, "NEW", now)
    if order.client_order_id in state.held:
        return
    take(state, order, now)
    if not order.is_open:
        return
    if order.type == "MARKET":
        close(state, order, "EXPIRED", now, MARKET_UNFILLED)
    elif order.time_in_force in ("IOC", "FOK") and order.order_id not in state.liquidating:
        close(state, order, "EXPIRED", now, IOC_UNFILLED)


def take(state: State, order: Order, now: int) -> None:
    """Fill an order as a taker with what the book offers within its limit."""
    market = state.market(order.symbol)
    while order.is_open and (offer := next(offers(state, order), None)) is not None:
        if offer.maker is None:
            quantity = order.left if offer.quantity is None else min(order.left, offer.quantity)
            got = fill(state, order, offer.price, quantity, maker=False, now=now)
            market.take(order.side, got)
        elif prevents(order, offer.maker):
            _prevent(state, order, offer.maker, now)
        else:
            _cross(state, order, offer.maker, now)


def _prevent(state: State, order: Order, maker: Order, now: int) -> None:
    """Expire the taker, the maker or both, as the taker's mode says."""
    if order.stp_mode in ("EXPIRE_MAKER", "EXPIRE_BOTH"):
        close(state, maker, IN_MATCH, now, SELF_TRADE)
    if order.stp_mode in ("EXPIRE_TAKER", "EXPIRE_BOTH"):
        immediate = order.time_in_force == "IOC"
        close(state, order, IN_MATCH, now, IOC_SELF_TRADE if immediate else SELF_TRADE)


def _cross(state: State, order: Order, maker: Order, now: int) -> None:
    """Trade two orders with each other at the maker's price; both sides share the trade's id."""
    for one in (maker, order):
        if not room(state, one):
            close(state, one, "EXPIRED", now, REDUCE_ONLY_KNOCKED_OUT)
            return
    quantity = min(room(state, order), room(state, maker))
    serial = state.serials.trade()
    state.crossed.append(Cross(order.symbol, maker.price, quantity, order.side == "SELL"))
    fill(state, order, maker.price, quantity, maker=False, now=now, trade_id=serial)
    fill(state, maker, maker.price, quantity, maker=True, now=now, trade_id=serial)


def room(state: State, order: Order) -> Decimal:
    """Return how much of an order can still trade: a closing one no more than is held."""
    if not order.closing:
        return order.left
    account = state.accounts[order.account]
    held = account.position(order.symbol, order.position_side)
    return min(order.left, _reducible(order, held))


def touch(state: State, symbol: str, now: int) -> None:
    """Fill the resting orders that the symbol's new prices reach, best price first."""
    market = state.market(symbol)
    resting = list(state.resting.get(symbol, {}).values())
    for side, sign in (("BUY", -1), ("SELL", 1)):
        mine = [order for order in resting if order.side == side]
        # The order of the book is the order of the queue: a changed order stands at its end.
        for order in sorted(mine, key=lambda one: sign * one.price):
            held = order.client_order_id in state.held
            if order.is_open and not held and _touched(market, order):
                _make(state, market, order, now)


def _touched(market: Market, order: Order) -> bool:
    if order.side == "BUY":
        return min(market.ask, market.last) <= order.price
    return max(market.bid, market.last) >= order.price


def _make(state: State, market: Market, order: Order, now: int) -> None:
    """Fill a resting order at its own price, as far as one level's quantity goes."""
    quantity = order.left
    if market.level_quantity is not None:
        taken = market.taken_ask if order.side == "BUY" else market.taken_bid
        quantity = min(quantity, max(ZERO, market.level_quantity - taken))
    if quantity:
        got = fill(state, order, order.price, quantity, maker=True, now=now)
        market.take(order.side, got)


def fill(
    state: State,
    order: Order,
    price: Decimal,
    quantity: Decimal,
    *,
    maker: bool,
    now: int,
    trade_id: int = 0,
    fee_rate: Decimal | None = None,
    execution: str = "TRADE",
) -> Decimal:
    """Execute a part of an order, tell it, and return the quantity really executed.

    Both sides of a trade between accounts come with its `trade_id`. The fee is the account's
    unless `fee_rate` says otherwise.
    """
    account = state.accounts[order.account]
    symbol = state.symbols[order.symbol]
    position = account.position(order.symbol, order.position_side)
    if order.closing:
        quantity = min(quantity, _reducible(order, position))
        if not quantity:
            close(state, order, "EXPIRED", now, REDUCE_ONLY_KNOCKED_OUT)
            return ZERO
    rate = (state.maker_fee if maker else state.taker_fee) if fee_rate is None else fee_rate
    fee = booked(price * quantity * rate)
    signed = quantity if order.side == "BUY" else -quantity
    margin_before = position.amount
    realized = position.trade(signed, price, fee, now)
    _move_isolated(account, position, margin_before, price)
    account.wallet[symbol.margin] = account.wallet.get(symbol.margin, ZERO) + realized - fee
    account.wallet_time = now
    order.executed += quantity
    order.quote += quantity * price
    order.status = "FILLED" if not order.left else "PARTIALLY_FILLED"
    order.update_time = now
    one = Fill(
        trade_id or state.serials.trade(),
        order.order_id,
        order.client_order_id,
        order.symbol,
        order.side,
        order.position_side,
        price,
        quantity,
        fee,
        symbol.margin,
        realized,
        maker,
        now,
    )
    account.fills.append(one)
    note_fill(state, account, one)
    if order.is_open:
        state.stir(order)
    else:
        state.unrest(order)
    state.tell(order.account, trade_lite(order, symbol, one))
    state.tell(order.account, account_update(state, account, "ORDER", [position], now))
    tell_order(state, order, execution, now, one)
    knock_out(state, account, order.symbol, order.position_side, now)
    return quantity


def fill_by_hand(
    state: State, order: Order, price: Decimal | None, quantity: Decimal | None, now: int
) -> None:
    """Fill an order as a test says; by default all that is left, at its price or the book's."""
    market = state.market(order.symbol)
    book = market.ask if order.side == "BUY" else market.bid
    wanted = order.left if quantity is None else min(quantity, order.left)
    fill(state, order, price or order.price or book, wanted, maker=False, now=now)


def _reducible(order: Order, position: Position) -> Decimal:
    opposite = position.amount < 0 if order.side == "BUY" else position.amount > 0
    return abs(position.amount) if opposite else ZERO


def _move_isolated(account: Account, position: Position, before: Decimal, price: Decimal) -> None:
    setting = account.setting(position.symbol)
    if not setting.isolated or not position.amount:
        position.isolated_wallet = ZERO
    elif before * position.amount <= 0:
        position.isolated_wallet = abs(position.amount) * price / setting.leverage
    elif abs(position.amount) > abs(before):
        position.isolated_wallet += abs(position.amount - before) * price / setting.leverage
    else:
        position.isolated_wallet *= position.amount / before


def knock_out(state: State, account: Account, symbol: str, side: str, now: int) -> None:
    """Expire closing orders that have nothing left to close."""
    position = account.position(symbol, side)
    for order in account.resting(symbol):
        if order.closing and order.position_side == side and not _reducible(order, position):
            close(state, order, "EXPIRED", now, REDUCE_ONLY_KNOCKED_OUT)


def close(state: State, order: Order, status: str, now: int, reason: str = "0") -> None:
    """End an open order as CANCELED, EXPIRED or EXPIRED_IN_MATCH and tell it."""
    order.status = status
    order.update_time = now
    order.expiry_reason = reason
    state.unrest(order)
    tell_order(state, order, status.removesuffix("_IN_MATCH"), now)
