"""Positions, balances, margin and settings of an account."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from runner.venues.paper.symbols import built_in, read_symbols
from tests.venues.paper.desk import Desk


@pytest.fixture
def desk() -> Desk:
    """A desk on the built-in symbols; BTCUSDT stands at 70000."""
    return Desk()


@pytest.fixture
def hedge() -> Desk:
    """A desk in hedge mode."""
    desk = Desk()
    desk.call("POST", "positionSide/dual", dualSidePosition="true")
    return desk


def test_a_position_is_entered_at_the_average_and_left_with_its_profit(desk: Desk) -> None:
    """Two buys average; a partial sale realizes its share; the wallet pays fees."""
    desk.market()
    desk.price("71000")
    desk.market()
    row = desk.call("GET", "/fapi/v3/positionRisk")[0]
    assert (row["positionAmt"], row["entryPrice"]) == ("0.020", "70500.10000")
    desk.price("72000")
    desk.market("SELL")
    realized = (Decimal("72000") - Decimal("70500.1")) * Decimal("0.010")
    fees = (Decimal("70000.1") + Decimal("71000.1") + Decimal(72000)) * Decimal("0.000005")
    assert desk.wallet() == 10_000 + realized - fees
    assert desk.held() == Decimal("0.010")


def test_a_sale_through_zero_turns_the_position(desk: Desk) -> None:
    """The rest is a short position entered at the sale's price."""
    desk.market()
    desk.market("SELL", quantity="0.030")
    row = desk.call("GET", "/fapi/v3/positionRisk")[0]
    assert (row["positionAmt"], row["entryPrice"]) == ("-0.020", "70000.00000")


def test_hedge_mode_keeps_long_and_short_apart(hedge: Desk) -> None:
    """Both sides at once; closing one leaves the other."""
    hedge.market(positionSide="LONG")
    hedge.market("SELL", positionSide="SHORT", quantity="0.020")
    assert (hedge.held(side="LONG"), hedge.held(side="SHORT")) == (
        Decimal("0.010"),
        Decimal("-0.020"),
    )
    hedge.market("SELL", positionSide="LONG")
    assert hedge.held(side="LONG") == 0
    sides = [row["positionSide"] for row in hedge.call("GET", "/fapi/v3/positionRisk")]
    assert sides == ["SHORT"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, -4061),
        ({"positionSide": "LONG", "reduceOnly": "true"}, -1106),
        ({"positionSide": "SHORT"}, -2022),
        ({"positionSide": "LONG", "side": "SELL"}, -2022),
    ],
)
def test_hedge_mode_refuses_what_does_not_fit(
    hedge: Desk, change: dict[str, Any], code: int
) -> None:
    """A side must be named, reduceOnly must not, and what is not held cannot be closed."""
    terms = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.010"}
    assert hedge.refused("POST", "order", **(terms | change)) == code


def test_a_close_position_stop_in_hedge_mode_closes_its_side(hedge: Desk) -> None:
    """LONG is closed by SELL; BUY for LONG is refused."""
    hedge.market(positionSide="LONG")
    hedge.algo(
        "SELL", "STOP_MARKET", triggerPrice="69000", closePosition="true", positionSide="LONG"
    )
    with pytest.raises(Exception, match="-4061"):
        hedge.algo(
            "BUY", "STOP_MARKET", triggerPrice="71000", closePosition="true", positionSide="LONG"
        )
    hedge.price("69000")
    assert hedge.held(side="LONG") == 0


def test_the_position_mode_changes_only_on_an_empty_account(desk: Desk) -> None:
    """-4059 for no change, -4067 with open orders, -4068 with a position."""
    assert desk.refused("POST", "positionSide/dual", dualSidePosition="false") == -4059
    order = desk.limit()
    assert desk.refused("POST", "positionSide/dual", dualSidePosition="true") == -4067
    desk.call("DELETE", "order", symbol="BTCUSDT", orderId=order["orderId"])
    desk.market()
    assert desk.refused("POST", "positionSide/dual", dualSidePosition="true") == -4068
    assert desk.call("GET", "positionSide/dual") == {"dualSidePosition": False}


def test_leverage_is_set_and_told(desk: Desk) -> None:
    """The answer names the largest notional; ACCOUNT_CONFIG_UPDATE carries it to the stream."""
    answer = desk.call("POST", "leverage", symbol="BTCUSDT", leverage=50)
    assert answer == {"leverage": 50, "maxNotionalValue": "12000000", "symbol": "BTCUSDT"}
    assert desk.told()[0]["ac"] == {"s": "BTCUSDT", "l": 50}
    assert desk.call("GET", "symbolConfig", symbol="BTCUSDT")[0]["leverage"] == 50
    for wrong in (0, 126):
        assert desk.refused("POST", "leverage", symbol="BTCUSDT", leverage=wrong) == -4028


def test_margin_is_what_leverage_makes_of_the_notional(desk: Desk) -> None:
    """20x of 10000: 2.857 BTC at 70000 fit, 2.858 do not."""
    assert (
        desk.refused("POST", "order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="2.858")
        == -2019
    )
    desk.market(quantity="2.857")
    figures = desk.call("GET", "/fapi/v3/account")
    assert figures["totalPositionInitialMargin"] == "9999.50000000"


def test_open_orders_tie_up_margin_and_hedging_orders_do_not(desk: Desk) -> None:
    """Two buys add up; a sell against a long position of its size needs nothing more."""
    desk.limit(quantity="2")
    assert (
        desk.refused(
            "POST",
            "order",
            symbol="BTCUSDT",
            side="BUY",
            type="LIMIT",
            timeInForce="GTC",
            quantity="1",
            price="69000",
        )
        == -2019
    )
    desk.call("DELETE", "allOpenOrders", symbol="BTCUSDT")
    desk.market(quantity="2.8")
    assert desk.limit("SELL", "71000", quantity="2.8")["status"] == "NEW"


def test_a_position_larger_than_its_leverage_allows_is_refused() -> None:
    """-2027: at 100x the ladder ends at 800000 of notional."""
    desk = Desk(balance={"USDT": Decimal(10_000_000)})
    desk.call("POST", "leverage", symbol="BTCUSDT", leverage=100)
    assert (
        desk.refused("POST", "order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="12")
        == -2027
    )


def test_margin_type_changes_only_without_orders_and_positions(desk: Desk) -> None:
    """-4046 for no change, -4047 with orders, -4048 with a position."""
    assert desk.refused("POST", "marginType", symbol="BTCUSDT", marginType="CROSSED") == -4046
    assert desk.refused("POST", "marginType", symbol="BTCUSDT", marginType="SOME") == -1130
    desk.limit()
    assert desk.refused("POST", "marginType", symbol="BTCUSDT", marginType="ISOLATED") == -4047
    desk.call("DELETE", "allOpenOrders", symbol="BTCUSDT")
    assert desk.call("POST", "marginType", symbol="BTCUSDT", marginType="ISOLATED") == {
        "code": 200,
        "msg": "success",
    }
    desk.market()
    assert desk.refused("POST", "marginType", symbol="BTCUSDT", marginType="CROSSED") == -4048


def test_an_isolated_position_holds_its_own_margin(desk: Desk) -> None:
    """Its margin leaves the cross wallet, grows by positionMargin, and comes back at the end."""
    desk.call("POST", "marginType", symbol="BTCUSDT", marginType="ISOLATED")
    desk.market()
    row = desk.call("GET", "/fapi/v3/positionRisk")[0]
    assert row["isolatedWallet"] == "35.00005000"
    margin = {"symbol": "BTCUSDT", "amount": "5"}
    assert desk.call("POST", "positionMargin", **margin, type=1)["type"] == 1
    row = desk.call("GET", "/fapi/v2/positionRisk", symbol="BTCUSDT")[0]
    assert (row["isolatedWallet"], row["marginType"]) == ("40.00005000", "isolated")
    assert desk.refused("POST", "leverage", symbol="BTCUSDT", leverage=5) == -4161
    desk.market("SELL", quantity="0.005")
    assert desk.call("GET", "/fapi/v3/positionRisk")[0]["isolatedWallet"] == "20.00002500"
    desk.market("SELL", quantity="0.005")
    balance = desk.call("GET", "/fapi/v3/balance")[0]
    assert balance["balance"] == balance["crossWalletBalance"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"amount": "0"}, -4055),
        ({"type": 3}, -1130),
        ({"symbol": "ETHUSDT"}, -4049),
        ({"type": 2, "amount": "100"}, -4051),
        ({"positionSide": "LONG"}, -4061),
    ],
)
def test_isolated_margin_moves_are_checked(desk: Desk, change: dict[str, Any], code: int) -> None:
    """Each mistake meets its code."""
    desk.call("POST", "marginType", symbol="BTCUSDT", marginType="ISOLATED")
    desk.market()
    terms = {"symbol": "BTCUSDT", "amount": "5", "type": 1}
    assert desk.refused("POST", "positionMargin", **(terms | change)) == code


def test_multi_assets_mode_and_isolated_margin_exclude_each_other(desk: Desk) -> None:
    """-4171 for no change, -4170 with orders, -4168 and -4167 for each beside the other."""
    assert desk.refused("POST", "multiAssetsMargin", multiAssetsMargin="false") == -4171
    desk.limit()
    assert desk.refused("POST", "multiAssetsMargin", multiAssetsMargin="true") == -4170
    desk.call("DELETE", "allOpenOrders", symbol="BTCUSDT")
    desk.call("POST", "multiAssetsMargin", multiAssetsMargin="true")
    assert desk.call("GET", "multiAssetsMargin") == {"multiAssetsMargin": True}
    assert desk.refused("POST", "marginType", symbol="BTCUSDT", marginType="ISOLATED") == -4168
    desk.call("POST", "multiAssetsMargin", multiAssetsMargin="false")
    desk.call("POST", "marginType", symbol="BTCUSDT", marginType="ISOLATED")
    assert desk.refused("POST", "multiAssetsMargin", multiAssetsMargin="true") == -4167


def test_version_three_lists_only_what_is_held_or_ordered(desk: Desk) -> None:
    """v2 lists every symbol with its leverage, v3 only the busy ones without."""
    assert desk.call("GET", "/fapi/v3/positionRisk") == []
    assert len(desk.call("GET", "/fapi/v2/positionRisk")) == 12
    desk.limit(symbol="ETHUSDT", price="3400")
    rows = desk.call("GET", "/fapi/v3/positionRisk")
    assert [row["symbol"] for row in rows] == ["ETHUSDT"]
    assert "leverage" not in rows[0]
    assert len(desk.call("GET", "/fapi/v2/account")["positions"]) == 12


def test_the_break_even_price_covers_the_fees(desk: Desk) -> None:
    """Closing there by a taker order of no fee would leave the wallet where it began."""
    desk.market()
    row = desk.call("GET", "/fapi/v3/positionRisk")[0]
    gained = (Decimal(row["breakEvenPrice"]) - Decimal(row["entryPrice"])) * Decimal("0.010")
    assert abs(desk.wallet() + gained - 10_000) < Decimal("0.000001")


def test_the_liquidation_price_lies_where_the_margin_is_used_up(desk: Desk) -> None:
    """A cent above it, wallet and loss together are the maintenance margin and a few cents."""
    desk.market(quantity="2")
    row = desk.call("GET", "/fapi/v3/positionRisk")[0]
    above = Decimal(row["liquidationPrice"]) + Decimal("0.01")
    desk.exchange.set_price("BTCUSDT", mark=above, now=desk.now)
    figures = desk.call("GET", "/fapi/v3/account")
    left = Decimal(figures["totalMarginBalance"]) - Decimal(figures["totalMaintMargin"])
    assert 0 < left < Decimal("0.05")


def test_accounts_do_not_see_each_other() -> None:
    """Two keys, two accounts: orders, positions and events stay apart."""
    desk = Desk(accounts=("paper", "other"))
    desk.limit(newClientOrderId="mine")
    desk.market()
    assert desk.call("GET", "openOrders", account="other") == []
    assert desk.call("GET", "/fapi/v3/positionRisk", account="other") == []


def test_a_symbol_that_does_not_trade_takes_no_orders() -> None:
    """-4141 for one that is settling, -4140 for one that is not open yet."""
    documents = [dict(symbol.document) for symbol in built_in().values()]
    documents[0]["status"], documents[1]["status"] = "SETTLING", "PENDING_TRADING"
    desk = Desk(symbols=read_symbols(documents))
    terms = {"side": "BUY", "type": "MARKET", "quantity": "0.1"}
    assert desk.refused("POST", "order", symbol="BTCUSDT", **terms) == -4141
    assert desk.refused("POST", "order", symbol="ETHUSDT", **terms) == -4140


def test_the_small_questions_have_answers(desk: Desk) -> None:
    """Fees, limits, brackets, permissions: each in its documented shape."""
    rate = desk.call("GET", "commissionRate", symbol="BTCUSDT")
    assert (rate["makerCommissionRate"], rate["takerCommissionRate"]) == ("0.0002", "0.0005")
    assert [one["limit"] for one in desk.call("GET", "rateLimit/order")] == [1200, 300]
    ladder = desk.call("GET", "leverageBracket", symbol="BTCUSDT")[0]["brackets"]
    assert ladder[1] == {
        "bracket": 2,
        "initialLeverage": 100,
        "notionalCap": 800000,
        "notionalFloor": 300000,
        "maintMarginRatio": 0.005,
        "cum": 300.0,
    }
    permissions = desk.call("GET", "/sapi/v1/account/apiRestrictions")
    assert (permissions["enableFutures"], permissions["enableWithdrawals"]) == (True, False)
    assert desk.call("GET", "accountConfig")["dualSidePosition"] is False


def test_an_isolated_position_that_turns_takes_new_margin(desk: Desk) -> None:
    """And its margin is not available to others."""
    desk.call("POST", "marginType", symbol="BTCUSDT", marginType="ISOLATED")
    desk.market(quantity="0.010")
    desk.market("SELL", quantity="0.030")
    row = desk.call("GET", "/fapi/v3/positionRisk")[0]
    assert (row["positionAmt"], row["isolatedWallet"]) == ("-0.020", "70.00000000")
    balance = desk.call("GET", "/fapi/v3/balance")[0]
    held = Decimal(balance["balance"]) - Decimal(balance["crossWalletBalance"])
    assert held == 70
    assert Decimal(balance["availableBalance"]) == Decimal(balance["crossWalletBalance"])


def test_each_margin_asset_has_its_own_balance() -> None:
    """A position margined in USDC leaves the USDT figures alone."""
    documents = [dict(symbol.document) for symbol in built_in().values()]
    documents[0] |= {"marginAsset": "USDC"}
    balance = {"USDT": Decimal(1000), "USDC": Decimal(500)}
    desk = Desk(symbols=read_symbols(documents), balance=balance)
    desk.market()
    desk.limit(symbol="ETHUSDT", price="3400", quantity="0.1")
    rows = {row["asset"]: row for row in desk.call("GET", "/fapi/v3/account")["assets"]}
    assert rows["USDC"]["positionInitialMargin"] == "35.00000000"
    assert rows["USDT"]["positionInitialMargin"] == "0.00000000"
    assert rows["USDT"]["openOrderInitialMargin"] == "17.00000000"
    assert rows["USDT"]["walletBalance"] == "1000.00000000"
