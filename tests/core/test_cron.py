"""Cron lines read into sets, and walked without a clock; the meaning is tested in sources."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice

import pytest

from runner.core.cron import CronError, read_cron


def test_the_place_of_a_mistake_is_told() -> None:
    """Column and length mark the field, the whole line where no single field is wrong."""
    with pytest.raises(CronError) as caught:
        read_cron("0 8 * 13,14 *")
    assert (caught.value.column, caught.value.length) == (7, 5)
    with pytest.raises(CronError) as caught:
        read_cron("")
    assert (caught.value.column, caught.value.length) == (1, 1)


def test_a_walk_jumps_over_months_that_do_not_count() -> None:
    """A leap day on a Saturday or Sunday is found years ahead."""
    walls = read_cron("30 12 29 2 */6").walls(datetime(2024, 3, 1, tzinfo=UTC))
    assert [f"{wall:%Y-%m-%d %H:%M}" for wall in islice(walls, 2)] == [
        "2032-02-29 12:30",
        "2048-02-29 12:30",
    ]


def test_a_walk_starts_within_the_day_and_ends_with_the_calendar() -> None:
    """What has passed on the first day does not come; after the last year nothing does."""
    cron = read_cron("0 6,18 * * *")
    first = next(cron.walls(datetime(2024, 3, 1, 6, 1, tzinfo=UTC)))
    assert first == datetime(2024, 3, 1, 18, tzinfo=UTC)
    assert list(islice(cron.walls(datetime(9998, 12, 31, 7, tzinfo=UTC)), 3)) == [
        datetime(9998, 12, 31, 18, tzinfo=UTC)
    ]
