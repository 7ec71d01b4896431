"""How often streams speak: the documented update speeds, on a clock that tests move."""

from __future__ import annotations

import itertools
import json
from decimal import Decimal
from typing import Any

import pytest

from runner.venues.paper.exchange import Exchange
from runner.venues.paper.streams import Streams

MINUTE = 1_700_000_040_000


class Ear:
    """A peer that remembers what it was sent."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.closed = False

    def send(self, text: str) -> None:
        """Remember a message."""
        self.heard.append(json.loads(text))

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Remember the end."""
        self.closed = True


class Room:
    """Streams of a small exchange, one listener, and a clock."""

    def __init__(self, address: str) -> None:
        self.now = MINUTE
        self.exchange = Exchange(now=MINUTE)
        self.streams = Streams(lambda _: None)
        self.ear = Ear()
        path, _, query = address.partition("?")
        subscriber = self.streams.connect(self.ear, path, query)
        assert subscriber is not None
        self.subscriber = subscriber

    def move(self, price: str, symbol: str = "BTCUSDT", *, at_once: bool = False) -> None:
        """Move a price and tell the streams."""
        self.exchange.set_price(symbol, price=Decimal(price), now=self.now)
        events = self.exchange.drain()
        self.streams.publish(events, self.exchange.state, self.now, at_once=at_once)

    def wait(self, milliseconds: int) -> None:
        """Let time pass in steps of 100 ms, as the server's beat does."""
        for _ in range(milliseconds // 100):
            self.now += 100
            self.streams.flush(self.exchange.state, self.now)


@pytest.mark.parametrize(("name", "period"), [("markPrice@1s", 1000), ("markPrice", 3000)])
def test_the_mark_price_comes_once_a_period_moved_or_not(name: str, period: int) -> None:
    """Every second or every three, steadily, and never more often."""
    room = Room(f"/market/ws/btcusdt@{name}")
    for step in range(100):
        room.move(str(70_000 + step))
        room.wait(100)
    times = [event["E"] for event in room.ear.heard]
    assert {b - a for a, b in itertools.pairwise(times)} == {period}
    room.wait(2 * period)
    assert len(room.ear.heard) >= len(times) + 2


def test_a_held_back_message_is_the_newest_when_it_comes() -> None:
    """A 500 ms depth stream skips what is overtaken and ends on the last book."""
    room = Room("/public/ws/btcusdt@depth5@500ms")
    for step in range(4):
        room.move(str(70_000 + step))
        room.wait(100)
    assert len(room.ear.heard) == 1
    room.wait(500)
    assert len(room.ear.heard) == 2
    assert room.ear.heard[-1]["b"][0][0] == "70003.00"
    room.wait(2000)
    assert len(room.ear.heard) == 2


def test_trades_are_never_held_back() -> None:
    """Each trade is told, however fast."""
    room = Room("/market/ws/btcusdt@aggTrade")
    for step in range(20):
        room.move(str(70_000 + step))
    assert [event["a"] for event in room.ear.heard] == list(range(2, 22))


def test_a_scripted_move_is_told_at_once() -> None:
    """Moves by script or by hand are not held back by the pace."""
    room = Room("/market/ws/btcusdt@markPrice")
    for step in range(5):
        room.move(str(70_000 + step), at_once=True)
    assert len(room.ear.heard) == 5


def test_a_candle_is_closed_at_its_end_and_the_next_one_begins() -> None:
    """The last message of a minute has `x`, also when nothing trades in the next."""
    room = Room("/market/ws/btcusdt@kline_1m")
    room.move("70100")
    room.wait(59_900)
    room.move("70050")
    room.wait(60_500)
    bars = [event["k"] for event in room.ear.heard]
    closed = [bar for bar in bars if bar["x"]]
    assert [bar["t"] for bar in closed] == [MINUTE, MINUTE + 60_000]
    assert (closed[0]["h"], closed[0]["c"]) == ("70100.00", "70050.00")
    assert closed[1]["n"] == 0
    assert bars[-1]["t"] == MINUTE + 120_000
    assert not bars[-1]["x"]


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("/market/ws/!markPrice@arr@1s", "markPriceUpdate"),
        ("/market/ws/!markPrice@arr", "markPriceUpdate"),
        ("/market/ws/!ticker@arr", "24hrTicker"),
        ("/market/ws/!miniTicker@arr", "24hrMiniTicker"),
        ("/public/ws/!bookTicker", "bookTicker"),
    ],
)
def test_all_market_streams_tell_every_symbol_that_moved(address: str, kind: str) -> None:
    """Arrays in one message, the book tickers one by one."""
    room = Room(address)
    room.move("70100")
    room.move("3600", "ETHUSDT")
    room.wait(5000)
    messages = room.ear.heard
    rows = [row for one in messages for row in (one if isinstance(one, list) else [one])]
    assert {row["e"] for row in rows} == {kind}
    assert {row["s"] for row in rows} == {"BTCUSDT", "ETHUSDT"}


def test_who_left_hears_nothing_and_costs_nothing() -> None:
    """A stream without listeners is forgotten."""
    room = Room("/market/ws/btcusdt@aggTrade")
    room.streams.disconnect(room.subscriber)
    room.move("70100")
    assert room.ear.heard == []


def test_symbols_are_lower_case_in_names() -> None:
    """An upper-case name is accepted and silent."""
    room = Room("/market/ws/BTCUSDT@aggTrade")
    room.move("70100")
    assert room.ear.heard == []


def test_a_stopping_server_says_goodbye() -> None:
    """Every connection is closed."""
    room = Room("/market/ws")
    room.streams.close_all()
    assert room.ear.closed
