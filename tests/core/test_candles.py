"""Where candles begin and end: as the exchange's, and as the paper exchange has them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core.candles import DAY, INTERVALS, MONTH, bounds
from runner.venues.paper import history


def ms(text: str) -> int:
    """A moment in UTC ms."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000


@pytest.mark.parametrize(
    ("interval", "at", "start", "end"),
    [
        ("1m", "2026-11-21T22:05:59", "2026-11-21T22:05:00", "2026-11-21T22:06:00"),
        ("4h", "2026-11-21T22:05:59", "2026-11-21T20:00:00", "2026-11-22T00:00:00"),
        ("1d", "2026-11-21T00:00:00", "2026-11-21T00:00:00", "2026-11-22T00:00:00"),
        ("1w", "2026-11-21T22:05:59", "2026-11-16T00:00:00", "2026-11-23T00:00:00"),
        ("1w", "2026-11-23T00:00:00", "2026-11-23T00:00:00", "2026-11-30T00:00:00"),
        ("1w", "2026-11-22T23:59:59", "2026-11-16T00:00:00", "2026-11-23T00:00:00"),
        ("1M", "2026-11-21T22:05:59", "2026-11-01T00:00:00", "2026-12-01T00:00:00"),
        ("1M", "2026-12-31T23:59:59", "2026-12-01T00:00:00", "2027-01-01T00:00:00"),
        ("1M", "2028-02-29T12:00:00", "2028-02-01T00:00:00", "2028-03-01T00:00:00"),
    ],
)
def test_weeks_begin_on_monday_and_months_on_the_first(
    interval: str, at: str, start: str, end: str
) -> None:
    """At 00:00 UTC, as on the exchange."""
    assert bounds(interval, ms(at)) == (ms(start), ms(end))


@given(st.sampled_from([*INTERVALS, MONTH]), st.integers(0, 2**42))
def test_candles_follow_each_other_without_a_gap(interval: str, at: int) -> None:
    """Each moment is in one of them; the paper exchange, which knows nothing of this, agrees."""
    start, end = bounds(interval, at)
    assert start <= at < end
    assert bounds(interval, end)[0] == end
    assert bounds(interval, start - 1)[1] == start
    assert end - start == INTERVALS.get(interval, end - start)
    assert 28 * DAY <= end - start <= 31 * DAY or interval != MONTH
    assert history.bounds(interval, at) == (start, end)


def test_an_interval_that_is_none_is_an_error() -> None:
    """And both know the same ones."""
    assert {*INTERVALS, MONTH} == history.INTERVALS
    for found in (bounds, history.bounds):
        with pytest.raises(KeyError):
            found("7m", 0)
