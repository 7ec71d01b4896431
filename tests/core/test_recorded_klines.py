"""Price rules over months of recorded candles: they fire where slow counting says, no more.

Each candle gives its extremes and its close, one after another, to five sources in turn;
levels, distances and waits are drawn at random over the whole range of the series. The prices go
the real way: price board, band, engine.
"""

from __future__ import annotations

import csv
import gzip
import random
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from runner.core.events import Event, KlineClosed, PriceSource
from runner.core.rules import Rule
from tests.core.slow_prices import Level, Quote, crosses, moves, trails
from tests.core.trigger_factories import Bench, fired, price, rule

SYMBOL = "ETHUSDT"
SOURCES: tuple[PriceSource, ...] = ("mark", "last", "bid", "ask", "index")
FILES = {
    "BTCUSDT-5m-2024-10_2025-02.csv.gz": ("5m", 300_000),
    "DOTUSDT-1m-2024-11.csv.gz": ("1m", 60_000),
    "ETHUSDT-1m-2025-01-27_2025-02-26.csv.gz": ("1m", 60_000),
}
RULES_OF_A_KIND = 3
Candle = tuple[int, Decimal, Decimal, Decimal, Decimal]
"""Its start (ms), open, high, low, close."""


@dataclass
class Recording:
    """A file's candles, and the prices that are made of them, by source."""

    interval: str
    span: int
    candles: list[Candle]
    ticks: list[tuple[PriceSource, Quote]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for start, opened, high, low, close in self.candles:
            # up candles fall first, as most do
            inner = (low, high) if close >= opened else (high, low)
            for third, value in enumerate((*inner, close)):
                number = len(self.ticks)
                at = start + third * self.span // 3
                self.ticks.append((SOURCES[number % len(SOURCES)], (number, at, value)))

    def of(self, source: str) -> list[Quote]:
        """The prices that one source carried."""
        return [quote for each, quote in self.ticks if each == source]

    @property
    def closes(self) -> list[Quote]:
        """Each candle's number, end and close."""
        return [
            (number, start + self.span - 1, close)
            for number, (start, _, _, _, close) in enumerate(self.candles)
        ]


@dataclass(frozen=True)
class Drawn:
    """A rule, and where it must fire."""

    rule: Rule
    expected: list[int]


@pytest.fixture(params=FILES)
def recording(request: pytest.FixtureRequest, recorded: Path) -> Recording:
    """One recorded series."""
    path = recorded / request.param
    if not path.is_file():
        pytest.skip(f"{path} is missing")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    candles = [(int(row[0]), *(Decimal(text) for text in row[1:5])) for row in rows]
    return Recording(*FILES[request.param], candles)  # type: ignore[arg-type]


def levels(chance: random.Random, values: list[Decimal]) -> tuple[int, Decimal, Decimal | None]:
    """A way, a level somewhere in the range, and a level that arms it again, or none."""
    sign, level = chance.choice((1, -1)), chance.choice(values)
    if chance.random() < 0.3:
        level += Decimal("0.005")  # between two ticks
    far = Decimal(chance.choice(("0", "0.001", "0.01", "0.05")))
    return sign, level, None if chance.random() < 0.3 else level * (1 - sign * far)


def crossing(chance: random.Random, recording: Recording, number: int) -> Drawn:
    """`crosses_above` or `crosses_below`, with or without `rearm` and `for`."""
    source = SOURCES[number % len(SOURCES)]
    series = recording.of(source)
    sign, level, back = levels(chance, [value for _, _, value in series])
    hold = chance.choice((0, 0, 1_000, recording.span * 3, recording.span * 40))
    value: dict[str, Any] = {"crosses_above" if sign > 0 else "crosses_below": level}
    if back is not None:
        value["rearm"] = back
    trigger = price(**value, hold=f"{hold}ms", source=source)
    one = rule(f"cross-{number}", trigger, symbols=(SYMBOL,))
    return Drawn(one, crosses(Level(sign, level, back, hold), series))


def moving(chance: random.Random, recording: Recording, number: int) -> Drawn:
    """`moves`, of a tenth of a percent to several percents."""
    source = SOURCES[number % len(SOURCES)]
    percent = Decimal(chance.choice(("0.1", "0.35", "1", "2.5", "6")))
    window = recording.span * chance.choice((2, 10, 30))
    hold = chance.choice((0, 0, recording.span * 2))
    written = f"{percent}% within {window}ms"
    one = rule(
        f"move-{number}",
        price(moves=written, hold=f"{hold}ms", source=source),
        symbols=(SYMBOL,),
    )
    return Drawn(one, moves(percent / 100, window, hold, recording.of(source)))


def trailing(chance: random.Random, recording: Recording, number: int) -> Drawn:
    """`trails`, under the highest or over the lowest."""
    source = SOURCES[number % len(SOURCES)]
    percent = Decimal(chance.choice(("0.2", "0.9", "1.5", "4", "10")))
    from_high = chance.random() < 0.5
    written = f"{percent}% from {'high' if from_high else 'low'}"
    one = rule(f"trail-{number}", price(trails=written, source=source), symbols=(SYMBOL,))
    return Drawn(one, trails(percent / 100, from_high, recording.of(source)))


def play(recording: Recording, rules: list[Rule]) -> dict[str, list[int]]:
    """Every price the real way; the prices on which each rule fired."""
    start = recording.candles[0][0]
    bench = Bench(*rules, now=start, stale_after=recording.span * 10)
    found: dict[str, list[int]] = {one.id: [] for one in rules}
    for source, (number, at, value) in recording.ticks:
        for tick in bench.board.seen(SYMBOL, source, value, at, at):
            for name in fired(bench.process(tick, at)):
                found[name].append(number)
    return found


def test_rules_fire_on_exactly_the_prices_that_counting_names(recording: Recording) -> None:
    """Crosses, moves and trails of every source over the whole recording: the same prices."""
    chance = random.Random(recording.span + len(recording.candles))
    kinds = (crossing, crossing, moving, trailing)
    drawn = [kind(chance, recording, number) for number, kind in enumerate(kinds * RULES_OF_A_KIND)]
    found = play(recording, [one.rule for one in drawn])
    assert found == {one.rule.id: one.expected for one in drawn}
    by_kind = dict.fromkeys(("cross", "move", "trail"), 0)
    for one in drawn:
        by_kind[one.rule.id.partition("-")[0]] += len(one.expected)
    assert min(by_kind.values()) > 10, by_kind


def test_candles_fire_on_exactly_the_closes_that_counting_names(recording: Recording) -> None:
    """`closes_above` and `closes_below`, with and without `rearm`, over every candle."""
    chance = random.Random(recording.span)
    closes = recording.closes
    drawn = []
    for number in range(RULES_OF_A_KIND + 1):
        sign, level, back = levels(chance, [value for _, _, value in closes])
        value: dict[str, Any] = {"closes_above" if sign > 0 else "closes_below": level}
        if back is not None:
            value["rearm"] = back
        one = rule(f"close-{number}", price(**value, on=recording.interval), symbols=(SYMBOL,))
        drawn.append(Drawn(one, crosses(Level(sign, level, back), closes)))
    bench = Bench(*(one.rule for one in drawn), now=recording.candles[0][0])
    found: dict[str, list[int]] = {one.rule.id: [] for one in drawn}
    for number, end, close in closes:
        event: Event = KlineClosed(
            SYMBOL, recording.interval, close, end, recording.span, end, end + 1
        )
        for name in fired(bench.process(event, end + 1)):
            found[name].append(number)
    assert found == {one.rule.id: one.expected for one in drawn}
    assert sum(len(one.expected) for one in drawn) > 20
