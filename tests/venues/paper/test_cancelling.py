"""Cancelling, changing, batches, the countdown, and what queries find afterwards."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from tests.venues.paper.desk import START, Desk, order_terms

DAY = 86_400_000


@pytest.fixture
def desk() -> Desk:
    """A desk on the built-in symbols."""
    return Desk()


def test_the_order_id_prevails_over_the_client_id(desk: Desk) -> None:
    """Sent both, the order id is the one that counts."""
    first = desk.limit(newClientOrderId="first")
    desk.limit(newClientOrderId="second")
    ended = desk.call(
        "DELETE",
        "order",
        symbol="BTCUSDT",
        orderId=first["orderId"],
        origClientOrderId="second",
    )
    assert (ended["clientOrderId"], ended["status"]) == ("first", "CANCELED")


def test_cancelling_what_is_not_open_is_2011(desk: Desk) -> None:
    """Unknown, filled and cancelled orders all give -2011; neither id given gives -1102."""
    filled = desk.market()["orderId"]
    for order_id in (filled, 1):
        assert desk.refused("DELETE", "order", symbol="BTCUSDT", orderId=order_id) == -2011
    assert desk.refused("DELETE", "order", symbol="BTCUSDT") == -1102


def test_a_symbols_order_is_not_found_under_another_symbol(desk: Desk) -> None:
    """Ids belong to their symbol."""
    order_id = desk.limit()["orderId"]
    assert desk.refused("DELETE", "order", symbol="ETHUSDT", orderId=order_id) == -2011


def test_a_batch_answers_leg_by_leg_in_order(desk: Desk) -> None:
    """Good legs are orders, bad ones code and text; numbers may be JSON numbers."""
    legs = [
        order_terms(),
        order_terms(price="69000.05"),
        order_terms(quantity=0.01, price=68000),
        order_terms(type="STOP"),
        order_terms(reduceOnly=True),
    ]
    answers = desk.call("POST", "batchOrders", batchOrders=json.dumps(legs))
    assert [one.get("status") or one["code"] for one in answers] == [
        "NEW",
        -4014,
        "NEW",
        -4120,
        -2022,
    ]
    assert set(answers[1]) == {"code", "msg"}


@pytest.mark.parametrize("count", [0, 6])
def test_a_batch_has_one_to_five_legs(desk: Desk, count: int) -> None:
    """-4082 and no leg is placed."""
    text = json.dumps([order_terms()] * count)
    assert desk.refused("POST", "batchOrders", batchOrders=text) == -4082
    assert desk.call("GET", "openOrders") == []


@pytest.mark.parametrize("text", ["", "{}", "[", "null", "[1]"])
def test_a_batch_that_is_no_list_of_orders_is_malformed(desk: Desk, text: str) -> None:
    """-1102 names batchOrders."""
    assert desk.refused("POST", "batchOrders", batchOrders=text) == -1102


def test_orders_are_cancelled_in_a_batch_by_either_id(desk: Desk) -> None:
    """At most ten ids; unknown ones answer -2011 in their place."""
    ids = [desk.limit(newClientOrderId=name)["orderId"] for name in ("a", "b", "c")]
    by_id = desk.call("DELETE", "batchOrders", symbol="BTCUSDT", orderIdList=[ids[0], 5])
    assert [one.get("status") or one["code"] for one in by_id] == ["CANCELED", -2011]
    by_name = desk.call("DELETE", "batchOrders", symbol="BTCUSDT", origClientOrderIdList=["b", "c"])
    assert [one["status"] for one in by_name] == ["CANCELED", "CANCELED"]
    assert desk.refused("DELETE", "batchOrders", symbol="BTCUSDT") == -1102
    too_many = list(range(11))
    assert desk.refused("DELETE", "batchOrders", symbol="BTCUSDT", orderIdList=too_many) == -4082


def test_cancel_all_takes_the_symbols_ordinary_orders_only(desk: Desk) -> None:
    """Other symbols and untriggered conditional orders stay."""
    desk.limit()
    desk.limit(symbol="ETHUSDT", price="3400")
    desk.algo("SELL", "STOP_MARKET", triggerPrice="60000")
    assert desk.call("DELETE", "allOpenOrders", symbol="BTCUSDT")["code"] == 200
    assert [one["symbol"] for one in desk.call("GET", "openOrders")] == ["ETHUSDT"]
    assert len(desk.call("GET", "openAlgoOrders")) == 1


def test_the_countdown_cancels_a_symbols_orders_when_it_runs_out(desk: Desk) -> None:
    """At the end exactly, one symbol's ordinary orders and no conditional ones."""
    desk.limit()
    desk.limit(symbol="ETHUSDT", price="3400")
    desk.algo("SELL", "STOP_MARKET", triggerPrice="60000")
    answer = desk.call("POST", "countdownCancelAll", symbol="BTCUSDT", countdownTime=60000)
    assert answer == {"symbol": "BTCUSDT", "countdownTime": "60000"}
    desk.told()
    desk.wait(59_999)
    assert desk.told() == []
    desk.wait(1)
    assert desk.story() == ["ORDER CANCELED"]
    assert len(desk.call("GET", "openOrders")) == 1
    assert len(desk.call("GET", "openAlgoOrders")) == 1


def test_a_new_countdown_replaces_the_old_and_zero_stops_it(desk: Desk) -> None:
    """Heartbeats push the end on; 0 leaves the orders alone for ever."""
    desk.limit()
    for _ in range(3):
        desk.call("POST", "countdownCancelAll", symbol="BTCUSDT", countdownTime=1000)
        desk.wait(900)
    assert len(desk.call("GET", "openOrders")) == 1
    desk.call("POST", "countdownCancelAll", symbol="BTCUSDT", countdownTime=0)
    desk.wait(10_000)
    assert len(desk.call("GET", "openOrders")) == 1


def test_a_countdown_fires_once(desk: Desk) -> None:
    """Orders placed after it fired live on."""
    desk.call("POST", "countdownCancelAll", symbol="BTCUSDT", countdownTime=1000)
    desk.wait(1000)
    desk.limit()
    desk.wait(10_000)
    assert len(desk.call("GET", "openOrders")) == 1


def test_a_time_jump_keeps_the_order_of_what_fell_due(desk: Desk) -> None:
    """Countdown and GTD expiry come in due order, each with its own time."""
    desk.limit(timeInForce="GTD", goodTillDate=START + 700_000)
    desk.limit(symbol="ETHUSDT", price="3400")
    desk.call("POST", "countdownCancelAll", symbol="ETHUSDT", countdownTime=800_000)
    desk.told()
    desk.wait(10 * DAY)
    assert [(event["o"]["X"], event["T"] - START) for event in desk.told()] == [
        ("EXPIRED", 700_000),
        ("CANCELED", 800_000),
    ]


def amend(desk: Desk, order: dict[str, Any], **change: Any) -> Any:
    """Change an order's price and quantity."""
    terms = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.010", "price": "69000"} | change
    return desk.call("PUT", "order", orderId=order["orderId"], **terms)


def test_an_order_is_changed_in_price_and_quantity(desk: Desk) -> None:
    """AMENDMENT is told, the history keeps before and after."""
    order = desk.limit()
    desk.told()
    answer = amend(desk, order, price="69100", quantity="0.020", modifyId="7")
    assert (answer["price"], answer["origQty"], answer["modifyId"]) == ("69100.00", "0.020", 7)
    assert desk.told()[0]["o"]["x"] == "AMENDMENT"
    history = desk.call("GET", "orderAmendment", symbol="BTCUSDT", orderId=order["orderId"])
    assert history[0]["amendment"]["price"] == {"before": "69000", "after": "69100"}


def test_a_change_to_a_crossing_price_takes(desk: Desk) -> None:
    """The changed order meets the book like a new one."""
    order = desk.limit()
    assert amend(desk, order, price="70500")["status"] == "FILLED"


def test_changing_a_gtx_order_across_the_book_cancels_it(desk: Desk) -> None:
    """It would execute, which a GTX order must not."""
    order = desk.limit(timeInForce="GTX")
    assert amend(desk, order, price="70500")["status"] == "CANCELED"


def test_shrinking_below_what_has_filled_cancels(desk: Desk) -> None:
    """A quantity not above executedQty ends the order."""
    desk = Desk(level_quantity=Decimal("0.004"))
    order = desk.limit(price="70000.20")
    assert amend(desk, order, price="70000.20", quantity="0.008")["status"] == "CANCELED"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, -5027),
        ({"price": "69000.05"}, -4014),
        ({"quantity": ""}, -1102),
        ({"price": ""}, -1102),
        ({"side": "SELL"}, -2013),
        ({"price": "69100", "reduceOnly": "true"}, -5047),
        ({"quantity": "10"}, -2019),
        ({"quantity": "0.001", "price": "69100"}, 0),
    ],
)
def test_a_bad_change_leaves_the_order_as_it_was(
    desk: Desk, change: dict[str, Any], code: int
) -> None:
    """Refused with its code; the order stays open and unchanged."""
    order = desk.limit()
    terms = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.010", "price": "69000"} | change
    if not code:
        assert amend(desk, order, **change)["status"] == "NEW"
        return
    assert desk.refused("PUT", "order", orderId=order["orderId"], **terms) == code
    assert desk.call("GET", "openOrders")[0]["price"] == "69000.00"


def test_a_change_can_match_the_books_price(desk: Desk) -> None:
    """With priceMatch instead of a price."""
    order = desk.limit()
    assert amend(desk, order, price="", priceMatch="QUEUE")["price"] == "70000.00"


def test_an_order_is_changed_fewer_than_ten_thousand_times(desk: Desk) -> None:
    """-5026 after that."""
    order = desk.limit()
    desk.exchange.state.accounts["paper"].orders[order["orderId"]].amendments = 10_000
    terms = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.010", "price": "69100"}
    assert desk.refused("PUT", "order", orderId=order["orderId"], **terms) == -5026


def test_a_window_may_be_open_at_one_end(desk: Desk) -> None:
    """The other end is a week away."""
    order = desk.limit()
    windows: list[dict[str, Any]] = [{"startTime": START}, {"endTime": START}]
    for window in windows:
        found = desk.call("GET", "allOrders", symbol="BTCUSDT", **window)
        assert [one["orderId"] for one in found] == [order["orderId"]]


def test_changes_come_in_batches_too(desk: Desk) -> None:
    """PUT batchOrders answers leg by leg."""
    order = desk.limit()
    legs = [
        {
            "symbol": "BTCUSDT",
            "side": "BUY",
            "orderId": order["orderId"],
            "quantity": "0.02",
            "price": "69100",
        },
        {"symbol": "BTCUSDT", "side": "BUY", "orderId": 1, "quantity": "0.02", "price": "69100"},
    ]
    answers = desk.call("PUT", "batchOrders", batchOrders=json.dumps(legs))
    assert [one.get("status") or one["code"] for one in answers] == ["NEW", -2013]


def test_unfilled_ended_orders_are_forgotten_after_three_days(desk: Desk) -> None:
    """CANCELED without a fill: found for 3 days; filled: for 90."""
    lost = desk.limit(newClientOrderId="lost")
    desk.call("DELETE", "order", symbol="BTCUSDT", orderId=lost["orderId"])
    kept = desk.market()
    desk.wait(3 * DAY)
    assert desk.call("GET", "order", symbol="BTCUSDT", orderId=lost["orderId"])
    desk.wait(1)
    assert desk.refused("GET", "order", symbol="BTCUSDT", orderId=lost["orderId"]) == -2013
    desk.wait(87 * DAY - 1)
    assert desk.call("GET", "order", symbol="BTCUSDT", orderId=kept["orderId"])
    desk.wait(1)
    assert desk.refused("GET", "order", symbol="BTCUSDT", orderId=kept["orderId"]) == -2013


def test_open_order_finds_open_orders_only(desk: Desk) -> None:
    """GET openOrder gives -2013 once the order has ended."""
    order = desk.limit(newClientOrderId="here")
    assert desk.call("GET", "openOrder", symbol="BTCUSDT", origClientOrderId="here")
    desk.call("DELETE", "order", symbol="BTCUSDT", orderId=order["orderId"])
    assert desk.refused("GET", "openOrder", symbol="BTCUSDT", origClientOrderId="here") == -2013


def test_all_orders_pages_by_id_and_by_time(desk: Desk) -> None:
    """From an id on the oldest come first; a window is at most a week."""
    ids = []
    for _ in range(4):
        ids.append(desk.limit()["orderId"])
        desk.wait(1000)
    found = desk.call("GET", "allOrders", symbol="BTCUSDT", orderId=ids[1], limit=2)
    assert [one["orderId"] for one in found] == ids[1:3]
    newest = desk.call("GET", "allOrders", symbol="BTCUSDT", limit=2)
    assert [one["orderId"] for one in newest] == ids[2:]
    window = desk.call("GET", "allOrders", startTime=START + 1000, endTime=START + 2000)
    assert [one["orderId"] for one in window] == ids[1:3]
    assert desk.refused("GET", "allOrders", startTime=START, endTime=START + 8 * DAY) == -4165


def test_user_trades_and_income_tell_every_fill(desk: Desk) -> None:
    """Two fills, two commissions, one realized profit."""
    desk.market()
    desk.price("71000")
    desk.market("SELL")
    trades = desk.call("GET", "userTrades", symbol="BTCUSDT")
    assert [one["side"] for one in trades] == ["BUY", "SELL"]
    assert trades[1]["realizedPnl"] == "9.99900000"
    later = desk.call("GET", "userTrades", symbol="BTCUSDT", fromId=trades[1]["id"])
    assert [one["id"] for one in later] == [trades[1]["id"]]
    by_order = desk.call("GET", "userTrades", symbol="BTCUSDT", orderId=trades[0]["orderId"])
    assert [one["id"] for one in by_order] == [trades[0]["id"]]
    kinds = [one["incomeType"] for one in desk.call("GET", "income")]
    assert kinds == ["TRANSFER", "COMMISSION", "COMMISSION", "REALIZED_PNL"]
    only = desk.call("GET", "income", incomeType="REALIZED_PNL", symbol="BTCUSDT")
    assert [one["income"] for one in only] == ["9.99900000"]


def test_a_late_request_is_stopped_by_the_matching_engine(desk: Desk) -> None:
    """Past timestamp + recvWindow: -5028 for order and batch calls, nothing for a cancel."""
    params = {name: str(value) for name, value in order_terms().items()}
    for method, path in (("POST", "order"), ("PUT", "order"), ("POST", "batchOrders")):
        with pytest.raises(Exception, match="-5028"):
            desk.exchange.request(
                method,
                f"/fapi/v1/{path}",
                params,
                now=desk.now,
                account="paper",
                fence=desk.now - 1,
            )
    order = desk.limit()
    ended: Any = desk.exchange.request(
        "DELETE",
        "/fapi/v1/order",
        {"symbol": "BTCUSDT", "orderId": str(order["orderId"])},
        now=desk.now,
        account="paper",
        fence=desk.now - 1,
    )
    assert ended["status"] == "CANCELED"


def test_an_unknown_path_is_answered_with_404(desk: Desk) -> None:
    """The code is -5000 and the text names path and method."""
    assert desk.refused("GET", "nothing") == -5000
