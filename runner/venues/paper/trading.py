"""Placing, changing and cancelling of ordinary orders (LIMIT and MARKET)."""

from __future__ import annotations

from decimal import Decimal

from .account import Account
from .batches import each_leg
from .call import Call
from .errors import refuse
from .filters import (
    check_counterparty,
    check_notional,
    check_percent,
    check_price,
    check_quantity,
    check_status,
)
from .intake import PRICE_MATCHES, Ask, read_order, read_price_match
from .margin import check_margin
from .matching import accept, close, take, tell_order
from .numbers import Json, JsonObject
from .offers import fillable
from .orders import Order, acknowledged, placed, stored
from .state import State, generated_id

MAX_AMENDMENTS = 10_000


def new_order(call: Call) -> JsonObject:
    """POST /fapi/v1/order."""
    call.check_fence()
    ask, order = _prepare(call)
    order.order_id = call.state.serials.order()
    if not order.client_order_id:
        order.client_order_id = generated_id(order.account, order.order_id)
    accept(call.state, order, call.now)
    answer = placed if ask.result else acknowledged
    return answer(order, ask.symbol)


def order_test(call: Call) -> JsonObject:
    """POST /fapi/v1/order/test: every check, no order."""
    ask, order = _prepare(call)
    return stored(order, ask.symbol) | placed(order, ask.symbol)


def batch_orders(call: Call) -> list[Json]:
    """POST /fapi/v1/batchOrders: at most five legs, each an order or its refusal."""
    call.check_fence()
    return each_leg(call, "batchOrders", new_order)


def modify_batch(call: Call) -> list[Json]:
    """PUT /fapi/v1/batchOrders."""
    call.check_fence()
    return each_leg(call, "batchOrders", modify_order)


def _prepare(call: Call) -> tuple[Ask, Order]:
    """Check everything about an order asked for and return it, not yet accepted."""
    account, params = call.account, call.params
    symbol = call.state.symbol(params.text("symbol"))
    ask = read_order(params, symbol, account, call.now)
    call.state.check_refused(ask.client_order_id)
    check_status(symbol)
    order = Order(
        order_id=0,
        client_order_id=ask.client_order_id,
        account=account.name,
        symbol=symbol.name,
        side=ask.side,
        type=ask.type,
        time_in_force=ask.time_in_force,
        price=ask.price,
        quantity=ask.quantity,
        time=call.now,
        update_time=call.now,
        position_side=ask.position_side,
        reduce_only=ask.reduce_only,
        price_match=ask.price_match,
        stp_mode=ask.stp_mode,
        good_till=ask.good_till,
    )
    check_order(call.state, account, order)
    return ask, order


def check_order(state: State, account: Account, order: Order) -> None:
    """Raise the refusal of an order by filters, ids, limits, position, margin or its terms."""
    symbol, market = state.symbols[order.symbol], state.market(order.symbol)
    best = market.ask if order.side == "BUY" else market.bid
    check_quantity(symbol, order.quantity, market=order.type == "MARKET")
    if order.type == "LIMIT":
        if order.price_match != "NONE":
            order.price = matched_price(state, order)
        check_price(symbol, order.price)
        check_percent(symbol, order.side, order.price, market.mark)
    else:
        check_counterparty(symbol, order.side, best, market.mark)
    notional = order.quantity * (order.price or best)
    if not order.closing and not order.close_position:
        check_notional(symbol, order.quantity * (order.price or market.mark))
    if order.client_order_id and account.find_open(order.client_order_id):
        raise refuse(-4116)
    if len(account.resting(symbol.name)) >= symbol.max_orders:
        raise refuse(-2025)
    if order.closing:
        check_reducing(account, order)
    else:
        check_margin(state, account, symbol.name, order.position_side, order.side, notional)
    check_terms(state, order)


def check_reducing(account: Account, order: Order) -> None:
    """Raise -2022 when there is nothing to reduce (in hedge mode: not enough)."""
    amount = account.amount(order.symbol, order.position_side)
    opposite = amount < 0 if order.side == "BUY" else amount > 0
    if not opposite or (not order.reduce_only and order.quantity > abs(amount)):
        raise refuse(-2022)


def check_terms(state: State, order: Order) -> None:
    """Raise -5021 or -5022 for a FOK or GTX order that cannot do what it must."""
    if order.time_in_force not in ("FOK", "GTX"):
        return
    at_once = fillable(state, order)
    if order.time_in_force == "FOK" and at_once < order.quantity:
        raise refuse(-5021)
    if order.time_in_force == "GTX" and at_once:
        raise refuse(-5022)


def matched_price(state: State, order: Order) -> Decimal:
    """Return the price that an order's priceMatch means now; raises -5041."""
    own_side, depth = PRICE_MATCHES[order.price_match]
    other = "SELL" if order.side == "BUY" else "BUY"
    price = state.market(order.symbol).level_price(order.side if own_side else other, depth)
    if price <= 0:
        raise refuse(-5041)
    return price


def cancel_order(call: Call) -> JsonObject:
    """DELETE /fapi/v1/order; raises -2011 for an order that is not open."""
    symbol = call.state.symbol(call.params.text("symbol"))
    order = wanted_order(call, symbol.name)
    if order is None or not order.is_open:
        raise refuse(-2011)
    close(call.state, order, "CANCELED", call.now)
    return placed(order, symbol)


def wanted_order(call: Call, symbol: str) -> Order | None:
    """Return the order named by orderId (it prevails) or origClientOrderId; raises -1102."""
    call.params.one_of("origClientOrderId", "orderId")
    client_id = call.params.values.get("origClientOrderId", "")
    return call.account.find(symbol, call.params.integer("orderId"), client_id)


def cancel_all(call: Call) -> JsonObject:
    """DELETE /fapi/v1/allOpenOrders: the ordinary orders of a symbol, none of the algo ones."""
    symbol = call.state.symbol(call.params.text("symbol"))
    cancel_symbol(call.state, call.account, symbol.name, call.now)
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


def cancel_symbol(state: State, account: Account, symbol: str, now: int) -> None:
    """Cancel every ordinary open order of an account's symbol."""
    for order in account.resting(symbol):
        close(state, order, "CANCELED", now)


def countdown(call: Call) -> JsonObject:
    """POST /fapi/v1/countdownCancelAll: arm, re-arm or (with 0) stop a symbol's countdown."""
    symbol = call.state.symbol(call.params.text("symbol"))
    length = call.params.whole("countdownTime")
    if length:
        call.account.countdowns[symbol.name] = call.now + length
    else:
        call.account.countdowns.pop(symbol.name, None)
    call.state.version += 1
    return {"symbol": symbol.name, "countdownTime": str(length)}


def modify_order(call: Call) -> JsonObject:
    """PUT /fapi/v1/order: a new price and quantity; the order goes to the end of the queue."""
    call.check_fence()
    params, account = call.params, call.account
    symbol = call.state.symbol(params.text("symbol"))
    side = params.choice("side", ("BUY", "SELL"), -1117)
    order = wanted_order(call, symbol.name)
    if order is None or not order.is_open or order.side != side:
        raise refuse(-2013)
    if order.type != "LIMIT":
        raise refuse(-5025)
    if order.amendments >= MAX_AMENDMENTS:
        raise refuse(-5026)
    quantity, price = _amended_terms(call, order)
    if (quantity, price) == (order.quantity, order.price):
        raise refuse(-5027)
    check_quantity(symbol, quantity, market=False)
    check_price(symbol, price)
    check_percent(symbol, side, price, call.state.market(symbol.name).mark)
    reducing = params.flag("reduceOnly")
    if reducing and not order.reduce_only:
        raise refuse(-5047)
    if not reducing:
        check_notional(symbol, quantity * price)
    growth = quantity * price - order.quantity * order.price
    if growth > 0 and not order.closing:
        check_margin(call.state, account, symbol.name, order.position_side, side, growth)
    _amend(call, order, quantity, price)
    answer = placed(order, symbol) | {"pair": symbol.name}
    if params.has("modifyId"):
        answer["modifyId"] = params.integer("modifyId")
    return answer


def _amended_terms(call: Call, order: Order) -> tuple[Decimal, Decimal]:
    quantity, price = call.params.decimal("quantity"), call.params.decimal("price")
    match = read_price_match(call.params, "LIMIT")
    if match != "NONE":
        order.price_match = match
        price = matched_price(call.state, order)
    if quantity is None or price is None:
        raise refuse(-1102, "quantity" if quantity is None else "price")
    return quantity, price


def _amend(call: Call, order: Order, quantity: Decimal, price: Decimal) -> None:
    """Change an order; cancel it where the documents say that a change cancels."""
    state, before = call.state, (order.price, order.quantity)
    if order.executed and quantity <= order.executed:
        close(state, order, "CANCELED", call.now)
        return
    order.quantity, order.price = quantity, price
    if order.time_in_force == "GTX" and fillable(state, order):
        order.price, order.quantity = before
        close(state, order, "CANCELED", call.now)
        return
    order.amendments += 1
    order.update_time = call.now
    state.unrest(order)
    state.rest(order)
    call.account.amendments.append(
        {
            "amendmentId": state.serials.transfer(),
            "symbol": order.symbol,
            "pair": order.symbol,
            "orderId": order.order_id,
            "clientOrderId": order.client_order_id,
            "time": call.now,
            "amendment": {
                "price": {"before": format(before[0], "f"), "after": format(price, "f")},
                "origQty": {"before": format(before[1], "f"), "after": format(quantity, "f")},
                "count": order.amendments,
            },
        }
    )
    tell_order(state, order, "AMENDMENT", call.now)
    take(state, order, call.now)
