"""Ordinary orders: accepted, filled, expired, refused, each with its documented answer."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.venues.paper.desk import START, Desk, order_terms

PLACED_FIELDS = (
    "orderId symbol status clientOrderId price origQty executedQty cumQty timeInForce type "
    "reduceOnly closePosition side positionSide stopPrice workingType priceProtect origType "
    "priceMatch selfTradePreventionMode goodTillDate updateTime"
)


@pytest.fixture
def desk() -> Desk:
    """A desk on the built-in symbols with a book without bottom."""
    return Desk()


def test_the_answer_to_a_limit_order_has_the_documented_fields(desk: Desk) -> None:
    """No avgPrice and no cumQuote since 2026-06-30; numbers are text with the symbol's digits."""
    answer = desk.limit(newClientOrderId="one")
    assert " ".join(answer) == PLACED_FIELDS
    assert (answer["price"], answer["origQty"]) == ("69000.00", "0.010")
    assert answer["status"] == "NEW"


def test_a_query_tells_average_price_and_quote_amount(desk: Desk) -> None:
    """GET /order has what the answer to placing lacks."""
    placed = desk.market()
    found = desk.call("GET", "order", symbol="BTCUSDT", orderId=placed["orderId"])
    assert (found["avgPrice"], found["cumQuote"]) == ("70000.10000", "700.00100")
    assert found["time"] == START


def test_a_market_order_answers_new_unless_the_result_is_asked_for(desk: Desk) -> None:
    """ACK is the default; RESULT gives the FILLED result at once."""
    assert desk.market(newOrderRespType="ACK")["status"] == "NEW"
    assert desk.market()["status"] == "FILLED"


def test_a_fill_is_told_in_the_order_seen_in_the_field(desk: Desk) -> None:
    """NEW, TRADE_LITE, then ACCOUNT_UPDATE before the order's TRADE, same T."""
    desk.market()
    events = desk.told()
    assert [event["e"] for event in events] == [
        "ORDER_TRADE_UPDATE",
        "TRADE_LITE",
        "ACCOUNT_UPDATE",
        "ORDER_TRADE_UPDATE",
    ]
    assert {event["T"] for event in events} == {START}
    assert (events[3]["o"]["x"], events[3]["o"]["X"]) == ("TRADE", "FILLED")


def test_a_resting_order_fills_at_its_own_price_when_the_market_comes(desk: Desk) -> None:
    """A maker pays the maker's fee and gets its limit, not the better market."""
    desk.limit(price="69500")
    desk.told()
    desk.price("69000")
    fill = desk.told()[-1]["o"]
    assert (fill["L"], fill["m"], fill["n"]) == ("69500.00", True, "0.13900000")


def test_a_crossing_limit_order_takes_the_books_price(desk: Desk) -> None:
    """A buy far above the ask fills at the ask."""
    desk.limit(price="71000")
    assert desk.told()[-1]["o"]["L"] == "70000.10"


@pytest.mark.parametrize("time_in_force", ["IOC", "GTC", "FOK"])
def test_what_crosses_fills_whatever_its_time_in_force(desk: Desk, time_in_force: str) -> None:
    """GTC, IOC and FOK all take what is there."""
    answer = desk.limit(price="71000", timeInForce=time_in_force, newOrderRespType="RESULT")
    assert answer["status"] == "FILLED"


def test_an_ioc_order_that_meets_nothing_expires(desk: Desk) -> None:
    """It is accepted, told NEW, then EXPIRED, and found as such."""
    answer = desk.limit(timeInForce="IOC", newOrderRespType="RESULT")
    assert answer["status"] == "EXPIRED"
    assert desk.story() == ["ORDER NEW", "ORDER EXPIRED"]


@pytest.mark.parametrize(
    ("time_in_force", "price", "code"), [("FOK", "69000", -5021), ("GTX", "71000", -5022)]
)
def test_fok_and_gtx_that_cannot_are_refused_and_never_stored(
    desk: Desk, time_in_force: str, price: str, code: int
) -> None:
    """No event, no order: the rule of 2023-03-22."""
    terms = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "quantity": "0.010"}
    refused = desk.refused(
        "POST", "order", **terms, price=price, timeInForce=time_in_force, newClientOrderId="gone"
    )
    assert refused == code
    assert desk.told() == []
    assert desk.refused("GET", "order", symbol="BTCUSDT", origClientOrderId="gone") == -2013


def test_a_gtx_order_rests_as_a_maker(desk: Desk) -> None:
    """Below the ask there is nothing to take."""
    assert desk.limit(timeInForce="GTX")["status"] == "NEW"


def test_a_gtd_order_expires_at_its_second(desk: Desk) -> None:
    """The date keeps seconds only; the order is EXPIRED when it comes."""
    until = START + 700_500
    assert desk.limit(timeInForce="GTD", goodTillDate=until)["goodTillDate"] == START + 700_000
    desk.wait(699_999)
    assert len(desk.call("GET", "openOrders")) == 1
    desk.wait(1)
    assert desk.story()[-1] == "ORDER EXPIRED"


@pytest.mark.parametrize("until", [START + 600_000, 253_402_300_799_000, START])
def test_a_gtd_date_must_be_more_than_ten_minutes_ahead(desk: Desk, until: int) -> None:
    """-5040 for a date too near or too far."""
    with pytest.raises(Exception, match="goodTillDate"):
        desk.limit(timeInForce="GTD", goodTillDate=until)


def test_a_shallow_book_fills_in_parts(desk: Desk) -> None:
    """A taker walks up the levels; what the limit does not reach rests."""
    desk = Desk(level_quantity=Decimal("0.004"))
    answer = desk.limit(price="70000.20", newOrderRespType="RESULT")
    assert (answer["status"], answer["executedQty"]) == ("PARTIALLY_FILLED", "0.008")
    desk.price("70000")
    assert desk.story()[-1] == "ORDER FILLED"


def test_a_market_order_beyond_the_books_end_expires_for_the_rest() -> None:
    """50 levels of 0.001: 0.050 fills, the rest expires with reason 9."""
    desk = Desk(level_quantity=Decimal("0.001"))
    answer = desk.market(quantity="0.100")
    assert (answer["status"], answer["executedQty"]) == ("EXPIRED", "0.050")
    assert desk.told()[-1]["o"]["er"] == "9"


def test_a_fok_order_needs_the_whole_book_it_may_reach() -> None:
    """Two levels of 0.004 are not enough for 0.010."""
    desk = Desk(level_quantity=Decimal("0.004"))
    with pytest.raises(Exception, match="-5021"):
        desk.limit(price="70000.20", timeInForce="FOK")


def test_client_ids_are_unique_among_open_orders_only(desk: Desk) -> None:
    """-4116 while the first is open; the id is free again once it has closed."""
    desk.limit(newClientOrderId="same")
    terms = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    again = terms | {"quantity": "0.010", "price": "69000", "newClientOrderId": "same"}
    assert desk.refused("POST", "order", **again) == -4116
    desk.call("DELETE", "order", symbol="BTCUSDT", origClientOrderId="same")
    assert desk.call("POST", "order", **again)["clientOrderId"] == "same"


def test_a_closed_market_order_with_the_same_id_fills_again(desk: Desk) -> None:
    """The client id is no idempotency key: two copies of a market order both fill."""
    first, second = (desk.market(newClientOrderId="twice") for _ in range(2))
    assert first["orderId"] != second["orderId"]
    found = desk.call("GET", "order", symbol="BTCUSDT", origClientOrderId="twice")
    assert found["orderId"] == second["orderId"]


BAD: list[tuple[dict[str, Any], int]] = [
    ({"symbol": "NOPEUSDT"}, -1121),
    ({"symbol": ""}, -1102),
    ({"side": "UP"}, -1117),
    ({"side": ""}, -1102),
    ({"type": "STOP_MARKET"}, -4120),
    ({"type": "TRAILING_STOP_MARKET"}, -4120),
    ({"type": "ICEBERG"}, -1116),
    ({"timeInForce": "GTT"}, -1115),
    ({"timeInForce": ""}, -1102),
    ({"quantity": ""}, -1102),
    ({"quantity": "0"}, -4003),
    ({"quantity": "-1"}, -1100),
    ({"quantity": "1e-3"}, -1100),
    ({"quantity": "0.0005"}, -1111),
    ({"quantity": "1000.001"}, -4005),
    ({"price": ""}, -1102),
    ({"price": "0"}, -4001),
    ({"price": "69000.001"}, -1111),
    ({"price": "69000.05"}, -4014),
    ({"price": "500"}, -4013),
    ({"price": "4529765"}, -4002),
    ({"price": "80000"}, -4016),
    ({"side": "SELL", "price": "60000"}, -4024),
    ({"quantity": "0.000"}, -4003),
    ({"price": "4000", "quantity": "0.001"}, -4164),
    ({"newClientOrderId": "x" * 37}, -4015),
    ({"newClientOrderId": "a b"}, -1100),
    ({"newClientOrderId": ""}, -1105),
    ({"positionSide": "LONG"}, -4061),
    ({"positionSide": "UP"}, -4060),
    ({"newOrderRespType": "FULL"}, -1136),
    ({"selfTradePreventionMode": "SOME"}, -5039),
    ({"priceMatch": "QUEUE"}, -1106),
    ({"priceMatch": "QUEUE_7", "price": ""}, -5037),
    ({"priceMatch": "OPPONENT_20", "price": ""}, -5037),
    ({"type": "MARKET", "timeInForce": "GTC"}, -1106),
    ({"type": "MARKET", "timeInForce": "", "price": "70000"}, -1106),
    ({"type": "MARKET", "timeInForce": "", "price": "", "priceMatch": "QUEUE"}, -5038),
    ({"reduceOnly": "maybe"}, -1130),
    ({"reduceOnly": "true"}, -2022),
    ({"quantity": "10"}, -2019),
    ({"timeInForce": "GTD"}, -1102),
]


@pytest.mark.parametrize(("change", "code"), BAD)
def test_a_bad_order_is_refused_with_its_code(
    desk: Desk, change: dict[str, Any], code: int
) -> None:
    """Each mistake alone, in an order that is good otherwise, meets the documented code."""
    assert desk.refused("POST", "order", **order_terms(**change)) == code
    assert desk.told() == []


def test_a_refusal_says_what_is_missing(desk: Desk) -> None:
    """-1102 names the parameter in the documented words."""
    with pytest.raises(Exception, match="Mandatory parameter 'side' was not sent"):
        desk.call("POST", "order", symbol="BTCUSDT")


def test_reduce_only_orders_are_exempt_from_the_smallest_notional(desk: Desk) -> None:
    """The rest of a small position can be closed."""
    desk.market(quantity="0.001")
    assert desk.market("SELL", quantity="0.001", reduceOnly="True")["status"] == "FILLED"
    assert desk.held() == 0


def test_reduce_only_never_opens_the_other_side(desk: Desk) -> None:
    """An order larger than the position closes it; the rest expires with reason 4."""
    desk.market()
    desk.told()
    answer = desk.market("SELL", quantity="0.030", reduceOnly="true")
    assert (answer["status"], answer["executedQty"]) == ("EXPIRED", "0.010")
    assert desk.held() == 0
    assert desk.told()[-1]["o"]["er"] == "4"


def test_resting_reduce_only_orders_expire_with_their_position(desk: Desk) -> None:
    """When another order closes the position, nothing is left to reduce."""
    desk.market()
    desk.limit("SELL", "71000", reduceOnly="true")
    desk.told()
    desk.market("SELL")
    assert desk.story()[-1] == "ORDER EXPIRED"
    assert desk.call("GET", "openOrders") == []


def test_price_match_takes_the_books_price(desk: Desk) -> None:
    """QUEUE joins the own side's best, OPPONENT takes the other's, _5 goes five deep."""
    assert desk.limit(price="", priceMatch="QUEUE")["price"] == "70000.00"
    assert desk.limit(price="", priceMatch="OPPONENT")["price"] == "70000.10"
    assert desk.limit(price="", priceMatch="QUEUE_5")["price"] == "69999.60"


def test_order_test_checks_and_does_nothing(desk: Desk) -> None:
    """A good order answers with a document, a bad one with its code, and no order exists."""
    terms = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET"}
    assert desk.call("POST", "order/test", **terms, quantity="0.010")["status"] == "NEW"
    assert desk.refused("POST", "order/test", **terms, quantity="0") == -4003
    assert desk.call("GET", "allOrders", symbol="BTCUSDT") == []


def test_more_than_the_symbols_open_orders_are_refused(desk: Desk) -> None:
    """MAX_NUM_ORDERS is 200."""
    for _ in range(200):
        desk.limit(quantity="0.001")
    terms = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    assert desk.refused("POST", "order", **terms, quantity="0.001", price="69000") == -2025


def test_a_market_order_against_a_far_book_is_refused(desk: Desk) -> None:
    """-4131 when the best price lies outside PERCENT_PRICE of the mark."""
    desk.exchange.set_price("BTCUSDT", bid=Decimal(60000), ask=Decimal(80000), now=desk.now)
    terms = {"symbol": "BTCUSDT", "type": "MARKET", "quantity": "0.010"}
    assert desk.refused("POST", "order", **terms, side="BUY") == -4131
    assert desk.refused("POST", "order", **terms, side="SELL") == -4131
