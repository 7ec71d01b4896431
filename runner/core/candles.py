"""The candles of the exchange: how long they are, and when that of a moment begins and ends."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

DAY: Final = 86_400_000

INTERVALS: Mapping[str, int] = {
    "1m": 60_000,
    "3m": 180_000,
    "5m": 300_000,
    "15m": 900_000,
    "30m": 1_800_000,
    "1h": 3_600_000,
    "2h": 7_200_000,
    "4h": 14_400_000,
    "6h": 21_600_000,
    "8h": 28_800_000,
    "12h": 43_200_000,
    "1d": DAY,
    "3d": 3 * DAY,
    "1w": 7 * DAY,
}
"""Each candle's length in ms; the month, which has none, is left out."""

WEEK: Final = "1w"
MONTH: Final = "1M"
_MONDAY: Final = 4 * DAY
"""The first Monday after the epoch, which was a Thursday."""


def bounds(interval: str, at: int) -> tuple[int, int]:
    """When the candle in which `at` lies begins, and when the next one does (UTC ms).

    A week begins on Monday and a month on its first day, at 00:00 UTC, as the exchange's do; the
    others are counted from the epoch. Raises KeyError for an unknown interval.
    """
    if interval == MONTH:
        return _month(at)
    span = INTERVALS[interval]
    start = at - (at - (_MONDAY if interval == WEEK else 0)) % span
    return start, start + span


def _month(at: int) -> tuple[int, int]:
    first = datetime.fromtimestamp(at // 1000, UTC).replace(day=1, hour=0, minute=0, second=0)
    after = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
    return int(first.timestamp()) * 1000, int(after.timestamp()) * 1000
