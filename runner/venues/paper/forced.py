"""Orders by which the exchange itself ends positions: liquidation, ADL, settlement."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from .account import Account, Position
from .ledger import move_money
from .margin import bankruptcy_price, totals
from .matching import LIQUIDATED, accept, close, fill, tell_order
from .numbers import ZERO, JsonObject, booked, ceil_to, fixed, floor_to
from .orders import Order
from .state import PublicEvent, State

INSURANCE = "INSURANCE_CLEAR"


def liquidate(state: State, account: Account, position: Position, now: int) -> None:
    """Close a position at its bankruptcy price or better, and take the clearance fee.

    Its open orders expire first. What the book does not take within the bankruptcy price, the
    insurance fund does, at that price (execution CALCULATED): nobody owes more than his margin.
    """
    isolated = account.setting(position.symbol).isolated
    for order in list(account.open.values()):
        if isolated and order.symbol != position.symbol:
            continue
        if isolated or not account.setting(order.symbol).isolated:
            close(state, order, "EXPIRED", now, LIQUIDATED)
    margin = position.isolated_wallet
    fills = len(account.fills)
    symbol = state.symbols[position.symbol]
    bankrupt = bankruptcy_price(state, account, position)
    rounded = ceil_to if position.amount > 0 else floor_to
    price = max(symbol.tick, rounded(bankrupt, symbol.tick))
    serial = state.serials.transfer()
    order = _order(state, account, position, price, f"autoclose-{now}{serial % 10**6:06d}", "IOC")
    state.liquidating.add(order.order_id)
    accept(state, order, now)
    state.liquidating.discard(order.order_id)
    if order.is_open:
        rest = order.left
        fill(state, order, price, rest, maker=False, now=now, fee_rate=ZERO, execution="CALCULATED")
        _take_over(state, account, order, price, rest, now)
    _shown(state, order, now)
    own = account.fills[fills:]
    margin += sum((one.realized - one.fee for one in own), ZERO)
    if not isolated:
        margin = totals(state, account, symbol.margin).cross_balance
    traded = sum((one.price * one.quantity for one in own if one.fee), ZERO)
    _clear(state, account, position, margin, traded, now)


def _clear(
    state: State, account: Account, position: Position, margin: Decimal, traded: Decimal, now: int
) -> None:
    """Take the clearance fee out of what is left, or let the fund cover what is missing."""
    symbol = state.symbols[position.symbol]
    rate = Decimal(str(symbol.document.get("liquidationFee", "0")))
    fee = booked(min(margin, traded * rate))
    if fee:
        state.insurance[symbol.margin] = state.insurance.get(symbol.margin, ZERO) + fee
        move_money(state, account, position, INSURANCE, -fee, now)


def _take_over(
    state: State, account: Account, order: Order, price: Decimal, quantity: Decimal, now: int
) -> None:
    """Let the insurance fund sell on what it took; what it cannot bear goes to opponents (ADL)."""
    market, symbol = state.market(order.symbol), state.symbols[order.symbol]
    sign = 1 if order.side == "SELL" else -1
    loss = (price - market.mark) * sign * quantity
    fund = state.insurance.get(symbol.margin, ZERO)
    if loss > fund:
        bearable = floor_to(quantity * max(ZERO, fund) / loss, symbol.step)
        left = _deleverage(state, account, order, price, quantity - bearable, now)
        loss = (price - market.mark) * sign * (bearable + left)
    state.insurance[symbol.margin] = fund - loss


def _deleverage(
    state: State, account: Account, order: Order, price: Decimal, quantity: Decimal, now: int
) -> Decimal:
    """Close opposing positions at the bankruptcy price, the most profitable first."""
    for other, held in adl_queue(state, order.symbol, opposite_of=order.side):
        if quantity <= 0:
            break
        if other is not account:
            quantity -= auto_deleverage(state, other, held, now, price, quantity)
    return quantity


def adl_queue(state: State, symbol: str, opposite_of: str) -> list[tuple[Account, Position]]:
    """Return who is deleveraged when an order of that side cannot be borne, first the first.

    Source: "What is Auto-Deleveraging" (Binance FAQ): by profit share times effective leverage.
    """
    found: list[tuple[Decimal, Account, Position]] = []
    mark = state.market(symbol).mark
    for account in state.accounts.values():
        for held in account.positions.values():
            opposing = held.amount < 0 if opposite_of == "SELL" else held.amount > 0
            if held.symbol == symbol and opposing:
                share = held.unrealized(mark) / abs(held.entry * held.amount)
                rank = share * account.setting(symbol).leverage
                found.append((rank, account, held))
    found.sort(key=lambda row: -row[0])
    return [(account, held) for _, account, held in found]


def auto_deleverage(
    state: State,
    account: Account,
    position: Position,
    now: int,
    price: Decimal | None = None,
    quantity: Decimal | None = None,
) -> Decimal:
    """Close a position, or a part, at a price (the mark by default); return how much was closed.

    The account's open orders of the symbol are cancelled first. There is no fee.
    """
    for one in account.resting(position.symbol):
        close(state, one, "CANCELED", now)
    wanted = abs(position.amount) if quantity is None else min(quantity, abs(position.amount))
    at = state.market(position.symbol).mark if price is None else price
    order = _order(state, account, position, at, "adl_autoclose", "GTC", wanted)
    _fill_at_once(state, order, at, now)
    return wanted


def settle(state: State, symbol: str, price: Decimal, now: int) -> None:
    """Close every position of a symbol at its settlement price, without a fee."""
    for account in state.accounts.values():
        for held in list(account.positions.values()):
            if held.symbol == symbol and held.amount:
                name = f"settlement_autoclose-{now}{state.serials.transfer() % 10**6:06d}"
                _fill_at_once(state, _order(state, account, held, price, name, "GTC"), price, now)


def _fill_at_once(state: State, order: Order, price: Decimal, now: int) -> None:
    state.rest(order)
    tell_order(state, order, "NEW", now)
    fill(state, order, price, order.left, maker=False, now=now, fee_rate=ZERO)


def _order(
    state: State,
    account: Account,
    position: Position,
    price: Decimal,
    name: str,
    time_in_force: str,
    quantity: Decimal | None = None,
) -> Order:
    return Order(
        order_id=state.serials.order(),
        client_order_id=name,
        account=account.name,
        symbol=position.symbol,
        side="SELL" if position.amount > 0 else "BUY",
        type="LIMIT",
        time_in_force=time_in_force,
        price=price,
        quantity=abs(position.amount) if quantity is None else quantity,
        time=state.now,
        update_time=state.now,
        position_side=position.side,
    )


def _shown(state: State, order: Order, now: int) -> None:
    """Queue the public forceOrder message of a liquidation."""
    symbol = state.symbols[order.symbol]
    last = fixed(order.executed, symbol.quantity_digits)
    details: JsonObject = {
        "s": order.symbol,
        "S": order.side,
        "o": order.type,
        "f": order.time_in_force,
        "q": fixed(order.quantity, symbol.quantity_digits),
        "p": fixed(order.price, symbol.price_digits),
        "ap": fixed(order.average, symbol.price_digits),
        "X": order.status,
        "l": last,
        "z": last,
        "T": now,
    }
    payload: JsonObject = {"e": "forceOrder", "E": now, "o": details, "st": 1}
    names = (f"{order.symbol.lower()}@forceOrder", "!forceOrder@arr")
    state.events.append(PublicEvent(names, payload))


def forced_orders(account: Account) -> Iterable[Order]:
    """Return the orders by which the exchange closed positions of an account, newest first."""
    starts = ("autoclose-", "adl_autoclose")
    every = reversed(account.orders.values())
    return (one for one in every if one.client_order_id.startswith(starts))
