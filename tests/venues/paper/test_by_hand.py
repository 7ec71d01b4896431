"""What a test decides itself: refusals, fills by hand, and prices beside the mark."""

from __future__ import annotations

from decimal import Decimal

from runner.venues.paper.frames import mark_price
from runner.venues.paper.matching import fill_by_hand
from tests.venues.paper.desk import Desk


def test_an_order_is_refused_with_the_code_that_was_asked_for() -> None:
    """Both services refuse it, and no order comes into being."""
    desk = Desk()
    desk.exchange.state.refused = {"r1": -2019, "r2": -9999}
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
    assert desk.refused("POST", "/fapi/v1/order", **order, newClientOrderId="r1") == -2019
    stop = {"algoType": "CONDITIONAL", "type": "STOP_MARKET", "triggerPrice": "68000"}
    conditional = {**order, "side": "SELL", **stop, "clientAlgoId": "r2"}
    assert desk.refused("POST", "/fapi/v1/algoOrder", **conditional) == -9999
    assert desk.exchange.orders() == []


def test_a_held_order_fills_only_by_hand() -> None:
    """Neither the book nor a price that reaches it fills it; parts and prices are as asked."""
    desk = Desk()
    state = desk.exchange.state
    state.held = {"h1"}
    desk.market(quantity="0.03", newClientOrderId="h1")
    desk.price("60000")
    (order,) = desk.exchange.orders()
    assert (order.status, desk.held()) == ("NEW", Decimal(0))
    fill_by_hand(state, order, Decimal(70_012), Decimal("0.01"), desk.now)
    assert (order.status, order.average) == ("PARTIALLY_FILLED", Decimal(70_012))
    fill_by_hand(state, order, None, None, desk.now)
    assert (order.status, desk.held()) == ("FILLED", Decimal("0.03"))


def test_the_index_follows_the_mark_until_it_is_given() -> None:
    """Index and funding rate have prices of their own once somebody moved them."""
    desk = Desk()
    market = desk.exchange.state.market("BTCUSDT")
    desk.price("71000")
    assert mark_price(market, desk.now)["i"] == "71000.00000000"
    rate = Decimal("-0.0003")
    desk.exchange.set_price("BTCUSDT", now=desk.now, index=Decimal(70_900), funding_rate=rate)
    frame = mark_price(market, desk.now)
    assert (frame["p"], frame["i"]) == ("71000.00000000", "70900.00000000")
    assert frame["r"] == "-0.00030000"
