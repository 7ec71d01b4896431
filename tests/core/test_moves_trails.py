"""`moves` and `trails` over drawn prices: board, band and engine fire where slow counting says."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from runner.core.events import PriceSource
from tests.core.slow_prices import Quote, moves, trails
from tests.core.trigger_factories import START, SYMBOL, Bench, fired, price, rule

SOURCE: PriceSource = "bid"
Steps = Sequence[tuple[int, int]]
"""How long after the one before (ms), and the price."""

STEPS = st.lists(st.tuples(st.integers(1, 1_500), st.integers(95, 105)), max_size=60)
PERCENT = st.sampled_from(["0.5", "1", "2.5", "4"])


def series(steps: Steps) -> list[Quote]:
    """The drawn prices, received one after another."""
    found, at = [], START
    for number, (pause, value) in enumerate(steps):
        at += pause
        found.append((number, at, Decimal(value)))
    return found


def played(quotes: Sequence[Quote], **value: Any) -> list[int]:
    """The quotes on which such a rule fires, and one beside it that is edited by nobody."""
    far = rule("far", price("price", crosses_above=1_000, source=SOURCE))
    bench = Bench(rule("it", price(source=SOURCE, **value)), far)
    found = []
    for number, at, amount in quotes:
        decisions = [
            bench.process(tick, at) for tick in bench.board.seen(SYMBOL, SOURCE, amount, at, at)
        ]
        if any("it" in fired(decision) for decision in decisions):
            found.append(number)
    return found


@given(STEPS, PERCENT, st.integers(1, 8), st.sampled_from([0, 700, 2_000]))
@example([(1, 100), (1, 101), (999, 100), (1, 102)], "1", 1, 0)
def test_moves_fire_where_the_window_says(
    steps: Steps, percent: str, seconds: int, hold: int
) -> None:
    """The share from the lowest or highest of the window, both ends included; equal is not past."""
    quotes = series(steps)
    written = {"moves": f"{percent}% within {seconds}s", "hold": f"{hold}ms"}
    expected = moves(Decimal(percent) / 100, seconds * 1_000, hold, quotes)
    assert played(quotes, **written) == expected


@given(STEPS, PERCENT, st.booleans())
@example([(1, 100), (1, 104), (1, 100), (1, 104), (1, 99)], "4", True)
def test_trails_fire_where_the_extreme_says(steps: Steps, percent: str, from_high: bool) -> None:
    """From the extreme since it was armed or fired, also of prices that no rule had to hear of."""
    quotes = series(steps)
    written = f"{percent}% from {'high' if from_high else 'low'}"
    expected = trails(Decimal(percent) / 100, from_high, quotes)
    assert played(quotes, trails=written) == expected
