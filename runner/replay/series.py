"""What data there is: files told apart by what stands in them, looked through once, with gaps."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

from runner.errors import UsageError
from runner.replay.rows import MICROSECONDS, Candle, candles, unpacked
from runner.venues.paper.market import Timed
from runner.venues.paper.moves import Move
from runner.venues.paper.recordings import Frames, Trades

_SYMBOL = re.compile(r"[A-Z0-9]{5,}")
_TRADES = re.compile(r"^(id|trade_id|agg_trade_id)\b|^\d{1,12},[0-9.]+,[0-9.]+,[0-9.]+,\d{13}")
DAY = 86_400_000


@dataclass(frozen=True, slots=True)
class Given:
    """A file as the command line names it; `symbol` is empty where the file itself tells it."""

    path: Path
    symbol: str = ""


@dataclass(slots=True)
class Series:
    """One symbol's prices. `kind` is klines, trades or frames; `span` is a candle's length in ms.

    `gaps` are (begin, end) in UTC ms between which nothing was recorded. `start` and `end` are of
    what is played: the first open and the end of the last candle.
    """

    symbol: str
    kind: str
    files: list[Path] = field(default_factory=list)
    span: int = 0
    start: int = 0
    end: int = 0
    count: int = 0
    first: Decimal = Decimal(1)
    gaps: list[tuple[int, int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Cut:
    """The stretch to be played, UTC ms; None is open."""

    since: int | None = None
    until: int | None = None

    def holds(self, at: int) -> bool:
        """True when this moment is played."""
        early = self.since is not None and at < self.since
        return not early and (self.until is None or at < self.until)


def given(text: str, names: Mapping[str, str]) -> Given:
    """`SYMBOL=FILE` or `FILE` as a file and its symbol; `names` renames symbols.

    Raises UsageError for a file that is not there or names no symbol.
    """
    symbol, equals, rest = text.partition("=")
    path = Path(rest if equals else text)
    if not path.is_file():
        raise UsageError(f"there is no file {path}: --data takes FILE or SYMBOL=FILE")
    if not equals:
        found = _SYMBOL.match(path.name)
        symbol = found.group() if found else ""
    return Given(path, names.get(symbol.upper(), symbol.upper()))


def survey(data: Sequence[Given], cut: Cut) -> dict[str, Series]:
    """Look through every file; the series by symbol. Raises UsageError for what is unusable."""
    found: dict[str, Series] = {}
    for each in data:
        try:
            kind = _kind(each.path)
            if kind == "frames":
                _survey_moves(found, kind, each, Frames(each.path), cut)
                continue
            if not each.symbol:
                raise UsageError(f"{each.path} does not begin with a symbol: SYMBOL={each.path}")
            if kind == "trades":
                _survey_moves(found, kind, each, Trades(each.path, each.symbol), cut)
            else:
                _survey_candles(found, each, cut)
        except (OSError, EOFError, UnicodeDecodeError) as error:
            raise UsageError(f"{each.path} cannot be read: {error}") from error
        except ValueError as error:
            raise UsageError(str(error)) from error
    return dict(sorted(found.items()))


def _kind(path: Path) -> str:
    """What a file holds, by its first line."""
    with unpacked(path) as text:
        head = text.readline(4096)
    if re.match(r"\d+ \{", head):
        return "frames"
    return "trades" if _TRADES.match(head) else "klines"


def _survey_candles(found: dict[str, Series], each: Given, cut: Cut) -> None:
    series = found.setdefault(each.symbol, Series(each.symbol, "klines"))
    if series.kind != "klines":
        raise UsageError(f"{each.symbol} has candles and {series.kind}: give one kind of data")
    steps: Counter[int] = Counter()
    jumps: list[tuple[int, int]] = []
    before = last = series.end - series.span if series.count else None
    for candle in candles(each.path):
        if before is not None and candle.at <= before:
            raise UsageError(
                f"{each.path} goes back in time at {candle.at}: candles stand in their order, and "
                "files of one symbol one after the other"
            )
        if last is not None:
            steps[candle.at - last] += 1
            jumps.append((last, candle.at))
        before = last = candle.at
        if cut.holds(candle.at):
            if not series.count:
                series.start, series.first = candle.at, candle.open
            series.count += 1
            series.end = candle.at
    series.files.append(each.path)
    _measure(series, steps, jumps, each.path, cut)


def _measure(
    series: Series, steps: Counter[int], jumps: list[tuple[int, int]], path: Path, cut: Cut
) -> None:
    """Find a candle's length, by what most of them say, and what is missing between them."""
    span = series.span or (steps.most_common(1)[0][0] if steps else 60_000)
    if any(step % span for step in steps):
        raise UsageError(f"{path} has candles of different lengths: most have {span} ms")
    series.span = span
    if series.count:
        series.end += span
    for before, at in jumps:
        if at - before > span and cut.holds(before) and cut.holds(at):
            series.gaps.append((before + span, at))


def _survey_moves(
    found: dict[str, Series], kind: str, each: Given, source: Timed, cut: Cut
) -> None:
    start = _begin(each.path, kind)
    for move in moves(source, start):
        if not cut.holds(move.at):
            continue
        symbol = each.symbol if kind == "trades" else move.symbol
        series = found.setdefault(symbol, Series(symbol, kind))
        if each.path not in series.files:
            if series.files:
                raise UsageError(f"{symbol} has more than one file: of {kind} give one")
            series.files.append(each.path)
            series.start = move.at
            series.first = move.price or move.bid or source.first_price(symbol)
        series.count += 1
        series.end = move.at + 1


def _begin(path: Path, kind: str) -> int:
    """The time (UTC ms) of a file's first line."""
    with unpacked(path) as text:
        head = text.readline(4096)
        if kind == "frames":
            return int(head.partition(" ")[0]) // 1_000_000
        names = head.strip().split(",")
        row = names if names[0].isdigit() else text.readline(4096).strip().split(",")
        at = int(row[names.index("time") if "time" in names else 4])
    return at // 1000 if at > MICROSECONDS else at


def moves(source: Timed, start: int) -> Iterator[Move]:
    """Every move of a recording, at its time."""
    source.start(start, {})
    while (at := source.next_at()) is not None:
        yield from (_at(move, start) for move in source.due(at))


def _at(move: Move, start: int) -> Move:
    return replace(move, at=start + move.at)


def candles_of(series: Series, cut: Cut) -> Iterator[Candle]:
    """The candles of a series that are played."""
    for path in series.files:
        yield from (candle for candle in candles(path) if cut.holds(candle.at))


def moves_of(series: Series, cut: Cut) -> Iterator[Move]:
    """The moves of a series that are played."""
    (path,) = series.files
    source = Frames(path) if series.kind == "frames" else Trades(path, series.symbol)
    for move in moves(source, _begin(path, series.kind)):
        if move.symbol == series.symbol and cut.holds(move.at):
            yield move
