"""Answers to readings as events: open orders, positions, balances, the countdown, the time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from runner.core.events import (
    AccountUpdate,
    CallFailed,
    DeadManReport,
    Event,
    OpenOrders,
    Positions,
    PositionUpdate,
)
from runner.core.orders import DeadManCall, Family, ReadCall
from runner.venues.binance_usdm.wire_answers import Reply, known
from runner.venues.binance_usdm.wire_values import decimal, integer, label, mapping

ZERO = Decimal(0)
COLLATERAL = "USDT"
"""The asset whose balance counts, where the exchange lists several."""


def answered(call: ReadCall, reply: Reply, asked_time: int) -> list[Event]:
    """The reading, or one CallFailed: half a reading is none, what it lacks would look gone."""
    if reply.transport != "ok" or reply.status != 200:
        return [failed(call, reply, asked_time)]
    try:
        match call.what:
            case "open_orders":
                return [_open_orders(call, Family.ORDER, reply.value, asked_time)]
            case "open_algo_orders":
                return [_open_orders(call, Family.ALGO, reply.value, asked_time)]
            case "positions":
                return _positions(call, reply.value, asked_time)
            case "account":
                return [_account(reply.value, asked_time)]
    except ValueError as error:
        return [CallFailed(call, asked_time, f"{call.what}: {error}")]


def failed(call: Any, reply: Reply, asked_time: int) -> CallFailed:
    """The failure in the exchange's words."""
    code = integer(mapping(reply.value).get("code"))
    text = reply.message(reply.value)
    return CallFailed(call, asked_time, text if code is None else f"{code}: {text}")


def counted_down(call: DeadManCall, reply: Reply, asked_time: int) -> list[Event]:
    """The countdown as set, a definite refusal, or CallFailed when nobody knows.

    `server_time` is the earliest moment at which the exchange can have set it.
    """
    fields = mapping(reply.value)
    countdown = integer(fields.get("countdownTime"))
    if reply.status == 200 and countdown is not None and fields.get("symbol") == call.symbol:
        return [DeadManReport(call.symbol, True, countdown, asked_time)]
    failure = failed(call, reply, asked_time)
    if reply.transport == "ok" and 400 <= reply.status < 500 and integer(fields.get("code")):
        return [DeadManReport(call.symbol, False, call.countdown, asked_time, failure.detail)]
    return [failure]


def server_time(reply: Reply) -> int | None:
    """The exchange's clock as answered, in ms, else None."""
    if reply.transport != "ok" or reply.status != 200:
        return None
    return integer(mapping(reply.value).get("serverTime"))


def _rows(value: Any) -> list[Mapping[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise ValueError("the answer is no list of objects")
    return value


def _open_orders(call: ReadCall, family: Family, value: Any, asked_time: int) -> OpenOrders:
    orders = tuple(known(row, family, "probe", asked_time, None) for row in _rows(value))
    if not all(order.client_order_id for order in orders):
        raise ValueError("an order without a client order id")
    orders = tuple(replace(order, asked_time=asked_time) for order in orders)
    return OpenOrders(family, call.symbol, orders, asked_time)


def _positions(call: ReadCall, value: Any, asked_time: int) -> list[Event]:
    """All positions as one reading; of one symbol as updates, since Positions speaks for all.

    Version 3 leaves flat symbols out: a symbol asked for and not listed is flat.
    """
    positions = tuple(_position(row, asked_time) for row in _rows(value))
    if call.symbol is None:
        return [Positions(positions, asked_time)]
    asked: list[Event] = [one for one in positions if one.symbol == call.symbol]
    return asked or [PositionUpdate(call.symbol, "BOTH", ZERO, ZERO, ZERO, asked_time)]


def _position(row: Mapping[str, Any], asked_time: int) -> PositionUpdate:
    symbol, size = label(row.get("symbol")), decimal(row.get("positionAmt"))
    if symbol is None or size is None:
        raise ValueError("a position without symbol or size")
    return PositionUpdate(
        symbol=symbol,
        position_side=label(row.get("positionSide")) or "BOTH",
        size=size,
        entry_price=decimal(row.get("entryPrice")) or ZERO,
        unrealised_pnl=decimal(row.get("unRealizedProfit")) or ZERO,
        event_time=integer(row.get("updateTime")) or asked_time,
        liquidation_price=decimal(row.get("liquidationPrice")) or None,
        leverage=decimal(row.get("leverage")),
    )


def _account(value: Any, asked_time: int) -> AccountUpdate:
    """From /fapi/v3/account (v2 has the same totals), or from a list of balances."""
    if isinstance(value, list):
        return _balance(value, asked_time)
    fields = mapping(value)
    wallet, available = decimal(fields.get("totalWalletBalance")), fields.get("availableBalance")
    if wallet is None:
        raise ValueError("an account without a wallet balance")
    equity = decimal(fields.get("totalMarginBalance"))
    maintenance = decimal(fields.get("totalMaintMargin"))
    ratio = maintenance / equity if maintenance is not None and equity else None
    return AccountUpdate(wallet, decimal(available), asked_time, equity, ratio)


def _balance(value: list[Any], asked_time: int) -> AccountUpdate:
    for row in _rows(value):
        wallet = decimal(row.get("balance"))
        if row.get("asset") == COLLATERAL and wallet is not None:
            profit = decimal(row.get("crossUnPnl"))
            equity = None if profit is None else wallet + profit
            return AccountUpdate(wallet, decimal(row.get("availableBalance")), asked_time, equity)
    raise ValueError(f"no balance of {COLLATERAL} among the assets")
