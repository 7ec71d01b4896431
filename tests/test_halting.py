"""What the last record of a run says of the orders that stay on the exchange."""

from __future__ import annotations

import pytest

from runner.core.orders import Family, OrderState, OrderType
from runner.halting import last_words
from tests.core.factories import Bench, leg, order, rule_set

TWO = "stopped as asked; 2 orders of BTCUSDT stay without a countdown"
UNCOVERED = "which no countdown cancels"


def put(bench: Bench, family: Family, count: int) -> None:
    """So many orders are on the book."""
    for number in range(count):
        name = f"{number}.{family.value}"
        kind = OrderType.LIMIT if family is Family.ORDER else OrderType.STOP_MARKET
        bench.engine.state.put_leg(leg(order(name, kind=kind), OrderState.LIVE, name=name))


def words(bench: Bench) -> str:
    """The text of the stop."""
    (record,) = last_words(bench.engine, bench.moment, "leave_armed", None).records
    return record.text


@pytest.mark.parametrize(
    ("plain", "conditional", "said"),
    [
        (0, 0, "stopped as asked; no order of ours is open"),
        (1, 0, "stopped as asked; 1 order of BTCUSDT stays without a countdown"),
        (2, 0, TWO),
        (0, 1, f"stopped as asked; 1 conditional order of BTCUSDT stays, {UNCOVERED}"),
        (0, 2, f"stopped as asked; 2 conditional orders of BTCUSDT stay, {UNCOVERED}"),
        (
            2,
            1,
            f"{TWO}, and 1 conditional order, {UNCOVERED}",
        ),
    ],
)
def test_what_stays_is_counted_in_plain_words(plain: int, conditional: int, said: str) -> None:
    """Plain and conditional orders apart; nothing is counted that is not there."""
    bench = Bench(rule_set())
    put(bench, Family.ORDER, plain)
    put(bench, Family.ALGO, conditional)
    assert words(bench) == said
