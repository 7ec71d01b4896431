"""Which price levels are waited for, so that a tick costs the same with ten rules or 100,000."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable
from dataclasses import field
from decimal import Decimal

from runner.core.events import Tick
from runner.core.prices import Band, Key, Trail
from runner.core.rules import Waits
from runner.core.values import dataclass

Owner = tuple[str, str, str]
"""(rule id, symbol, trigger name)."""


Owners = set[Owner]


@dataclass(slots=True)
class _Board:
    """The waits of one (symbol, source): levels in order, and who must hear of every tick."""

    levels: list[tuple[Decimal, Owner]] = field(default_factory=list)
    waits: dict[Owner, Waits] = field(default_factory=dict)
    since: dict[Owner, int] = field(default_factory=dict)
    pending: set[Owner] = field(default_factory=set)
    timed: set[Owner] = field(default_factory=set)
    extremes: dict[Owner, Decimal] = field(default_factory=dict)
    price: Decimal | None = None
    heard: int = 0


class Levels:
    """All waits, by symbol and source."""

    def __init__(self) -> None:
        """Nothing is waited for yet."""
        self._boards: dict[Key, _Board] = {}
        self._keys: dict[Owner, Key] = {}
        self._changed: set[Key] = set()

    def set(self, owner: Owner, waits: Waits, since: int, *, looking: bool = False) -> None:
        """Replace what this owner waits for; a new level hears only ticks of `since` or later.

        But not that of an owner who is `looking` at a tick now: it knows where the price is.
        """
        key: Key = (owner[1], waits.source)
        if self._keys.get(owner, key) != key:
            self.drop(owner)
        board = self._boards.setdefault(key, _Board())
        old = board.waits.get(owner)
        if old == waits and not waits.awake:
            return
        self._remove_levels(board, owner)
        self._keys[owner] = key
        board.waits[owner] = waits
        for level in waits.levels:
            insort(board.levels, (level, owner))
        # on which side of a new level the price is, only the next tick tells; a level that
        # trails was moved by a tick that told
        moved = old is not None and old.levels != waits.levels and waits.trail is None
        if waits.awake or old is None or (moved and not looking):
            board.since[owner] = since
            board.pending.add(owner)
        else:
            board.pending.discard(owner)
        if waits.trail is None:
            board.extremes.pop(owner, None)
        elif old is None or old.trail != waits.trail:
            board.extremes[owner] = waits.trail.extreme
        if waits.wake_at is None:
            board.timed.discard(owner)
        else:
            board.timed.add(owner)
        self._changed.add(key)

    def drop(self, owner: Owner) -> None:
        """This owner waits for nothing any more."""
        key = self._keys.pop(owner, None)
        if key is None:
            return
        board = self._boards[key]
        self._remove_levels(board, owner)
        del board.waits[owner], board.since[owner]
        board.extremes.pop(owner, None)
        board.pending.discard(owner)
        board.timed.discard(owner)
        self._changed.add(key)

    def _remove_levels(self, board: _Board, owner: Owner) -> None:
        old = board.waits.get(owner)
        for level in old.levels if old else ():
            board.levels.pop(bisect_left(board.levels, (level, owner)))

    def owners(self) -> Iterable[Owner]:
        """Everybody who waits."""
        return tuple(self._keys)

    def affected(self, tick: Tick) -> list[Owner]:
        """Who must look at this tick; remembers its price as the last one."""
        key: Key = (tick.symbol, tick.source)
        board = self._boards.get(key)
        if board is None:
            return []
        before, board.price, board.heard = board.price, tick.price, tick.number
        self._changed.add(key)
        trailing = self._trailing(board, tick)
        if before is None or tick.fresh_start:
            found = set(board.waits)
        else:
            low, high = min(before, tick.price), max(before, tick.price)
            start = bisect_left(board.levels, (low, ("", "", "")))
            end = bisect_right(board.levels, (high, ("\uffff", "", "")))
            found = {owner for _, owner in board.levels[start:end]}
            found |= board.pending | board.timed | trailing
        heard = [owner for owner in sorted(found) if tick.version >= board.since[owner]]
        board.pending.difference_update(owner for owner in heard if not board.waits[owner].awake)
        return heard

    @staticmethod
    def _trailing(board: _Board, tick: Tick) -> Owners:
        """Who trails the price and is reached; the extremes are those of this tick from now on."""
        found: Owners = set()
        high, low = tick.high or tick.price, tick.low or tick.price
        for owner, extreme in board.extremes.items():
            trail = board.waits[owner].trail
            assert trail is not None
            if tick.version < board.since[owner]:
                continue
            now = max(extreme, high) if trail.from_high else min(extreme, low)
            board.extremes[owner] = now
            if trail.reached(tick.price, now):
                found.add(owner)
        return found

    def extreme(self, owner: Owner, source: str) -> Decimal | None:
        """The extreme that this owner trails, also of prices it did not hear of."""
        return self._boards[owner[1], source].extremes.get(owner)

    def unheard(self, tick: Tick) -> None:
        """Nothing came of this tick after all: everybody looks at the next one."""
        board = self._boards.get((tick.symbol, tick.source))
        if board is not None:
            board.price = None

    @staticmethod
    def _timer(board: _Board, owner: Owner) -> int:
        wake_at = board.waits[owner].wake_at
        assert wake_at is not None
        return wake_at

    def bands(self, version: int) -> dict[Key, Band]:
        """The bands of every key that changed since the last call."""
        changed, self._changed = self._changed, set()
        return {key: self._band(self._boards[key], version) for key in changed}

    def _band(self, board: _Board, version: int) -> Band:
        low, high = self._neighbours(board)
        wake_at = min((self._timer(board, owner) for owner in board.timed), default=None)
        wide_awake = bool(board.waits) and (board.price is None or bool(board.pending))
        falls, rises = self._trails(board, True), self._trails(board, False)
        lows = [low, *(trail.level(extreme) for trail, extreme in falls)]
        highs = [high, *(trail.level(extreme) for trail, extreme in rises)]
        return Band(
            max((level for level in lows if level is not None), default=None),
            min((level for level in highs if level is not None), default=None),
            version,
            wide_awake,
            wake_at,
            board.heard,
            min((trail.share for trail, _ in falls), default=None),
            min((trail.share for trail, _ in rises), default=None),
        )

    @staticmethod
    def _trails(board: _Board, from_high: bool) -> list[tuple[Trail, Decimal]]:
        """Those that follow the highest price, or the lowest, each with its extreme now."""
        return [
            (trail, extreme)
            for owner, extreme in board.extremes.items()
            if (trail := board.waits[owner].trail) is not None and trail.from_high is from_high
        ]

    @staticmethod
    def _neighbours(board: _Board) -> tuple[Decimal | None, Decimal | None]:
        """The nearest levels below and above; on a level every move matters."""
        price = board.price
        if price is None:
            return None, None
        at = bisect_left(board.levels, (price, ("", "", "")))
        if at < len(board.levels) and board.levels[at][0] == price:
            return price, price
        low = board.levels[at - 1][0] if at else None
        high = board.levels[at][0] if at < len(board.levels) else None
        return low, high
