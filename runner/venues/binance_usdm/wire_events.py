"""Stream messages as facts: prices of market frames, events of user frames. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from runner.core.events import (
    AccountUpdate,
    Event,
    ExecutionReport,
    Fill,
    KlineClosed,
    PositionIncident,
    PositionUpdate,
    PriceSource,
)
from runner.core.orders import Outcome
from runner.venues.binance_usdm.wire_answers import algo_status
from runner.venues.binance_usdm.wire_reads import COLLATERAL
from runner.venues.binance_usdm.wire_values import decimal, integer, label, mapping

Quote = tuple[str, str, Decimal, int]
"""Symbol, source, price, event time."""

ZERO = Decimal(0)

_FORCED: tuple[tuple[str, Literal["liquidation", "adl"]], ...] = (
    ("autoclose-", "liquidation"),
    ("adl_autoclose", "adl"),
)
"""How the client order ids of the exchange's own closing orders begin."""

_FIELDS: dict[str, tuple[tuple[PriceSource, str], ...]] = {
    "bookTicker": (("bid", "b"), ("ask", "a")),
    "aggTrade": (("last", "p"),),
    "trade": (("last", "p"),),
    "markPriceUpdate": (("mark", "p"), ("index", "i"), ("funding", "r")),
}
"""Event -> the prices in it; every other event (depth …) carries none."""


def carried(wanted: Iterable[tuple[str, str]]) -> dict[str, dict[str, list[tuple[str, str]]]]:
    """By event and by symbol: the wanted sources, each with the field of its price."""
    found: dict[str, dict[str, list[tuple[str, str]]]] = {event: {} for event in _FIELDS}
    for symbol, wished in sorted(wanted):
        for event, fields in _FIELDS.items():
            for source, name in fields:
                if source == wished:
                    found[event].setdefault(symbol, []).append((source, name))
    return found


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


@dataclass(frozen=True, slots=True)
class Candle:
    """A candle as one frame shows it; `closed` once it is over."""

    symbol: str
    interval: str
    close: Decimal
    open_time: int
    close_time: int
    event_time: int
    received_at: int
    closed: bool

    def kline(self) -> KlineClosed:
        """The event of its end."""
        return KlineClosed(
            symbol=self.symbol,
            interval=self.interval,
            close=self.close,
            close_time=self.close_time,
            span=self.close_time + 1 - self.open_time,
            event_time=self.event_time,
            received_at=self.received_at,
        )


def candle(frame: Any, received_at: int) -> Candle | None:
    """The candle of a kline frame; None for every other frame."""
    fields = unwrapped(frame)
    if fields.get("e") != "kline" or fields.get("st", 1) != 1:
        return None
    bar = mapping(fields.get("k"))
    symbol, interval, close = label(fields.get("s")), label(bar.get("i")), decimal(bar.get("c"))
    times = integer(bar.get("t")), integer(bar.get("T")), integer(fields.get("E"))
    if symbol is None or interval is None or not close or None in times:
        return None
    start, end, event_time = (time or 0 for time in times)
    closed = bar.get("x") is True
    return Candle(symbol, interval, close, start, end, event_time, received_at, closed)


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
        case "MARGIN_CALL":
            return _margin_call(fields, event_time)
        case "ACCOUNT_UPDATE":
            # the transaction's time, as fills carry it: a message may be younger than what it tells
            changed_time = integer(fields.get("T")) or event_time
            return _account_update(mapping(fields.get("a")), changed_time)
        case _:
            return []


def _order_update(order: Mapping[str, Any], event_time: int) -> list[Event]:
    """ORDER_TRADE_UPDATE; a triggered conditional order comes with its clientAlgoId as `c`."""
    client_order_id = label(order.get("c"))
    if client_order_id is None:
        return []
    return [
        *_forced(order, client_order_id, event_time),
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
        ),
    ]


def _forced(
    order: Mapping[str, Any], client_order_id: str, event_time: int
) -> list[PositionIncident]:
    """An order by which the exchange itself closes a position, known by its id's beginning."""
    what = next((name for start, name in _FORCED if client_order_id.startswith(start)), None)
    symbol, quantity = label(order.get("s")), decimal(order.get("q"))
    if what is None or symbol is None or quantity is None:
        return []
    # selling closes a long position
    size = quantity if order.get("S") == "SELL" else -quantity
    price = decimal(order.get("ap")) or decimal(order.get("p")) or ZERO
    side = label(order.get("ps")) or "BOTH"
    return [PositionIncident(what, symbol, side, size, price, client_order_id, event_time)]


def _margin_call(fields: Mapping[str, Any], event_time: int) -> list[Event]:
    """MARGIN_CALL: every position that is near its liquidation, with the mark price."""
    return [
        PositionIncident(
            what="margin_call",
            symbol=symbol,
            position_side=label(row.get("ps")) or "BOTH",
            # the message has the size without its sign
            size=-abs(size) if row.get("ps") == "SHORT" else size,
            price=decimal(row.get("mp")) or ZERO,
            key=str(event_time),
            event_time=event_time,
        )
        for row in _objects(fields.get("p"))
        if (symbol := label(row.get("s"))) is not None
        and (size := decimal(row.get("pa"))) is not None
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


_TRANSFERS = frozenset(
    {
        "DEPOSIT",
        "WITHDRAW",
        "WITHDRAW_REJECT",
        "ADMIN_DEPOSIT",
        "ADMIN_WITHDRAW",
        "ASSET_TRANSFER",
        "COIN_SWAP_DEPOSIT",
        "COIN_SWAP_WITHDRAW",
        "AUTO_EXCHANGE",
    }
)
"""Reasons (`m`) whose balance change (`bc`) is no result of trading."""


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
            moved = decimal(row.get("bc")) if account.get("m") in _TRANSFERS else None
            found.append(AccountUpdate(wallet, None, event_time, transferred=moved or ZERO))
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
