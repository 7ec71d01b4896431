"""What the exchange said of positions that are gone: whose entries have nothing left to close."""

from __future__ import annotations

from dataclasses import field
from decimal import Decimal

from runner.core.decision import Leg
from runner.core.orders import OrderIntent, Side
from runner.core.values import dataclass, replace

READ_LAG = 10_000
"""Ms by which a reading of positions may be older than its question: reads lag."""

GRACE = 3_000
"""Ms that the report of an own exit's fill may come after the position that it made."""

Place = tuple[str, str]
"""A symbol and a position side."""

CAUSES = {"liquidation": "a liquidation", "adl": "auto-deleveraging (ADL)"}
ANYTHING = "something else than its exits (by hand, a settlement, or a rule before a restart)"


@dataclass(frozen=True, slots=True)
class Closed:
    """What an entry opened is held no more; `sure` once a later statement bore it out."""

    sure: bool
    by: str


def all_held(entry: Leg) -> Closed | None:
    """For who knows of no statement: nothing was closed by others."""
    del entry
    return None


def all_seen(position_side: str) -> Decimal:
    """For who knows of no fill: the positions show all."""
    del position_side
    return Decimal(0)


@dataclass(frozen=True, slots=True)
class _Nothing:
    """Nothing was held one way as of `latest` (server time), and as of `sure` beyond doubt.

    `pending` waits to be borne out by a statement GRACE after `heard`; `now`: the newest statement
    says the same.
    """

    latest: int = 0
    pending: int | None = None
    heard: int = 0
    sure: int = 0
    now: bool = False

    def stated(self, time: int, as_of: int, *, nothing: bool) -> _Nothing:
        """After one more statement of the position, made at `time`."""
        found = self
        if self.pending is not None and time - self.heard >= GRACE:
            found = replace(self, sure=max(self.sure, self.pending), pending=None)
        if not nothing:
            return replace(found, now=False)
        # a statement from before: the exchange's clock was reckoned anew since
        if found.pending is None or time < found.heard:
            found = replace(found, pending=as_of, heard=time)
        return replace(found, latest=max(found.latest, as_of), now=True)


@dataclass(slots=True)
class Flats:
    """Kept in memory alone: what filled before this start counts as filled at its first statement.

    A statement proves something of a fill only when it is younger; a reading only when it is
    younger by READ_LAG. All times are the exchange's (ms).
    """

    began_time: int | None = None
    filled: dict[str, int] = field(default_factory=dict)
    _stated: dict[tuple[str, str, Side], _Nothing] = field(default_factory=dict)
    _forced: dict[Place, tuple[str, int]] = field(default_factory=dict)

    def note_fill(self, client_order_id: str, at: int) -> None:
        """An entry filled (some more)."""
        self.filled[client_order_id] = max(self.filled.get(client_order_id, 0), at)

    def note_forced(self, place: Place, what: str, at: int) -> None:
        """The exchange closed a position by its own order."""
        if what in CAUSES:
            self._forced[place] = (what, at)

    def state(self, place: Place, size: Decimal, time: int, *, reading: bool) -> None:
        """The position is stated; also 0 for one that a reading of all does not list."""
        if self.began_time is None:
            self.began_time = time
        as_of = time - READ_LAG if reading else time
        for way in Side:
            nothing = size <= 0 if way is Side.BUY else size >= 0
            key = (*place, way)
            known = self._stated.get(key, _Nothing())
            self._stated[key] = known.stated(time, as_of, nothing=nothing)

    def places(self) -> set[Place]:
        """Every position that was stated."""
        return {(symbol, side) for symbol, side, _ in self._stated}

    def closed(self, entry: Leg) -> Closed | None:
        """Whether all is gone that this entry opened; None while it may be held."""
        order = entry.intent
        if not isinstance(order, OrderIntent) or self.began_time is None:
            return None
        known = self._stated.get((order.symbol, order.position_side, order.side), _Nothing())
        since = self.filled.get(entry.client_order_id, self.began_time)
        if known.sure <= since and not (known.now and known.latest > since):
            return None
        what, at = self._forced.get((order.symbol, order.position_side), ("", 0))
        by = CAUSES[what] if what and at >= since else ANYTHING
        return Closed(known.sure > since, by)

    def doubted(self, entry: Leg) -> bool:
        """True while the newest statement shows nothing of it and more must be read to be sure."""
        order = entry.intent
        if not isinstance(order, OrderIntent):
            return False
        known = self._stated.get((order.symbol, order.position_side, order.side))
        found = self.closed(entry)
        return known is not None and known.now and not (found is not None and found.sure)
