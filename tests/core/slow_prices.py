"""Price triggers as a person with paper and pencil plays them: whole series, no state machine.

Each function takes the whole series of one source and names the quotes on which a rule fires. The
first quote is the first one that the rule sees; no quote is stale.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby

Quote = tuple[int, int, Decimal]
"""Its number in the whole recording, when it was received (ms), the price."""


@dataclass(frozen=True)
class Level:
    """A level that is crossed upwards (`sign` 1) or downwards (-1), armed again beyond `back`."""

    sign: int
    level: Decimal
    back: Decimal | None = None
    hold: int = 0


def crosses(level: Level, series: Sequence[Quote]) -> list[int]:
    """The quotes on which it fires, counted over runs of prices past the level.

    Each run past the level (the first prices of all are no step) fires once it is long enough,
    if since the last fire a price was far enough back.
    """

    def beyond(quote: Quote) -> bool:
        return level.sign * (quote[2] - level.level) > 0

    found, ready = [], True
    for index, (past, group) in enumerate(groupby(series, key=beyond)):
        run = list(group)
        if not past:
            near = level.back
            ready = ready or near is None or min(level.sign * (q[2] - near) for q in run) < 0
        elif index and ready:
            held = [q[0] for q in run if q[1] - run[0][1] >= level.hold]
            found += held[:1]
            ready = not held
    return found


def moves(share: Decimal, window: int, hold: int, series: Sequence[Quote]) -> list[int]:
    """How far each price is from the window's extremes, written out; then that is crossed."""
    first, distances = 0, []
    for index, (number, at, price) in enumerate(series):
        while series[first][1] < at - window:
            first += 1
        seen = [quote[2] for quote in series[first : index + 1]]
        low, high = min(seen), max(seen)
        distances.append((number, at, max((price - low) / low, (high - price) / high)))
    return crosses(Level(1, share, hold=hold), distances)


def trails(share: Decimal, from_high: bool, series: Sequence[Quote]) -> list[int]:
    """Since it was armed the price went back from its extreme by more than the share."""
    found: list[int] = []
    furthest: Callable[[Sequence[Decimal]], Decimal] = max if from_high else min
    since: list[Decimal] = []
    for number, _, price in series:
        extreme = furthest([*since, price])
        level = extreme * (1 - share if from_high else 1 + share)
        if since and (price < level if from_high else price > level):
            found.append(number)
            extreme = price
        since = [extreme]
    return found
