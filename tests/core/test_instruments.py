"""Instruments: roundings keep their direction, and every refusal says what and by which limit."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core.orders import OrderIntent, OrderType, Side
from tests.rulebook.exchange import BTCUSDT

D = Decimal
BTC = replace(
    BTCUSDT,
    market_step_size=D("0.01"),
    market_min_quantity=D("0.02"),
    time_in_force=frozenset({"GTC", "IOC", "FOK", "GTX"}),
)
MARK = D(70_000)
PRICES = st.decimals(min_value=-10, max_value=10**7, allow_nan=False, allow_infinity=False)
SIZES = st.decimals(min_value=0, max_value=10**9, allow_nan=False, allow_infinity=False)
STEPS = st.sampled_from([D("0.001"), D("0.0000001"), D("0.25"), D("5"), D("0.10")])
ORIGINS = st.sampled_from([D(0), D("0.01"), D("556.80")])


def order(**changes: Any) -> OrderIntent:
    """A limit order that fits BTCUSDT, but for the changes."""
    fitting: dict[str, Any] = {
        "client_order_id": "r1-test",
        "symbol": "BTCUSDT",
        "side": Side.BUY,
        "type": OrderType.LIMIT,
        "quantity": D("0.002"),
        "price": D("70000.00"),
    }
    return OrderIntent(**{**fitting, **changes})


@given(PRICES, STEPS, ORIGINS, st.sampled_from(Side))
def test_a_price_never_crosses_further_than_written(
    price: Decimal, tick: Decimal, origin: Decimal, side: Side
) -> None:
    """A buy is rounded down and a sell up, by less than a tick, onto the grid."""
    one = replace(BTC, tick_size=tick, min_price=origin)
    rounded = one.round_price(price, side)
    assert rounded <= price if side is Side.BUY else rounded >= price
    low, high = one.nearest_prices(price)
    assert low <= price <= high
    assert rounded == (low if side is Side.BUY else high)
    assert high - low in (0, tick)
    assert one.on_tick(rounded)
    assert one.on_tick(price) == (low == high)
    assert one.round_price(rounded, side) == rounded


@given(SIZES, STEPS, STEPS, st.sampled_from(OrderType))
def test_a_quantity_is_rounded_toward_zero(
    quantity: Decimal, step: Decimal, market: Decimal, order_type: OrderType
) -> None:
    """Never more than asked for, by less than one step of the order type's own filter."""
    one = replace(BTC, step_size=step, market_step_size=market)
    rounded = one.round_quantity(quantity, order_type)
    limited = order_type in (OrderType.LIMIT, OrderType.STOP, OrderType.TAKE_PROFIT)
    assert 0 <= quantity - rounded < (step if limited else market)
    assert rounded % (step if limited else market) == 0


@pytest.mark.parametrize("digits", [28, 29, 40])
def test_long_values_keep_their_direction(digits: int) -> None:
    """More digits than a Decimal context holds are not rounded up to the grid on the way."""
    price = D("70000." + "9" * digits)
    assert BTC.round_price(price, Side.BUY) == D("70000.9")
    assert BTC.round_quantity(D("0." + "9" * digits), OrderType.LIMIT) == D("0.999")
    assert not BTC.on_tick(price)


def test_a_filter_without_a_step_rounds_nothing() -> None:
    """A step of zero means that the exchange sets none."""
    one = replace(BTC, market_step_size=D(0), tick_size=D(0))
    assert one.round_quantity(D("0.12345"), OrderType.MARKET) == D("0.12345")
    intent = order(type=OrderType.MARKET, price=None, quantity=D("0.12345"))
    assert one.violation(intent, MARK) is None
    assert one.on_tick(D("1.23456"))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, None),
        ({"price": D("70000.05")}, "price 70000.05 is not a multiple of the tick size 0.10"),
        ({"price": D("556.70")}, "price 556.70 is outside 556.80 to 4529764"),
        ({"price": D(5_000_000)}, "price 5000000 is outside 556.80 to 4529764"),
        ({"price": D(0)}, "price 0 is outside 556.80 to 4529764"),
        ({"price": D("73500.10")}, "price 73500.10 is more than 1.05 times the mark 70000"),
        ({"price": D("73500.00")}, None),
        (
            {"price": D("66499.90"), "side": Side.SELL},
            "price 66499.90 is less than 0.95 times the mark 70000",
        ),
        ({"price": D("66500.00"), "side": Side.SELL}, None),
        ({"price": D("80000.00"), "side": Side.SELL}, None),
        ({"price": D("60000.00")}, None),
        ({"quantity": None}, "the quantity is zero after rounding to the step size 0.001"),
        ({"quantity": D(0)}, "the quantity is zero after rounding to the step size 0.001"),
        ({"quantity": D("-0.5")}, "the quantity is -0.5, less than zero"),
        ({"quantity": D("0.0005")}, "quantity 0.0005 is outside 0.001 to 1000"),
        ({"quantity": D(1001)}, "quantity 1001 is outside 0.001 to 1000"),
        ({"quantity": D("0.0025")}, "quantity 0.0025 is not a multiple of the step size 0.001"),
        ({"quantity": D("0.001")}, "notional 70 is less than 100"),
        ({"quantity": D("0.001"), "reduce_only": True}, None),
        ({"type": OrderType.MARKET, "price": None}, "quantity 0.002 is outside 0.02 to 120"),
        (
            {"type": OrderType.MARKET, "price": None, "quantity": D("0.025")},
            "quantity 0.025 is not a multiple of the step size 0.01",
        ),
        (
            {"type": OrderType.STOP_MARKET, "price": None, "trigger_price": D("69000.01")},
            "trigger price 69000.01 is not a multiple of the tick size 0.10",
        ),
        (
            {
                "type": OrderType.STOP_MARKET,
                "price": None,
                "quantity": None,
                "trigger_price": D("69000.00"),
                "close_position": True,
            },
            None,
        ),
        ({"type": OrderType.TAKE_PROFIT, "trigger_price": D("69000.00")}, None),
        # only a plain limit order is held to PERCENT_PRICE against the mark of now
        ({"type": OrderType.STOP, "trigger_price": D("90000"), "price": D("90000")}, None),
    ],
)
def test_each_violation_is_named(changes: dict[str, Any], text: str | None) -> None:
    """The value, the limit and its name, or None when the exchange would take it."""
    assert BTC.violation(order(**changes), MARK) == text


def test_a_symbol_that_does_not_trade_is_refused_first() -> None:
    """The status is told, whatever else is wrong."""
    settling = replace(BTC, status="SETTLING")
    assert not settling.tradable
    assert BTC.tradable
    text = "BTCUSDT does not trade now (its status is SETTLING)"
    assert settling.violation(order(price=D(0)), MARK) == text


def test_an_order_type_that_the_symbol_does_not_take_is_refused() -> None:
    """Some symbols know no trailing stops."""
    one = replace(BTC, order_types=frozenset({"LIMIT"}))
    text = "BTCUSDT takes no MARKET orders"
    assert one.violation(order(type=OrderType.MARKET, price=None), MARK) == text


def test_equal_steps_do_not_mix_the_limits_up() -> None:
    """A limit order is held to LOT_SIZE also where both filters have one step."""
    step = D("0.001")
    one = replace(BTC, step_size=step, market_step_size=step)
    assert one.violation(order(quantity=D(500)), MARK) is None
    market = order(type=OrderType.MARKET, price=None, quantity=D(500))
    assert one.violation(market, MARK) == "quantity 500 is outside 0.02 to 120"


def test_without_a_mark_what_needs_it_is_left_to_the_exchange() -> None:
    """A market order's notional and PERCENT_PRICE cannot be told without the mark."""
    market = order(type=OrderType.MARKET, price=None, quantity=D("0.02"))
    assert BTC.violation(market, None) is None
    assert BTC.violation(order(price=D(900_000)), None) is None
    assert BTC.violation(market, D(4_000)) == "notional 80 is less than 100"


def test_limits_that_are_zero_are_none() -> None:
    """max_price 0 switches that bound off; figures are plain digits."""
    one = replace(BTC, min_price=D(0), max_price=D(0), tick_size=D("0.0000001"))
    assert one.violation(order(price=D("0.0000001"), quantity=D(1)), None) is not None
    text = "price 0.00000015 is not a multiple of the tick size 0.0000001"
    assert one.violation(order(price=D("0.00000015")), None) == text
