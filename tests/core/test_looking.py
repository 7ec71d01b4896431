"""What the runner tells who asks: levels that rules wait for, positions and balances."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from runner.core.events import AccountUpdate, Command, Positions, PositionUpdate
from tests.core.trigger_factories import START, Bench, build, price, rule


def asked(bench: Bench, verb: str, **more: Any) -> dict[str, Any]:
    """The data of the record that answers."""
    told = bench.process(Command(verb, f"{verb}-1", "ann", START, **more), START)
    [record] = [each for each in told.records if each.kind == "command"]
    assert record.data["done"], record.text
    return dict(record.data)


def test_levels_come_with_rule_symbol_and_trigger() -> None:
    """A cross tells its level, a schedule none; a symbol narrows it."""
    bench = Bench(
        rule("cross", price(crosses_above=100, rearm=95)),
        rule("timed", build("schedule", {"every": "1h"})),
    )
    symbol = bench.engine.world.rules.rules["cross"].symbols[0]
    told = asked(bench, "look")
    assert set(told["rules"]) == {"cross", "timed"}
    found = {(each["rule_id"], each["symbol"], each["price"]) for each in told["levels"]}
    assert ("cross", symbol, "100") in found
    assert {each["rule_id"] for each in told["levels"]} == {"cross"}
    assert asked(bench, "look", symbol="XRPUSDT")["rules"] == {}


def test_the_account_tells_open_positions_only() -> None:
    """Size, entry and result as text; a flat symbol is left out; balances as last stated."""
    bench = Bench(rule("cross", price(crosses_above=100)))
    assert asked(bench, "account")["positions"] == []
    view = bench.engine.world.view
    held = PositionUpdate(
        "BTCUSDT", "BOTH", Decimal("0.020"), Decimal("70000.0"), Decimal("-1.50"), START
    )
    flat = PositionUpdate("ETHUSDT", "BOTH", Decimal(0), Decimal(0), Decimal(0), START)
    view.apply_positions(Positions((held, flat), START))
    view.apply_account(AccountUpdate(Decimal("1000.00"), Decimal("990"), START))
    told = asked(bench, "account")
    assert told["known"] is True
    [position] = told["positions"]
    assert (position["symbol"], position["size"], position["entry_price"]) == (
        "BTCUSDT",
        "0.02",
        "70000",
    )
    assert position["unrealised_pnl"] == "-1.5"
    assert told["account"]["wallet_balance"] == "1000"
    assert told["account"]["equity"] is None
