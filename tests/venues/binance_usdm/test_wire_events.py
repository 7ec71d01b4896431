"""Stream messages: every recorded one is understood or tolerated, prices come out exactly."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core.events import AccountUpdate, ExecutionReport, Fill, PositionUpdate
from runner.core.orders import Outcome
from runner.venues.binance_usdm.wire_events import carried, prices, user_events


def _messages(recorded: Path) -> list[dict[str, Any]]:
    lines = (recorded / "stream-events.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_every_recorded_message_parses(recorded: Path) -> None:
    """251 messages of accounts, other products and documentation: no exception, no lost event."""
    seen: Counter[str] = Counter()
    rows = _messages(recorded)
    assert len(rows) == 251
    for row in rows:
        events, quotes = user_events(row["message"]), prices(row["message"])
        if events or quotes:
            seen[row["event"]] += 1
    # two of each are of the options product, whose shapes are others
    assert seen["ORDER_TRADE_UPDATE"] == 12 - 2
    assert seen["ACCOUNT_UPDATE"] == 16 - 2
    assert seen["ALGO_UPDATE"] == 2
    # one has no price at all
    assert seen["aggTrade"] == 177 - 1
    assert seen["markPriceUpdate"] == 16
    assert not seen["TRADE_LITE"]
    assert seen["MARGIN_CALL"] == 3


def test_a_real_order_update(recorded: Path) -> None:
    """A fill as a real account got it: report, fill, and nothing of it a float."""
    row = next(
        one
        for one in _messages(recorded)
        if one.get("live_capture") and (one["message"] or {}).get("o", {}).get("x") == "TRADE"
    )
    (report,) = user_events(row["message"])
    assert report == ExecutionReport(
        client_order_id="6bngw21DJGGemRmdGN9eQe",
        origin="stream",
        outcome=Outcome.ACCEPTED,
        event_time=1610638208312,
        order_id="2611733004",
        order_status="FILLED",
        cumulative_quantity=Decimal(1),
        average_price=Decimal("39849.93000"),
        fill=Fill(
            trade_id="154402974",
            price=Decimal("39849.93"),
            quantity=Decimal(1),
            commission=Decimal("15.93997200"),
            commission_asset="USDT",
            realised_pnl=Decimal(0),
            event_time=1610638208309,
        ),
        symbol="BTCUSDT",
    )


def test_an_account_update() -> None:
    """Each changed position and the collateral's balance; other assets are left out."""
    events = user_events(
        {
            "e": "ACCOUNT_UPDATE",
            "E": 9,
            "a": {
                "B": [{"a": "BNB", "wb": "1"}, {"a": "USDT", "wb": "12.5"}],
                "P": [
                    {"s": "BTCUSDT", "pa": "-2", "ep": "7", "up": "0.5", "ps": "SHORT"},
                    {"s": "ODD"},
                    7,
                ],
            },
        }
    )
    assert events == [
        PositionUpdate("BTCUSDT", "SHORT", Decimal(-2), Decimal(7), Decimal("0.5"), 9),
        AccountUpdate(Decimal("12.5"), None, 9),
    ]


@pytest.mark.parametrize(
    ("why", "moved"),
    [("DEPOSIT", "250"), ("WITHDRAW", "-250"), ("ASSET_TRANSFER", "250"), ("FUNDING_FEE", None)],
)
def test_what_comes_from_outside_is_told_apart_from_a_result(why: str, moved: str | None) -> None:
    """`bc` is a transfer for some reasons only: a funding fee is part of the day's result."""
    row = {"a": "USDT", "wb": "12.5", "bc": moved or "-0.1"}
    (update,) = user_events({"e": "ACCOUNT_UPDATE", "E": 9, "a": {"m": why, "B": [row]}})
    assert isinstance(update, AccountUpdate)
    assert update.transferred == Decimal(moved or 0)


@pytest.mark.parametrize(
    ("fields", "status", "executed"),
    [
        ({"X": "NEW", "q": "2"}, "NEW", None),
        ({"X": "TRIGGERED", "q": "2", "ai": "77", "aq": "0", "ap": "0"}, "TRIGGERED", "0"),
        ({"X": "FINISHED", "q": "2", "aq": "2", "ap": "7"}, "FILLED", "2"),
        ({"X": "FINISHED", "q": "2", "aq": "0.5", "ap": "7"}, "CANCELED", "0.5"),
        ({"X": "FINISHED", "q": "0", "cp": True, "aq": "3", "ap": "7"}, "FILLED", "3"),
        ({"X": "FINISHED", "q": "0", "cp": True, "aq": "0"}, "CANCELED", "0"),
        ({"X": "REJECTED", "q": "2", "rm": "Reduce Only reject"}, "REJECTED", None),
    ],
)
def test_an_algo_update(fields: dict[str, Any], status: str, executed: str | None) -> None:
    """FINISHED means filled or cancelled: the executed quantity tells which; `rm` says why."""
    (report,) = user_events({"e": "ALGO_UPDATE", "E": 9, "o": {"caid": "a", "aid": 1, **fields}})
    assert isinstance(report, ExecutionReport)
    assert (report.client_order_id, report.order_id) == ("a", "1")
    assert report.order_status == status
    assert report.cumulative_quantity == (None if executed is None else Decimal(executed))
    assert report.message == fields.get("rm")


@pytest.mark.parametrize(
    "frame",
    [
        {"e": "ORDER_TRADE_UPDATE"},
        {"e": "ORDER_TRADE_UPDATE", "o": {"c": ""}},
        {"e": "ALGO_UPDATE", "o": 7},
        {"e": "ACCOUNT_UPDATE", "a": {"B": 7, "P": {}}},
        {"e": "SOMETHING_NEW", "x": 1},
        {"stream": "k", "data": []},
        [],
        None,
    ],
)
def test_odd_messages_are_tolerated(frame: Any) -> None:
    """The exchange adds events and fields several times a year."""
    assert user_events(frame) == []


@pytest.mark.parametrize("change", [{"x": "NEW"}, {"L": "0"}, {"l": "0"}, {"t": None}])
def test_no_fill_without_a_trade(change: dict[str, Any]) -> None:
    """Only a trade with its id, a price and a quantity is a fill."""
    order = {"c": "a", "x": "TRADE", "X": "NEW", "L": "1", "l": "1", "t": 5, **change}
    (report,) = user_events({"e": "ORDER_TRADE_UPDATE", "E": 1, "o": order})
    assert isinstance(report, ExecutionReport)
    assert report.fill is None


def test_prices_of_each_kind() -> None:
    """Mark, index and funding come together; so do bid and ask."""
    mark = {"e": "markPriceUpdate", "E": 1, "s": "X", "p": "2", "i": "3", "r": "-0.01", "st": 1}
    assert prices(mark) == [
        ("X", "mark", Decimal(2), 1),
        ("X", "index", Decimal(3), 1),
        ("X", "funding", Decimal("-0.01"), 1),
    ]
    book = {
        "stream": "x@bookTicker",
        "data": {"e": "bookTicker", "E": 4, "s": "X", "b": "1", "a": "2"},
    }
    assert prices(book) == [("X", "bid", Decimal(1), 4), ("X", "ask", Decimal(2), 4)]
    assert prices({"e": "aggTrade", "E": 4, "s": "X", "p": "5"}) == [("X", "last", Decimal(5), 4)]
    assert len(prices([mark, {**mark, "st": 2}, 7])) == 3


@pytest.mark.parametrize(
    "frame",
    [
        {"e": "aggTrade", "E": 1, "s": "X", "p": "5", "st": 2},
        {"e": "aggTrade", "E": 1, "s": "X", "p": "0"},
        {"e": "aggTrade", "E": 1, "s": "X", "p": "NaN"},
        {"e": "aggTrade", "E": 1, "s": "X", "p": ""},
        {"e": "aggTrade", "E": 1, "s": "X", "p": None},
        {"e": "aggTrade", "E": 1, "s": "X"},
        {"e": "aggTrade", "E": "1", "s": "X", "p": "5"},
        {"e": "aggTrade", "E": 1, "p": "5"},
        {"e": "depthUpdate", "E": 1, "s": "X", "b": []},
        {"e": ["unhashable"]},
        {"result": None, "id": 1},
        "text",
        None,
    ],
)
def test_what_is_no_price(frame: Any) -> None:
    """COIN-M, adjustments at zero, depth, answers to subscriptions: nothing."""
    assert prices(frame) == []


def test_the_recorded_market(recorded: Path) -> None:
    """Each of 54 thousand book tickers gives two prices, each trade one, depth none."""
    found: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    with gzip.open(recorded / "frames-ethusdt-perp-2024-08-08.gz", "rt") as lines:
        for line in lines:
            frame = json.loads(line.split(" ", 1)[1])
            kinds[frame.get("data", {}).get("e")] += 1
            for symbol, source, price, event_time in prices(frame):
                assert symbol == "ETHUSDT"
                assert 2_000 < price < 3_000
                assert event_time == frame["data"]["E"]
                found[source] += 1
    assert found["bid"] == found["ask"] == kinds["bookTicker"] == 53_992
    assert found["last"] == kinds["trade"] == 14_076
    assert set(found) == {"bid", "ask", "last"}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["e", "o", "a", "B", "P", "s", "p", "E", "c", "data"]),
            inner | st.sampled_from(["ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "aggTrade"]),
        )
    ),
)


@given(value=json_values)
def test_no_message_raises(value: Any) -> None:
    """Nothing that is JSON can end a stream's thread."""
    user_events(value)
    prices(value)


def test_which_fields_carry_the_wanted_prices() -> None:
    """By event and symbol; a trade comes as either of two events, a candle as none of these."""
    wanted = {("X", "last"), ("X", "ask"), ("X", "bid"), ("Y", "mark"), ("Y", "kline_1m")}
    assert carried(wanted) == {
        "bookTicker": {"X": [("ask", "a"), ("bid", "b")]},
        "aggTrade": {"X": [("last", "p")]},
        "trade": {"X": [("last", "p")]},
        "markPriceUpdate": {"Y": [("mark", "p")]},
    }
