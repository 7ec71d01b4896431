"""A local copy of one symbol's order book, kept by the exchange's documented procedure. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from runner.venues.binance_usdm.wire_values import decimal, integer, mapping

Step = Literal["applied", "waiting", "old", "broken"]
"""What a message did: it is in the book; it waits for a snapshot; it is older than the snapshot;
or it does not follow the one before, and a new snapshot is needed."""

KEPT = 5_000
"""Messages kept while a snapshot is asked for: at ten a second more than eight minutes."""

ZERO = Decimal(0)
Side = dict[Decimal, Decimal]


@dataclass(frozen=True, slots=True)
class Change:
    """One depthUpdate: `first` and `final` update id, and the final one of the message before."""

    first: int
    final: int
    before: int
    bids: tuple[tuple[Decimal, Decimal], ...]
    asks: tuple[tuple[Decimal, Decimal], ...]


def change(frame: Any) -> Change | None:
    """The change in a frame of `<symbol>@depth`; None for every other frame and a broken one."""
    fields = mapping(frame)
    fields = mapping(fields.get("data", fields))
    first, final = integer(fields.get("U")), integer(fields.get("u"))
    before = integer(fields.get("pu"))
    bids, asks = _levels(fields.get("b")), _levels(fields.get("a"))
    if fields.get("e") != "depthUpdate" or first is None or final is None or before is None:
        return None
    if bids is None or asks is None:
        return None
    return Change(first, final, before, bids, asks)


def _levels(rows: Any) -> tuple[tuple[Decimal, Decimal], ...] | None:
    found = []
    for row in rows if isinstance(rows, list) else (None,):
        pair = row if isinstance(row, list) and len(row) >= 2 else (None, None)
        price, quantity = decimal(pair[0]), decimal(pair[1])
        if price is None or quantity is None:
            return None
        found.append((price, quantity))
    return tuple(found)


@dataclass(slots=True)
class LocalBook:
    """Bids and asks as the stream tells them since a snapshot; empty until one was taken.

    `take` every message in its order; when `needs_snapshot`, ask GET /fapi/v1/depth (limit 1000)
    and `align` its answer. Source: websocket-market-streams, How to manage a local order book.
    """

    bids: Side = field(default_factory=dict)
    asks: Side = field(default_factory=dict)
    final: int | None = None
    breaks: int = 0
    _snapshot: int | None = None
    _waiting: deque[Change] = field(default_factory=lambda: deque(maxlen=KEPT))

    @property
    def needs_snapshot(self) -> bool:
        """True until a snapshot was aligned, and again once a message was missed."""
        return self._snapshot is None

    @property
    def ready(self) -> bool:
        """True when the book is that of the exchange, as of the last message."""
        return self.final is not None

    @property
    def best_bid(self) -> Decimal | None:
        """The highest price somebody buys at."""
        return max(self.bids, default=None)

    @property
    def best_ask(self) -> Decimal | None:
        """The lowest price somebody sells at."""
        return min(self.asks, default=None)

    def take(self, one: Change) -> Step:
        """The next message of the stream."""
        if self._snapshot is None:
            self._waiting.append(one)
            return "waiting"
        return self._apply(one)

    def align(self, snapshot: Mapping[str, Any]) -> bool:
        """Start from a snapshot and what was told since; False when another one is needed.

        Raises ValueError for an answer that is no snapshot.
        """
        last = integer(snapshot.get("lastUpdateId"))
        bids, asks = _levels(snapshot.get("bids")), _levels(snapshot.get("asks"))
        if last is None or bids is None or asks is None:
            raise ValueError("the answer is no order book")
        self.bids, self.asks = dict(bids), dict(asks)
        self._snapshot, self.final = last, None
        waiting = [*self._waiting]
        self._waiting.clear()
        for at, one in enumerate(waiting):
            if self._apply(one) == "broken":
                self._waiting.extend(waiting[at + 1 :])
                return False
        return True

    def _apply(self, one: Change) -> Step:
        """The first message must span the snapshot, each other must follow the one before."""
        assert self._snapshot is not None
        if self.final is None:
            if one.final < self._snapshot:
                return "old"
            follows = one.first <= self._snapshot <= one.final or one.before == self._snapshot
        elif one.final <= self.final:
            # told twice, where one connection took over from another
            return "old"
        else:
            follows = one.before == self.final
        if not follows:
            return self._broken(one)
        self.final = one.final
        _merge(self.bids, one.bids)
        _merge(self.asks, one.asks)
        return "applied"

    def _broken(self, one: Change) -> Step:
        """What is known is worth nothing any more: the missed message may have changed any level.

        The message that showed it is kept: the next snapshot may be older than it.
        """
        self.breaks += 1
        self.bids, self.asks = {}, {}
        self._snapshot = self.final = None
        self._waiting.append(one)
        return "broken"


def _merge(side: Side, levels: Iterable[tuple[Decimal, Decimal]]) -> None:
    """Quantities are absolute; zero takes the level away, known or not."""
    for price, quantity in levels:
        if quantity > ZERO:
            side[price] = quantity
        else:
            side.pop(price, None)
