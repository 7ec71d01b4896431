"""What the exchange's filters say about symbols, literal prices and literal sizes."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from runner.core.instruments import Instrument
from runner.resources import folder
from runner.rulebook.load import Loaded, load
from runner.venues.binance_usdm.wire_info import exchange_info
from tests.rulebook.exchange import BTCUSDT, INSTRUMENTS, SRMUSDT

RULE = """\
version: 1
rules:
  - id: one
    symbols: {symbols}
    when: [{{price: {{crosses_above: 70000.123}}}}]
    do: [{action}]
"""


def checked(
    folder: Path,
    action: str,
    symbols: str = "BTCUSDT",
    instruments: dict[str, Instrument] | None = None,
) -> Loaded:
    """What loading a rule with this action says."""
    path = folder / "a.yaml"
    path.write_text(RULE.format(action=action, symbols=symbols), "utf-8")
    return load(path, INSTRUMENTS if instruments is None else instruments)


@pytest.mark.parametrize(
    ("order", "codes"),
    [
        ("side: buy, type: limit, price: 69000.1, quantity: 0.02", []),
        ("side: buy, type: limit, price: 69000.15, quantity: 0.02", ["tick-size"]),
        ("side: buy, type: limit, price: =mark * 0.99, quantity: 0.02", []),
        ("side: buy, type: limit, price: 69000, quantity: =1 / 3", []),
        ("side: buy, type: limit, price: 5000000, quantity: 0.02", ["price"]),
        ("side: buy, type: limit, price: 69000, quantity: 0.0005", ["quantity"]),
        ("side: buy, type: limit, price: 69000, quantity: 0.0025", ["step-size"]),
        ("side: buy, type: limit, price: 69000, quantity: 500", []),
        ("side: buy, type: limit, price: 69000, quantity: 5000", ["quantity"]),
        ("side: buy, type: market, quantity: 500", ["quantity"]),
        ("side: buy, type: market, quantity: 0.001", []),
        ("side: buy, type: market, notional: 100", []),
        ("side: buy, type: market, notional: 99.99", ["notional"]),
        ("side: sell, type: limit, price: 600, quantity: 0.001, reduce_only: true", []),
        (
            "side: sell, type: stop_market, trigger_price: 68000.01, close_position: true",
            ["tick-size"],
        ),
        (
            "side: sell, type: stop, trigger_price: 68000, price: 1.1, quantity: 1",
            ["price"],
        ),
    ],
)
def test_literal_prices_and_sizes_are_checked(tmp_path: Path, order: str, codes: list[str]) -> None:
    """Ticks, steps, limits and the least notional; formulas are looked at when they are known."""
    found = checked(tmp_path, f"{{place: [{{{order}}}]}}")
    assert [each.code for each in found.diagnostics] == codes
    assert load(tmp_path / "a.yaml").diagnostics == ()


def test_a_single_order_is_checked_as_a_list_is(tmp_path: Path) -> None:
    """`place:` with one block, and `close:` by limit."""
    found = checked(tmp_path, "{place: {side: buy, type: limit, price: 0.01, quantity: 1}}")
    assert [each.code for each in found.diagnostics] == ["price"]
    found = checked(tmp_path, "{close: {type: limit, price: 69000.123}}")
    assert [(each.code, each.cure) for each in found.diagnostics] == [
        ("tick-size", "nearest: 69000.10 or 69000.20")
    ]


def test_each_mistake_is_told_once_for_all_symbols(tmp_path: Path) -> None:
    """The first symbol that refuses it is named."""
    order = "{place: {side: buy, type: limit, price: 3000.123, quantity: 0.1}}"
    (found,) = checked(tmp_path, order, "[BTCUSDT, ETHUSDT]").diagnostics
    assert "the tick size 0.10 of BTCUSDT" in found.message
    assert checked(tmp_path, order.replace("3000.123", "3000.1"), "[BTCUSDT, ETHUSDT]").rules


def test_a_symbol_that_stopped_trading_is_a_warning(tmp_path: Path) -> None:
    """One delisted symbol must not keep every other rule from running."""
    found = checked(tmp_path, "{close: {type: market}}", "[BTCUSDT, SRMUSDT]")
    assert found.rules is not None
    assert [(each.severity, each.message) for each in found.diagnostics] == [
        ("warning", "SRMUSDT does not trade now, its status is SETTLING")
    ]


def test_an_order_type_that_a_symbol_does_not_take(tmp_path: Path) -> None:
    """The types it takes are listed; nothing is said where the exchange lists none."""
    order = "{place: {side: sell, type: stop_market, trigger_price: 600, close_position: true}}"
    trading = replace(SRMUSDT, status="TRADING")
    (found,) = checked(tmp_path, order, "SRMUSDT", {"SRMUSDT": trading}).diagnostics
    assert found.message == "SRMUSDT takes no stop_market orders"
    assert found.cure == "it takes limit, market"
    silent = replace(trading, order_types=frozenset())
    assert checked(tmp_path, order, "SRMUSDT", {"SRMUSDT": silent}).diagnostics == ()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("BTCUSD", "BTCUSDT"),
        ("BTC", "BTCUSDT"),
        ("ETHUSDC", "ETHUSDT"),
        ("XYZ", None),
        ("BINANCE:BTCUSDT.P", "BTCUSDT"),
        ("btc/usdt", "BTCUSDT"),
        ("BTC-PERP", None),
    ],
)
def test_what_was_meant_by_a_symbol(tmp_path: Path, written: str, meant: str | None) -> None:
    """Other exchanges' and TradingView's spellings, and slips of the finger."""
    (found,) = checked(tmp_path, "{close: {type: market}}", f'["{written}"]').diagnostics
    assert found.code == "unknown-symbol"
    assert (
        found.cure == f"did you mean {meant}?" if meant else "did you mean" not in str(found.cure)
    )


def test_no_tick_means_no_check(tmp_path: Path) -> None:
    """An instrument whose filters say nothing refuses nothing."""
    bare = replace(BTCUSDT, tick_size=Decimal(0), min_price=Decimal(0), max_price=Decimal(0))
    order = "{place: {side: buy, type: limit, price: 69000.123456, quantity: 0.1}}"
    assert checked(tmp_path, order, instruments={"BTCUSDT": bare}).diagnostics == ()


def test_the_real_exchange_knows_the_design(recorded: Path) -> None:
    """Against 820 recorded symbols the example has no finding, and near misses are understood."""
    content = gzip.decompress((recorded / "exchangeInfo-2026-07-03.json.gz").read_bytes())
    instruments = exchange_info(json.loads(content)).instruments
    design = folder("rules") / "examples" / "design.yaml"
    assert load(design, instruments).diagnostics == ()
