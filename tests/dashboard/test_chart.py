"""The chart's geometry: everything inside the box, in order, and readable."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from runner.dashboard.chart import LABEL, Dot, Line, chart
from runner.dashboard.desk import Candle

PRICES = st.decimals(min_value="0.0001", max_value="200000", places=4)
MINUTE = 60_000


def level(price: str, kind: str = "level") -> Line:
    """A line at a price."""
    return Line(kind, Decimal(price), "r waits")


def candle(at: int, *prices: str) -> Candle:
    """Open, high, low, close."""
    return Candle(at, *(Decimal(each) for each in prices))


def test_higher_prices_stand_higher() -> None:
    """A rising candle, a level above it and a fill below it, from the top down."""
    found = chart(
        [candle(0, "100", "110", "90", "105"), candle(MINUTE, "105", "106", "99", "100")],
        [level("108"), level("95", "order")],
        [Dot(MINUTE, Decimal(92), "buy", "bought")],
        1000,
        400,
    )
    assert found is not None
    assert [each.up for each in found.bars] == [True, False]
    above, below = found.rules
    assert (above.kind, below.kind) == ("level", "order")
    assert found.bars[0].high < above.y < below.y < found.marks[0].y
    assert found.bars[0].x < found.bars[1].x <= found.right


def test_a_far_level_is_named_instead_of_drawn() -> None:
    """It would flatten the prices that matter."""
    found = chart(
        [candle(0, "100", "101", "99", "100")], [level("100"), level("500")], [], 400, 300
    )
    assert found is not None
    assert [each.label for each in found.rules] == ["100"]
    assert [each.price for each in found.beyond] == [Decimal(500)]


def test_nothing_is_no_chart() -> None:
    """No price at all; a single level is enough for one."""
    assert chart([], [], [], 400, 300) is None
    assert chart([], [level("100")], [], 400, 300) is not None


def test_fills_before_the_first_candle_are_left_out() -> None:
    """They would stand left of the picture."""
    dots = [Dot(0, Decimal(100), "buy", "old")]
    found = chart([candle(MINUTE, "100", "101", "99", "100")], [], dots, 400, 300)
    assert found is not None
    assert found.marks == ()


@given(
    st.lists(st.tuples(PRICES, PRICES), max_size=30),
    st.lists(PRICES, max_size=12),
    st.lists(PRICES, max_size=5),
)
def test_all_that_is_drawn_lies_in_the_box(
    spans: list[tuple[Decimal, Decimal]], levels: list[Decimal], fills: list[Decimal]
) -> None:
    """Whatever the prices; labels keep their distance, and no line is lost."""
    candles = [
        Candle(n * MINUTE, min(pair), max(pair), min(pair), max(pair))
        for n, pair in enumerate(spans)
    ]
    lines = [Line("level", price, "r") for price in levels]
    dots = [Dot(n * MINUTE, price, "sell", "f") for n, price in enumerate(fills)]
    found = chart(candles, lines, dots, 1000, 400)
    if found is None:
        assert [*candles, *lines, *dots] == []
        return
    assert len(found.rules) + len(found.beyond) == len(lines)
    heights = [each.y for each in found.rules] + [each.y for each in found.marks]
    heights += [each.at for each in found.prices] + [each.high for each in found.bars]
    assert all(0 <= each <= found.height for each in heights)
    assert all(0 <= each.x <= found.right for each in found.bars)
    places = [each.label_y for each in found.rules]
    assert all(b - a >= LABEL - 0.1 for a, b in pairwise(places))
    assert len(found.prices) <= 7
    assert len(found.times) <= 7
