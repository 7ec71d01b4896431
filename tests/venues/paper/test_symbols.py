"""Symbols: built in, and from recorded documents of the real exchange."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from runner.venues.paper.brackets import bracket_for, brackets_of, max_notional, read_brackets
from runner.venues.paper.market import Still
from runner.venues.paper.server import PaperServer
from runner.venues.paper.symbols import built_in, read_symbols, start_price
from tests.venues.paper.client import KEYS, Client

FILTERS = (
    *("tick", "step", "min_price", "max_price", "max_quantity", "market_max_quantity"),
    *("min_notional", "multiplier_up", "multiplier_down", "trigger_protect"),
    *("price_digits", "quantity_digits"),
)


def document(folder: Path, name: str) -> Any:
    """Read a recorded document."""
    return json.loads(gzip.decompress((folder / name).read_bytes()))


def test_the_built_in_symbols_are_whole() -> None:
    """Twelve majors with a start price on their tick and within their filters."""
    symbols = built_in()
    assert len(symbols) == 12
    for name, symbol in symbols.items():
        price = start_price(name)
        assert symbol.min_price < price < symbol.max_price
        assert price % symbol.tick == 0
        assert symbol.status == "TRADING"


def test_built_in_filters_are_the_recorded_ones(recorded: Path) -> None:
    """What is written down here is what the exchange told on the day of the recording."""
    real = read_symbols(document(recorded, "exchangeInfo-2026-07-03.json.gz"))
    for name, symbol in built_in().items():
        for part in FILTERS:
            assert getattr(symbol, part) == getattr(real[name], part), (name, part)


def test_every_recorded_symbol_loads_and_trades_or_says_why(recorded: Path) -> None:
    """820 symbols, some not trading, three with Chinese names, over real HTTP."""
    info = document(recorded, "exchangeInfo-2026-07-03.json.gz")
    brackets = document(recorded, "leverageBracket-2026-09.json.gz")
    server = PaperServer(info, KEYS, Still(), brackets=brackets, limits=False, balance="1e9")
    refused: dict[str, set[int | None]] = {}
    with server, Client(server) as client:
        served = client.raw("GET", "/fapi/v1/exchangeInfo").json()
        assert len(served["symbols"]) == 820
        for symbol in read_symbols(info).values():
            if symbol.status == "TRADING" and symbol.name.isascii():
                continue
            answer = client.signed(
                "POST",
                "/fapi/v1/order/test",
                symbol=symbol.name,
                side="BUY",
                type="MARKET",
                quantity=format(symbol.market_max_quantity, "f"),
            ).json()
            refused.setdefault(symbol.status, set()).add(answer.get("code"))
        prices = client.raw("GET", "/fapi/v1/ticker/price").json()
    assert len(prices) == 820
    assert all(Decimal(row["price"]) > 0 for row in prices)
    assert refused["SETTLING"] == {-4141}
    assert refused["PENDING_TRADING"] == {-4140}
    assert not {-1121, -1022} & refused["TRADING"]


def test_recorded_brackets_are_read_whole(recorded: Path) -> None:
    """The ladder of BTCUSDT equals the built-in one but for its first step's leverage."""
    real = read_brackets(document(recorded, "leverageBracket-2026-09.json.gz"))
    ours = brackets_of({}, "BTCUSDT")
    for one, other in zip(real["BTCUSDT"], ours, strict=True):
        assert (one.cap, one.maintenance, one.cum) == (other.cap, other.maintenance, other.cum)


def test_a_ladder_tells_step_and_largest_notional() -> None:
    """Beyond the last cap the last step counts."""
    ladder = brackets_of({}, "SOLUSDT")
    assert bracket_for(ladder, Decimal(50_000)).number == 1
    assert bracket_for(ladder, Decimal(50_001)).number == 2
    assert bracket_for(ladder, Decimal(10**12)).number == len(ladder)
    assert max_notional(ladder, 20) == 8_000_000
    assert max_notional(ladder, 99) == 0
