"""exchangeInfo: all 820 recorded symbols load, and round as their filters say."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.core.instruments import Instrument
from runner.core.orders import OrderType, Side
from runner.venues.binance_usdm.limits import MINUTE, Limit
from runner.venues.binance_usdm.wire_info import BOUNDLESS, exchange_info


@cache
def _recorded_info(folder: Path) -> dict[str, Any]:
    text = gzip.decompress((folder / "exchangeInfo-2026-07-03.json.gz").read_bytes())
    found: dict[str, Any] = json.loads(text)
    return found


def test_every_recorded_symbol_loads(recorded: Path) -> None:
    """820 of 820, among them three Chinese ones and 125 that do not trade now."""
    value = _recorded_info(recorded)
    info = exchange_info(value)
    assert len(info.instruments) == len(value["symbols"]) == 820
    assert sum(not one.symbol.isascii() for one in info.instruments.values()) == 3
    assert sum(one.tradable for one in info.instruments.values()) == 695
    assert info.remarks == ()
    assert info.limits == (
        Limit("weight", MINUTE, 2_400),
        Limit("orders", MINUTE, 1_200),
        Limit("orders", 10_000, 300),
    )


def test_every_filter_comes_over_exactly(recorded: Path) -> None:
    """An independent reading of the same file: each number as written, none a float."""
    value = _recorded_info(recorded)
    info = exchange_info(value)
    for row in value["symbols"]:
        one = info.instruments[row["symbol"]]
        filters = {rule["filterType"]: rule for rule in row["filters"]}
        price, lot = filters["PRICE_FILTER"], filters["LOT_SIZE"]
        market, percent = filters["MARKET_LOT_SIZE"], filters["PERCENT_PRICE"]
        assert f"{one.tick_size:f}" == price["tickSize"]
        assert f"{one.min_price:f}" == price["minPrice"]
        assert f"{one.max_price:f}" == price["maxPrice"]
        assert f"{one.step_size:f}" == lot["stepSize"]
        assert f"{one.min_quantity:f}" == lot["minQty"]
        assert f"{one.max_quantity:f}" == lot["maxQty"]
        assert f"{one.market_step_size:f}" == market["stepSize"]
        assert f"{one.market_max_quantity:f}" == market["maxQty"]
        assert f"{one.min_notional:f}" == filters["MIN_NOTIONAL"]["notional"]
        assert f"{one.multiplier_up:f}" == percent["multiplierUp"]
        assert one.max_orders == filters["MAX_NUM_ORDERS"]["limit"]
        assert one.order_types == frozenset(row["orderTypes"])
        assert one.time_in_force == frozenset(row["timeInForce"])


def _rounds(one: Instrument, price: Decimal, quantity: Decimal) -> None:
    """The grids by their definition: multiples, next to the value, on the promised side."""
    low, high = one.round_price(price, Side.BUY), one.round_price(price, Side.SELL)
    assert low <= price <= high
    assert high - low in (0, one.tick_size)
    for on_grid in (low, high):
        assert (on_grid - one.min_price) % one.tick_size == 0
    for kind, step in (
        (OrderType.LIMIT, one.step_size),
        (OrderType.MARKET, one.market_step_size),
    ):
        rounded = one.round_quantity(quantity, kind)
        assert rounded % step == 0
        assert 0 <= quantity - rounded < step


def test_every_symbol_rounds_by_its_own_filters(recorded: Path) -> None:
    """Prices to the tick from the lowest price, sizes down to the step, for all 820."""
    third = Decimal(1) / 3
    for one in exchange_info(_recorded_info(recorded)).instruments.values():
        price = one.min_price + one.tick_size * 1_000 + one.tick_size * third
        quantity = one.min_quantity + one.step_size * 1_000 + one.step_size * third
        _rounds(one, price, quantity)
        assert one.on_tick(one.min_price)
        assert one.round_quantity(one.min_quantity, OrderType.LIMIT) == one.min_quantity


@given(
    index=st.integers(0, 819),
    ticks=st.decimals("0", "100000", places=5),
    steps=st.decimals("0", "100000", places=5),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_value_rounds(recorded: Path, index: int, ticks: Decimal, steps: Decimal) -> None:
    """Any price and any size on any recorded symbol."""
    one = _recorded_instruments(recorded)[index]
    _rounds(one, one.min_price + ticks * one.tick_size, steps * one.step_size)


@cache
def _recorded_instruments(folder: Path) -> list[Instrument]:
    return list(exchange_info(_recorded_info(folder)).instruments.values())


def _row(**more: Any) -> dict[str, Any]:
    filters = [
        {"filterType": "PRICE_FILTER", "tickSize": "0.1", "minPrice": "1", "maxPrice": "9"},
        {"filterType": "LOT_SIZE", "stepSize": "1", "minQty": "1", "maxQty": "5"},
    ]
    return {"symbol": "X", "status": "TRADING", "filters": filters, **more}


def test_missing_filters_do_not_bind() -> None:
    """Without MARKET_LOT_SIZE the lot size holds; without the others there is no bound."""
    one = exchange_info({"symbols": [_row(OrderType=["LIMIT"])]}).instruments["X"]
    assert one.market_step_size == 1
    assert one.market_max_quantity == 5
    assert one.multiplier_up == BOUNDLESS
    assert one.multiplier_down == one.min_notional == 0
    assert one.max_orders == 200
    assert one.order_types == {"LIMIT"}
    assert one.time_in_force == frozenset()


def test_unknown_filters_are_tolerated_and_told_once() -> None:
    """However many symbols have them, one remark names them."""
    row = _row()
    row["filters"] = [*row["filters"], {"filterType": "NOVEL"}, {"filterType": "BRAND_NEW"}]
    info = exchange_info({"symbols": [row, {**row, "symbol": "Y"}]})
    assert info.remarks == ("filters not checked before sending: BRAND_NEW, NOVEL",)


def test_a_symbol_without_a_grid_is_left_out_and_told() -> None:
    """One broken symbol does not take the others with it."""
    info = exchange_info({"symbols": [_row(), {"symbol": "BAD"}, 7]})
    assert list(info.instruments) == ["X"]
    assert info.remarks == ("symbols without tick or step size, left out: BAD, None",)


@pytest.mark.parametrize("value", [{}, {"symbols": []}, [], None])
def test_an_answer_without_symbols_is_refused(value: Any) -> None:
    """It is some other server's."""
    with pytest.raises(ValueError, match="no symbol"):
        exchange_info(value)


def test_limits_of_an_unknown_kind_are_left_out() -> None:
    """Only weight and orders, in intervals we know, with numbers."""
    rows = [
        {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 1, "limit": 5},
        {"rateLimitType": "ORDERS", "interval": "FORTNIGHT", "intervalNum": 1, "limit": 5},
        {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": "2", "limit": 5},
        {"rateLimitType": "ORDERS", "interval": "SECOND"},
    ]
    info = exchange_info({"symbols": [_row()], "rateLimits": rows})
    assert info.limits == (Limit("orders", 2 * 1_440 * MINUTE, 5),)
