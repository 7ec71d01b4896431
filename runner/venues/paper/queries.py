"""Questions about orders and trades."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from .algo import algo_stored
from .call import Call
from .conditional import wanted_algo
from .errors import refuse
from .lag import all_as_read, as_read
from .numbers import Json, JsonObject
from .orders import stored, user_trade
from .trading import wanted_order

WEEK = 7 * 86_400_000

Row = TypeVar("Row")


def query_order(call: Call) -> JsonObject:
    """GET /fapi/v1/order; raises -2013 for an unknown, forgotten or conditional order."""
    symbol = call.state.symbol(call.params.text("symbol"))
    order = as_read(call.state, wanted_order(call, symbol.name), call.now)
    if order is None or not order.retained(call.now, call.state.retention):
        raise refuse(-2013)
    return stored(order, symbol)


def open_order(call: Call) -> JsonObject:
    """GET /fapi/v1/openOrder; raises -2013 for an order that is not open."""
    symbol = call.state.symbol(call.params.text("symbol"))
    order = as_read(call.state, wanted_order(call, symbol.name), call.now)
    if order is None or not order.is_open:
        raise refuse(-2013)
    return stored(order, symbol)


def open_orders(call: Call) -> list[Json]:
    """GET /fapi/v1/openOrders, of one symbol or of all."""
    wanted, account = _wanted_symbol(call), call.account
    every = account.orders if call.state.read_lag else account.open
    return [
        stored(order, call.state.symbols[order.symbol])
        for order in all_as_read(call.state, every.values(), call.now)
        if order.is_open and wanted in ("", order.symbol)
    ]


def all_orders(call: Call) -> list[Json]:
    """GET /fapi/v1/allOrders: from an id on, or those made in a window of at most a week."""
    wanted = _wanted_symbol(call)
    first = call.params.integer("orderId")
    start, end = _window(call)
    found = [
        order
        for order in all_as_read(call.state, call.account.orders.values(), call.now)
        if wanted in ("", order.symbol)
        and order.retained(call.now, call.state.retention)
        and (order.order_id >= first if first is not None else start <= order.time <= end)
    ]
    chosen = _page(found, call, from_start=first is not None)
    return [stored(order, call.state.symbols[order.symbol]) for order in chosen]


def user_trades(call: Call) -> list[Json]:
    """GET /fapi/v1/userTrades."""
    symbol = call.state.symbol(call.params.text("symbol"))
    first, order_id = call.params.integer("fromId"), call.params.integer("orderId")
    start, end = _window(call)
    found = [
        fill
        for fill in call.account.fills
        if fill.symbol == symbol.name
        and fill.time <= call.now - call.state.read_lag
        and order_id in (None, fill.order_id)
        and (fill.trade_id >= first if first is not None else start <= fill.time <= end)
    ]
    return [user_trade(fill, symbol) for fill in _page(found, call, first is not None)]


def order_amendments(call: Call) -> list[Json]:
    """GET /fapi/v1/orderAmendment, newest first."""
    symbol = call.state.symbol(call.params.text("symbol"))
    order_id, client_id = (
        call.params.integer("orderId"),
        call.params.values.get("origClientOrderId"),
    )
    found = [
        row
        for row in reversed(call.account.amendments)
        if row["symbol"] == symbol.name
        and order_id in (None, row["orderId"])
        and client_id in (None, row["clientOrderId"])
    ]
    return [*found[: _limit(call, 50, 100)]]


def income(call: Call) -> list[Json]:
    """GET /fapi/v1/income, the oldest first within the window."""
    wanted = call.params.values.get("symbol", "")
    kind = call.params.values.get("incomeType", "").upper()
    start, end = _window(call, longest=0)
    found = [
        row
        for row in call.account.income
        if wanted in ("", row["symbol"])
        and kind in ("", row["incomeType"])
        and start <= _int(row["time"]) <= end
    ]
    return [*found[: _limit(call, 100, 1000)]]


def query_algo(call: Call) -> JsonObject:
    """GET /fapi/v1/algoOrder; raises -2013."""
    algo = as_read(call.state, wanted_algo(call), call.now)
    if algo is None or not algo.retained(call.now, call.state.retention):
        raise refuse(-2013)
    return algo_stored(algo, call.state.symbols[algo.symbol])


def open_algos(call: Call) -> list[Json]:
    """GET /fapi/v1/openAlgoOrders."""
    wanted, number = _wanted_symbol(call), call.params.integer("algoId")
    every = call.account.algos if call.state.read_lag else call.account.waiting
    return [
        algo_stored(algo, call.state.symbols[algo.symbol])
        for algo in all_as_read(call.state, every.values(), call.now)
        if algo.status == "NEW" and wanted in ("", algo.symbol) and number in (None, algo.algo_id)
    ]


def all_algos(call: Call) -> list[Json]:
    """GET /fapi/v1/allAlgoOrders: from an id on, or those made in a window."""
    symbol = call.state.symbol(call.params.text("symbol"))
    first = call.params.integer("algoId")
    start, end = _window(call)
    found = [
        algo
        for algo in all_as_read(call.state, call.account.algos.values(), call.now)
        if algo.symbol == symbol.name
        and algo.retained(call.now, call.state.retention)
        and (algo.algo_id >= first if first is not None else start <= algo.create_time <= end)
    ]
    return [algo_stored(algo, symbol) for algo in _page(found, call, first is not None)]


def _wanted_symbol(call: Call) -> str:
    name = call.params.values.get("symbol", "")
    return call.state.symbol(name).name if name else ""


def _window(call: Call, longest: int = WEEK) -> tuple[int, int]:
    """Return (start, end) in ms, the last week by default; raises -4165 for a longer one."""
    start, end = call.params.integer("startTime"), call.params.integer("endTime")
    if start is None and end is None:
        return call.now - WEEK, call.now
    if start is None:
        return (end or 0) - WEEK, end or 0
    if end is None:
        return start, start + WEEK if longest else call.now
    if longest and end - start > longest:
        raise refuse(-4165, longest // 86_400_000)
    return start, end


def _limit(call: Call, default: int, most: int) -> int:
    return min(call.params.integer("limit", default) or default, most)


def _page(found: Iterable[Row], call: Call, from_start: bool) -> list[Row]:
    limit = _limit(call, 500, 1000)
    rows = list(found)
    return rows[:limit] if from_start else rows[-limit:]


def _int(value: Json) -> int:
    return value if isinstance(value, int) else 0
