"""The user stream's proof of life: an accepted order must be told of."""

from __future__ import annotations

from runner.venues.binance_usdm import liveness
from runner.venues.binance_usdm.liveness import Liveness


def test_an_order_that_is_told_of_in_time() -> None:
    """Nothing is overdue, whichever came first: the update often overtakes the answer."""
    watch = Liveness(1_000)
    watch.expect("a", 0)
    watch.saw("a")
    watch.saw("b")
    watch.expect("b", 0)
    assert watch.overdue(5_000) == 0


def test_an_order_that_is_kept_silent() -> None:
    """It is overdue after the patience, and said once."""
    watch = Liveness(1_000)
    watch.expect("a", 0)
    watch.expect("a", 900)
    assert watch.overdue(1_000) == 0
    assert watch.overdue(1_001) == 1
    assert watch.overdue(9_999) == 0


def test_a_new_connection_starts_with_a_clean_slate() -> None:
    """What was awaited may have been told in the gap; the sweep asks for it."""
    watch = Liveness(1_000)
    watch.expect("a", 0)
    watch.forgive()
    assert watch.overdue(5_000) == 0


def test_memory_is_bounded() -> None:
    """Only the newest ids are remembered."""
    watch = Liveness(1_000)
    for number in range(liveness.REMEMBERED + 1):
        watch.saw(str(number))
    watch.expect("0", 0)
    watch.expect("1", 0)
    assert watch.overdue(5_000) == 1
