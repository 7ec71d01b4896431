"""Reads files of candles row by row, and refuses what is no candle with the line it stands in."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import IO, NamedTuple

from runner.errors import UsageError

NAMES = ("open", "high", "low", "close")
LAYOUT = ("open_time", *NAMES, "volume")
"""The columns of the exchange's downloads, whose older files have no heading."""

MICROSECONDS = 10**14
"""A time above this is in µs, as in newer downloads; in ms it would be in the year 5138."""


class Candle(NamedTuple):
    """One candle: its open time (UTC ms), its prices, and the volume that was traded."""

    at: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal

    @property
    def path(self) -> tuple[Decimal, Decimal, Decimal, Decimal]:
        """The order of its prices, as the paper exchange plays candles: a rise had its low first.

        Nobody recorded the true order; this one is a choice.
        """
        if self.close >= self.open:
            return (self.open, self.low, self.high, self.close)
        return (self.open, self.high, self.low, self.close)


def unpacked(path: Path) -> IO[str]:
    """The text of a file, packed with gzip or not. Raises OSError."""
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")


def candles(path: Path) -> Iterator[Candle]:
    """Every candle of a file, in its order. Raises UsageError for what is none, OSError."""
    with unpacked(path) as text:
        lines = csv.reader(text)
        head = next(lines, [])
        bare = head[:1] != [] and head[0][:1].isdigit()
        places = _places(path, list(LAYOUT) if bare else head)
        if bare:
            yield _candle(path, 1, head, places)
        for row in lines:
            if row:
                yield _candle(path, lines.line_num, row, places)


def _places(path: Path, head: list[str]) -> tuple[int, ...]:
    """Where the columns stand."""
    named = {name.strip().lower(): place for place, name in enumerate(head)}
    time = next((name for name in ("t", "open_time", "opentime", "time") if name in named), None)
    missing = [name for name in (*NAMES, "volume") if name not in named]
    if time is None:
        missing.insert(0, "open_time (or t)")
    if missing or time is None:
        found = ", ".join(head) or "nothing at all"
        raise UsageError(
            f"{path} is no file of candles: the column {', '.join(missing)} is missing, its "
            f"columns are {found}. Candles have t,open,high,low,close,volume or the columns of "
            "the exchange's downloads"
        )
    return tuple(named[name] for name in (time, *NAMES, "volume"))


def _candle(path: Path, line: int, row: list[str], places: tuple[int, ...]) -> Candle:
    try:
        at = int(row[places[0]])
        first, high, low, last, volume = [Decimal(row[place]) for place in places[1:]]
        sound = 0 < low <= first <= high and low <= last <= high
    except (IndexError, ValueError, InvalidOperation) as error:
        raise UsageError(f"{path}:{line} is no candle: {','.join(row)[:80]}") from error
    if not (sound and high.is_finite() and volume.is_finite()):
        raise UsageError(f"{path}:{line}: high and low do not hold open and close, or are below 0")
    return Candle(at // 1000 if at > MICROSECONDS else at, first, high, low, last, volume)
