"""The clock estimate: the shortest round trip wins, age counts, doubt resets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runner.venues.binance_usdm.clock import ServerClock


def test_nothing_is_known_before_the_first_answer() -> None:
    """No time and no uncertainty: nobody may send on that."""
    clock = ServerClock()
    clock.doubt()
    assert clock.now(5) is None
    assert clock.uncertainty(5) is None


@given(
    offset=st.integers(0, 2 * 10**12),
    trips=st.lists(
        st.tuples(st.integers(0, 100_000), st.integers(0, 900), st.integers(0, 900)),
        min_size=1,
        max_size=20,
    ),
)
def test_the_truth_lies_within_the_uncertainty(
    offset: int, trips: list[tuple[int, int, int]]
) -> None:
    """However lopsided the ways there and back are, the error never exceeds what is stated."""
    clock = ServerClock()
    for sent, there, back in sorted(trips):
        clock.feed(sent, sent + there + back, offset + sent + there)
    now = clock.now(200_000)
    uncertainty = clock.uncertainty(200_000)
    assert now is not None
    assert uncertainty is not None
    assert abs(now - (offset + 200_000)) <= uncertainty


def test_a_longer_trip_is_not_taken_over() -> None:
    """The shortest round trip stays the estimate."""
    clock = ServerClock()
    clock.feed(0, 10, 1_005)
    clock.feed(1_000, 1_800, 2_900)
    assert clock.now(2_000) == 3_000
    assert clock.uncertainty(10) == 6


def test_age_makes_an_estimate_worse_until_a_longer_trip_is_better() -> None:
    """Quartz drifts: after hours a slower answer is the better one."""
    clock = ServerClock()
    clock.feed(0, 10, 1_005)
    later = 4 * 3_600_000
    assert clock.uncertainty(later) == 6 + (later - 10) // 10_000
    clock.feed(later, later + 200, later + 2_100)
    assert clock.now(later) == later + 2_000


def test_after_a_complaint_the_next_answer_counts() -> None:
    """-1021 means the estimate is wrong: until the next answer it is worth nothing."""
    clock = ServerClock()
    clock.feed(0, 10, 1_005)
    clock.doubt()
    uncertainty = clock.uncertainty(10)
    assert uncertainty is not None
    assert uncertainty > 1_000
    clock.feed(100, 900, 7_500)
    assert clock.now(500) == 7_500
