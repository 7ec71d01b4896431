"""Prices, levels, fills and orders as geometry: what the page draws as SVG."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from runner.core.figures import figure
from runner.dashboard.desk import Candle
from runner.dashboard.figures import instant

MARGIN_TOP, MARGIN_BOTTOM, MARGIN_SIDE = 16, 28, 86
LABEL = 15
"""Height of a label: two that would stand nearer are moved apart."""

WIDEST = 14
"""Pixels of a candle, also where there are few."""

Y = Callable[[Decimal], float]

FAR = Decimal(3)
"""Levels further away than this many times the drawn prices' spread stand at the edge."""


@dataclass(frozen=True, slots=True)
class Line:
    """A price that something waits at: `kind` is level, order or entry."""

    kind: str
    price: Decimal
    text: str


@dataclass(frozen=True, slots=True)
class Dot:
    """A fill: `side` is buy or sell."""

    at: int
    price: Decimal
    side: str
    text: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One candle's pixels."""

    x: float
    width: float
    high: float
    low: float
    top: float
    height: float
    up: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """One horizontal line's pixels; `label_y` is moved where labels would touch."""

    kind: str
    y: float
    label_y: float
    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Mark:
    """One fill's pixels."""

    x: float
    y: float
    side: str
    text: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A label of an axis."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """All of it, in pixels of a `width` by `height` box; `beyond` lies outside the drawn prices."""

    width: int
    height: int
    right: int
    bottom: int
    bars: tuple[Bar, ...]
    rules: tuple[Rule, ...]
    marks: tuple[Mark, ...]
    prices: tuple[Tick, ...]
    times: tuple[Tick, ...]
    beyond: tuple[Line, ...]


def chart(
    candles: Sequence[Candle],
    lines: Iterable[Line],
    dots: Iterable[Dot],
    width: int,
    height: int,
) -> Chart | None:
    """Lay it out; None when there is no price at all to draw."""
    lines = tuple(lines)
    begun = candles[0].open_time if candles else 0
    dots = tuple(each for each in dots if each.at >= begun)
    shown, beyond = _near(candles, dots, lines)
    values = [value for each in candles for value in (each.high, each.low)]
    values += [each.price for each in dots] + [each.price for each in shown]
    if not values:
        return None
    low, high = _padded(min(values), max(values))
    right, bottom = width - MARGIN_SIDE, height - MARGIN_BOTTOM
    scale = float(bottom - MARGIN_TOP) / float(high - low)

    def y(price: Decimal) -> float:
        return round(bottom - float(price - low) * scale, 1)

    first, last = _times(candles, dots)

    def x(at: int) -> float:
        return round((at - first) / (last - first) * right, 1)

    step = right / max(len(candles), 1)
    return Chart(
        width,
        height,
        right,
        bottom,
        tuple(_bar(each, x(each.open_time), step, y) for each in candles),
        _apart([(each, y(each.price)) for each in shown]),
        tuple(Mark(x(each.at), y(each.price), each.side, each.text) for each in dots),
        tuple(Tick(y(price), figure(price)) for price in _round_prices(low, high)),
        tuple(Tick(x(at), instant(at)[11:16]) for at in _round_times(first, last)),
        beyond,
    )


def _near(
    candles: Sequence[Candle], dots: Sequence[Dot], lines: Sequence[Line]
) -> tuple[tuple[Line, ...], tuple[Line, ...]]:
    """Lines near the prices, and those so far away that drawing them would flatten the rest."""
    values = [value for each in candles for value in (each.high, each.low)]
    values += [each.price for each in dots]
    if not values:
        return tuple(lines), ()
    low, high = min(values), max(values)
    room = max((high - low) * FAR, high / 100)
    near = tuple(each for each in lines if low - room <= each.price <= high + room)
    return near, tuple(each for each in lines if each not in near)


def _padded(low: Decimal, high: Decimal) -> tuple[Decimal, Decimal]:
    room = (high - low) / 20 or high / 200 or Decimal(1)
    return low - room, high + room


def _times(candles: Sequence[Candle], dots: Sequence[Dot]) -> tuple[int, int]:
    if len(candles) > 1:
        step = candles[1].open_time - candles[0].open_time
        return candles[0].open_time, candles[-1].open_time + step
    times = [each.open_time for each in candles] + [each.at for each in dots] or [0]
    return min(times) - 60_000, max(times) + 60_000


def _bar(candle: Candle, x: float, step: float, y: Y) -> Bar:
    top, low = y(max(candle.open, candle.close)), y(min(candle.open, candle.close))
    width = round(min(max(step * 0.7, 1), WIDEST), 1)
    up = candle.close >= candle.open
    middle = round(x + step / 2, 1)
    return Bar(middle, width, y(candle.high), y(candle.low), top, round(max(low - top, 1), 1), up)


def _apart(found: Sequence[tuple[Line, float]]) -> tuple[Rule, ...]:
    """Lines from the top down, their labels far enough apart to be read."""
    ordered = sorted(found, key=lambda each: each[1])
    places = [y for _, y in ordered]
    for index in range(1, len(places)):
        places[index] = max(places[index], places[index - 1] + LABEL)
    return tuple(
        Rule(line.kind, y, place, figure(line.price), line.text)
        for (line, y), place in zip(ordered, places, strict=True)
    )


def _round_prices(low: Decimal, high: Decimal, most: int = 6) -> list[Decimal]:
    """Round prices between the two, at most so many."""
    exponent = (high - low).adjusted()
    steps = [Decimal(m).scaleb(e) for e in range(exponent - 2, exponent + 1) for m in (1, 2, 5)]
    step = next((each for each in steps if (high - low) / each <= most), high - low)
    first = (low / step).to_integral_value(rounding="ROUND_CEILING") * step
    found = []
    while first <= high:
        found.append(first)
        first += step
    return found


def _round_times(first: int, last: int, most: int = 6) -> list[int]:
    minutes = (1, 2, 5, 10, 15, 30, 60, 120, 240, 720, 1440)
    step = next((m * 60_000 for m in minutes if (last - first) / (m * 60_000) <= most), 1 << 31)
    return list(range(-(-first // step) * step, last, step))
