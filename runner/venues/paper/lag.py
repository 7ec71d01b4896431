"""What queries see of orders while the exchange's readers lag behind its engine."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar

from .algo import Algo
from .orders import Order
from .state import State

Kept = TypeVar("Kept", Order, Algo)


def note_past(state: State, one: Order | Algo) -> None:
    """Keep how an order looks now, as long as a lagging reader may still see it so."""
    if state.read_lag:
        past = state.past.setdefault(_number(one), [])
        horizon = one.update_time - state.read_lag
        while len(past) > 1 and past[1].update_time <= horizon:
            past.pop(0)
        past.append(replace(one))


def as_read(state: State, one: Kept | None, now: int) -> Kept | None:
    """Return an order as a query sees it at `now`, None for one it does not see yet."""
    if one is None or not state.read_lag or _number(one) not in state.past:
        return one
    horizon = now - state.read_lag
    seen = [past for past in state.past[_number(one)] if past.update_time <= horizon]
    last = seen[-1] if seen else None
    return last if isinstance(last, type(one)) else None


def all_as_read(state: State, every: Iterable[Kept], now: int) -> list[Kept]:
    """Return those of many orders that a query sees at `now`, as it sees them."""
    return [seen for one in every if (seen := as_read(state, one, now)) is not None]


def _number(one: Order | Algo) -> int:
    return one.order_id if isinstance(one, Order) else one.algo_id
