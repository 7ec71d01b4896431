"""The price board: the last price of every symbol and source, and the bands that let ticks pass."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from runner.core.events import Move, Tick
from runner.core.values import dataclass, replace
from runner.core.windows import Window, window_of

Key = tuple[str, str]
"""Symbol, and a price source or how far one moved."""


@dataclass(frozen=True, slots=True)
class Price:
    """A price with its times: the exchange's event time and our receipt, both UTC ms."""

    value: Decimal
    event_time: int
    received_at: int


@dataclass(frozen=True, slots=True)
class Trail:
    """A level that follows the price's extreme: `share` under the highest, or over the lowest."""

    share: Decimal
    extreme: Decimal
    from_high: bool

    def level(self, extreme: Decimal) -> Decimal:
        """Where it waits once that is the extreme."""
        return extreme * (1 - self.share if self.from_high else 1 + self.share)

    def reached(self, price: Decimal, extreme: Decimal) -> bool:
        """True when the price is at its level or past it."""
        level = self.level(extreme)
        return price <= level if self.from_high else price >= level


@dataclass(frozen=True, slots=True)
class Band:
    """The open interval in which no rule waits for a price; None is open-ended.

    A price strictly between `low` and `high` interests nobody before `wake_at` (ms), when a
    `for:` is over. `wide_awake` lets every tick pass (the last price is not known, or a level
    is new). `heard` is the number of the last tick this band reckons with. `fall` and `rise` are
    the smallest shares that somebody trails: so far under the highest price since that tick, or
    over the lowest, a price is let through.
    """

    low: Decimal | None = None
    high: Decimal | None = None
    version: int = 0
    wide_awake: bool = False
    wake_at: int | None = None
    heard: int = 0
    fall: Decimal | None = None
    rise: Decimal | None = None

    @property
    def idle(self) -> bool:
        """True when nobody waits for anything."""
        levels = (self.low, self.high, self.wake_at)
        return not self.wide_awake and levels == (None, None, None)

    @property
    def trails(self) -> bool:
        """True when the extremes matter."""
        return self.fall is not None or self.rise is not None

    def trailed(self, price: Decimal, high: Decimal, low: Decimal) -> bool:
        """True when the price is so far from an extreme that somebody who trails must hear."""
        if self.fall is not None and price <= high * (1 - self.fall):
            return True
        return self.rise is not None and price >= low * (1 + self.rise)

    def holds(self, price: Decimal, received_at: int) -> bool:
        """True when no rule needs to hear of this price."""
        if self.wide_awake or (self.wake_at is not None and received_at >= self.wake_at):
            return False
        return (self.low is None or self.low < price) and (self.high is None or price < self.high)


class PriceBoard:
    """Last prices, written by the market threads, and bands, written by the dispatcher.

    One writer per key and whole-object assignments: no lock is needed. After a tick was let
    through, every further tick of that key passes until a band is published that reckons with
    the last of them, so a tick that resets a `for:` timer is never dropped against a stale band.
    """

    def __init__(self, stale_after: int, alive_at: int | None = None) -> None:
        """Prices older than `stale_after` ms are stale: the next one only arms.

        `alive_at` is when an earlier process last saw the world.
        """
        self.stale_after = stale_after
        self.alive_at = alive_at
        self._last: dict[Key, Price] = {}
        self._seen: dict[Key, int] = {}
        self._bands: dict[Key, Band] = {}
        self._passed: dict[Key, int] = {}
        self._extremes: dict[Key, tuple[Decimal, Decimal]] = {}
        self._windows: dict[Key, dict[Key, Window]] = {}
        self._version = 0

    def publish(self, bands: Mapping[Key, Band]) -> None:
        """Replace the bands of these keys."""
        for key, band in bands.items():
            window = window_of(key[1])
            if window is not None:
                self._watch((key[0], window[0]), key, None if band.idle else window[1])
        self._bands.update(bands)

    def _watch(self, base: Key, key: Key, length: int | None) -> None:
        """Reckon how far the prices of `base` move within `length` ms; no more when None."""
        # a new mapping: the market thread may be going through the old one
        windows = dict(self._windows.get(base, {}))
        if length is None:
            windows.pop(key, None)
        elif key not in windows:
            windows[key] = Window(length)
        self._windows[base] = windows

    def next_version(self) -> int:
        """A number for the next published bands, greater than every earlier one."""
        self._version += 1
        return self._version

    @property
    def version(self) -> int:
        """The newest version handed out."""
        return self._version

    def seen(
        self, symbol: str, source: str, price: Decimal, event_time: int, received_at: int
    ) -> Sequence[Tick]:
        """Remember the price and how far it moved; the Ticks that some rule must hear of."""
        tick = self.offer(symbol, source, price, event_time, received_at)
        windows = self._windows.get((symbol, source)) if self._windows else None
        if not windows:
            return () if tick is None else (tick,)
        ticks = [tick]
        for key, window in windows.items():
            share, move = window.add(price, received_at)
            ticks.append(self.offer(symbol, key[1], share, event_time, received_at, move))
        return [tick for tick in ticks if tick is not None]

    def offer(
        self,
        symbol: str,
        source: str,
        price: Decimal,
        event_time: int,
        received_at: int,
        moved: Move | None = None,
    ) -> Tick | None:
        """Remember the price; return a Tick only when some rule must hear of it."""
        key = (symbol, source)
        before = self._last.get(key)
        self._last[key] = Price(price, event_time, received_at)
        band = self._bands.get(key)
        if band is None:
            return None
        fresh = before is None or received_at - before.received_at > self.stale_after
        passed = self._passed.get(key, 0)
        extremes = self._reached(key, price) if band.trails else None
        trailed = extremes is not None and band.trailed(price, *extremes)
        waited = fresh or trailed or passed != band.heard
        if not waited and band.holds(price, received_at):
            return None
        self._passed[key] = passed + 1
        self._extremes.pop(key, None)
        previous = self._seen.get(key, self.alive_at) if before is None else before.received_at
        return Tick(
            symbol,
            source,
            price,
            event_time,
            received_at,
            version=band.version,
            number=passed + 1,
            fresh_start=fresh,
            previous_at=previous,
            high=None if extremes is None else extremes[0],
            low=None if extremes is None else extremes[1],
            moved=moved,
        )

    def band(self, symbol: str, source: str) -> Band | None:
        """The band in force, None where nobody waits; one that is behind lets everything pass."""
        key = (symbol, source)
        band = self._bands.get(key)
        if band is None or self._passed.get(key, 0) == band.heard:
            return band
        return replace(band, wide_awake=True)

    def extremes(self, symbol: str, source: str) -> tuple[Decimal, Decimal] | None:
        """Highest and lowest price since the last tick that was let through, for who trails."""
        return self._extremes.get((symbol, source))

    def windows(self, symbol: str, source: str) -> Mapping[Key, Window]:
        """Who reckons how far this source moved: by the name of the series."""
        return self._windows.get((symbol, source), {})

    def _reached(self, key: Key, price: Decimal) -> tuple[Decimal, Decimal]:
        """The extremes since the last tick that was let through, with this price."""
        high, low = self._extremes.get(key, (price, price))
        found = self._extremes[key] = max(high, price), min(low, price)
        return found

    def forget(self, keys: frozenset[Key] | None = None) -> None:
        """A stream broke off: the next price of these keys (all when None) is a fresh start."""
        for key in list(self._last if keys is None else self._with_moves(keys)):
            # two streams may break off at the same moment
            before = self._last.pop(key, None)
            if before is not None:
                self._seen[key] = before.received_at

    def _with_moves(self, keys: frozenset[Key]) -> Iterable[Key]:
        for key in keys:
            yield key
            yield from self._windows.get(key, ())

    def seen_at(self, symbol: str, source: str) -> int | None:
        """When the newest price was received (ms), also when it is forgotten; None for never."""
        last = self._last.get((symbol, source))
        return self._seen.get((symbol, source)) if last is None else last.received_at

    def last(self, symbol: str, source: str) -> Price | None:
        """The newest price, or None before the first one."""
        return self._last.get((symbol, source))
