"""Changes of orders and settings in Binance's words, and what their answers prove."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import pytest

from runner.core.orders import (
    AmendCall,
    AmendIntent,
    OrderIntent,
    OrderType,
    Outcome,
    PlaceCall,
    Setting,
    SettingCall,
    SettingIntent,
    Side,
    TimeInForce,
    intents_of,
    lane_of,
)
from runner.venues import RawAnswer
from runner.venues.binance_usdm import wire_answers, wire_orders
from runner.venues.binance_usdm.limits import Cost

NOW = 1_700_000_000_000
AMEND = AmendCall(
    AmendIntent("own", "BTCUSDT", "r1-main-order", Side.BUY, Decimal("0.10"), Decimal("69000.0")), 1
)
AMENDED = {
    "orderId": 20072994037,
    "symbol": "BTCUSDT",
    "pair": "BTCUSDT",
    "status": "NEW",
    "clientOrderId": "r1-main-order",
    "price": "69000",
    "origQty": "0.1",
    "executedQty": "0",
    "updateTime": NOW,
}


def setting(what: Setting, value: str, side: str = "BOTH") -> SettingCall:
    """A call that sets this."""
    return SettingCall(SettingIntent("own", "BTCUSDT", what, value, side), 1)


def test_a_change_names_its_order_and_says_both() -> None:
    """PUT, with side, quantity and price; it counts as one order."""
    request = wire_orders.request(AMEND)
    assert (request.method, request.path) == ("PUT", "/fapi/v1/order")
    assert dict(parse_qsl(request.payload)) == {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "origClientOrderId": "r1-main-order",
        "quantity": "0.1",
        "price": "69000",
    }
    assert wire_orders.cost(AMEND) == Cost(0, 1, 1)
    assert lane_of(AMEND) == "order"
    assert intents_of(AMEND) == (AMEND.intent,)


@pytest.mark.parametrize(
    ("call", "path", "parameters"),
    [
        (
            setting(Setting.LEVERAGE, "7"),
            "/fapi/v1/leverage",
            {"symbol": "BTCUSDT", "leverage": "7"},
        ),
        (
            setting(Setting.MARGIN_TYPE, "isolated"),
            "/fapi/v1/marginType",
            {"symbol": "BTCUSDT", "marginType": "ISOLATED"},
        ),
        (
            setting(Setting.MARGIN_TYPE, "crossed"),
            "/fapi/v1/marginType",
            {"symbol": "BTCUSDT", "marginType": "CROSSED"},
        ),
        (
            setting(Setting.POSITION_MODE, "hedge"),
            "/fapi/v1/positionSide/dual",
            {"dualSidePosition": "true"},
        ),
        (
            setting(Setting.POSITION_MODE, "one_way"),
            "/fapi/v1/positionSide/dual",
            {"dualSidePosition": "false"},
        ),
        (
            setting(Setting.ISOLATED_MARGIN, "100"),
            "/fapi/v1/positionMargin",
            {"symbol": "BTCUSDT", "amount": "100", "type": "1"},
        ),
        (
            setting(Setting.ISOLATED_MARGIN, "-5.5", "SHORT"),
            "/fapi/v1/positionMargin",
            {"symbol": "BTCUSDT", "positionSide": "SHORT", "amount": "5.5", "type": "2"},
        ),
    ],
)
def test_each_setting_has_its_endpoint(
    call: SettingCall, path: str, parameters: dict[str, str]
) -> None:
    """POST, weight 1, in the lane of orders."""
    request = wire_orders.request(call)
    assert (request.method, request.path) == ("POST", path)
    assert dict(parse_qsl(request.payload)) == parameters
    assert wire_orders.cost(call) == Cost(1)
    assert lane_of(call) == "order"


def error(code: int, status: int = 400) -> RawAnswer:
    """An error as the exchange words it."""
    return answer({"code": code, "msg": "why"}, status)


def answer(body: Any, status: int = 200) -> RawAnswer:
    """An answer with this body."""
    return RawAnswer("ok", status, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("raw", "outcomes"),
    [
        (answer(AMENDED), [Outcome.ACCEPTED, Outcome.ACCEPTED]),
        (answer({**AMENDED, "clientOrderId": "another"}), [Outcome.UNKNOWN]),
        (error(-5027), [Outcome.ACCEPTED]),
        (error(-5043), [Outcome.NOT_ACCEPTED]),
        (error(-2013), [Outcome.REJECTED]),
        (error(-5026), [Outcome.REJECTED]),
        (error(-1003, 429), [Outcome.NOT_ACCEPTED]),
        (error(-5027, 503), [Outcome.UNKNOWN]),
        (error(-9999), [Outcome.UNKNOWN]),
        (answer([]), [Outcome.UNKNOWN]),
        (RawAnswer("broken"), [Outcome.UNKNOWN]),
        (RawAnswer("not_sent"), [Outcome.NOT_SENT]),
    ],
)
def test_what_an_answer_to_a_change_proves(raw: RawAnswer, outcomes: list[Outcome]) -> None:
    """Nothing to change is success; on success the order itself is reported, too."""
    reports = wire_answers.amended(AMEND, wire_answers.read(raw), NOW)
    assert [report.outcome for report in reports] == outcomes
    assert [report.client_order_id for report in reports] == ["own", "r1-main-order"][
        : len(reports)
    ]
    assert (reports[0].order_status == "DONE") is (outcomes[0] is Outcome.ACCEPTED)


LEVERAGE = setting(Setting.LEVERAGE, "7")
MARGIN_TYPE = setting(Setting.MARGIN_TYPE, "isolated")


@pytest.mark.parametrize(
    ("call", "raw", "outcome"),
    [
        (LEVERAGE, answer({"leverage": 7, "symbol": "BTCUSDT"}), Outcome.ACCEPTED),
        (LEVERAGE, error(-4028), Outcome.REJECTED),
        (MARGIN_TYPE, answer({"code": 200, "msg": "success"}), Outcome.ACCEPTED),
        (MARGIN_TYPE, answer({"code": "200", "msg": "success"}), Outcome.ACCEPTED),
        (MARGIN_TYPE, answer({"leverage": 7}), Outcome.UNKNOWN),
        (MARGIN_TYPE, error(-4046), Outcome.ACCEPTED),
        (MARGIN_TYPE, error(-4047), Outcome.REJECTED),
        (MARGIN_TYPE, error(-4046, 500), Outcome.UNKNOWN),
        (setting(Setting.POSITION_MODE, "hedge"), error(-4059), Outcome.ACCEPTED),
        (MARGIN_TYPE, error(-1021), Outcome.NOT_ACCEPTED),
        (MARGIN_TYPE, answer(None), Outcome.UNKNOWN),
        (MARGIN_TYPE, RawAnswer("ok", 200, b"<html>"), Outcome.UNKNOWN),
        (MARGIN_TYPE, RawAnswer("broken"), Outcome.UNKNOWN),
    ],
)
def test_what_an_answer_to_a_setting_proves(
    call: SettingCall, raw: RawAnswer, outcome: Outcome
) -> None:
    """No need to change is success; what nobody understands proves nothing."""
    (report,) = wire_answers.set_up(call, wire_answers.read(raw), NOW)
    assert (report.outcome, report.attempt) == (outcome, 1)


def test_the_rarer_keys_of_a_limit_order() -> None:
    """Alone and in a batch; what only we know stays here."""
    intent = OrderIntent(
        "id",
        "BTCUSDT",
        Side.BUY,
        OrderType.LIMIT,
        quantity=Decimal(1),
        time_in_force=TimeInForce.GTD,
        good_till_time=NOW,
        price_match="QUEUE_5",
        self_trade_prevention="EXPIRE_TAKER",
        tag="grid",
        hold_unknown=True,
    )
    wanted = {
        "priceMatch": "QUEUE_5",
        "selfTradePreventionMode": "EXPIRE_TAKER",
        "timeInForce": "GTD",
        "goodTillDate": str(NOW),
    }
    alone = dict(parse_qsl(wire_orders.request(PlaceCall((intent,), (1,))).payload))
    batch = wire_orders.request(PlaceCall((intent, intent), (1, 1))).payload
    for sent in (alone, json.loads(dict(parse_qsl(batch))["batchOrders"])[0]):
        assert wanted.items() <= sent.items()
        assert not {"tag", "hold_unknown", "price"} & set(sent)
