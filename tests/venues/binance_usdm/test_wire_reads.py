"""Readings become whole pictures, or one CallFailed."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core.events import (
    AccountUpdate,
    CallFailed,
    DeadManReport,
    OpenOrders,
    Positions,
    PositionUpdate,
)
from runner.core.orders import DeadManCall, Family, Outcome, ReadCall
from runner.venues import RawAnswer
from runner.venues.binance_usdm.wire_answers import Reply, read
from runner.venues.binance_usdm.wire_reads import answered, counted_down, server_time

ASKED = 1_700_000_000_000


def _reply(value: Any, status: int = 200) -> Reply:
    return read(RawAnswer("ok", status, json.dumps(value).encode()))


def _examples(recorded: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        gzip.decompress((recorded / "sdk-documentation-examples.json.gz").read_bytes())
    )
    return found


def test_open_orders_of_both_families(recorded: Path) -> None:
    """The documented lists, each order as a report of the probe kind."""
    examples = _examples(recorded)
    shown = examples["rest_api/trade_api/test_current_all_open_orders_success"]
    (reading,) = answered(ReadCall("open_orders"), _reply(shown["expected_response"]), ASKED)
    assert isinstance(reading, OpenOrders)
    assert (reading.family, reading.symbol, reading.asked_time) == (Family.ORDER, None, ASKED)
    (order,) = reading.orders
    assert (order.client_order_id, order.order_status) == ("abc", "NEW")
    assert (order.outcome, order.asked_time) == (Outcome.ACCEPTED, ASKED)

    shown = examples["rest_api/trade_api/test_current_all_algo_open_orders_success"]
    call = ReadCall("open_algo_orders", "BNBUSDT")
    (reading,) = answered(call, _reply(shown["expected_response"]), ASKED)
    assert isinstance(reading, OpenOrders)
    assert (reading.family, reading.symbol) == (Family.ALGO, "BNBUSDT")
    assert reading.orders[0].client_order_id == "MRumok0dkhrP4kCm12AHaB"


@pytest.mark.parametrize("version", ["v2", "v3"])
def test_positions_of_both_versions(recorded: Path, version: str) -> None:
    """All positions are one reading; version 2 still tells the leverage."""
    shown = _examples(recorded)[f"rest_api/trade_api/test_position_information_{version}_success"]
    (reading,) = answered(ReadCall("positions"), _reply(shown["expected_response"]), ASKED)
    assert isinstance(reading, Positions)
    assert reading.asked_time == ASKED
    assert reading.positions
    assert (reading.positions[0].leverage is not None) == (version == "v2")


def test_positions_of_one_symbol() -> None:
    """Updates of that symbol alone; not listed is flat, since version 3 leaves flat ones out."""
    call = ReadCall("positions", "BTCUSDT")
    row = {
        "symbol": "BTCUSDT",
        "positionAmt": "-0.5",
        "entryPrice": "7",
        "unRealizedProfit": "-1",
        "liquidationPrice": "0",
        "updateTime": 5,
    }
    (short,) = answered(call, _reply([row, {**row, "symbol": "ETHUSDT"}]), ASKED)
    assert short == PositionUpdate(
        "BTCUSDT", "BOTH", Decimal("-0.5"), Decimal(7), Decimal(-1), 5, None, None
    )
    (flat,) = answered(call, _reply([]), ASKED)
    assert isinstance(flat, PositionUpdate)
    assert flat.size == 0
    assert flat.event_time == ASKED


@pytest.mark.parametrize("version", ["v2", "v3"])
def test_the_account(recorded: Path, version: str) -> None:
    """Wallet, available and equity; the ratio is maintenance margin over equity."""
    shown = _examples(recorded)[f"rest_api/account_api/test_account_information_{version}_success"]
    (update,) = answered(ReadCall("account"), _reply(shown["expected_response"]), ASKED)
    amount = Decimal("126.72469206")
    assert update == AccountUpdate(amount, amount, ASKED, amount, Decimal(0))


def test_a_balance_list_is_understood_too(recorded: Path) -> None:
    """/fapi/v3/balance lists assets: the collateral's row counts."""
    shown = _examples(recorded)["rest_api/account_api/test_futures_account_balance_v3_success"]
    (update,) = answered(ReadCall("account"), _reply(shown["expected_response"]), ASKED)
    wallet = Decimal("122607.35137903")
    assert update == AccountUpdate(wallet, Decimal("23.72469206"), ASKED, wallet)
    (update,) = answered(ReadCall("account"), _reply([{"asset": "USDT", "balance": "1"}]), ASKED)
    assert update == AccountUpdate(Decimal(1), None, ASKED, None)


@pytest.mark.parametrize(
    ("what", "value"),
    [
        ("open_orders", {}),
        ("open_orders", [7]),
        ("open_orders", [{"orderId": 1}]),
        ("open_algo_orders", None),
        ("positions", [{"symbol": "BTCUSDT"}]),
        ("positions", {"code": 200}),
        ("account", {}),
        ("account", [{"asset": "BNB", "balance": "1"}]),
    ],
)
def test_half_a_reading_is_none(what: Any, value: Any) -> None:
    """What a list lacks would look gone: an odd answer is a failed call."""
    (failure,) = answered(ReadCall(what), _reply(value), ASKED)
    assert isinstance(failure, CallFailed)
    assert failure.call == ReadCall(what)
    assert what in failure.detail


def test_a_refused_reading_says_why() -> None:
    """Code and text of the exchange, or how the transport failed."""
    call = ReadCall("account")
    (failure,) = answered(call, _reply({"code": -2015, "msg": "Invalid API-key"}, 401), ASKED)
    assert failure == CallFailed(call, ASKED, "-2015: Invalid API-key")
    (failure,) = answered(call, read(RawAnswer("broken", detail="reset")), ASKED)
    assert failure == CallFailed(call, ASKED, "reset")
    (failure,) = answered(call, read(RawAnswer("ok", 403, b"<html>")), ASKED)
    assert failure == CallFailed(call, ASKED, "HTTP 403 without a message")


DEAD_MAN = DeadManCall("BTCUSDT", 120_000)


@pytest.mark.parametrize("countdown", ["120000", 120_000])
def test_the_countdown_is_confirmed(countdown: Any) -> None:
    """The number comes as text; the time is the earliest at which it can have been set."""
    reply = _reply({"symbol": "BTCUSDT", "countdownTime": countdown})
    assert counted_down(DEAD_MAN, reply, ASKED) == [DeadManReport("BTCUSDT", True, 120_000, ASKED)]


def test_the_countdown_is_refused() -> None:
    """A definite error says that the old countdown goes on running."""
    reply = _reply({"code": -1021, "msg": "Timestamp"}, 400)
    (report,) = counted_down(DEAD_MAN, reply, ASKED)
    assert report == DeadManReport("BTCUSDT", False, 120_000, ASKED, "-1021: Timestamp")


@pytest.mark.parametrize(
    "reply",
    [
        _reply({"symbol": "ETHUSDT", "countdownTime": "1"}),
        _reply({"symbol": "BTCUSDT"}),
        _reply({"code": -1000, "msg": "x"}, 503),
        read(RawAnswer("broken", 400, b'{"code":-1}')),
    ],
)
def test_nobody_knows_about_the_countdown(reply: Reply) -> None:
    """Neither set nor refused: asked again."""
    (failure,) = counted_down(DEAD_MAN, reply, ASKED)
    assert isinstance(failure, CallFailed)


def test_the_servers_time() -> None:
    """Only a whole, good answer tells the time."""
    assert server_time(_reply({"serverTime": 1499827319559})) == 1499827319559
    assert server_time(_reply({"serverTime": 1499827319559}, 500)) is None
    assert server_time(_reply({})) is None
    assert server_time(read(RawAnswer("not_sent"))) is None


rows = st.dictionaries(
    st.sampled_from(["symbol", "positionAmt", "asset", "balance", "clientOrderId", "code"]),
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.just("1E+99999999"),
)


@given(
    what=st.sampled_from(["open_orders", "open_algo_orders", "positions", "account"]),
    value=rows | st.lists(rows | st.integers(), max_size=3),
    symbol=st.sampled_from([None, "BTCUSDT"]),
)
def test_no_reading_raises(what: Any, value: Any, symbol: str | None) -> None:
    """Whatever the body holds, something comes out."""
    assert answered(ReadCall(what, symbol), _reply(value), ASKED)
    assert counted_down(DEAD_MAN, _reply(value), ASKED)
