"""Candles, margin calls and the exchange's own closing orders, as the streams tell them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core.events import Event, ExecutionReport, KlineClosed, PositionIncident
from runner.core.prices import PriceBoard
from runner.venues.binance_usdm.allotment import stream_of
from runner.venues.binance_usdm.presets import Addresses
from runner.venues.binance_usdm.streams import MarketStream, plan
from runner.venues.binance_usdm.wire_events import candle, user_events

ADDRESSES = Addresses("http://x", "ws://x", "ws://x/ws-fapi/v1")


def kline(**bar: Any) -> dict[str, Any]:
    """A kline frame as the exchange documents it."""
    inside = {
        "t": 1_760_000_000_000 - 1_760_000_000_000 % 900_000,
        "T": 1_760_000_000_000 - 1_760_000_000_000 % 900_000 + 899_999,
        "s": "BTCUSDT",
        "i": "15m",
        "o": "70000.00",
        "c": "70010.50",
        "x": True,
        **bar,
    }
    return {
        "stream": "btcusdt@kline_15m",
        "data": {"e": "kline", "E": 1_760_000_000_100, "s": "BTCUSDT", "k": inside},
    }


def test_a_closed_candle() -> None:
    """Its close, exact; its last moment; its length."""
    found = candle(kline(), 7)
    assert found is not None
    assert found.kline() == KlineClosed(
        symbol="BTCUSDT",
        interval="15m",
        close=Decimal("70010.50"),
        close_time=1_759_999_499_999 + 900_000,
        span=900_000,
        event_time=1_760_000_000_100,
        received_at=7,
    )


@pytest.mark.parametrize(
    "frame",
    [
        kline(c="0"),
        kline(c=None),
        kline(T="soon"),
        {"e": "kline", "E": 1, "s": "BTCUSDT"},
        {"e": "kline", "E": 1, "s": "BTCUSDT", "st": 2, "k": kline()["data"]["k"]},
        {"e": "aggTrade"},
        None,
    ],
)
def test_what_is_no_candle(frame: Any) -> None:
    """COIN-M, half a frame, another event: nothing."""
    assert candle(frame, 1) is None


def test_only_the_end_of_a_wanted_candle_is_posted() -> None:
    """What it shows before is the last price under the candle's name, so that it is known."""
    posted: list[Event] = []
    board = PriceBoard(10_000)
    wanted = frozenset({("BTCUSDT", "kline_15m")})
    stream = MarketStream(ADDRESSES, wanted, board, posted.append, lambda: 0)
    stream.feed(orjson.dumps(kline(x=False)), 5)
    assert posted == []
    last = board.last("BTCUSDT", "kline_15m")
    assert last is not None
    assert last.value == Decimal("70010.50")
    stream.feed(orjson.dumps(kline(i="5m")), 6)
    assert posted == []
    stream.feed(orjson.dumps(kline()), 7)
    assert [type(event) for event in posted] == [KlineClosed]


def test_the_stream_of_a_candle() -> None:
    """It comes under /market, with a mark price as its heartbeat."""
    assert stream_of("kline_1h") == ("market", "kline_1h")
    ((name, address, _),) = plan("ws://x", frozenset({("BTCUSDT", "kline_1h")}))
    assert name == "market"
    assert address == "ws://x/market/stream?streams=btcusdt@kline_1h/btcusdt@markPrice@1s"
    with pytest.raises(KeyError):
        stream_of("smoke")


def order(client_order_id: str, **more: Any) -> dict[str, Any]:
    """An ORDER_TRADE_UPDATE of this order."""
    fields = {
        "s": "BTCUSDT",
        "c": client_order_id,
        "S": "SELL",
        "q": "0.5",
        "ap": "60000",
        "p": "59000",
        "ps": "BOTH",
        "X": "FILLED",
        "i": 1,
        "z": "0.5",
        **more,
    }
    return {"e": "ORDER_TRADE_UPDATE", "E": 9, "o": fields}


@pytest.mark.parametrize(
    ("client_order_id", "what"),
    [("autoclose-1633", "liquidation"), ("adl_autoclose", "adl"), ("adl_autoclose-7", "adl")],
)
def test_the_exchanges_own_closing_orders(client_order_id: str, what: str) -> None:
    """They are incidents, and reports like those of any order."""
    incident, report = user_events(order(client_order_id))
    assert isinstance(report, ExecutionReport)
    assert incident == PositionIncident(
        what,  # type: ignore[arg-type]
        "BTCUSDT",
        "BOTH",
        Decimal("0.5"),
        Decimal(60_000),
        client_order_id,
        9,
    )


def test_a_short_position_is_bought_back() -> None:
    """The incident's size is signed like the position's; unpriced, the limit is its price."""
    incident, _ = user_events(order("autoclose-1", S="BUY", ap="0"))
    assert isinstance(incident, PositionIncident)
    assert (incident.size, incident.price) == (Decimal("-0.5"), Decimal(59_000))


@pytest.mark.parametrize("client_order_id", ["r1-main-autoclose", "settlement_autoclose-1", "web"])
def test_other_orders_are_no_incident(client_order_id: str) -> None:
    """The settlement of a delivery is none, and neither is one of ours."""
    assert len(user_events(order(client_order_id))) == 1


def test_a_margin_call() -> None:
    """Each position of it, with the mark price; a short one's size is below zero."""
    rows = [
        {"s": "ETHUSDT", "ps": "LONG", "pa": "1.327", "mp": "187.17"},
        {"s": "BTCUSDT", "ps": "SHORT", "pa": "2", "mp": "9000"},
        {"s": "BNBUSDT", "ps": "BOTH", "pa": "-3"},
        {"s": "XRPUSDT"},
    ]
    found = user_events({"e": "MARGIN_CALL", "E": 5, "cw": "3.1", "p": rows})
    assert [(each.symbol, each.size) for each in found if isinstance(each, PositionIncident)] == [
        ("ETHUSDT", Decimal("1.327")),
        ("BTCUSDT", -2),
        ("BNBUSDT", -3),
    ]
    assert {each.key for each in found if isinstance(each, PositionIncident)} == {"5"}


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.dictionaries(
        st.sampled_from(["e", "k", "s", "i", "c", "t", "T", "x", "E", "p", "o"]),
        inner | st.sampled_from(["kline", "MARGIN_CALL", "autoclose-1", "ORDER_TRADE_UPDATE"]),
    ),
)


@given(values)
def test_no_message_raises(value: Any) -> None:
    """Nothing that is JSON can end a stream's thread."""
    user_events(value)
    candle(value, 1)
