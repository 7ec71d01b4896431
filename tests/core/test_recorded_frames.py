"""Price rules over recorded frames of ETHUSDT: they fire on the frames that plain counting names.

The frames hold book tickers, trades and depth of 345 seconds, each with the nanosecond at which
it was received. They go the real way: parser, price board, band, engine.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby, product
from pathlib import Path
from typing import Any

import pytest

from runner.core.events import Event, PriceSource, Tick
from runner.core.rules import Rule
from runner.venues.binance_usdm.presets import Addresses
from runner.venues.binance_usdm.streams import MarketStream
from tests.core.trigger_factories import Bench, fired, moment, price, rule

FRAMES = "frames-ethusdt-perp-2024-08-08.gz"
SYMBOL = "ETHUSDT"
SOURCES: tuple[PriceSource, ...] = ("last", "bid", "ask")
FIELD = {"last": ("trade", "p"), "bid": ("bookTicker", "b"), "ask": ("bookTicker", "a")}
Line = tuple[int, str]
"""Receive time in ms, the frame's text."""

Quote = tuple[int, int, Decimal]
"""Number of the frame, receive time in ms, price."""


@pytest.fixture
def lines(recorded: Path) -> list[Line]:
    """Every frame of the recording in order."""
    path = recorded / FRAMES
    if not path.is_file():
        pytest.skip(f"{path} is missing")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        parts = (line.split(" ", 1) for line in file)
        return [(int(at) // 1_000_000, text) for at, text in parts]


@dataclass(frozen=True)
class Wanted:
    """One rule, as numbers that the counting below understands."""

    name: str
    source: PriceSource
    sign: int
    level: Decimal
    back: Decimal | None
    hold: int

    def rule(self) -> Rule:
        """The rule for the engine."""
        key = "crosses_above" if self.sign > 0 else "crosses_below"
        value: dict[str, Any] = {key: self.level, "source": self.source}
        if self.back is not None:
            value["rearm"] = self.back
        if self.hold:
            value["hold"] = f"{self.hold}ms"
        return rule(self.name, price(**value), symbols=(SYMBOL,))


def quotes(lines: list[Line], source: str) -> Iterator[Quote]:
    """Frame number, receive time and price of every frame that carries this source."""
    event, key = FIELD[source]
    for number, (at, text) in enumerate(lines):
        data = json.loads(text).get("data", {})
        if data.get("e") == event and Decimal(data[key]) > 0:
            yield number, at, Decimal(data[key])


def count(wanted: Wanted, series: list[Quote]) -> list[int]:
    """The frames on which the rule must fire, counted over runs of prices past the level.

    Each run past the level (the first prices of all are no step) fires once it is long enough,
    if since the last fire a price was far enough back.
    """

    def beyond(quote: Quote) -> bool:
        return wanted.sign * (quote[2] - wanted.level) > 0

    found, ready = [], True
    for index, (past, group) in enumerate(groupby(series, key=beyond)):
        run = list(group)
        if not past:
            far = wanted.back is None or min(wanted.sign * (q[2] - wanted.back) for q in run) < 0
            ready = ready or far
        elif index and ready:
            held = [q[0] for q in run if q[1] - run[0][1] >= wanted.hold]
            found += held[:1]
            ready = not held
    return found


def play(lines: list[Line], rules: list[Rule]) -> tuple[dict[str, list[int]], int]:
    """Feed every frame the real way; the frames on which each rule fired, and the ticks posted."""
    bench = Bench(*rules, now=lines[0][0])
    posted: list[Event] = []
    everything = frozenset((SYMBOL, source) for source in SOURCES)
    addresses = Addresses(rest="", streams="", ws_api="")
    stream = MarketStream(addresses, everything, bench.board, posted.append, lambda: 0)
    found: dict[str, list[int]] = {one.id: [] for one in rules}
    ticks = 0
    for number, (at, text) in enumerate(lines):
        stream.feed(text, at)
        for event in posted:
            assert isinstance(event, Tick)
            decision = bench.engine.process(event, moment(at, event.event_time))
            for name in fired(decision):
                found[name].append(number)
        ticks += len(posted)
        posted.clear()
        bench.publish()
    return found, ticks


def rules_over(series: dict[PriceSource, list[Quote]]) -> list[Wanted]:
    """Levels through the whole range of each source, with and without `rearm` and `for`."""
    found = []
    for source, quoted in series.items():
        values = sorted({value for _, _, value in quoted})
        for tenth, sign in product((1, 3, 5, 7, 9), (1, -1)):
            level = values[len(values) * tenth // 10]
            for back, hold in product((None, 0, 25), (0, 2_000)):
                near = None if back is None else level - sign * Decimal(back) / 100
                name = f"{source}-{tenth}-{sign}-{back}-{hold}"
                found.append(Wanted(name, source, sign, level, near, hold))
    return found


def test_rules_fire_on_exactly_the_frames_that_counting_names(lines: list[Line]) -> None:
    """180 rules on last, bid and ask over 345 recorded seconds: the very same frames."""
    series = {source: list(quotes(lines, source)) for source in SOURCES}
    wanted = rules_over(series)
    expected = {one.name: count(one, series[one.source]) for one in wanted}
    found, ticks = play(lines, [one.rule() for one in wanted])
    assert found == expected
    fires = [frame for frames in expected.values() for frame in frames]
    assert len(fires) > 900
    assert len(set(fires)) > 100
    assert ticks < sum(len(quoted) for quoted in series.values()) / 2


def test_one_level_far_away_lets_a_single_tick_through(lines: list[Line]) -> None:
    """A level that the recording never reaches costs one tick, which sets the side."""
    far = Wanted("far", "last", 1, Decimal(1_000_000), None, 0)
    found, ticks = play(lines, [far.rule()])
    assert found == {"far": []}
    assert ticks == 1
