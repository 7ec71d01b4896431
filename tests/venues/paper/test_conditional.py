"""Conditional orders: when they trigger, what they become, and how their way is told."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.venues.paper.desk import START, Desk


@pytest.fixture
def desk() -> Desk:
    """A desk on the built-in symbols; BTCUSDT stands at 70000."""
    return Desk()


PLACED_FIELDS = (
    "algoId clientAlgoId algoType orderType symbol side positionSide timeInForce quantity "
    "algoStatus triggerPrice price icebergQuantity selfTradePreventionMode workingType priceMatch "
    "closePosition priceProtect reduceOnly activatePrice callbackRate createTime updateTime "
    "triggerTime goodTillDate"
)


def test_the_answer_has_the_documented_fields(desk: Desk) -> None:
    """The shape of POST algoOrder; the query adds what the trigger led to."""
    answer = desk.algo("SELL", "STOP_MARKET", triggerPrice="69000")
    assert " ".join(answer) == PLACED_FIELDS
    found = desk.call("GET", "algoOrder", algoId=answer["algoId"])
    assert (found["actualOrderId"], found["algoStatus"]) == ("", "NEW")


TRIGGERS = [
    ("STOP_MARKET", "SELL", "69000", "69000.1", "69000"),
    ("STOP_MARKET", "BUY", "71000", "70999.9", "71000"),
    ("TAKE_PROFIT_MARKET", "SELL", "71000", "70999.9", "71000"),
    ("TAKE_PROFIT_MARKET", "BUY", "69000", "69000.1", "69000"),
]


@pytest.mark.parametrize(("kind", "side", "trigger", "short_of", "at"), TRIGGERS)
def test_a_conditional_order_triggers_at_its_price_and_not_before(
    desk: Desk, kind: str, side: str, trigger: str, short_of: str, at: str
) -> None:
    """Stops trigger when the price comes from the good side, take-profits from the other."""
    desk.algo(side, kind, triggerPrice=trigger, clientAlgoId="exit")
    desk.price(short_of)
    assert desk.call("GET", "openAlgoOrders")
    desk.price(at)
    assert desk.call("GET", "openAlgoOrders") == []
    order = desk.call("GET", "order", symbol="BTCUSDT", origClientOrderId="exit")
    assert (order["status"], order["type"]) == ("FILLED", "MARKET")


@pytest.mark.parametrize(("kind", "side", "trigger"), [row[:3] for row in TRIGGERS])
def test_what_would_trigger_at_once_is_refused(
    desk: Desk, kind: str, side: str, trigger: str
) -> None:
    """-2021, and nothing waits."""
    other = "SELL" if side == "BUY" else "BUY"
    terms = {"symbol": "BTCUSDT", "algoType": "CONDITIONAL", "quantity": "0.010"}
    code = desk.refused("POST", "algoOrder", **terms, side=other, type=kind, triggerPrice=trigger)
    assert code == -2021
    assert desk.call("GET", "openAlgoOrders") == []


def test_the_way_of_a_triggered_market_order(desk: Desk) -> None:
    """The fill is told before TRIGGERED and FINISHED, which carry what it did."""
    desk.algo("SELL", "STOP_MARKET", triggerPrice="69000")
    assert desk.story() == ["ALGO NEW"]
    desk.price("68900")
    events = desk.told()
    assert [(one["e"], one.get("o", {}).get("X")) for one in events] == [
        ("ALGO_UPDATE", "TRIGGERING"),
        ("ORDER_TRADE_UPDATE", "NEW"),
        ("TRADE_LITE", None),
        ("ACCOUNT_UPDATE", None),
        ("ORDER_TRADE_UPDATE", "FILLED"),
        ("ALGO_UPDATE", "TRIGGERED"),
        ("ALGO_UPDATE", "FINISHED"),
    ]
    finished = events[-1]["o"]
    assert finished["ai"] == str(events[1]["o"]["i"])
    assert (finished["aq"], finished["ap"], finished["act"]) == ("0.010", "68900.00000", "MARKET")


def test_a_stop_limit_rests_after_its_trigger_and_finishes_with_its_order(desk: Desk) -> None:
    """TRIGGERED at the trigger, FINISHED when the order it became ends, here by a cancel."""
    placed = desk.algo("BUY", "STOP", triggerPrice="71000", price="70500", clientAlgoId="entry")
    desk.price("71000")
    assert desk.story()[-1] == "ALGO TRIGGERED"
    found = desk.call("GET", "algoOrder", algoId=placed["algoId"])
    assert (found["algoStatus"], found["actualType"]) == ("TRIGGERED", "LIMIT")
    assert desk.refused("DELETE", "algoOrder", algoId=placed["algoId"]) == -2011
    desk.call("DELETE", "order", symbol="BTCUSDT", origClientOrderId="entry")
    assert desk.story() == ["ORDER CANCELED", "ALGO FINISHED"]


def test_the_mark_price_triggers_only_who_asked_for_it(desk: Desk) -> None:
    """WorkingType MARK_PRICE watches the mark, the default the last price."""
    desk.algo("SELL", "STOP_MARKET", triggerPrice="69000", clientAlgoId="last")
    desk.algo(
        "SELL", "STOP_MARKET", triggerPrice="69000", clientAlgoId="mark", workingType="MARK_PRICE"
    )
    desk.exchange.set_price("BTCUSDT", mark=Decimal(68900), now=desk.now)
    assert [one["clientAlgoId"] for one in desk.call("GET", "openAlgoOrders")] == ["last"]
    desk.exchange.set_price("BTCUSDT", last=Decimal(68900), now=desk.now)
    assert desk.call("GET", "openAlgoOrders") == []


def test_price_protect_holds_back_while_mark_and_last_are_far_apart(desk: Desk) -> None:
    """Beyond triggerProtect (5 %) nothing triggers; back inside it does."""
    desk.algo("SELL", "STOP_MARKET", triggerPrice="66000", priceProtect="TRUE")
    desk.exchange.set_price("BTCUSDT", last=Decimal(65000), now=desk.now)
    assert desk.call("GET", "openAlgoOrders")
    desk.exchange.set_price("BTCUSDT", mark=Decimal(65500), now=desk.now)
    assert desk.call("GET", "openAlgoOrders") == []


def test_close_position_closes_what_is_held_at_the_trigger(desk: Desk) -> None:
    """The quantity is the position's at that moment."""
    desk.market(quantity="0.030")
    desk.algo("SELL", "STOP_MARKET", triggerPrice="69000", closePosition="true")
    desk.market(quantity="0.020")
    desk.price("69000")
    assert desk.held() == 0


def test_close_position_without_a_position_expires(desk: Desk) -> None:
    """There is nothing to close: EXPIRED, and no order."""
    desk.algo("SELL", "STOP_MARKET", triggerPrice="69000", closePosition="true")
    desk.price("69000")
    assert desk.story()[-2:] == ["ALGO TRIGGERING", "ALGO EXPIRED"]
    assert desk.call("GET", "allOrders", symbol="BTCUSDT") == []


def test_no_margin_is_checked_before_the_trigger(desk: Desk) -> None:
    """Too large an order is accepted, and REJECTED with the reason when it triggers."""
    desk.algo("BUY", "STOP_MARKET", triggerPrice="71000", quantity="100")
    desk.price("71000")
    rejected = desk.told()[-1]["o"]
    assert (rejected["X"], rejected["rm"]) == ("REJECTED", "Margin is insufficient.")


def test_a_reduce_only_stop_without_a_position_is_rejected_at_its_trigger(desk: Desk) -> None:
    """The reason is the one seen in the field."""
    desk.algo("SELL", "STOP_MARKET", triggerPrice="69000", reduceOnly="true")
    desk.price("69000")
    assert desk.told()[-1]["o"]["rm"] == "Reduce Only reject"


@pytest.mark.parametrize(
    ("side", "path", "end"),
    [
        ("SELL", ["71000", "72000", "71300"], "71280"),
        ("BUY", ["69000", "68000", "68600"], "68680"),
    ],
)
def test_a_trailing_stop_follows_and_triggers_at_its_callback(
    desk: Desk, side: str, path: list[str], end: str
) -> None:
    """1 % back from the best price since it was placed."""
    desk.algo(side, "TRAILING_STOP_MARKET", callbackRate="1")
    for price in path:
        desk.price(price)
    assert desk.call("GET", "openAlgoOrders")
    desk.price(end)
    assert desk.call("GET", "openAlgoOrders") == []


def test_a_trailing_stop_with_an_activation_price_sleeps_until_it(desk: Desk) -> None:
    """Before the activation nothing counts; the activation is told by a second NEW with `ia`."""
    desk.algo("SELL", "TRAILING_STOP_MARKET", callbackRate="1", activatePrice="71000")
    desk.price("60000")
    desk.price("70000")
    assert desk.call("GET", "openAlgoOrders")
    desk.told()
    desk.price("71000")
    activated = desk.told()[0]["o"]
    assert (activated["X"], activated["ia"]) == ("NEW", True)
    desk.price("70290")
    assert desk.call("GET", "openAlgoOrders") == []


BAD: list[tuple[dict[str, Any], int]] = [
    ({"algoType": "VP"}, -1130),
    ({"algoType": ""}, -1102),
    ({"symbol": "NOPE"}, -1121),
    ({"side": "UP"}, -1117),
    ({"type": "LIMIT"}, -1116),
    ({"triggerPrice": ""}, -1102),
    ({"triggerPrice": "69000.05"}, -4014),
    ({"triggerPrice": "69000.001"}, -1111),
    ({"triggerPrice": "100"}, -4013),
    ({"triggerPrice": "9999999"}, -4007),
    ({"quantity": ""}, -1102),
    ({"quantity": "0.0001"}, -1111),
    ({"workingType": "INDEX"}, -4031),
    ({"timeInForce": "GTT"}, -1115),
    ({"clientAlgoId": "a b"}, -1100),
    ({"clientAlgoId": "a" * 37}, -4015),
    ({"closePosition": "true"}, -4137),
    ({"closePosition": "true", "quantity": "", "reduceOnly": "true"}, -1106),
    ({"type": "STOP", "closePosition": "true", "quantity": ""}, -4136),
    ({"type": "STOP"}, -1102),
    ({"type": "STOP", "price": "50000"}, -4184),
    ({"type": "STOP", "side": "BUY", "triggerPrice": "71000", "price": "80000"}, -4183),
    ({"type": "TRAILING_STOP_MARKET"}, -1102),
    ({"type": "TRAILING_STOP_MARKET", "callbackRate": "0.05"}, -1130),
    ({"type": "TRAILING_STOP_MARKET", "callbackRate": "21"}, -1130),
    ({"type": "TRAILING_STOP_MARKET", "callbackRate": "1", "activatePrice": "69000"}, -2021),
    (
        {
            "type": "TRAILING_STOP_MARKET",
            "side": "BUY",
            "callbackRate": "1",
            "activatePrice": "71000",
        },
        -2021,
    ),
    ({"positionSide": "LONG"}, -4061),
    ({"newOrderRespType": "FULL"}, -1136),
    ({"priceMatch": "QUEUE"}, -5038),
    ({"timeInForce": "GTD", "goodTillDate": str(START)}, -5040),
]


@pytest.mark.parametrize(("change", "code"), BAD)
def test_a_bad_conditional_order_is_refused_with_its_code(
    desk: Desk, change: dict[str, Any], code: int
) -> None:
    """Each mistake alone meets its code, and nothing waits."""
    good = {
        "symbol": "BTCUSDT",
        "algoType": "CONDITIONAL",
        "side": "SELL",
        "type": "STOP_MARKET",
        "triggerPrice": "69000",
        "quantity": "0.010",
    }
    assert desk.refused("POST", "algoOrder", **(good | change)) == code
    assert desk.call("GET", "openAlgoOrders") == []


def test_cancelling_answers_with_a_code_that_is_text(desk: Desk) -> None:
    """DELETE algoOrder says "200", cancelling all says 200: clients must take both."""
    placed = desk.algo("SELL", "STOP_MARKET", triggerPrice="69000", clientAlgoId="mine")
    desk.algo("SELL", "STOP_MARKET", triggerPrice="68000")
    assert desk.call("DELETE", "algoOrder", clientAlgoId="mine") == {
        "algoId": placed["algoId"],
        "clientAlgoId": "mine",
        "code": "200",
        "msg": "success",
    }
    assert desk.call("DELETE", "algoOpenOrders", symbol="BTCUSDT")["code"] == 200
    assert desk.call("GET", "openAlgoOrders") == []
    assert desk.story() == ["ALGO NEW", "ALGO NEW", "ALGO CANCELED", "ALGO CANCELED"]


def test_client_algo_ids_are_unique_among_open_ones(desk: Desk) -> None:
    """-4116 while one waits; free again after."""
    desk.algo("SELL", "STOP_MARKET", triggerPrice="69000", clientAlgoId="same")
    with pytest.raises(Exception, match="-4116"):
        desk.algo("SELL", "STOP_MARKET", triggerPrice="68000", clientAlgoId="same")
    desk.call("DELETE", "algoOrder", clientAlgoId="same")
    desk.algo("SELL", "STOP_MARKET", triggerPrice="68000", clientAlgoId="same")


def test_two_hundred_conditional_orders_are_the_limit_over_all_symbols(desk: Desk) -> None:
    """The 201st is refused with -4045."""
    for number in range(200):
        symbol, price = ("BTCUSDT", "69000") if number % 2 else ("ETHUSDT", "3400")
        desk.algo("SELL", "STOP_MARKET", symbol=symbol, triggerPrice=price)
    with pytest.raises(Exception, match="-4045"):
        desk.algo("SELL", "STOP_MARKET", triggerPrice="69000")


def test_ordinary_endpoints_do_not_know_untriggered_orders(desk: Desk) -> None:
    """GET order gives -2013, DELETE -2011, openOrders nothing."""
    desk.algo("SELL", "STOP_MARKET", triggerPrice="69000", clientAlgoId="hidden")
    found = {"symbol": "BTCUSDT", "origClientOrderId": "hidden"}
    assert desk.refused("GET", "order", **found) == -2013
    assert desk.refused("DELETE", "order", **found) == -2011
    assert desk.call("GET", "openOrders") == []


def test_all_algo_orders_lists_the_ended_too(desk: Desk) -> None:
    """By window and from an id on; an unknown one is -2013, none named -1102."""
    ids = [
        desk.algo("SELL", "STOP_MARKET", triggerPrice=price)["algoId"]
        for price in ("69000", "68000")
    ]
    desk.price("68500")
    states = [one["algoStatus"] for one in desk.call("GET", "allAlgoOrders", symbol="BTCUSDT")]
    assert states == ["FINISHED", "NEW"]
    later = desk.call("GET", "allAlgoOrders", symbol="BTCUSDT", algoId=ids[1])
    assert [one["algoId"] for one in later] == ids[1:]
    assert desk.refused("GET", "algoOrder", algoId=1) == -2013
    assert desk.refused("GET", "algoOrder") == -1102


def test_a_waiting_gtd_order_expires(desk: Desk) -> None:
    """Its date counts before the trigger too."""
    desk.algo(
        "SELL",
        "STOP",
        triggerPrice="69000",
        price="69000",
        timeInForce="GTD",
        goodTillDate=START + 700_000,
    )
    desk.wait(700_000)
    assert desk.story() == ["ALGO NEW", "ALGO EXPIRED"]
