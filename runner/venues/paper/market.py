"""Where the paper exchange's prices come from: sources that yield moves as time passes."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Protocol

from .moves import Move
from .symbols import Symbol, start_price


class Source(Protocol):
    """Yields price moves. `at_once` sources are pushed to the streams without a pace."""

    @property
    def at_once(self) -> bool:
        """Return whether moves go to the streams at once."""

    def start(self, now: int, symbols: Mapping[str, Symbol]) -> None:
        """Begin at `now` (ms)."""

    def first_price(self, symbol: str) -> Decimal:
        """Return the price a symbol opens at."""

    def due(self, now: int) -> list[Move]:
        """Return the moves up to `now`, each once, in order."""

    def next_at(self) -> int | None:
        """Return when the next move comes (ms), None for never."""

    def moved(self, symbol: str, price: Decimal) -> None:
        """Take note of a price that was set by hand or remembered from before."""


class Still:
    """Prices that stay; only the control endpoint moves them."""

    at_once = True

    def __init__(self, prices: Mapping[str, Decimal] | None = None) -> None:
        self._prices = dict(prices or {})

    def start(self, now: int, symbols: Mapping[str, Symbol]) -> None:
        """Begin; there is nothing to do."""

    def first_price(self, symbol: str) -> Decimal:
        """Return the given price, else a realistic one."""
        return self._prices.get(symbol) or start_price(symbol)

    def due(self, now: int) -> list[Move]:  # noqa: ARG002 (the protocol's signature)
        """Return nothing."""
        return []

    def next_at(self) -> int | None:
        """Return None: nothing comes."""
        return None

    def moved(self, symbol: str, price: Decimal) -> None:
        """Take note; there is nothing to do."""


class Walk:
    """A seeded random walk with rare jumps; the same seed gives the same prices.

    `spread` is the usual size of one step as a share of the price; one step in `jump_every` is
    `jump` times as large.
    """

    at_once = False

    def __init__(
        self,
        seed: int = 1,
        *,
        interval_ms: int = 250,
        spread: Decimal = Decimal("0.0002"),
        jump_every: int = 400,
        jump: int = 15,
        prices: Mapping[str, Decimal] | None = None,
        symbols: Sequence[str] | None = None,
    ) -> None:
        self._random = random.Random(seed)
        self._interval, self._spread = interval_ms, spread
        self._jump_every, self._jump = jump_every, jump
        self._prices = dict(prices or {})
        self._only = symbols
        self._ticks: dict[str, Decimal] = {}
        self._next = 0

    def start(self, now: int, symbols: Mapping[str, Symbol]) -> None:
        """Begin walking the chosen symbols, by default the ones with a realistic price."""
        chosen = self._only or [name for name in symbols if start_price(name) != 1]
        self._ticks = {name: symbols[name].tick for name in chosen if name in symbols}
        for name in self._ticks:
            self._prices.setdefault(name, start_price(name))
        self._next = now + self._interval

    def first_price(self, symbol: str) -> Decimal:
        """Return where the symbol's walk stands."""
        return self._prices.get(symbol) or start_price(symbol)

    def due(self, now: int) -> list[Move]:
        """Return one step of every symbol for each interval that has passed."""
        moves: list[Move] = []
        # After a long sleep the walk goes on from where it was instead of catching up.
        if now - self._next > 100 * self._interval:
            self._next = now
        while self._ticks and self._next <= now:
            moves += [self._step(name, tick) for name, tick in self._ticks.items()]
            self._next += self._interval
        return moves

    def _step(self, name: str, tick: Decimal) -> Move:
        size = self._random.gauss(0, 1) * float(self._spread)
        if self._random.randrange(self._jump_every) == 0:
            size *= self._jump
        price = self._prices[name] * (1 + Decimal(round(size, 8)))
        steps = (price / tick).to_integral_value(rounding=ROUND_HALF_EVEN)
        self._prices[name] = max(steps, Decimal(2)) * tick
        return Move(self._next, name, price=self._prices[name])

    def next_at(self) -> int | None:
        """Return the next step's time."""
        return self._next if self._ticks else None

    def moved(self, symbol: str, price: Decimal) -> None:
        """Go on from a price that was set by hand or remembered from before."""
        if symbol in self._prices:
            self._prices[symbol] = price


class Timed:
    """Moves known beforehand, told at their offsets from the start."""

    at_once = True

    def __init__(self, moves: Callable[[], Iterator[Move]], first: Mapping[str, Decimal]) -> None:
        self._make, self._first = moves, first
        self._moves: Iterator[Move] = iter(())
        self._waiting: Move | None = None
        self._start = 0

    def start(self, now: int, symbols: Mapping[str, Symbol]) -> None:  # noqa: ARG002
        """Begin at `now`."""
        self._start, self._moves = now, self._make()
        self._waiting = next(self._moves, None)

    def first_price(self, symbol: str) -> Decimal:
        """Return the first price known of a symbol."""
        return self._first.get(symbol) or start_price(symbol)

    def due(self, now: int) -> list[Move]:
        """Return the moves whose offset has passed."""
        moves: list[Move] = []
        while self._waiting is not None and self._start + self._waiting.at <= now:
            moves.append(self._waiting)
            self._waiting = next(self._moves, None)
        return moves

    def next_at(self) -> int | None:
        """Return the next move's time."""
        return None if self._waiting is None else self._start + self._waiting.at

    def moved(self, symbol: str, price: Decimal) -> None:
        """Take note; what is written down goes on as written."""


class Script(Timed):
    """Prices written down as (offset ms, symbol, price)."""

    def __init__(self, steps: Iterable[tuple[int, str, Decimal | str]]) -> None:
        moves = [Move(at, symbol, price=Decimal(price)) for at, symbol, price in steps]
        first = {move.symbol: move.price for move in reversed(moves) if move.price}
        super().__init__(lambda: iter(moves), first)
