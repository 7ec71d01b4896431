"""How far a price moved within a window: a series of its own, with levels like any price."""

from __future__ import annotations

from collections import deque
from decimal import Decimal

from runner.core.events import Move, PriceSource


def moved_source(source: PriceSource, length: int) -> str:
    """The name of the series of how far a source moved within the last `length` ms."""
    return f"{source}/{length}"


def window_of(name: str) -> tuple[str, int] | None:
    """Source and length of such a series; None for the name of a source itself."""
    source, slash, length = name.partition("/")
    return (source, int(length)) if slash else None


class Window:
    """The lowest and the highest price of the last `length` ms, in amortised constant time.

    Two queues in which no price stands that a later one made unimportant: the first is the
    extreme.
    """

    def __init__(self, length: int) -> None:
        """Nothing was seen yet."""
        self._length = length
        self._lows: deque[tuple[int, Decimal]] = deque()
        self._highs: deque[tuple[int, Decimal]] = deque()

    @property
    def extremes(self) -> tuple[Decimal, Decimal] | None:
        """Highest and lowest price of the window as it was last told; None before the first."""
        return (self._highs[0][1], self._lows[0][1]) if self._lows else None

    def add(self, price: Decimal, at: int) -> tuple[Decimal, Move]:
        """Take a price in; how far it is from the extreme farthest from it, as a share of that."""
        while self._lows and self._lows[-1][1] >= price:
            self._lows.pop()
        while self._highs and self._highs[-1][1] <= price:
            self._highs.pop()
        for queue in (self._lows, self._highs):
            queue.append((at, price))
            while queue[0][0] < at - self._length:
                queue.popleft()
        low, high = self._lows[0][1], self._highs[0][1]
        rise, fall = (price - low) / low, (high - price) / high
        return (rise, Move(price, low)) if rise >= fall else (fall, Move(price, high))
