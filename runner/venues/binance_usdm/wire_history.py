"""What an account's orders were: every order of some symbols since a time, for audits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from runner.core.orders import Family
from runner.errors import VenueError
from runner.venues import PlacedOrder
from runner.venues.binance_usdm.wire_values import integer, label

PAGE = 1_000
"""Rows of one answer at most (GET /fapi/v1/allOrders, allAlgoOrders)."""

WEEK = 7 * 86_400_000
"""The longest window of one question, in ms."""

Ask = Callable[[str, str], Any]
"""(path, unsigned parameters) -> the decoded answer; raises VenueError."""


@dataclass(frozen=True, slots=True)
class _Names:
    """How one family spells what the other spells differently."""

    open: str
    all: str
    client_id: str
    number: str
    status: str
    time: str


_FAMILIES: Mapping[Family, _Names] = {
    Family.ORDER: _Names(
        "/fapi/v1/openOrders",
        "/fapi/v1/allOrders",
        "clientOrderId",
        "orderId",
        "status",
        "time",
    ),
    Family.ALGO: _Names(
        "/fapi/v1/openAlgoOrders",
        "/fapi/v1/allAlgoOrders",
        "clientAlgoId",
        "algoId",
        "algoStatus",
        "createTime",
    ),
}


def placed(ask: Ask, symbols: Iterable[str], since: int, now: int) -> list[PlacedOrder]:
    """Every order placed since then (server time in ms), and whatever is open, each once.

    An order that a triggered conditional order led to is part of it, not one of its own. The
    exchange forgets cancelled orders without a fill after 3 days.
    """
    found: dict[tuple[Family, str], PlacedOrder] = {}
    children: set[str] = set()
    for family, names in _FAMILIES.items():
        rows = [*_rows(ask(names.open, ""))]
        whole = _of_account(ask, names, since, now) if family is Family.ORDER else None
        rows += _history(ask, names, symbols, since, now) if whole is None else whole
        for row in rows:
            order = _placed(row, family, names)
            found[family, order.order_id] = order
            children.add(label(row.get("actualOrderId")) or "")
    return [
        order
        for (family, order_id), order in found.items()
        if family is Family.ALGO or order_id not in children
    ]


def _of_account(ask: Ask, names: _Names, since: int, now: int) -> list[Mapping[str, Any]] | None:
    """The orders of every symbol in one question a week; None where symbols must be named.

    `symbol` of allOrders is optional since 2026-08-25; pages go by order ids, which are a
    symbol's own, so that a full page tells too little.
    """
    found: list[Mapping[str, Any]] = []
    for start in range(since, now + 1, WEEK):
        end = min(start + WEEK - 1, now)
        try:
            rows = _rows(ask(names.all, f"startTime={start}&endTime={end}&limit={PAGE}"))
        except VenueError:
            return None
        if len(rows) >= PAGE:
            return None
        found += rows
    return found


def _history(
    ask: Ask, names: _Names, symbols: Iterable[str], since: int, now: int
) -> Iterator[Mapping[str, Any]]:
    for symbol in sorted(set(symbols)):
        for start in range(since, now + 1, WEEK):
            end = min(start + WEEK - 1, now)
            window = f"symbol={quote(symbol)}&startTime={start}&endTime={end}&limit={PAGE}"
            rows = _rows(ask(names.all, window))
            yield from rows
            while len(rows) >= PAGE:
                after = max(integer(row.get(names.number)) or 0 for row in rows) + 1
                page = f"symbol={quote(symbol)}&{names.number}={after}&limit={PAGE}"
                rows = _rows(ask(names.all, page))
                yield from rows


def _placed(row: Mapping[str, Any], family: Family, names: _Names) -> PlacedOrder:
    client_id, number = label(row.get(names.client_id)), integer(row.get(names.number))
    if client_id is None or number is None:
        raise ValueError("an order without its ids")
    return PlacedOrder(
        client_order_id=client_id,
        family=family,
        symbol=label(row.get("symbol")) or "",
        order_id=str(number),
        status=label(row.get(names.status)) or "",
        placed_time=integer(row.get(names.time)) or 0,
    )


def _rows(value: Any) -> list[Mapping[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise ValueError("the answer is no list of objects")
    return value
