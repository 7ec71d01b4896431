"""Candles and 24-hour figures, built from the public tape."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from .numbers import ZERO

MINUTE = 60_000
DAY = 86_400_000
# Minutes remembered.
KEPT = 2 * 1440
# Spot and futures kline intervals; the calendar month has no length.
SPANS: dict[str, int] = {
    "1m": MINUTE,
    "3m": 3 * MINUTE,
    "5m": 5 * MINUTE,
    "15m": 15 * MINUTE,
    "30m": 30 * MINUTE,
    "1h": 60 * MINUTE,
    "2h": 120 * MINUTE,
    "4h": 240 * MINUTE,
    "6h": 360 * MINUTE,
    "8h": 480 * MINUTE,
    "12h": 720 * MINUTE,
    "1d": DAY,
    "3d": 3 * DAY,
    "1w": 7 * DAY,
}
WEEK, MONTH = "1w", "1M"
INTERVALS = frozenset({*SPANS, MONTH})
# The epoch was a Thursday.
FIRST_MONDAY = 4 * DAY


def bounds(interval: str, at: int) -> tuple[int, int]:
    """Return when the candle of a time begins and when the next does; raises KeyError.

    Weeks begin on Monday and months on the first, at 00:00 UTC.
    """
    if interval == MONTH:
        first = datetime.fromtimestamp(at // 1000, UTC).replace(day=1, hour=0, minute=0, second=0)
        after = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
        return int(first.timestamp()) * 1000, int(after.timestamp()) * 1000
    span = SPANS[interval]
    start = at - (at - (FIRST_MONDAY if interval == WEEK else 0)) % span
    return start, start + span


@dataclass(slots=True)
class Candle:
    """Prices and volumes of one span that begins at `start` (ms)."""

    start: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal = ZERO
    quote: Decimal = ZERO
    taker_volume: Decimal = ZERO
    taker_quote: Decimal = ZERO
    count: int = 0
    first_id: int = 0
    last_id: int = 0

    def merge(self, other: Candle) -> None:
        """Take in a later candle."""
        self.high = max(self.high, other.high)
        self.low = min(self.low, other.low)
        self.close = other.close
        self.volume += other.volume
        self.quote += other.quote
        self.taker_volume += other.taker_volume
        self.taker_quote += other.taker_quote
        self.first_id = self.first_id if self.count else other.first_id
        self.count += other.count
        self.last_id = other.last_id


@dataclass(slots=True)
class History:
    """The last day and a bit of one-minute candles of one symbol."""

    minutes: deque[Candle] = field(default_factory=lambda: deque(maxlen=KEPT))
    trade_id: int = 0

    def add(self, now: int, price: Decimal, quantity: Decimal, buyer_is_maker: bool) -> None:
        """Take in one trade."""
        self.trade_id += 1
        self.extend(now)
        start = now - now % MINUTE
        taken = ZERO if buyer_is_maker else quantity
        one = Candle(start, price, price, price, price, quantity, quantity * price)
        one.taker_volume, one.taker_quote, one.count = taken, taken * price, 1
        one.first_id = one.last_id = self.trade_id
        if not self.minutes:
            self.minutes.append(one)
        elif self.minutes[-1].count:
            self.minutes[-1].merge(one)
        else:
            self.minutes[-1] = one

    def extend(self, now: int) -> None:
        """Add a flat candle for every minute without a trade up to `now`."""
        if not self.minutes:
            return
        last, end = self.minutes[-1], now - now % MINUTE
        # What a long sleep would push out at once is not worth making.
        first = max(last.start + MINUTE, end - (KEPT - 1) * MINUTE)
        for start in range(first, end + 1, MINUTE):
            flat = Candle(start, last.close, last.close, last.close, last.close)
            flat.first_id = flat.last_id = self.trade_id
            self.minutes.append(flat)

    def candles(self, interval: str, now: int) -> list[Candle]:
        """Return the candles of an interval, oldest first; raises KeyError for an unknown one."""
        self.extend(now)
        merged: list[Candle] = []
        end = 0
        for minute in self.minutes:
            if minute.start < end:
                merged[-1].merge(minute)
            else:
                start, end = bounds(interval, minute.start)
                merged.append(_copy(minute, start))
        return merged

    def candle(self, interval: str, at: int) -> Candle | None:
        """Return the candle of an interval in which a time lies, None where there is none."""
        start, end = bounds(interval, at)
        merged: Candle | None = None
        for minute in reversed(self.minutes):
            if minute.start < start:
                break
            if minute.start >= end:
                continue
            earlier = _copy(minute, start)
            if merged is not None:
                earlier.merge(merged)
            merged = earlier
        return merged

    def day(self, now: int) -> Candle:
        """Return the last 24 hours as one candle; there must have been a trade."""
        self.extend(now)
        recent = [minute for minute in self.minutes if minute.start > now - DAY]
        merged = _copy(recent[0], recent[0].start)
        for minute in recent[1:]:
            merged.merge(minute)
        return merged


def _copy(source: Candle, start: int) -> Candle:
    return Candle(
        start,
        source.open,
        source.high,
        source.low,
        source.close,
        source.volume,
        source.quote,
        source.taker_volume,
        source.taker_quote,
        source.count,
        source.first_id,
        source.last_id,
    )
