"""Fills: an order against the book as it stands, and resting orders against a moved price."""

from __future__ import annotations

from decimal import Decimal

from .account import MAKER_FEE, TAKER_FEE, Account, Position
from .algo import algo_update
from .book import Market
from .numbers import ZERO, JsonObject, brief, fixed, money
from .orders import Fill, Order, order_trade_update, trade_lite
from .state import State

# Expiry reasons of ORDER_TRADE_UPDATE (`er`).
IOC_UNFILLED = "2"
REDUCE_ONLY_KNOCKED_OUT = "4"
MARKET_UNFILLED = "9"


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
    elif order.time_in_force in ("IOC", "FOK"):
        close(state, order, "EXPIRED", now, IOC_UNFILLED)


def take(state: State, order: Order, now: int) -> None:
    """Fill an order as a taker with what the book offers within its limit."""
    market = state.market(order.symbol)
    for price, offered in list(_within(market, order)):
        quantity = order.left if offered is None else min(order.left, offered)
        got = fill(state, order, price, quantity, maker=False, now=now)
        market.take(order.side, got)
        if not order.is_open:
            return


def fillable(market: Market, order: Order) -> Decimal:
    """Return how much of an order the book would fill at once."""
    total = ZERO
    for _, offered in _within(market, order):
        if offered is None:
            return order.left
        total += offered
        if total >= order.left:
            return order.left
    return total


def _within(market: Market, order: Order) -> list[tuple[Decimal, Decimal | None]]:
    found: list[tuple[Decimal, Decimal | None]] = []
    wanted = order.left
    for price, offered in market.offers(order.side):
        if order.type == "LIMIT" and _beyond(order, price):
            break
        if order.type == "MARKET" and _out_of_band(market, order.side, price):
            break
        found.append((price, offered))
        if offered is None or offered >= wanted:
            break
        wanted -= offered
    return found


def _beyond(order: Order, price: Decimal) -> bool:
    return price > order.price if order.side == "BUY" else price < order.price


def _out_of_band(market: Market, side: str, price: Decimal) -> bool:
    symbol = market.symbol
    if side == "BUY":
        return price > market.mark * symbol.multiplier_up
    return price < market.mark * symbol.multiplier_down


def touch(state: State, symbol: str, now: int) -> None:
    """Fill the resting orders that the symbol's new prices reach, best price first."""
    market = state.market(symbol)
    resting = list(state.resting.get(symbol, {}).values())
    for side, sign in (("BUY", -1), ("SELL", 1)):
        mine = [order for order in resting if order.side == side]
        for order in sorted(mine, key=lambda one: (sign * one.price, one.order_id)):
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
    state: State, order: Order, price: Decimal, quantity: Decimal, *, maker: bool, now: int
) -> Decimal:
    """Execute a part of an order, tell it, and return the quantity really executed."""
    account = state.accounts[order.account]
    symbol = state.symbols[order.symbol]
    position = account.position(order.symbol, order.position_side)
    if order.closing:
        quantity = min(quantity, _reducible(order, position))
        if not quantity:
            close(state, order, "EXPIRED", now, REDUCE_ONLY_KNOCKED_OUT)
            return ZERO
    fee = price * quantity * (MAKER_FEE if maker else TAKER_FEE)
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
        state.serials.trade(),
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
    record_income(state, account, one)
    if not order.is_open:
        state.unrest(order)
    state.tell(order.account, trade_lite(order, symbol, one))
    state.tell(order.account, account_update(state, account, "ORDER", [position], now))
    tell_order(state, order, "TRADE", now, one)
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


def record_income(state: State, account: Account, one: Fill) -> None:
    """Note the commission and the realized profit of a fill in the income history."""
    rows = [("COMMISSION", -one.fee)]
    if one.realized:
        rows.append(("REALIZED_PNL", one.realized))
    for kind, amount in rows:
        account.income.append(
            {
                "symbol": one.symbol,
                "incomeType": kind,
                "income": fixed(amount, 8),
                "asset": one.fee_asset,
                "info": str(one.trade_id) if kind == "COMMISSION" else kind,
                "time": one.time,
                "tranId": state.serials.transfer(),
                "tradeId": str(one.trade_id),
            }
        )


def knock_out(state: State, account: Account, symbol: str, side: str, now: int) -> None:
    """Expire closing orders that have nothing left to close."""
    position = account.position(symbol, side)
    for order in account.resting(symbol):
        if order.closing and order.position_side == side and not _reducible(order, position):
            close(state, order, "EXPIRED", now, REDUCE_ONLY_KNOCKED_OUT)


def close(state: State, order: Order, status: str, now: int, reason: str = "0") -> None:
    """End an open order as CANCELED or EXPIRED and tell it."""
    order.status = status
    order.update_time = now
    order.expiry_reason = reason
    state.unrest(order)
    tell_order(state, order, status, now)


def account_update(
    state: State, account: Account, reason: str, positions: list[Position], now: int
) -> JsonObject:
    """Return the ACCOUNT_UPDATE event: the wallet and the positions that changed."""
    balances: list[JsonObject] = [
        {
            "a": asset,
            "wb": money(amount),
            "cw": money(amount - isolated_in(state, account, asset)),
            "bc": "0",
        }
        for asset, amount in account.wallet.items()
        if amount
    ]
    changed: list[JsonObject] = [_position_row(state, account, held) for held in positions]
    details: JsonObject = {"B": [*balances], "P": [*changed], "m": reason}
    return {"e": "ACCOUNT_UPDATE", "T": now, "E": now, "a": details}


def isolated_in(state: State, account: Account, asset: str) -> Decimal:
    """Return what isolated positions hold of an asset."""
    return sum(
        (
            held.isolated_wallet
            for held in account.positions.values()
            if held.isolated_wallet and state.symbols[held.symbol].margin == asset
        ),
        ZERO,
    )


def _position_row(state: State, account: Account, held: Position) -> JsonObject:
    symbol = state.symbols[held.symbol]
    digits = max(5, symbol.price_digits)
    return {
        "s": held.symbol,
        "pa": brief(held.amount, symbol.quantity_digits),
        "ep": fixed(held.entry, digits),
        "bep": fixed(held.break_even, digits),
        "cr": fixed(held.realized, 8),
        "up": brief(held.unrealized(state.market(held.symbol).mark), 8),
        "mt": "isolated" if account.setting(held.symbol).isolated else "cross",
        "iw": brief(held.isolated_wallet, 8),
        "ps": held.side,
        "ma": symbol.margin,
    }
