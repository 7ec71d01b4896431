"""Leverage brackets: how much leverage and maintenance margin a position's size allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from .numbers import ZERO, JsonObject

# notional cap, initial leverage, maintenance margin ratio
_DEEP = """
300000 125 0.004 | 800000 100 0.005 | 3000000 75 0.0065 | 12000000 50 0.01 |
70000000 25 0.02 | 100000000 20 0.025 | 230000000 10 0.05 | 480000000 5 0.10 |
600000000 4 0.125 | 800000000 3 0.15 | 1200000000 2 0.25 | 1800000000 1 0.5
"""
_SHALLOW = """
50000 75 0.0065 | 400000 50 0.01 | 1000000 40 0.0125 | 4000000 25 0.02 | 8000000 20 0.025 |
40000000 10 0.05 | 80000000 5 0.10 | 100000000 4 0.125 | 200000000 2 0.25 | 400000000 1 0.5
"""
_DEEP_SYMBOLS = ("BTCUSDT", "ETHUSDT")


@dataclass(frozen=True, slots=True)
class Bracket:
    """One step of the ladder; `cum` is what to subtract so that the steps join."""

    number: int
    leverage: int
    floor: Decimal
    cap: Decimal
    maintenance: Decimal
    cum: Decimal


def read_brackets(document: Sequence[Mapping[str, Any]]) -> dict[str, tuple[Bracket, ...]]:
    """Return the ladders of a leverageBracket answer by symbol; raises KeyError."""
    return {
        row["symbol"]: tuple(
            Bracket(
                int(step["bracket"]),
                int(step["initialLeverage"]),
                Decimal(str(step["notionalFloor"])),
                Decimal(str(step["notionalCap"])),
                Decimal(str(step["maintMarginRatio"])),
                Decimal(str(step["cum"])),
            )
            for step in row["brackets"]
        )
        for row in document
    }


def brackets_of(known: Mapping[str, tuple[Bracket, ...]], name: str) -> tuple[Bracket, ...]:
    """Return the ladder of a symbol, a built-in one when none is known."""
    return known.get(name) or (_DEEP_LADDER if name in _DEEP_SYMBOLS else _SHALLOW_LADDER)


def bracket_for(ladder: Sequence[Bracket], notional: Decimal) -> Bracket:
    """Return the step a position of that notional stands on, the last one beyond its end."""
    for step in ladder:
        if notional <= step.cap:
            return step
    return ladder[-1]


def max_notional(ladder: Sequence[Bracket], leverage: int) -> Decimal:
    """Return the largest notional allowed at a leverage."""
    return max((step.cap for step in ladder if step.leverage >= leverage), default=ZERO)


def bracket_document(name: str, ladder: Sequence[Bracket]) -> JsonObject:
    """Return one symbol's entry of the leverageBracket answer (its figures are numbers)."""
    return {
        "symbol": name,
        "notionalCoef": 1.0,
        "brackets": [
            {
                "bracket": step.number,
                "initialLeverage": step.leverage,
                "notionalCap": int(step.cap),
                "notionalFloor": int(step.floor),
                "maintMarginRatio": float(step.maintenance),
                "cum": float(step.cum),
            }
            for step in ladder
        ],
    }


def _ladder(text: str) -> tuple[Bracket, ...]:
    ladder: list[Bracket] = []
    floor = cum = before = ZERO
    for number, row in enumerate(text.split("|"), start=1):
        cap, leverage, ratio = row.split()
        cum += floor * (Decimal(ratio) - before) if number > 1 else ZERO
        ladder.append(Bracket(number, int(leverage), floor, Decimal(cap), Decimal(ratio), cum))
        floor, before = Decimal(cap), Decimal(ratio)
    return tuple(ladder)


_DEEP_LADDER = _ladder(_DEEP)
_SHALLOW_LADDER = _ladder(_SHALLOW)
