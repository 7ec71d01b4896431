"""While nobody tells of own orders: what is open is read, at a pace that the limits can bear."""

from __future__ import annotations

from typing import Literal

from runner.core.asking import Questions
from runner.core.decision import Leg
from runner.core.legs import Moment
from runner.core.orders import Family, OrderIntent, OrderState, ReadCall
from runner.core.state import State

MINUTE = 60_000
POLL_WEIGHT = 400
"""The weight a minute (of 2,400) that looking for open orders may take."""

ONE_BY_ONE = 10
"""Symbols up to which each is asked about: of one symbol a reading weighs 1."""

WHOLE_WEIGHT, POSITIONS_WEIGHT = 40, 5
"""What a reading of all symbols weighs (openOrders, openAlgoOrders), and one of the positions."""

_OPEN: dict[Family, Literal["open_orders", "open_algo_orders"]] = {
    Family.ORDER: "open_orders",
    Family.ALGO: "open_algo_orders",
}


def poll(state: State, questions: Questions, moment: Moment) -> None:
    """Nobody tells of own orders: what is open of them is read, and so are the positions."""
    readings, weight = _polled(state)
    if not readings or abs(moment.now - questions.polled_at) < _pace(weight, moment):
        return
    questions.polled_at = moment.now
    for reading in readings:
        # one that failed waits its time
        if reading not in questions.wanted and questions.free(reading, moment.now):
            questions.want(reading)


def poll_at(state: State, questions: Questions, moment: Moment) -> int | None:
    """When the next look is due (ms); None when no order is open."""
    readings, weight = _polled(state)
    if not readings:
        return None
    return min(questions.polled_at, moment.now) + _pace(weight, moment)


def _pace(weight: int, moment: Moment) -> int:
    """Ms between two looks: dear ones are rarer, so that they leave the limits to the others."""
    return max(moment.timing.poll_orders, weight * MINUTE // POLL_WEIGHT)


def _polled(state: State) -> tuple[list[ReadCall], int]:
    """The readings that show every own order on the book, and their weight in the rate limit."""
    symbols: dict[Family, list[str]] = {Family.ORDER: [], Family.ALGO: []}
    for symbol, legs in state.by_symbol.items():
        open_legs = [leg for leg in legs.values() if leg.state is not OrderState.PLANNED]
        for family in {leg.intent.family for leg in open_legs if _is_order(leg)}:
            symbols[family].append(symbol)
    readings: list[ReadCall] = []
    weight = 0
    for family, found in symbols.items():
        what = _OPEN[family]
        alone = len(found) <= ONE_BY_ONE
        readings += [ReadCall(what, symbol) for symbol in found] if alone else [ReadCall(what)]
        weight += len(found) if alone else WHOLE_WEIGHT
    return ([*readings, ReadCall("positions")], weight + POSITIONS_WEIGHT) if readings else ([], 0)


def _is_order(leg: Leg) -> bool:
    return isinstance(leg.intent, OrderIntent)
