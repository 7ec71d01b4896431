"""What the chart of one symbol shows: read from the exchange, the runner and the journal."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from runner.core.figures import figure
from runner.core.wording import plain_words
from runner.dashboard.chart import Chart, Dot, Line, chart
from runner.dashboard.desk import Desk
from runner.dashboard.figures import instant
from runner.dashboard.waiting import Waiting

WIDE, NARROW = (1000, 440), (430, 440)
"""Two drawings: one for desktops, one whose text can be read on a phone."""

FILLS = 200
"""The newest fills that are looked through."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """The drawings, and the same as lists for those who cannot see them."""

    wide: Chart | None
    narrow: Chart | None
    lines: tuple[Line, ...]
    dots: tuple[Dot, ...]
    last: str
    summary: str
    priced: bool
    levelled: bool


def drawn(desk: Desk, waiting: Waiting, symbol: str, interval: str) -> Drawn:
    """Everything that is known of one symbol's prices."""
    candles = desk.candles(symbol, interval)
    looked = waiting.levels(symbol)
    held = waiting.account()
    with desk.journal() as journal:
        orders = journal.orders(state="LIVE", symbol=symbol)
        closed = journal.orders(state=("FILLED", "CANCELED"), symbol=symbol, limit=FILLS)
    lines = (*_levels(looked, symbol), *_orders(orders), *_entries(held, symbol))
    dots = tuple(_dots([*closed, *orders]))
    begun = candles[0].open_time if candles else 0
    dots = tuple(each for each in dots if each.at >= begun)
    last = figure(candles[-1].close) if candles else ""
    return Drawn(
        chart(candles, lines, dots, *WIDE),
        chart(candles[-len(candles) // 2 :], lines, dots, *NARROW),
        lines,
        dots,
        last,
        _summary(symbol, interval, last, lines, dots),
        bool(candles),
        looked is not None,
    )


def _summary(
    symbol: str, interval: str, last: str, lines: tuple[Line, ...], dots: tuple[Dot, ...]
) -> str:
    count = {kind: sum(each.kind == kind for each in lines) for kind in ("level", "order")}
    price = f"last price {last}" if last else "no prices"
    return (
        f"{symbol}, {interval}: {price}, {count['level']} levels that rules wait for, "
        f"{count['order']} open orders, {len(dots)} fills"
    )


def _levels(looked: dict[str, Any] | None, symbol: str) -> list[Line]:
    found = looked["levels"] if looked is not None else []
    return [
        Line("level", Decimal(each["price"]), f"{each['rule_id']} waits ({each['trigger']})")
        for each in found
        if each["symbol"] == symbol
    ]


def _orders(orders: list[dict[str, Any]]) -> list[Line]:
    found = []
    for order in orders:
        price = order.get("trigger_price") or order.get("price")
        if order["kind"] == "order" and price is not None:
            found.append(
                Line("order", Decimal(price), f"{plain_words(order)} ({order['rule_id']})")
            )
    return found


def _entries(held: dict[str, Any] | None, symbol: str) -> list[Line]:
    positions = held["positions"] if held is not None else []
    return [
        Line("entry", Decimal(each["entry_price"]), f"position {each['size']}")
        for each in positions
        if each["symbol"] == symbol
    ]


def _dots(orders: list[dict[str, Any]]) -> list[Dot]:
    found = []
    for order in orders:
        if order["kind"] != "order":
            continue
        side = str(order["side"]).lower()
        for fill in order["fills"]:
            amount = f"{side} {fill['quantity']} @ {fill['price']} ({order['rule_id']})"
            text = f"{instant(fill['event_time'])} UTC: {amount}"
            found.append(Dot(fill["event_time"], Decimal(fill["price"]), side, text))
    return sorted(found, key=lambda each: each.at)
