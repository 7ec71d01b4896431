"""The smaller questions, and what leverage and isolated margin may become."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.venues.paper.desk import Desk


@pytest.fixture
def desk() -> Desk:
    """A desk with an isolated long position of 0.010 BTC."""
    desk = Desk()
    desk.call("POST", "marginType", symbol="BTCUSDT", marginType="ISOLATED")
    desk.market()
    return desk


def test_the_history_of_isolated_margin(desk: Desk) -> None:
    """Each move with its kind, oldest first; a restart remembers."""
    for amount, kind in (("5", 1), ("2", 2)):
        desk.call("POST", "positionMargin", symbol="BTCUSDT", amount=amount, type=kind)
        desk.now += 1
    rows = desk.call("GET", "positionMargin/history", symbol="BTCUSDT")
    assert [(row["type"], row["amount"], row["deltaType"]) for row in rows] == [
        (1, "5", "USER_ADJUST"),
        (2, "2", "USER_ADJUST"),
    ]
    assert len(desk.call("GET", "positionMargin/history", symbol="BTCUSDT", type=2)) == 1
    again = Desk()
    again.now = desk.now
    again.exchange.restore(desk.exchange.snapshot())
    assert again.call("GET", "positionMargin/history", symbol="BTCUSDT") == rows


def test_margin_that_is_needed_cannot_be_moved(desk: Desk) -> None:
    """-4051 for what the position needs, -4050 for what the account has not."""
    terms = {"symbol": "BTCUSDT"}
    assert desk.refused("POST", "positionMargin", **terms, amount="1", type=2) == -4051
    assert desk.refused("POST", "positionMargin", **terms, amount="9999", type=1) == -4050


def test_the_insurance_fund(desk: Desk) -> None:
    """Of one symbol's asset, or all."""
    (row,) = desk.call("GET", "insuranceBalance")
    assert row == desk.call("GET", "insuranceBalance", symbol="BTCUSDT")
    assert row["assets"][0]["asset"] == "USDT"
    assert "BTCUSDT" in row["symbols"]


def test_fee_burn_is_kept(desk: Desk) -> None:
    """True after it was asked for."""
    assert desk.call("GET", "feeBurn") == {"feeBurn": False}
    desk.call("POST", "feeBurn", feeBurn="true")
    assert desk.call("GET", "feeBurn") == {"feeBurn": True}
    assert desk.call("GET", "/fapi/v2/account")["feeBurn"] is True


@pytest.mark.parametrize("path", ["indexInfo", "assetIndex"])
def test_there_is_no_composite_index(desk: Desk, path: str) -> None:
    """An empty list."""
    assert desk.call("GET", path) == []


def test_small_answers(desk: Desk) -> None:
    """Constituents, ADL risk, RPI depth and trading status in their documented shapes."""
    found = desk.call("GET", "constituents", symbol="BTCUSDT")
    assert found["constituents"][0]["price"] == "70000.00"
    assert desk.call("GET", "symbolAdlRisk", symbol="BTCUSDT")["adlRisk"] == "low"
    assert len(desk.call("GET", "symbolAdlRisk")) == 12
    assert desk.call("GET", "rpiDepth", symbol="BTCUSDT", limit=5)["bids"]
    assert desk.call("GET", "apiTradingStatus")["indicators"] == {}


def test_a_leverage_that_the_position_forbids() -> None:
    """-2027 above what its notional allows, -2028 below what the balance can bear."""
    desk = Desk()
    desk.market(quantity="2")
    assert desk.refused("POST", "leverage", symbol="BTCUSDT", leverage=10) == -2028
    rich = Desk(balance={"USDT": Decimal(10_000_000)})
    rich.market(quantity="20")
    assert rich.refused("POST", "leverage", symbol="BTCUSDT", leverage=100) == -2027
    assert rich.call("POST", "leverage", symbol="BTCUSDT", leverage=75)["leverage"] == 75
