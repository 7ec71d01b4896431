"""Liquidation prices by the public formula, margin calls, liquidation, ADL, funding, settlement."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from runner.venues.paper.forced import auto_deleverage
from runner.venues.paper.margin import liquidation_price
from runner.venues.paper.state import PublicEvent
from tests.venues.paper.desk import START, Desk, short

HOUR = 3_600_000


def ladder(symbol: str, rate: str, cum: str) -> dict[str, Any]:
    """A leverage ladder of one step."""
    step = {
        "bracket": 1,
        "initialLeverage": 125,
        "notionalFloor": 0,
        "notionalCap": 10**12,
        "maintMarginRatio": Decimal(rate),
        "cum": Decimal(cum),
    }
    return {"symbol": symbol, "brackets": [step]}


def hold(desk: Desk, symbol: str, amount: str, entry: str, mark: str, side: str = "BOTH") -> Any:
    """Put a position into the account as it is, and its symbol at a mark price."""
    position = desk.exchange.state.accounts["paper"].position(symbol, side)
    position.amount, position.entry = Decimal(amount), Decimal(entry)
    desk.exchange.state.market(symbol).mark = Decimal(mark)
    return position


@pytest.fixture
def public() -> Desk:
    """The account of the public example: two cross positions on one wallet."""
    desk = Desk(
        balance={"USDT": Decimal("1535443.01")},
        brackets=[ladder("ETHUSDT", "0.10", "135365"), ladder("BTCUSDT", "0.025", "16300")],
    )
    hold(desk, "ETHUSDT", "3683.979", "1456.84", "1335.18")
    hold(desk, "BTCUSDT", "109.488", "32481.98", "31967.27")
    return desk


@pytest.mark.parametrize(("symbol", "price"), [("ETHUSDT", "1153.26"), ("BTCUSDT", "26316.89")])
def test_the_public_example_in_cross_margin(public: Desk, symbol: str, price: str) -> None:
    """The figures of the exchange's own example.

    Source: "How to Calculate Liquidation Price of USDⓈ-M Futures Contracts", Binance FAQ
    b3c689c1f50a44cabb3a84e663b81d93; the same figures are in freqtrade's tests.
    """
    account = public.exchange.state.accounts["paper"]
    found = liquidation_price(public.exchange.state, account, account.position(symbol, "BOTH"))
    assert round(found, 2) == Decimal(price)


@pytest.mark.parametrize(("symbol", "price"), [("ETHUSDT", "1114.78"), ("BTCUSDT", "18778.73")])
def test_the_public_example_in_isolated_margin(public: Desk, symbol: str, price: str) -> None:
    """The same position with the wallet as its own margin: TMM and UPNL are 0 in the formula."""
    account = public.exchange.state.accounts["paper"]
    account.settings[symbol] = account.setting(symbol)
    account.settings[symbol].isolated = True
    position = account.position(symbol, "BOTH")
    position.isolated_wallet = Decimal("1535443.01")
    found = liquidation_price(public.exchange.state, account, position)
    assert round(found, 2) == Decimal(price)


def test_the_maintenance_amounts_of_the_public_ladder() -> None:
    """Level 2 onwards: floor times the difference of the rates, plus the amount before.

    Source: the same page, "Maintenance Amount formula".
    """
    steps = Desk().call("GET", "leverageBracket", symbol="BTCUSDT")[0]["brackets"]
    amount = Decimal(0)
    for before, step in pairwise(steps):
        rise = Decimal(str(step["maintMarginRatio"])) - Decimal(str(before["maintMarginRatio"]))
        amount += step["notionalFloor"] * rise
        assert Decimal(str(step["cum"])) == amount


def test_the_bracket_is_that_of_the_position_at_its_liquidation_price() -> None:
    """70 BTC long stand on the fourth step now and on the third at the end.

    "If your position (calculated at the liquidation price) and the current position are of
    different levels, you must substitute the rate and the amount of the level" (the same page).
    By hand: (2500000 + 3800 - 70 x 70000) / (70 x 0.0065 - 70); the third step's amount is
    300000 x 0.001 + 800000 x 0.0015 = 1500.
    """
    desk = Desk(balance={"USDT": Decimal(2_500_000)})
    position = hold(desk, "BTCUSDT", "70", "70000", "70000")
    account = desk.exchange.state.accounts["paper"]
    found = liquidation_price(desk.exchange.state, account, position)
    by_hand = (Decimal(2_500_000) + 1500 - 70 * 70_000) / (70 * Decimal("0.0065") - 70)
    assert found == by_hand
    assert found * 70 < 3_000_000 < 70 * 70_000


def test_both_sides_of_a_symbol_share_a_cross_liquidation_price() -> None:
    """And a short one alone is liquidated above its entry."""
    desk = Desk()
    desk.call("POST", "positionSide/dual", dualSidePosition="true")
    desk.market(quantity="1", positionSide="LONG")
    desk.market("SELL", quantity="1.5", positionSide="SHORT")
    rows = desk.call("GET", "/fapi/v3/positionRisk")
    assert len({row["liquidationPrice"] for row in rows}) == 1
    assert Decimal(rows[0]["liquidationPrice"]) > 70_000


def test_a_margin_call_comes_once_before_the_liquidation() -> None:
    """At four fifths of the margin used up; again only after the ratio was lower."""
    desk = Desk()
    desk.market(quantity="2")
    liquidation = Decimal(desk.call("GET", "/fapi/v3/positionRisk")[0]["liquidationPrice"])
    near = liquidation + 50
    desk.told()
    for price in (near, near + 1, near):
        desk.exchange.set_price("BTCUSDT", mark=price, now=desk.now)
    (call,) = desk.told()
    assert (call["e"], call["cw"]) == ("MARGIN_CALL", "9929.99990000")
    (row,) = call["p"]
    assert (row["s"], row["ps"], row["pa"], row["mt"]) == ("BTCUSDT", "BOTH", "2.000", "CROSSED")
    assert set(row) == {"s", "ps", "pa", "mt", "iw", "mp", "up", "mm"}
    desk.exchange.set_price("BTCUSDT", mark=Decimal(70_000), now=desk.now)
    desk.exchange.set_price("BTCUSDT", mark=near, now=desk.now)
    assert [event["e"] for event in desk.told()] == ["MARGIN_CALL"]


def test_a_liquidation_is_an_order_of_the_exchange() -> None:
    """Open orders expire (reason 5), then the autoclose order is NEW, filled, and paid for.

    The order of the events is the documented one: c starts with "autoclose-" and X shows NEW
    first.
    """
    desk = Desk()
    desk.market(quantity="2")
    waiting = desk.limit("SELL", "72000")
    desk.told()
    desk.exchange.set_price("BTCUSDT", mark=Decimal(65_200), now=desk.now)
    story = desk.told()
    assert [short(event) for event in story] == [
        "ORDER EXPIRED",
        "ORDER NEW",
        "TRADE_LITE",
        "ACCOUNT_UPDATE",
        "ORDER FILLED",
        "ACCOUNT_UPDATE",
    ]
    assert (story[0]["o"]["i"], story[0]["o"]["er"]) == (waiting["orderId"], "5")
    order = story[4]["o"]
    assert order["c"].startswith("autoclose-")
    assert (order["o"], order["f"], order["S"], order["q"]) == ("LIMIT", "IOC", "SELL", "2.000")
    assert story[5]["a"]["m"] == "INSURANCE_CLEAR"
    assert desk.held() == 0


def test_an_order_by_hand_is_liquidated_and_listed() -> None:
    """By hand: 2 BTC from 70000.1, wallet 9929.9999, gap to 65000: margin is gone.

    The bankruptcy price is 70000.1 - 9929.9999 / 2 = 65035.10005, on the tick 65035.2 for a
    seller; nobody pays that at 65000, so the insurance fund takes the position over (execution
    CALCULATED), and 0.1999 are left over by the tick.
    """
    desk = Desk()
    desk.market(quantity="2")
    desk.told()
    desk.price("65000")
    calculated = [one["o"] for one in desk.told() if one.get("o", {}).get("x") == "CALCULATED"]
    assert [(one["L"], one["l"], one["X"]) for one in calculated] == [
        ("65035.20", "2.000", "FILLED")
    ]
    assert desk.wallet() == Decimal("0.1999")
    (listed,) = desk.call("GET", "forceOrders")
    assert (listed["avgPrice"], listed["side"]) == ("65035.20000", "SELL")
    assert desk.call("GET", "forceOrders", autoCloseType="ADL") == []


def test_the_clearance_fee_by_hand() -> None:
    """The mark falls to 65200 alone, the book still pays 70000.

    2 x (70000 - 70000.1) = -0.2 realised; commission 0.05 % of 140000.2 and of 140000; clearance
    1.25 % of 140000 = 1750. Source of the rate: `liquidationFee` of exchangeInfo.
    """
    desk = Desk()
    desk.market(quantity="2")
    desk.exchange.set_price("BTCUSDT", mark=Decimal(65_200), now=desk.now)
    commission = (Decimal("140000.2") + 140_000) * Decimal("0.0005")
    assert desk.wallet() == 10_000 - Decimal("0.2") - commission - 1750
    (row,) = desk.call("GET", "income", incomeType="INSURANCE_CLEAR")
    assert row["income"] == "-1750.00000000"


def test_nobody_owes_more_than_his_margin() -> None:
    """An isolated position whose price jumps far through its margin loses that and no more."""
    desk = Desk()
    desk.call("POST", "marginType", symbol="BTCUSDT", marginType="ISOLATED")
    desk.market(quantity="1")
    margin = Decimal(desk.call("GET", "/fapi/v3/positionRisk")[0]["isolatedWallet"])
    before = desk.wallet()
    desk.price("40000")
    assert desk.held() == 0
    assert before - margin <= desk.wallet() < before - margin + Decimal("0.11")


def test_an_isolated_position_is_called_and_liquidated_alone() -> None:
    """Its neighbour in cross margin, on the same wallet, stays."""
    desk = Desk()
    desk.call("POST", "marginType", symbol="BTCUSDT", marginType="ISOLATED")
    desk.market(quantity="0.1")
    desk.market(quantity="1", symbol="ETHUSDT")
    price = Decimal(desk.call("GET", "/fapi/v3/positionRisk")[0]["liquidationPrice"])
    desk.told()
    desk.exchange.set_price("BTCUSDT", mark=price + 20, now=desk.now)
    (call,) = desk.told()
    assert "cw" not in call
    assert (call["p"][0]["mt"], call["p"][0]["iw"] != "0") == ("ISOLATED", True)
    desk.exchange.set_price("BTCUSDT", mark=price - 1, now=desk.now)
    assert desk.held() == 0
    assert desk.held("ETHUSDT") == 1


def test_the_public_hears_of_a_liquidation() -> None:
    """forceOrder, on the symbol's stream and on that of all symbols."""
    desk = Desk()
    desk.market(quantity="2")
    desk.exchange.drain()
    desk.price("65000")
    (event,) = [one for one in desk.exchange.drain() if isinstance(one, PublicEvent)]
    assert event.names == ("btcusdt@forceOrder", "!forceOrder@arr")
    details = event.payload["o"]
    assert isinstance(details, dict)
    assert (details["S"], details["q"], details["f"]) == ("SELL", "2.000", "IOC")


def test_what_the_fund_cannot_bear_is_deleveraged() -> None:
    """An empty fund: the opponent's short is closed at the bankruptcy price, without a fee."""
    desk = Desk(accounts=("paper", "other"), insurance=Decimal(0))
    desk.market(quantity="2")
    short_terms = {"symbol": "BTCUSDT", "side": "SELL", "type": "MARKET", "quantity": "2"}
    desk.call("POST", "order", account="other", **short_terms)
    desk.price("65000")
    assert desk.exchange.state.accounts["other"].amount("BTCUSDT", "BOTH") == 0
    (listed,) = desk.call("GET", "forceOrders", account="other", autoCloseType="ADL")
    assert (listed["clientOrderId"], listed["avgPrice"]) == ("adl_autoclose", "65035.20000")
    assert desk.exchange.state.insurance["USDT"] == 0


def test_a_position_can_be_deleveraged_in_part() -> None:
    """ADL closes what it needs, at the mark by default."""
    desk = Desk()
    desk.market(quantity="0.5")
    desk.limit()
    account = desk.exchange.state.accounts["paper"]
    held = account.position("BTCUSDT", "BOTH")
    assert auto_deleverage(desk.exchange.state, account, held, desk.now, None, Decimal("0.2")) == (
        Decimal("0.2")
    )
    assert desk.held() == Decimal("0.3")
    assert account.open == {}


@pytest.mark.parametrize(("rate", "sign"), [("0.0001", -1), ("-0.0003", 1)])
def test_funding_is_paid_every_eight_hours(rate: str, sign: int) -> None:
    """Nominal value at the mark price times the rate; told with its reason, balance and change.

    By hand: 0.010 x 70000 x 0.0001 = 0.07 USDT.
    """
    desk = Desk()
    desk.exchange.set_price("BTCUSDT", now=desk.now, funding_rate=Decimal(rate))
    desk.market()
    before = desk.wallet()
    desk.told()
    due = START - START % (8 * HOUR) + 8 * HOUR
    assert desk.exchange.next_due() == due
    desk.wait(due - desk.now)
    paid = abs(Decimal(rate)) * 700
    assert desk.wallet() == before + sign * paid
    (event,) = desk.told()
    assert (event["a"]["m"], event["a"]["P"]) == ("FUNDING_FEE", [])
    assert Decimal(event["a"]["B"][0]["bc"]) == sign * paid
    (row,) = desk.call("GET", "income", incomeType="FUNDING_FEE")
    assert (row["symbol"], Decimal(row["income"]), row["asset"]) == (
        "BTCUSDT",
        sign * paid,
        "USDT",
    )
    desk.wait(8 * HOUR)
    assert desk.wallet() == before + 2 * sign * paid


def test_an_isolated_position_pays_funding_out_of_its_margin() -> None:
    """And is told with it."""
    desk = Desk()
    desk.call("POST", "marginType", symbol="BTCUSDT", marginType="ISOLATED")
    desk.market()
    desk.told()
    desk.wait(8 * HOUR)
    (event,) = desk.told()
    (row,) = event["a"]["P"]
    assert (row["s"], row["iw"]) == ("BTCUSDT", "34.93005000")


def test_who_holds_nothing_pays_nothing() -> None:
    """No funding, and nothing that is due."""
    desk = Desk()
    assert desk.exchange.next_due() is None
    desk.wait(24 * HOUR)
    assert desk.told() == []


def test_a_symbol_settles() -> None:
    """Orders expire (reason 7), positions are closed at the mark without a fee, trading ends."""
    desk = Desk()
    desk.market()
    desk.limit()
    desk.algo("SELL", "STOP_MARKET", triggerPrice="69000")
    before = desk.wallet()
    desk.exchange.drain()
    desk.exchange.set_status("BTCUSDT", "SETTLING", desk.now)
    events = desk.exchange.drain()
    public = [one.payload for one in events if isinstance(one, PublicEvent)]
    assert [(one["e"], one["s"], one["cs"]) for one in public] == [
        ("contractInfo", "BTCUSDT", "SETTLING")
    ]
    order = desk.exchange.orders()[-1]
    assert order.client_order_id.startswith("settlement_autoclose-")
    assert (order.status, order.average) == ("FILLED", Decimal(70_000))
    assert desk.held() == 0
    assert desk.wallet() == before - Decimal("0.001")
    states = {one.status: one.expiry_reason for one in desk.exchange.orders()[1:2]}
    assert states == {"EXPIRED": "7"}
    info = desk.call("GET", "exchangeInfo")["symbols"][0]
    assert (info["symbol"], info["status"]) == ("BTCUSDT", "SETTLING")
    assert (
        desk.refused("POST", "order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.01")
        == -4141
    )
    assert desk.call("GET", "openAlgoOrders") == []


def test_a_halted_symbol_keeps_its_positions() -> None:
    """Only new orders are refused; a restart remembers."""
    desk = Desk()
    desk.market()
    desk.exchange.set_status("BTCUSDT", "PENDING_TRADING", desk.now)
    assert desk.held() == Decimal("0.010")
    again = Desk()
    again.exchange.restore(desk.exchange.snapshot())
    assert again.exchange.state.symbol("BTCUSDT").status == "PENDING_TRADING"
