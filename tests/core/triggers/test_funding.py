"""Trigger `funding`: the rate of the next funding is a price like any other."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from runner.core.document import Node
from runner.core.triggers.funding import build
from tests.core.actions.stage import SYMBOL
from tests.core.trigger_factories import START, Bench, fired, rule
from tests.core.trigger_factories import build as build_trigger
from tests.core.triggers.playing import Play


def test_it_fires_on_the_step_over_the_level() -> None:
    """Negative rates too; equal is not past."""
    bench = Bench(rule("r", build_trigger("funding", {"crosses_below": "-0.01%"})))
    for at, rate in enumerate(["0.0001", "-0.00005", "-0.0001"]):
        assert fired(bench.price(rate, START + at, source="funding")) == []
    decision = bench.price("-0.0002", START + 9, source="funding")
    assert fired(decision) == ["r"]
    assert decision is not None
    fields = decision.new_runs[0].fields
    assert fields == {"rate": Decimal("-0.0002"), "level": Decimal("-0.0001")}
    assert decision.records[-2].text == "funding rate -0.02% < -0.01%"


def test_rearm_and_for() -> None:
    """As with prices."""
    value = {"crosses_above": Decimal("0.0005"), "rearm": "0.03%", "for": "5s"}
    bench = Bench(rule("r", build_trigger("funding", value)))
    steps = [
        (0, "0.0001", []),
        (1, "0.0006", []),
        (4_000, "0.0007", []),
        (5_001, "0.0006", ["r"]),
        (5_002, "0.0004", []),
        (5_003, "0.0006", []),
        (9_000, "0.0006", []),
        (10_003, "0.0006", []),
        (10_004, "0.0002", []),
        (10_005, "0.0006", []),
        (14_000, "0.0006", []),
        (15_005, "0.0006", ["r"]),
    ]
    for at, rate, expected in steps:
        assert fired(bench.price(rate, START + at, source="funding")) == expected, at


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ({}, "missing-key"),
        ({"crosses_above": "five"}, "rate"),
        ({"crosses_above": Decimal(5)}, "rate"),
        ({"crosses_above": "0.05%", "rearm": "0.06%"}, "rearm"),
        ({"crosses_below": "0.05%", "rearm": Decimal("0.0001")}, "rearm"),
    ],
)
def test_problems(value: dict[str, Any], code: str) -> None:
    """No way, no rate, a rate that never comes, a rearm on the wrong side."""
    node = Node(value)
    build(node, "funding")
    assert [each.code for each in node.problems] == [code]


def test_rates_of_the_exchange(tmp_path: Path) -> None:
    """They come with the mark price."""
    play = Play(tmp_path, "rate | funding: {crosses_above: 0.05%}")
    play.advance(2_000)
    play.exchange.price(SYMBOL, funding_rate=Decimal("0.0006"))
    play.advance(2_000)
    assert play.fields("rate") == [{"rate": "0.00060000", "level": "0.0005"}]


def test_index_prices_of_the_exchange(tmp_path: Path) -> None:
    """`source: index` is the index price and not the mark."""
    play = Play(tmp_path, "index | price: {crosses_above: 70500, source: index}")
    play.exchange.price(SYMBOL, index=Decimal(70_400))
    play.advance(2_000)
    play.exchange.price(SYMBOL, mark=Decimal(70_600), index=Decimal(70_410))
    play.advance(2_000)
    assert play.fired() == []
    play.exchange.price(SYMBOL, index=Decimal(70_700))
    play.advance(2_000)
    assert [fields["source"] for fields in play.fields("index")] == ["index"]
