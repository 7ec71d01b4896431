"""Two symbols that trade and one that stopped, with the filters of the real ones."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from runner.core.instruments import Instrument
from runner.core.orders import OrderType

BTCUSDT = Instrument(
    symbol="BTCUSDT",
    status="TRADING",
    base_asset="BTC",
    quote_asset="USDT",
    margin_asset="USDT",
    contract_type="PERPETUAL",
    tick_size=Decimal("0.10"),
    min_price=Decimal("556.80"),
    max_price=Decimal("4529764"),
    step_size=Decimal("0.001"),
    min_quantity=Decimal("0.001"),
    max_quantity=Decimal("1000"),
    market_step_size=Decimal("0.001"),
    market_min_quantity=Decimal("0.001"),
    market_max_quantity=Decimal("120"),
    min_notional=Decimal("100"),
    multiplier_up=Decimal("1.05"),
    multiplier_down=Decimal("0.95"),
    max_orders=200,
    order_types=frozenset(kind.value for kind in OrderType),
    time_in_force=frozenset({"GTC", "IOC", "FOK", "GTX", "GTD"}),
)
ETHUSDT = replace(
    BTCUSDT,
    symbol="ETHUSDT",
    base_asset="ETH",
    tick_size=Decimal("0.01"),
    min_price=Decimal("39.86"),
    max_price=Decimal("306177"),
    min_notional=Decimal("20"),
    market_max_quantity=Decimal("2000"),
)
SRMUSDT = replace(
    BTCUSDT,
    symbol="SRMUSDT",
    base_asset="SRM",
    status="SETTLING",
    order_types=frozenset({"LIMIT", "MARKET"}),
)
INSTRUMENTS = {each.symbol: each for each in (BTCUSDT, ETHUSDT, SRMUSDT)}
