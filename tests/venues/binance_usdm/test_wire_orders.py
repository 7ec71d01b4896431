"""Calls become the documented requests, byte for byte."""

from __future__ import annotations

import json
from decimal import Decimal
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core.orders import (
    Call,
    CancelCall,
    CancelIntent,
    DeadManCall,
    Family,
    OrderIntent,
    OrderType,
    PlaceCall,
    ProbeCall,
    ReadCall,
    Side,
    TimeCall,
    TimeInForce,
)
from runner.venues.binance_usdm.limits import Cost
from runner.venues.binance_usdm.wire_orders import cost, request

LIMIT = OrderIntent(
    "r1-a", "BTCUSDT", Side.BUY, OrderType.LIMIT, Decimal("0.020"), Decimal("69999.90")
)
MARKET = OrderIntent("r1-b", "BTCUSDT", Side.SELL, OrderType.MARKET, Decimal("1E+1"))


def _one(intent: OrderIntent) -> tuple[str, str]:
    made = request(PlaceCall((intent,), (1,)))
    assert made.method == "POST"
    return made.path, made.payload


@pytest.mark.parametrize(
    ("intent", "expected"),
    [
        (
            LIMIT,
            (
                "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.02&price=69999.9"
                "&newClientOrderId=r1-a"
            ),
        ),
        (
            MARKET,
            (
                "symbol=BTCUSDT&side=SELL&type=MARKET&newOrderRespType=RESULT&quantity=10"
                "&newClientOrderId=r1-b"
            ),
        ),
        (
            OrderIntent(
                "r1-c",
                "龙虾USDT",
                Side.SELL,
                OrderType.LIMIT,
                Decimal(5),
                Decimal("0.0000010"),
                time_in_force=TimeInForce.GTD,
                reduce_only=True,
                good_till_time=1_800_000_000_000,
            ),
            (
                "symbol=%E9%BE%99%E8%99%BEUSDT&side=SELL&type=LIMIT&timeInForce=GTD&reduceOnly=true"
                "&quantity=5&price=0.000001&goodTillDate=1800000000000&newClientOrderId=r1-c"
            ),
        ),
        (
            OrderIntent(
                "r1-d",
                "BTCUSDT",
                Side.SELL,
                OrderType.MARKET,
                Decimal(1),
                reduce_only=True,
                position_side="LONG",
            ),
            (
                "symbol=BTCUSDT&side=SELL&type=MARKET&positionSide=LONG&newOrderRespType=RESULT"
                "&quantity=1&newClientOrderId=r1-d"
            ),
        ),
    ],
)
def test_an_order(intent: OrderIntent, expected: str) -> None:
    """Limit with its time in force, market answered when filled, hedge mode without reduceOnly."""
    assert _one(intent) == ("/fapi/v1/order", expected)


@pytest.mark.parametrize(
    ("intent", "expected"),
    [
        (
            OrderIntent(
                "r1-s",
                "BTCUSDT",
                Side.SELL,
                OrderType.STOP_MARKET,
                Decimal(1),
                trigger_price=Decimal("68000"),
                close_position=True,
                reduce_only=True,
                working_type="MARK_PRICE",
                price_protect=True,
            ),
            (
                "algoType=CONDITIONAL&symbol=BTCUSDT&side=SELL&type=STOP_MARKET&closePosition=true"
                "&workingType=MARK_PRICE&priceProtect=TRUE&triggerPrice=68000&clientAlgoId=r1-s"
            ),
        ),
        (
            OrderIntent(
                "r1-p",
                "BTCUSDT",
                Side.SELL,
                OrderType.TAKE_PROFIT,
                Decimal("0.5"),
                Decimal("75000.1"),
                Decimal("75000"),
                reduce_only=True,
            ),
            (
                "algoType=CONDITIONAL&symbol=BTCUSDT&side=SELL&type=TAKE_PROFIT&timeInForce=GTC"
                "&reduceOnly=true&quantity=0.5&price=75000.1&triggerPrice=75000&clientAlgoId=r1-p"
            ),
        ),
        (
            OrderIntent(
                "r1-t",
                "BTCUSDT",
                Side.SELL,
                OrderType.TRAILING_STOP_MARKET,
                Decimal("0.5"),
                activation_price=Decimal("70000"),
                callback_rate=Decimal("1.5"),
            ),
            (
                "algoType=CONDITIONAL&symbol=BTCUSDT&side=SELL&type=TRAILING_STOP_MARKET&quantity=0.5"
                "&activatePrice=70000&callbackRate=1.5&clientAlgoId=r1-t"
            ),
        ),
    ],
)
def test_a_conditional_order(intent: OrderIntent, expected: str) -> None:
    """The algo service's own names: triggerPrice, activatePrice, clientAlgoId."""
    assert _one(intent) == ("/fapi/v1/algoOrder", expected)


CANCEL = CancelIntent("r1-x", "BTCUSDT", Family.ORDER, "r1-a")
CANCEL_ALGO = CancelIntent("r1-x", "BTCUSDT", Family.ALGO, "r1-a")


@pytest.mark.parametrize(
    ("call", "expected", "spent"),
    [
        (
            CancelCall(CANCEL, 1),
            "DELETE /fapi/v1/order symbol=BTCUSDT&origClientOrderId=r1-a",
            Cost(1),
        ),
        (CancelCall(CANCEL_ALGO, 1), "DELETE /fapi/v1/algoOrder clientAlgoId=r1-a", Cost(1)),
        (
            CancelCall(CancelIntent("r1-x", "BTCUSDT", Family.ORDER), 1),
            "DELETE /fapi/v1/allOpenOrders symbol=BTCUSDT",
            Cost(1),
        ),
        (
            CancelCall(CancelIntent("r1-x", "BTCUSDT", Family.ALGO), 1),
            "DELETE /fapi/v1/algoOpenOrders symbol=BTCUSDT",
            Cost(1),
        ),
        (
            ProbeCall("r1-a", "BTCUSDT", Family.ORDER),
            "GET /fapi/v1/order symbol=BTCUSDT&origClientOrderId=r1-a",
            Cost(1),
        ),
        (
            ProbeCall("r1-a", "BTCUSDT", Family.ALGO),
            "GET /fapi/v1/algoOrder clientAlgoId=r1-a",
            Cost(1),
        ),
        (ReadCall("open_orders"), "GET /fapi/v1/openOrders ", Cost(40)),
        (
            ReadCall("open_algo_orders", "BTCUSDT"),
            "GET /fapi/v1/openAlgoOrders symbol=BTCUSDT",
            Cost(1),
        ),
        (
            ReadCall("positions", "BTCUSDT"),
            "GET /fapi/v3/positionRisk symbol=BTCUSDT",
            Cost(5),
        ),
        (ReadCall("account", "BTCUSDT"), "GET /fapi/v3/account ", Cost(5)),
        (
            DeadManCall("BTCUSDT", 120_000),
            "POST /fapi/v1/countdownCancelAll symbol=BTCUSDT&countdownTime=120000",
            Cost(10),
        ),
        (TimeCall(), "GET /fapi/v1/time ", Cost(1)),
        (
            PlaceCall((LIMIT,), (1,)),
            (
                "POST /fapi/v1/order symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC"
                "&quantity=0.02&price=69999.9&newClientOrderId=r1-a"
            ),
            Cost(0, 1, 1),
        ),
    ],
)
def test_every_other_call(call: Call, expected: str, spent: Cost) -> None:
    """Method, path, parameters and price of each call."""
    made = request(call)
    assert f"{made.method} {made.path} {made.payload}" == expected
    assert made.call is call
    assert cost(call) == spent


def test_a_batch_is_one_encoded_list() -> None:
    """A JSON list without white space, percent-encoded; it costs 5, 5 and 1."""
    foreign = OrderIntent('r1-"', "龙虾USDT", Side.BUY, OrderType.MARKET, Decimal(7))
    plain = OrderIntent("r1-e", "龙虾USDT", Side.BUY, OrderType.MARKET, Decimal(7))
    call = PlaceCall((LIMIT, plain), (1, 1))
    made = request(call)
    assert (made.method, made.path) == ("POST", "/fapi/v1/batchOrders")
    assert " " not in made.payload
    assert made.payload.isascii()
    ((name, value),) = parse_qsl(made.payload, strict_parsing=True)
    assert name == "batchOrders"
    assert " " not in value
    assert json.loads(value) == [
        {
            "symbol": "BTCUSDT",
            "side": "BUY",
            "type": "LIMIT",
            "timeInForce": "GTC",
            "quantity": "0.02",
            "price": "69999.9",
            "newClientOrderId": "r1-a",
        },
        {
            "symbol": "龙虾USDT",
            "side": "BUY",
            "type": "MARKET",
            "newOrderRespType": "RESULT",
            "quantity": "7",
            "newClientOrderId": "r1-e",
        },
    ]
    assert cost(call) == Cost(5, 5, 1)
    assert request(PlaceCall((foreign,), (1,))).payload.endswith("newClientOrderId=r1-%22")


@pytest.mark.parametrize("count", [0, 6])
def test_a_batch_of_a_wrong_size_is_a_programming_error(count: int) -> None:
    """None at all, or more than five, cannot be said to the exchange."""
    with pytest.raises(ValueError, match="2 to 5"):
        request(PlaceCall((LIMIT,) * count, (1,) * count))


def test_a_batch_with_a_conditional_order_is_a_programming_error() -> None:
    """The batch address refuses them with -4120."""
    stop = OrderIntent(
        "r1-s", "BTCUSDT", Side.SELL, OrderType.STOP_MARKET, trigger_price=Decimal(1)
    )
    with pytest.raises(ValueError, match="conditional"):
        request(PlaceCall((LIMIT, stop), (1, 1)))


positive = st.decimals("0.00000001", "99999999", places=8)


@given(symbol=st.text(min_size=1, max_size=12), quantity=positive, price=positive)
def test_percent_encoding_comes_back_whole(symbol: str, quantity: Decimal, price: Decimal) -> None:
    """Whatever a symbol holds, a server reads back the same values, single and in a batch."""
    intent = OrderIntent("r1-z", symbol, Side.BUY, OrderType.LIMIT, quantity, price)
    payload = request(PlaceCall((intent,), (1,))).payload
    assert payload.isascii()
    read = dict(parse_qsl(payload, strict_parsing=True))
    batch = request(PlaceCall((intent, intent), (1, 1))).payload
    assert batch.isascii()
    assert json.loads(dict(parse_qsl(batch, strict_parsing=True))["batchOrders"]) == [read, read]
    assert read["symbol"] == symbol
    assert Decimal(read["quantity"]) == quantity
    assert Decimal(read["price"]) == price
    assert "E" not in read["quantity"]
