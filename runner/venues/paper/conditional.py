"""Placing, cancelling and triggering of conditional orders (the algo service)."""

from __future__ import annotations

from decimal import Decimal

from .account import Account
from .algo import LIMITED, TRAILING, Algo, algo_placed, algo_update
from .book import Market
from .call import Call
from .errors import ApiError, refuse
from .filters import (
    check_price,
    check_quantity,
    check_status,
    check_stop_percent,
    check_trigger,
)
from .intake import (
    SIDES,
    read_good_till,
    read_position_side,
    read_price_match,
    read_reduce_only,
    read_response_type,
    read_stp_mode,
)
from .lag import note_past
from .matching import accept, finish_algo
from .numbers import ONE, ZERO, JsonObject
from .orders import Order
from .params import Params
from .state import State, generated_id
from .symbols import CONDITIONAL_TYPES, Symbol
from .trading import check_order

MAX_WAITING = 200
MIN_CALLBACK, MAX_CALLBACK = Decimal("0.1"), Decimal(20)


def new_algo(call: Call) -> JsonObject:
    """POST /fapi/v1/algoOrder: no margin is checked before the trigger."""
    state, account, params = call.state, call.account, call.params
    symbol = state.symbol(params.text("symbol"))
    if params.text("algoType").upper() != "CONDITIONAL":
        raise refuse(-1130, "algoType")
    algo = _read(call, params, symbol, account)
    check_status(symbol)
    _check(symbol, algo)
    client_id = algo.client_algo_id
    state.check_refused(client_id)
    if client_id and any(one.client_algo_id == client_id for one in account.waiting.values()):
        raise refuse(-4116)
    if len(account.waiting) >= MAX_WAITING:
        raise refuse(-4045)
    market = state.market(symbol.name)
    _check_not_due(algo, market)
    algo.algo_id = state.serials.algo()
    algo.client_algo_id = client_id or generated_id(account.name, algo.algo_id)
    state.wait(algo)
    _tell(state, algo, call.now)
    answer = algo_placed(algo, symbol)
    _activate(state, algo, watched_price(market, algo), call.now)
    return answer


def _read(call: Call, params: Params, symbol: Symbol, account: Account) -> Algo:
    side = params.choice("side", SIDES, -1117)
    kind = params.choice("type", CONDITIONAL_TYPES, -1116)
    match = read_price_match(params, kind)
    tif = params.choice("timeInForce", symbol.time_in_force, -1115, "GTC")
    working = params.values.get("workingType", "CONTRACT_PRICE").upper()
    if working not in ("CONTRACT_PRICE", "MARK_PRICE"):
        raise refuse(-4031, working)
    read_response_type(params)
    closing = params.flag("closePosition")
    if closing:
        _check_close_position(params, kind)
    reduce_only = read_reduce_only(params, account)
    return Algo(
        algo_id=0,
        client_algo_id=params.client_id("clientAlgoId"),
        account=account.name,
        symbol=symbol.name,
        side=side,
        type=kind,
        time_in_force=tif,
        quantity=params.decimal("quantity") or ZERO,
        create_time=call.now,
        update_time=call.now,
        position_side=read_position_side(params, account),
        trigger_price=params.decimal("triggerPrice") or ZERO,
        price=params.decimal("price") or ZERO,
        activate_price=params.decimal("activatePrice") or ZERO,
        callback_rate=params.decimal("callbackRate") or ZERO,
        working_type=working,
        price_match=match,
        close_position=closing,
        price_protect=params.flag("priceProtect"),
        reduce_only=reduce_only,
        stp_mode=read_stp_mode(params),
        good_till=read_good_till(params, tif, call.now),
    )


def _check_close_position(params: Params, kind: str) -> None:
    if kind not in ("STOP_MARKET", "TAKE_PROFIT_MARKET"):
        raise refuse(-4136, kind, "true")
    if params.has("quantity"):
        raise refuse(-4137)
    params.forbid("reduceOnly")


def _check(symbol: Symbol, algo: Algo) -> None:
    """Raise what the order lacks or what its symbol does not allow."""
    if algo.type == TRAILING:
        if not algo.callback_rate:
            raise refuse(-1102, "callbackRate")
        if not MIN_CALLBACK <= algo.callback_rate <= MAX_CALLBACK:
            raise refuse(-1130, "callbackRate")
        if algo.activate_price:
            check_trigger(symbol, algo.activate_price)
    else:
        if not algo.trigger_price:
            raise refuse(-1102, "triggerPrice")
        check_trigger(symbol, algo.trigger_price)
    if algo.type in LIMITED and algo.price_match == "NONE":
        if not algo.price:
            raise refuse(-1102, "price")
        check_price(symbol, algo.price)
        check_stop_percent(symbol, algo.side, algo.price, algo.trigger_price)
    if algo.close_position:
        if (algo.position_side, algo.side) in (("LONG", "BUY"), ("SHORT", "SELL")):
            raise refuse(-4061)
        return
    if not algo.quantity:
        raise refuse(-1102, "quantity")
    check_quantity(symbol, algo.quantity, market=algo.actual_type == "MARKET")


def _check_not_due(algo: Algo, market: Market) -> None:
    """Raise -2021 for an order whose trigger is already reached."""
    price = watched_price(market, algo)
    if algo.type != TRAILING:
        due = algo.reached(price)
    elif algo.side == "BUY":
        due = bool(algo.activate_price) and algo.activate_price >= price
    else:
        due = bool(algo.activate_price) and algo.activate_price <= price
    if due:
        raise refuse(-2021)


def watched_price(market: Market, algo: Algo) -> Decimal:
    """Return the price that the order watches."""
    return market.mark if algo.working_type == "MARK_PRICE" else market.last


def cancel_algo(call: Call) -> JsonObject:
    """DELETE /fapi/v1/algoOrder; note that the `code` in the answer is text."""
    algo = wanted_algo(call)
    if algo is None or algo.status != "NEW":
        raise refuse(-2011)
    end_algo(call.state, algo, "CANCELED", call.now)
    return {
        "algoId": algo.algo_id,
        "clientAlgoId": algo.client_algo_id,
        "code": "200",
        "msg": "success",
    }


def wanted_algo(call: Call) -> Algo | None:
    """Return the order named by algoId or clientAlgoId; raises -1102."""
    call.params.one_of("algoId", "clientAlgoId")
    client_id = call.params.values.get("clientAlgoId", "")
    return call.account.find_algo(call.params.integer("algoId"), client_id)


def cancel_all_algos(call: Call) -> JsonObject:
    """DELETE /fapi/v1/algoOpenOrders."""
    symbol = call.state.symbol(call.params.text("symbol"))
    for algo in list(call.account.waiting.values()):
        if algo.symbol == symbol.name:
            end_algo(call.state, algo, "CANCELED", call.now)
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


def end_algo(state: State, algo: Algo, status: str, now: int, reason: str = "") -> None:
    """End a waiting conditional order and tell it."""
    algo.status, algo.reason = status, reason
    algo.update_time = now
    state.unwait(algo)
    _tell(state, algo, now)


def _tell(state: State, algo: Algo, now: int) -> None:
    state.changed_algos.add(algo.algo_id)
    state.tell(algo.account, algo_update(algo, state.symbols[algo.symbol], now))
    note_past(state, algo)


def _activate(state: State, algo: Algo, price: Decimal, now: int) -> None:
    if algo.activates(price):
        algo.activated = True
        algo.extreme = price
        algo.update_time = now
        _tell(state, algo, now)


def watch(state: State, symbol: str, now: int) -> None:
    """Trigger the conditional orders of a symbol that its new prices reach."""
    market = state.market(symbol)
    for algo in list(state.waiting.get(symbol, {}).values()):
        price, extreme = watched_price(market, algo), algo.extreme
        _activate(state, algo, price, now)
        due = algo.reached(price)
        if algo.extreme != extreme:
            state.changed_algos.add(algo.algo_id)
            state.version += 1
        if due and not _protected(market, algo):
            trigger(state, algo, now)


def _protected(market: Market, algo: Algo) -> bool:
    """Return whether priceProtect holds the order back: mark and last too far apart."""
    if not algo.price_protect:
        return False
    return abs(market.mark / market.last - ONE) > market.symbol.trigger_protect


def trigger(state: State, algo: Algo, now: int) -> None:
    """Send the order that a conditional order was waiting to send.

    The new order's own events go out before TRIGGERED: clients meet that order in the field.
    """
    state.unwait(algo)
    algo.status, algo.trigger_time, algo.update_time = "TRIGGERING", now, now
    _tell(state, algo, now)
    account = state.accounts[algo.account]
    order = _order_of(account, algo, now)
    if not order.quantity:
        end_algo(state, algo, "EXPIRED", now, "Reduce Only reject")
        return
    try:
        check_order(state, account, order)
    except ApiError as refusal:
        reason = "Reduce Only reject" if refusal.code == -2022 else refusal.msg
        end_algo(state, algo, "REJECTED", now, reason)
        return
    order.order_id = algo.actual_order_id = state.serials.order()
    accept(state, order, now)
    algo.status, algo.update_time = "TRIGGERED", now
    algo.actual_price, algo.actual_quantity = order.average, order.executed
    _tell(state, algo, now)
    if not order.is_open:
        finish_algo(state, order, now)


def _order_of(account: Account, algo: Algo, now: int) -> Order:
    quantity = algo.quantity
    if algo.close_position:
        amount = account.amount(algo.symbol, algo.position_side)
        held = -amount if algo.side == "BUY" else amount
        quantity = max(ZERO, held)
    return Order(
        order_id=0,
        client_order_id=algo.client_algo_id,
        account=algo.account,
        symbol=algo.symbol,
        side=algo.side,
        type=algo.actual_type,
        time_in_force=algo.time_in_force,
        price=algo.price,
        quantity=quantity,
        time=now,
        update_time=now,
        position_side=algo.position_side,
        reduce_only=algo.reduce_only or (algo.close_position and not account.hedge),
        close_position=algo.close_position,
        working_type=algo.working_type,
        price_protect=algo.price_protect,
        price_match=algo.price_match,
        stp_mode=algo.stp_mode,
        good_till=algo.good_till,
        algo_id=algo.algo_id,
    )
