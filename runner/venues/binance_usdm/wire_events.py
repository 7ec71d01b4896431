"""Stream messages as facts: prices of market frames, events of user frames. Pure."""

from __future__ import annotations

from collections.abc import Container, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from runner.core.events import (
    AccountUpdate,
    Event,
    ExecutionReport,
    Fill,
    PositionUpdate,
    PriceSource,
)
from runner.core.orders import Outcome
from runner.venues.binance_usdm.wire_answers import algo_status
from runner.venues.binance_usdm.wire_reads import COLLATERAL
from runner.venues.binance_usdm.wire_values import decimal, integer, label, mapping

Quote = tuple[str, PriceSource, Decimal, int]
"""Symbol, source, price, event time."""

ZERO = Decimal(0)

_FIELDS: dict[str, tuple[tuple[PriceSource, str], ...]] = {
    "bookTicker": (("bid", "b"), ("ask", "a")),
    "aggTrade": (("last", "p"),),
    "trade": (("last", "p"),),
    "markPriceUpdate": (("mark", "p"), ("index", "i"), ("funding", "r")),
}
"""Event -> the prices in it; every other event (depth …) carries none."""


def prices(frame: Any, wanted: Container[tuple[str, str]] | None = None) -> list[Quote]:
    """The prices of one frame: bare, in a combined stream's envelope, or an array of them.

    Only of the wanted (symbol, source) pairs; None wants all. COIN-M frames (`st` 2) of the
    all-market streams are left out, and so is what is no price: the funding rate of a delivery
    contract is "".
    """
    data = frame.get("data", frame) if isinstance(frame, dict) else frame
    if isinstance(data, list):
        return [quote for one in data if isinstance(one, dict) for quote in _prices(one, wanted)]
    return _prices(data, wanted) if isinstance(data, dict) else []


def _prices(data: Mapping[str, Any], wanted: Container[tuple[str, str]] | None) -> list[Quote]:
    kind, symbol, event_time = data.get("e"), data.get("s"), data.get("E")
    fields = _FIELDS.get(kind) if isinstance(kind, str) else None
    if fields is None or data.get("st", 1) != 1:
        return []
    if not isinstance(symbol, str) or not isinstance(event_time, int):
        return []
    found: list[Quote] = []
    for source, name in fields:
        text = data.get(name)
        if not isinstance(text, str) or (wanted is not None and (symbol, source) not in wanted):
            continue
        try:
            price = Decimal(text)
        except InvalidOperation:
            continue
        # a rate may be negative; a trade at 0 is an adjustment, an empty book side is "0"
        if price.is_finite() and (price > 0 or source == "funding"):
            found.append((symbol, source, price, event_time))
    return found


def unwrapped(frame: Any) -> Mapping[str, Any]:
    """The event itself, out of a combined stream's envelope."""
    fields = mapping(frame)
    inner = fields.get("data")
    return inner if isinstance(inner, dict) else fields


def user_events(frame: Any) -> list[Event]:
    """What a message of the user stream means to the runner; [] for what it only logs.

    Unknown events, unknown fields and missing ones are tolerated: the exchange adds some
    several times a year.
    """
    fields = unwrapped(frame)
    event_time = integer(fields.get("E")) or 0
    match fields.get("e"):
        case "ORDER_TRADE_UPDATE":
            return _order_update(mapping(fields.get("o")), event_time)
        case "ALGO_UPDATE":
            return _algo_update(mapping(fields.get("o")), event_time)
        case "ACCOUNT_UPDATE":
            return _account_update(mapping(fields.get("a")), event_time)
        case _:
            return []


def _order_update(order: Mapping[str, Any], event_time: int) -> list[Event]:
    """ORDER_TRADE_UPDATE; a triggered conditional order comes with its clientAlgoId as `c`."""
    client_order_id = label(order.get("c"))
    if client_order_id is None:
        return []
    return [
        ExecutionReport(
            client_order_id=client_order_id,
            origin="stream",
            outcome=Outcome.ACCEPTED,
            event_time=event_time,
            order_id=label(order.get("i")),
            order_status=label(order.get("X")),
            cumulative_quantity=decimal(order.get("z")),
            average_price=decimal(order.get("ap")) or None,
            fill=_fill(order, event_time),
            symbol=label(order.get("s")) or "",
        )
    ]


def _fill(order: Mapping[str, Any], event_time: int) -> Fill | None:
    price, quantity = decimal(order.get("L")), decimal(order.get("l"))
    trade_id = label(order.get("t"))
    if order.get("x") not in ("TRADE", "CALCULATED") or trade_id is None:
        return None
    if not price or not quantity:
        return None
    return Fill(
        trade_id=trade_id,
        price=price,
        quantity=quantity,
        commission=decimal(order.get("n")) or ZERO,
        commission_asset=label(order.get("N")) or "",
        realised_pnl=decimal(order.get("rp")) or ZERO,
        event_time=integer(order.get("T")) or event_time,
    )


def _algo_update(order: Mapping[str, Any], event_time: int) -> list[Event]:
    """ALGO_UPDATE; `aq` and `ap` count once it is triggered, `rm` says why it was rejected."""
    client_order_id = label(order.get("caid"))
    if client_order_id is None:
        return []
    executed = decimal(order.get("aq"))
    return [
        ExecutionReport(
            client_order_id=client_order_id,
            origin="stream",
            outcome=Outcome.ACCEPTED,
            event_time=event_time,
            order_id=label(order.get("aid")),
            order_status=algo_status(label(order.get("X")), executed, decimal(order.get("q"))),
            cumulative_quantity=executed,
            average_price=decimal(order.get("ap")) or None,
            message=label(order.get("rm")),
            symbol=label(order.get("s")) or "",
        )
    ]


def _account_update(account: Mapping[str, Any], event_time: int) -> list[Event]:
    """ACCOUNT_UPDATE: each position that changed, and the collateral's balance."""
    found: list[Event] = []
    for row in _objects(account.get("P")):
        symbol, size = label(row.get("s")), decimal(row.get("pa"))
        if symbol is not None and size is not None:
            found.append(_position(row, symbol, size, event_time))
    for row in _objects(account.get("B")):
        wallet = decimal(row.get("wb"))
        if row.get("a") == COLLATERAL and wallet is not None:
            found.append(AccountUpdate(wallet, None, event_time))
    return found


def _position(
    row: Mapping[str, Any], symbol: str, size: Decimal, event_time: int
) -> PositionUpdate:
    return PositionUpdate(
        symbol=symbol,
        position_side=label(row.get("ps")) or "BOTH",
        size=size,
        entry_price=decimal(row.get("ep")) or ZERO,
        unrealised_pnl=decimal(row.get("up")) or ZERO,
        event_time=event_time,
    )


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []
