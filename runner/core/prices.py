"""The price board: the last price of every symbol and source, and the bands that let ticks pass."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation

from runner.core.events import Move, Tick
from runner.core.values import dataclass, replace
from runner.core.windows import Window, window_of

Key = tuple[str, str]
"""Symbol, and a price source or how far one moved."""

ZERO, ENDLESS = Decimal(0), Decimal("Infinity")
NEVER = 1 << 62
"""Ms: later than every time."""

_Newest = tuple[Decimal, int, int, str | None]
"""A price, its event time, our receipt, and its text where that is known."""


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


class Series:
    """The prices of one key: the newest, what is waited for, and how much was let through.

    The market thread of the source writes prices, the dispatcher writes the band, each by
    assignments of whole objects: no lock is needed.
    """

    __slots__ = (
        "_quiet",
        "_stale_after",
        "band",
        "extremes",
        "newest",
        "passed",
        "seen_at",
        "windows",
    )

    def __init__(self, stale_after: int) -> None:
        """No price was seen, and nobody waits for one."""
        self._stale_after = stale_after
        self._quiet: tuple[Decimal, Decimal, int, int] | None = None
        self.newest: _Newest | None = None
        self.seen_at: int | None = None
        self.band: Band | None = None
        self.passed = 0
        self.extremes: tuple[Decimal, Decimal] | None = None
        self.windows: Mapping[Key, Window] = {}
        self.settle()

    def settle(self) -> None:
        """Work out between which prices there is nothing to do; after each change of the band."""
        band = self.band or Band()
        if self.windows or band.wide_awake or band.trails:
            self._quiet = None
            return
        low = ZERO if band.low is None else max(band.low, ZERO)
        high = ENDLESS if band.high is None else band.high
        self._quiet = low, high, band.heard, NEVER if band.wake_at is None else band.wake_at

    def keeps(self, text: object, event_time: int, received_at: int) -> bool:
        """Remember a price that surely nobody waits for; False, and nothing done, for any other.

        `text` is the price as the exchange wrote it. Nearly every price ends here. What is not
        certain at a glance, and what may be no price at all, is for `PriceBoard.seen`.
        """
        quiet, newest = self._quiet, self.newest
        if quiet is None or newest is None or quiet[2] != self.passed:
            return False
        if received_at - newest[2] > self._stale_after or received_at >= quiet[3]:
            return False
        if not isinstance(text, str):
            return False
        try:
            # a book's sizes change more often than its prices
            price = newest[0] if text == newest[3] else Decimal(text)
            inside = quiet[0] < price < quiet[1]
        except InvalidOperation:
            return False
        if inside:
            self.newest = price, event_time, received_at, text
        return inside


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
        self._series: dict[Key, Series] = {}
        self._version = 0

    def series(self, symbol: str, source: str) -> Series:
        """The prices of this key; the same object for ever."""
        key = (symbol, source)
        found = self._series.get(key)
        # two threads may ask for a new one at the same moment: both get the first
        return self._series.setdefault(key, Series(self.stale_after)) if found is None else found

    def publish(self, bands: Mapping[Key, Band]) -> None:
        """Replace the bands of these keys."""
        for key, band in bands.items():
            window = window_of(key[1])
            if window is not None:
                self._watch((key[0], window[0]), key, None if band.idle else window[1])
            series = self.series(*key)
            series.band = band
            series.settle()

    def _watch(self, base: Key, key: Key, length: int | None) -> None:
        """Reckon how far the prices of `base` move within `length` ms; no more when None."""
        series = self.series(*base)
        # a new mapping: the market thread may be going through the old one
        windows = dict(series.windows)
        if length is None:
            windows.pop(key, None)
        elif key not in windows:
            windows[key] = Window(length)
        series.windows = windows
        series.settle()

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
        windows = self.series(symbol, source).windows
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
        series = self.series(symbol, source)
        before = series.newest
        series.newest = (price, event_time, received_at, None)
        band = series.band
        if band is None:
            return None
        fresh = before is None or received_at - before[2] > self.stale_after
        passed = series.passed
        extremes = _reached(series, price) if band.trails else None
        trailed = extremes is not None and band.trailed(price, *extremes)
        waited = fresh or trailed or passed != band.heard
        if not waited and band.holds(price, received_at):
            return None
        series.passed = passed + 1
        series.extremes = None
        previous = before[2] if before is not None else series.seen_at
        if previous is None:
            previous = self.alive_at
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
        series = self._series.get((symbol, source))
        if series is None or series.band is None or series.passed == series.band.heard:
            return None if series is None else series.band
        return replace(series.band, wide_awake=True)

    def extremes(self, symbol: str, source: str) -> tuple[Decimal, Decimal] | None:
        """Highest and lowest price since the last tick that was let through, for who trails."""
        series = self._series.get((symbol, source))
        return None if series is None else series.extremes

    def windows(self, symbol: str, source: str) -> Mapping[Key, Window]:
        """Who reckons how far this source moved: by the name of the series."""
        series = self._series.get((symbol, source))
        return {} if series is None else series.windows

    def forget(self, keys: frozenset[Key] | None = None) -> None:
        """A stream broke off: the next price of these keys (all when None) is a fresh start."""
        for key in list(self._series if keys is None else self._with_moves(keys)):
            series = self._series.get(key)
            before = None if series is None else series.newest
            if series is not None and before is not None:
                series.seen_at = before[2]
                series.newest = None

    def _with_moves(self, keys: frozenset[Key]) -> Iterable[Key]:
        for key in keys:
            yield key
            yield from self.windows(*key)

    def seen_at(self, symbol: str, source: str) -> int | None:
        """When the newest price was received (ms), also when it is forgotten; None for never."""
        series = self._series.get((symbol, source))
        if series is None:
            return None
        newest = series.newest
        return series.seen_at if newest is None else newest[2]

    def last(self, symbol: str, source: str) -> Price | None:
        """The newest price, or None before the first one."""
        series = self._series.get((symbol, source))
        newest = None if series is None else series.newest
        return None if newest is None else Price(newest[0], newest[1], newest[2])


def _reached(series: Series, price: Decimal) -> tuple[Decimal, Decimal]:
    """The extremes since the last tick that was let through, with this price."""
    high, low = series.extremes or (price, price)
    series.extremes = found = max(high, price), min(low, price)
    return found
