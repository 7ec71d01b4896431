"""Plays recorded prices: real engine, journal and paper exchange, and a clock that jumps over dull
times.
"""

from __future__ import annotations

import heapq
import itertools
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from runner.core.events import KlineClosed, Tick
from runner.core.rules import RuleSet
from runner.replay.closes import Closes
from runner.replay.reach import Reach
from runner.replay.readings import Readings
from runner.replay.rows import Candle
from runner.replay.series import DAY, Cut, Series, candles_of, moves_of
from runner.replay.stage import Terms, build
from runner.replay.tally import Tally
from runner.venues.paper.moves import Move
from runner.venues.paper.numbers import floor_to
from runner.venues.paper.state import UserEvent
from runner.venues.paper.symbols import Symbol
from runner.virtual import VirtualClock, VirtualExchange, VirtualRunner

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  # where the machine has it, a journal costs least


@dataclass(slots=True)
class _Open:
    """A dull candle under way: the prices of its path that are still to come."""

    symbol: str
    path: list[tuple[int, Decimal]]
    candle: Candle
    over: bool = False


@dataclass(slots=True)
class Player:
    """One replay under way, from its first price to its last."""

    rules: RuleSet
    series: Mapping[str, Series]
    cut: Cut
    terms: Terms
    symbols: Mapping[str, Symbol]
    tally: Tally
    heard: Callable[[int], object] = int
    _queue: list[tuple[int, int, Callable[[], None]]] = field(default_factory=list)
    _order: Callable[[], int] = field(default_factory=lambda: itertools.count().__next__)
    _now: dict[str, Decimal] = field(default_factory=dict)
    _last_at: dict[str, int] = field(default_factory=dict)
    _open: dict[str, _Open] = field(default_factory=dict)
    _due_at: int | None = None
    _closed_at: int | None = None
    _clock: VirtualClock = field(init=False)
    _exchange: VirtualExchange = field(init=False)
    _runner: VirtualRunner = field(init=False)
    _reach: Reach = field(init=False)
    _closes: Closes = field(init=False)
    _readings: Readings = field(init=False)

    def play(self) -> None:
        """Play all of it; the tally knows afterwards what came of it."""
        with tempfile.TemporaryDirectory(
            prefix="runner-replay-", dir=SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
        ) as folder:
            self._start(Path(folder) / "journal.db")
            try:
                self._run()
            finally:
                self._runner.crash()

    def _start(self, journal: Path) -> None:
        stage = build(
            journal,
            self.rules,
            self.series,
            self.symbols,
            self.terms,
            self.tally.observe,
        )
        self._clock, self._exchange, self._runner = stage.clock, stage.exchange, stage.runner
        wanted, now = self._runner.wanted, self._clock.now
        self._reach = Reach(self._runner.board, stage.exchange.exchange, stage.account, wanted)
        self._readings = Readings(stage.exchange.exchange.state, stage.account, stage.rules)
        self._closes = Closes(stage.rules, self._runner.engine.state, wanted, now)
        self.tally.begin(stage.account)

    def _recorded(self, symbol: str) -> bool:
        last = self._last_at.get(symbol)
        return last is not None and self._clock.now - last <= self._runner.board.stale_after

    # the order of things

    def _run(self) -> None:
        count = 0
        for symbol, series in self.series.items():
            if series.kind == "klines":
                self._next_candle(symbol, candles_of(series, self.cut))
            else:
                self._next_move(symbol, moves_of(series, self.cut))
        midnight = self._clock.now - self._clock.now % DAY + DAY
        self._plan(midnight, lambda: self._midnight(midnight))
        end = max(one.end for one in self.series.values())
        self._look()
        while self._queue:
            at, _, action = heapq.heappop(self._queue)
            if at > end:
                break
            self._sample(at)
            self._until(at)
            action()
            count += 1
            if count % 2_000 == 0:
                self.heard(at)
        self._sample(end)
        self._until(end)
        self._sync()
        self._turn(end, ())
        self.tally.sample(end, self._now)
        self.tally.end()

    def _plan(self, at: int, action: Callable[[], None]) -> None:
        heapq.heappush(self._queue, (at, self._order(), action))

    def _until(self, at: int) -> None:
        """Let happen what is due before a price comes: timers, funding, ends of candles."""
        while (due := self._next_due()) is not None and due <= at:
            due = max(due, self._clock.now)
            waking = self._wakes_at()
            closes_at = self._closes.next_at()
            held = closes_at is not None and closes_at <= due and self._close_candles(due)
            if not held or (self._due_at is not None and self._due_at <= due):
                self._turn(due, ())
            if waking is not None and waking <= due:
                self._repeat(due)

    def _next_due(self) -> int | None:
        closes_at = self._closes.next_at()
        if closes_at is None or self._due_at is None:
            return self._due_at if closes_at is None else closes_at
        return min(self._due_at, closes_at)

    def _close_candles(self, at: int) -> bool:
        """Candles that rules wait for end; True when nobody needs to hear of it now."""
        held = True
        for symbol, interval, span in self._closes.end(at):
            # of a time of which nothing is known no candle is told
            if self._recorded(symbol):
                close = self._last_price(symbol)
                closed = KlineClosed(symbol, interval, close, at - 1, span, at, at)
                held = self._closes.hold(closed) and held
        return held

    def _last_price(self, symbol: str) -> Decimal:
        if self.series[symbol].kind == "klines":
            return self._now[symbol]
        return self._exchange.exchange.state.market(symbol).last

    def _midnight(self, at: int) -> None:
        """A new day: the account is read, as `account.daily_pnl` begins anew."""
        self._turn(at, ())
        self._plan(at + DAY, lambda: self._midnight(at + DAY))

    def _look(self) -> None:
        """When something is due by itself."""
        times = (
            self._runner.work_at(),
            self._clock.next_at(),
            self._exchange.next_at(),
            self._wakes_at(),
        )
        self._due_at = min((at for at in times if at is not None), default=None)

    def _wakes_at(self) -> int | None:
        """When a `for:` that runs is over, if its price is known then."""
        found = []
        board = self._runner.board
        for symbol, sources in self._reach.sources.items():
            last = self._last_at.get(symbol)
            for source in sources:
                band = board.band(symbol, source)
                if band is not None and band.wake_at is not None and last is not None:
                    seen = board.last(symbol, source)
                    fresh = band.wake_at - last <= board.stale_after
                    if fresh and seen is not None and seen.received_at < band.wake_at:
                        found.append(band.wake_at)
        return min(found, default=None)

    def _repeat(self, at: int) -> None:
        """The price stays as it is until the next one: streams say so again every second."""
        for symbol in self._reach.sources:
            last = self._last_at.get(symbol)
            if last is not None and at - last <= self._runner.board.stale_after:
                ticks = self._see(symbol, self._now[symbol], at)
                if ticks:
                    self._turn(at, ticks)

    # candles

    def _next_candle(self, symbol: str, rest: Iterator[Candle]) -> None:
        candle = next(rest, None)
        if candle is not None:
            self._plan(candle.at, lambda: self._candle(symbol, candle, rest))

    def _candle(self, symbol: str, candle: Candle, rest: Iterator[Candle]) -> None:
        self._next_candle(symbol, rest)
        series = self.series[symbol]
        span = series.span
        path = [(candle.at + span * part // 4, price) for part, price in enumerate(candle.path)]
        last_at = self._last_at.get(symbol)
        fresh = last_at is None or candle.at - last_at > self._runner.board.stale_after
        opened = _Open(symbol, path, candle)
        close_at = path[-1][0]
        if not fresh and self._reach.dull(symbol, candle.low, candle.high, candle.at + span):
            self._open[symbol] = opened
            self._plan(close_at, lambda: self._close(opened))
        else:
            self._spread(opened, candle.at - 1)
        self.tally.candle(symbol, candle)

    def _close(self, opened: _Open) -> None:
        """A dull candle is over: only its last price is remembered."""
        if opened.over:
            return
        symbol = opened.symbol
        self._open.pop(symbol, None)
        at, price = opened.path[-1]
        closely = self._reach.closely(symbol)
        for point_at, point in opened.path:
            # nothing can come of it: the whole candle lies inside the bands
            if closely or point_at == at:
                self._see(symbol, point, point_at)
        self._remember(symbol, price, at)
        self._closed_at = at

    def _spread(self, opened: _Open, after: int) -> None:
        """Play what is left of a candle's path price by price."""
        opened.over = True
        for at, price in opened.path:
            if at > after:
                final = at == opened.path[-1][0]
                self._plan(at, self._step(opened.symbol, price, at, final))

    def _step(self, symbol: str, price: Decimal, at: int, final: bool) -> Callable[[], None]:
        def walk() -> None:
            self._walk(symbol, price, at)
            if final:
                self._closed_at = at

        return walk

    def _sample(self, before: int) -> None:
        """Look at the equity once all prices of the time at which candles closed are in."""
        at = self._closed_at
        if at is None or at >= before:
            return
        self._closed_at = None
        prices = dict(self._now)
        for symbol, opened in self._open.items():
            # longer candles are under way: where they are does not depend on who looks at them
            prices.update((symbol, price) for point_at, price in opened.path if point_at <= at)
        self.tally.sample(at, prices)

    def _walk(self, symbol: str, to: Decimal, at: int) -> None:
        """The price goes to the next point of its path through every level that is waited for."""
        before = self._now.get(symbol)
        span = self.series[symbol].span
        # from one candle to the next the price may jump; inside one it is taken to walk
        if before is not None and at % span:
            for stop in self._reach.stops(symbol, before, to):
                self._point(symbol, stop, at)
        self._point(symbol, to, at)

    def _point(self, symbol: str, price: Decimal, at: int) -> None:
        """One price: who waits for it hears of it."""
        first = symbol not in self._now
        self._remember(symbol, price, at)
        ticks = self._see(symbol, price, at)
        moved = first or self._reach.touched(symbol, price, price)
        told = self._apply(symbol, at) if moved else False
        if ticks or told or first:
            self._turn(at, ticks)

    # single prices

    def _next_move(self, symbol: str, rest: Iterator[Move]) -> None:
        move = next(rest, None)
        if move is not None:
            self._plan(move.at, lambda: self._move(symbol, move, rest))

    def _move(self, symbol: str, move: Move, rest: Iterator[Move]) -> None:
        """One recorded trade or quote: all of them go to the exchange."""
        self._next_move(symbol, rest)
        at = max(move.at, self._clock.now)
        self._clock.now = at
        exchange = self._exchange.exchange
        exchange.apply(move, at)
        market = exchange.state.market(symbol)
        first = symbol not in self._now
        self._remember(symbol, market.mark, at)
        ticks = self._look_at(symbol, at)
        told = any(isinstance(event, UserEvent) for event in exchange.state.events)
        if ticks or told or first:
            self._turn(at, ticks)
        else:
            exchange.drain()
        price = move.last or move.price
        if price is not None:
            self.tally.trade(symbol, at, price)
            self.tally.sample(at, self._now)

    def _look_at(self, symbol: str, at: int) -> list[Tick]:
        market = self._exchange.exchange.state.market(symbol)
        values = {
            "mark": market.mark,
            "last": market.last,
            "index": market.index,
            "bid": market.bid,
            "ask": market.ask,
            "funding": market.funding_rate,
        }
        seen = self._runner.board.seen
        found: list[Tick] = []
        for source in self._reach.sources.get(symbol, ()):
            found += seen(symbol, source, values[source], at, at)
        return found

    # what a price does

    def _remember(self, symbol: str, price: Decimal, at: int) -> None:
        self._now[symbol] = price
        self._last_at[symbol] = at

    def _see(self, symbol: str, price: Decimal, at: int) -> list[Tick]:
        """Look at a price as the market thread does; the ticks that a rule must hear of."""
        found: list[Tick] = []
        seen = self._runner.board.seen
        for source in self._reach.sources.get(symbol, ()):
            found += seen(symbol, source, self._value(symbol, source, price), at, at)
        return found

    def _value(self, symbol: str, source: str, price: Decimal) -> Decimal:
        if source in ("mark", "last", "index"):
            return price
        if source == "funding":
            return self.terms.funding_rate
        tick = self.symbols[symbol].tick
        bid = floor_to(price, tick)
        return bid if source == "bid" else bid + tick

    def _apply(self, symbol: str, at: int) -> bool:
        """The exchange takes the price over; True when the account heard of it."""
        self._clock.now = max(self._clock.now, at)
        exchange = self._exchange.exchange
        exchange.apply(Move(at, symbol, price=self._now[symbol]), self._clock.now)
        if any(isinstance(event, UserEvent) for event in exchange.state.events):
            return True
        exchange.drain()
        return False

    def _sync(self) -> None:
        """The exchange takes over the prices that came while nobody looked, as of when they came.

        What is due since, funding above all, is reckoned with them.
        """
        for symbol, price in self._now.items():
            series = self.series[symbol]
            market = self._exchange.exchange.state.market(symbol)
            if series.kind == "klines" and (market.last != price or market.mark != price):
                self._apply(symbol, self._last_at[symbol])

    def _turn(self, at: int, ticks: Iterator[Tick] | list[Tick] | tuple[()]) -> None:
        """Something happens: the world is brought up to now, and the runner hears of it."""
        self._disturb(at)
        self._sync()
        self._clock.now = max(self._clock.now, at)
        self._exchange.settle(at_once=True)
        runner, now = self._runner, self._clock.now
        runner.inquire(*self._readings.due(now))
        for event in (*self._closes.take(), *ticks):
            runner.dispatcher.post(event)
        runner.rest()
        self._look()

    def _disturb(self, at: int) -> None:
        """Dull candles are no longer: what happens now may make their other prices matter."""
        for symbol, opened in list(self._open.items()):
            del self._open[symbol]
            for point_at, price in opened.path:
                if point_at <= at:
                    self._remember(symbol, price, point_at)
                    self._see(symbol, price, point_at)
            self._spread(opened, at)
