"""Readers that lag, orders that are forgotten, connections that have lasted their time."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from runner.venues.paper.streams import CONNECTION_LIFE, Streams
from tests.venues.paper.desk import Desk
from tests.venues.paper.test_pace import Ear

DAY = 86_400_000


@pytest.fixture
def slow() -> Desk:
    """A desk whose queries see orders as they were two seconds ago."""
    desk = Desk()
    desk.exchange.state.read_lag = 2000
    return desk


def test_a_new_order_is_not_found_at_first(slow: Desk) -> None:
    """-2013, and in no list, until the lag has passed; the stream told it at once."""
    order = slow.limit()
    named = {"symbol": "BTCUSDT", "orderId": order["orderId"]}
    assert slow.story() == ["ORDER NEW"]
    slow.wait(1999)
    assert slow.refused("GET", "order", **named) == -2013
    assert slow.refused("GET", "openOrder", **named) == -2013
    assert slow.call("GET", "openOrders") == slow.call("GET", "allOrders") == []
    slow.wait(1)
    assert slow.call("GET", "order", **named)["status"] == "NEW"
    assert len(slow.call("GET", "openOrders")) == len(slow.call("GET", "allOrders")) == 1


def test_an_order_that_ended_still_looks_open(slow: Desk) -> None:
    """Cancelled a second ago, queries find it as it was; the engine knows better."""
    named = {"symbol": "BTCUSDT", "orderId": slow.limit()["orderId"]}
    slow.wait(5000)
    slow.call("DELETE", "order", **named)
    assert slow.call("GET", "order", **named)["status"] == "NEW"
    assert len(slow.call("GET", "openOrders")) == 1
    assert slow.refused("DELETE", "order", **named) == -2011
    slow.wait(2000)
    assert slow.call("GET", "order", **named)["status"] == "CANCELED"
    assert slow.call("GET", "openOrders") == []


def test_fills_and_conditional_orders_lag_too(slow: Desk) -> None:
    """Neither userTrades nor the algo queries show what is newer than the lag."""
    slow.market()
    algo = slow.algo("SELL", "STOP_MARKET", triggerPrice="69000")["algoId"]
    assert slow.call("GET", "userTrades", symbol="BTCUSDT") == []
    assert slow.call("GET", "openAlgoOrders") == []
    assert slow.refused("GET", "algoOrder", algoId=algo) == -2013
    slow.wait(2000)
    assert len(slow.call("GET", "userTrades", symbol="BTCUSDT")) == 1
    assert len(slow.call("GET", "openAlgoOrders")) == 1
    slow.price("69000")
    assert slow.call("GET", "algoOrder", algoId=algo)["algoStatus"] == "NEW"
    slow.wait(2000)
    assert slow.call("GET", "algoOrder", algoId=algo)["algoStatus"] == "FINISHED"


def test_old_looks_are_forgotten(slow: Desk) -> None:
    """However often an order changes, only what a lagging reader may still see is kept."""
    order = slow.limit()
    for step in range(20):
        slow.wait(1000)
        slow.call(
            "PUT",
            "order",
            symbol="BTCUSDT",
            side="BUY",
            orderId=order["orderId"],
            quantity="0.010",
            price=str(69_000 + step + 1),
        )
    assert len(slow.exchange.state.past[order["orderId"]]) <= 4
    found = slow.call("GET", "order", symbol="BTCUSDT", orderId=order["orderId"])
    assert Decimal(found["price"]) == 69_018


def test_retention_is_an_option() -> None:
    """Cancelled unfilled orders are forgotten after the first time, filled after the second."""
    desk = Desk()
    desk.exchange.state.retention = (1000, 5000)
    gone = {"symbol": "BTCUSDT", "orderId": desk.limit()["orderId"]}
    desk.call("DELETE", "order", **gone)
    filled = {"symbol": "BTCUSDT", "orderId": desk.market()["orderId"]}
    desk.wait(1001)
    assert desk.refused("GET", "order", **gone) == -2013
    assert desk.call("GET", "order", **filled)["status"] == "FILLED"
    desk.wait(4000)
    assert desk.refused("GET", "order", **filled) == -2013


def test_a_connection_ends_after_a_day() -> None:
    """Not a moment sooner; one that is gone is not ended again."""
    streams = Streams(lambda _: None)
    ears = [Ear(), Ear()]
    for number, ear in enumerate(ears):
        streams.connect(ear, "/market/ws", "")
        streams.opened(ear, number)
    streams.end_old(CONNECTION_LIFE - 1)
    assert [ear.closed for ear in ears] == [False, False]
    streams.gone(ears[1])
    streams.end_old(CONNECTION_LIFE + 1)
    assert [ear.closed for ear in ears] == [True, False]


def test_a_room_is_cut() -> None:
    """Only the connections of the room that was named, or all."""
    streams = Streams(lambda _: None)
    ears: dict[str, Any] = {room: Ear() for room in ("private", "market")}
    for room, ear in ears.items():
        streams.connect(ear, f"/{room}/ws", "")
    assert streams.cut("private") == 1
    assert [ear.closed for ear in ears.values()] == [True, False]
    assert streams.cut() == 2
