"""Prices that were recorded: candles, trades and stream frames played back."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import IO, Any

from .market import Timed
from .moves import Move

# The columns of data.binance.vision, whose older files have no heading.
_KLINE = ("open_time", "open", "high", "low", "close", "volume")
_TRADE = ("id", "price", "qty", "quote_qty", "time", "is_buyer_maker")


class Klines(Timed):
    """A candle file (.csv or .csv.gz), four moves a candle.

    Its columns are `t,open,high,low,close,volume` or those of data.binance.vision, with or without
    their heading. `speed` is how many times faster than recorded it plays.
    """

    def __init__(self, path: Path | str, symbol: str, *, speed: int = 1) -> None:
        """Raises OSError for a file that cannot be read and ValueError for one of another kind."""
        self._path, self._symbol, self._speed = Path(path), symbol, speed
        opening = _first(self._read(), self._path)
        super().__init__(self._read, {symbol: opening.price or Decimal(1)})

    def _read(self) -> Iterator[Move]:
        with _open(self._path) as lines:
            first: int | None = None
            before: int | None = None
            for row in _rows(lines, _KLINE):
                at = int(row["t"] if "t" in row else row["open_time"])
                first = at if first is None else first
                span = 60_000 if before is None else at - before
                before = at
                up = Decimal(row["close"]) >= Decimal(row["open"])
                path = ("open", "low", "high", "close") if up else ("open", "high", "low", "close")
                for number, name in enumerate(path):
                    offset = (at - first + span * number // 4) // self._speed
                    yield Move(offset, self._symbol, price=Decimal(row[name]))


class Trades(Timed):
    """A file of public trades in the layout of data.binance.vision, a move for each."""

    def __init__(self, path: Path | str, symbol: str, *, speed: int = 1) -> None:
        """Raises OSError for a file that cannot be read and ValueError for one of another kind."""
        self._path, self._symbol, self._speed = Path(path), symbol, speed
        opening = _first(self._read(), self._path)
        super().__init__(self._read, {symbol: opening.price or Decimal(1)})

    def _read(self) -> Iterator[Move]:
        with _open(self._path) as lines:
            first: int | None = None
            for row in _rows(lines, _TRADE):
                at = int(row["time"])
                first = at if first is None else first
                yield Move(
                    (at - first) // self._speed,
                    self._symbol,
                    price=Decimal(row["price"]),
                    quantity=Decimal(row["qty"]),
                    buyer_is_maker=row["is_buyer_maker"].lower() == "true",
                )


def _rows(lines: IO[str], names: Sequence[str]) -> Iterator[dict[str, str]]:
    """Return the rows by column; a file that begins with a number has no heading."""
    head = next(lines, "")
    if head[:1].isdigit():
        return iter(csv.DictReader(chain([head], lines), fieldnames=names, restkey="more"))
    return iter(csv.DictReader(chain([head], lines)))


def _first(moves: Iterator[Move], path: Path) -> Move:
    try:
        return next(moves)
    except (StopIteration, KeyError, ArithmeticError, TypeError, ValueError) as error:
        raise ValueError(f"{path} has no prices in a layout that is known") from error


class Frames(Timed):
    """Recorded combined-stream frames, each line `receive-time-ns JSON`.

    bookTicker moves bid and ask, trade and aggTrade the last price, markPriceUpdate the mark. The
    mark follows the last price where it was not recorded, and so does the book until its first
    bookTicker.
    """

    def __init__(self, path: Path | str, *, speed: int = 1) -> None:
        self._path, self._speed = Path(path), speed
        first: dict[str, Decimal] = {}
        for move in self._read():
            price = move.last or move.bid
            if price:
                first[move.symbol] = price
                break
        super().__init__(self._read, first)

    def _read(self) -> Iterator[Move]:
        start: int | None = None
        quoted: set[str] = set()
        with _open(self._path) as lines:
            for line in lines:
                received, _, text = line.partition(" ")
                nanoseconds = int(received)
                start = nanoseconds if start is None else start
                document = json.loads(text)
                offset = (nanoseconds - start) // 1_000_000 // self._speed
                move = frame_move(offset, document.get("data", document))
                if move is None:
                    continue
                if move.bid is not None:
                    quoted.add(move.symbol)
                yield replace(move, keep_book=move.symbol in quoted)


def frame_move(at: int, data: Mapping[str, Any]) -> Move | None:
    """Return the move that a stream message tells at `at`, None for one that tells none."""
    kind, symbol = data.get("e"), data.get("s", "")
    if kind == "bookTicker":
        return Move(
            at,
            symbol,
            bid=Decimal(data["b"]),
            ask=Decimal(data["a"]),
            bid_quantity=Decimal(data["B"]),
            ask_quantity=Decimal(data["A"]),
        )
    if kind in ("trade", "aggTrade"):
        price, quantity = Decimal(data["p"]), Decimal(data["q"])
        if not price:
            return None
        return Move(at, symbol, price=price, quantity=quantity, buyer_is_maker=bool(data["m"]))
    if kind == "markPriceUpdate":
        index, rate = Decimal(data.get("i") or 0), data.get("r")
        return Move(
            at,
            symbol,
            mark=Decimal(data["p"]),
            index=index or None,
            funding_rate=Decimal(rate) if rate else None,
        )
    return None


def _open(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8")
    return path.open(encoding="utf-8")
