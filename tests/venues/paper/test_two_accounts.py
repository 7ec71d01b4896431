"""Two accounts on one book, and one account that must not meet itself."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from runner.venues.paper.state import MarketEvent, UserEvent
from tests.venues.paper.desk import Desk, short


@pytest.fixture
def desk() -> Desk:
    """Two accounts; the book stands at 69990 and 70010, so that there is room between."""
    desk = Desk(accounts=("paper", "other"))
    desk.exchange.set_price("BTCUSDT", bid=Decimal(69_990), ask=Decimal(70_010), now=desk.now)
    desk.exchange.drain()
    return desk


def other(desk: Desk, side: str, price: str = "70000", **more: Any) -> Any:
    """A limit order of the other account."""
    terms = {"symbol": "BTCUSDT", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.010"}
    return desk.call("POST", "order", "other", **(terms | {"side": side, "price": price} | more))


def test_two_accounts_trade_with_each_other(desk: Desk) -> None:
    """At the maker's price, with one trade id, each with its own fee and events."""
    other(desk, "SELL", quantity="0.030")
    desk.exchange.drain()
    desk.limit(price="70005")
    events = desk.exchange.drain()
    told = [(one.account, short(dict(one.payload))) for one in events if isinstance(one, UserEvent)]
    assert told == [
        ("paper", "ORDER NEW"),
        ("paper", "TRADE_LITE"),
        ("paper", "ACCOUNT_UPDATE"),
        ("paper", "ORDER FILLED"),
        ("other", "TRADE_LITE"),
        ("other", "ACCOUNT_UPDATE"),
        ("other", "ORDER PARTIALLY_FILLED"),
    ]
    mine = desk.call("GET", "userTrades", symbol="BTCUSDT")[0]
    theirs = desk.call("GET", "userTrades", "other", symbol="BTCUSDT")[0]
    assert (mine["id"], mine["price"], mine["maker"]) == (theirs["id"], "70000.00", False)
    assert theirs["maker"] is True
    assert Decimal(mine["commission"]) == 700 * Decimal("0.0005")
    assert Decimal(theirs["commission"]) == 700 * Decimal("0.0002")


def test_their_trade_is_on_the_tape(desk: Desk) -> None:
    """It is the last price, and triggers what waits for it."""
    stop = desk.algo("SELL", "STOP_MARKET", triggerPrice="69995", activatePrice="")
    other(desk, "BUY", "69993")
    desk.exchange.drain()
    desk.limit("SELL", "69993")
    events = desk.exchange.drain()
    trades = [one.trade for one in events if isinstance(one, MarketEvent) and one.trade]
    assert (trades[0].price, trades[0].buyer_is_maker) == (Decimal(69_993), True)
    found = desk.call("GET", "algoOrder", algoId=stop["algoId"])
    assert found["algoStatus"] == "FINISHED"


def test_the_better_price_comes_first_and_then_the_earlier_order(desk: Desk) -> None:
    """The queue of a price: first come, first served; who changes his order goes to its end."""
    late = other(desk, "SELL", "70001")
    first = other(desk, "SELL", "70000", newClientOrderId="first")
    second = other(desk, "SELL", "70000")
    terms = {"symbol": "BTCUSDT", "side": "SELL", "quantity": "0.020", "price": "70000"}
    desk.call("PUT", "order", "other", orderId=first["orderId"], **terms)
    desk.market(quantity="0.015")
    filled = {
        one["orderId"]: one["executedQty"]
        for one in desk.call("GET", "allOrders", "other", symbol="BTCUSDT")
    }
    assert filled == {
        late["orderId"]: "0.000",
        first["orderId"]: "0.005",
        second["orderId"]: "0.010",
    }


def test_beyond_the_other_account_stands_the_book(desk: Desk) -> None:
    """What the other order cannot fill, the book's best ask does."""
    other(desk, "SELL", "70005")
    answer = desk.market(quantity="0.030")
    found = desk.call("GET", "order", symbol="BTCUSDT", orderId=answer["orderId"])
    assert found["cumQuote"] == "2100.25000"


@pytest.mark.parametrize(("tif", "code"), [("FOK", -5021), ("GTX", -5022)])
def test_fok_and_gtx_see_the_other_account(desk: Desk, tif: str, code: int) -> None:
    """0.010 is there between the prices: too little for the one, too much for the other."""
    other(desk, "SELL")
    terms = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "price": "70000"}
    assert desk.refused("POST", "order", **terms, quantity="0.020", timeInForce=tif) == code
    if tif == "FOK":
        assert desk.call("POST", "order", **terms, quantity="0.010", timeInForce=tif)
        assert desk.held() == Decimal("0.010")


def test_a_reduce_only_order_meets_only_what_its_position_allows(desk: Desk) -> None:
    """The other's reduce-only sale of 0.030 has 0.010 to sell: so much is traded, then it ends."""
    buy = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.010"}
    desk.call("POST", "order", "other", **buy)
    resting = other(desk, "SELL", "70000", quantity="0.030", reduceOnly="true")
    desk.limit(price="70000", quantity="0.030")
    assert desk.held() == Decimal("0.010")
    found = desk.call("GET", "order", "other", symbol="BTCUSDT", orderId=resting["orderId"])
    assert (found["status"], found["executedQty"]) == ("EXPIRED", "0.010")


@pytest.mark.parametrize(
    ("mode", "maker", "taker"),
    [
        ("EXPIRE_MAKER", ("EXPIRED_IN_MATCH", "1"), ("NEW", "0")),
        ("EXPIRE_TAKER", ("NEW", "0"), ("EXPIRED_IN_MATCH", "1")),
        ("EXPIRE_BOTH", ("EXPIRED_IN_MATCH", "1"), ("EXPIRED_IN_MATCH", "1")),
        ("NONE", ("FILLED", "0"), ("FILLED", "0")),
    ],
)
def test_self_trade_prevention_expires_what_its_mode_says(
    desk: Desk, mode: str, maker: tuple[str, str], taker: tuple[str, str]
) -> None:
    """The taker's mode decides; the execution type is EXPIRED, the reason 1."""
    resting = desk.limit("SELL", "70000")["orderId"]
    desk.told()
    crossing = desk.limit("BUY", "70000", selfTradePreventionMode=mode)["orderId"]
    last: dict[int, tuple[str, str]] = {resting: ("NEW", "0")}
    for event in desk.told():
        if event["e"] == "ORDER_TRADE_UPDATE":
            order = event["o"]
            last[order["i"]] = (order["X"], order["er"])
            if order["X"] == "EXPIRED_IN_MATCH":
                assert order["x"] == "EXPIRED"
    assert (last[resting], last[crossing]) == (maker, taker)
    assert desk.held() == 0


def test_prevention_is_the_makers_expiry_by_default_and_marks_an_ioc(desk: Desk) -> None:
    """EXPIRE_MAKER when nothing was said; an IOC that expires has reason 3."""
    answer = desk.limit("SELL", "70000")
    assert answer["selfTradePreventionMode"] == "EXPIRE_MAKER"
    desk.told()
    mode = {"selfTradePreventionMode": "EXPIRE_TAKER", "timeInForce": "IOC"}
    desk.limit("BUY", "70000", **mode)
    assert desk.told()[-1]["o"]["er"] == "3"


def test_prevention_skips_the_own_order_and_goes_on_with_others(desk: Desk) -> None:
    """The own sale at the better price expires, the other's behind it is bought."""
    own = desk.limit("SELL", "69999")
    other(desk, "SELL", "70000")
    desk.market()
    found = desk.call("GET", "order", symbol="BTCUSDT", orderId=own["orderId"])
    assert found["status"] == "EXPIRED_IN_MATCH"
    assert desk.held() == Decimal("0.010")
    assert desk.exchange.state.accounts["other"].amount("BTCUSDT", "BOTH") == Decimal("-0.010")


def test_everybody_sees_the_resting_orders(desk: Desk) -> None:
    """In depth and as the best price; a fill and a cancellation take them away again."""
    order = other(desk, "SELL", "70000", quantity="0.030")
    seen = desk.call("GET", "depth", symbol="BTCUSDT", limit=5)
    assert seen["asks"][0] == ["70000.00", "0.030"]
    assert seen["asks"][1][0] == "70010.00"
    desk.limit(price="70000")
    best = desk.call("GET", "ticker/bookTicker", symbol="BTCUSDT")
    assert (best["askPrice"], best["askQty"]) == ("70000.00", "0.020")
    assert best["lastUpdateId"] > seen["lastUpdateId"]
    desk.call("DELETE", "order", "other", symbol="BTCUSDT", orderId=order["orderId"])
    assert desk.call("GET", "ticker/bookTicker", symbol="BTCUSDT")["askPrice"] == "70010.00"


def test_the_book_never_looks_crossed() -> None:
    """An order that waits for more than the book had stands before what is synthesised."""
    desk = Desk(level_quantity=Decimal("0.002"))
    desk.limit(price="70000.3", quantity="1")
    seen = desk.call("GET", "depth", symbol="BTCUSDT", limit=5)
    assert seen["bids"][0][0] == "70000.30"
    assert Decimal(seen["asks"][0][0]) > Decimal("70000.3")


def test_a_held_order_meets_nobody(desk: Desk) -> None:
    """What a test wants to fill by hand is in nobody's way."""
    desk.exchange.state.held = {"h1"}
    other(desk, "SELL", "70000", newClientOrderId="h1")
    desk.limit(price="70000")
    assert desk.held() == 0
