"""Where a price may go before anybody must hear of it: bands of the engine, orders on the book."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from runner.core.prices import Band, PriceBoard
from runner.core.rules import KLINE
from runner.venues.paper.account import Account
from runner.venues.paper.algo import TRAILING
from runner.venues.paper.exchange import Exchange
from runner.venues.paper.margin import totals
from runner.venues.paper.numbers import ceil_to, floor_to
from runner.venues.paper.risk import MARGIN_CALL_AT

ONE = Decimal(1)
WORST = Decimal("1.5")
"""A loss lowers the balance by itself and raises maintenance by at most half of itself."""

PARTS = 20
"""Steps in which a stretch is walked whose end may be a margin call."""


class Reach:
    """Tells dull prices from those that a rule, an order or the margin waits for."""

    def __init__(
        self,
        board: PriceBoard,
        exchange: Exchange,
        account: Account,
        wanted: Iterable[tuple[str, str]],
    ) -> None:
        """`wanted` are the (symbol, source) pairs that the rules look at."""
        self._board = board
        self._exchange = exchange
        self._account = account
        self.sources: dict[str, list[str]] = {}
        for symbol, source in sorted(wanted):
            own = self.sources.setdefault(symbol, [])
            if not source.startswith(KLINE):
                own.append(source)
        self._spare: tuple[object, Decimal] = (None, Decimal(0))

    # a whole candle

    def dull(self, symbol: str, low: Decimal, high: Decimal, until: int) -> bool:
        """True when nobody hears of any price between these two, up to that time (UTC ms)."""
        tick = self._exchange.state.symbols[symbol].tick
        for source in self.sources.get(symbol, ()):
            if self._board.last(symbol, source) is None:
                return False
            if source == "funding":
                continue
            if not self._windows_hold(symbol, source, low - tick, high + tick):
                return False
            band = self._board.band(symbol, source)
            if band is not None and not self._holds(
                band, symbol, source, low - tick, high + tick, until
            ):
                return False
        return not self.touched(symbol, low, high)

    def closely(self, symbol: str) -> bool:
        """True when somebody reckons with extremes, so that no price may be left out."""
        for source in self.sources.get(symbol, ()):
            band = self._board.band(symbol, source)
            if self._board.windows(symbol, source) or (band is not None and band.trails):
                return True
        return False

    def _holds(
        self, band: Band, symbol: str, source: str, low: Decimal, high: Decimal, until: int
    ) -> bool:
        if band.trails:
            known = self._board.extremes(symbol, source) or (high, low)
            top, ground = max(known[0], high), min(known[1], low)
            if band.trailed(low, top, ground) or band.trailed(high, top, ground):
                return False
        return band.holds(low, until) and band.holds(high, until)

    def _windows_hold(self, symbol: str, source: str, low: Decimal, high: Decimal) -> bool:
        """True when no price between these two moves so far from the others as somebody waits."""
        for key, window in self._board.windows(symbol, source).items():
            top, ground = window.extremes or (high, low)
            top, ground = max(top, high), min(ground, low)
            band = self._board.band(*key)
            share = (top - ground) / ground
            if band is None or self._board.last(*key) is None or not band.holds(share, 0):
                return False
        return True

    def touched(self, symbol: str, low: Decimal, high: Decimal) -> bool:
        """True when the exchange has something to do at a price between these two."""
        state = self._exchange.state
        for order in state.resting.get(symbol, {}).values():
            if low <= order.price if order.side == "BUY" else high >= order.price:
                return True
        for algo in state.waiting.get(symbol, {}).values():
            if algo.type == TRAILING:
                return True
            if high >= algo.trigger_price if algo.rising else low <= algo.trigger_price:
                return True
        return self.risky(symbol, low, high)

    def risky(self, symbol: str, low: Decimal, high: Decimal) -> bool:
        """True when so far a move may lead to a margin call, of all symbols together."""
        held = [one for one in self._account.positions.values() if one.amount]
        if not held:
            return False
        state = self._exchange.state
        mark = state.market(symbol).mark
        away = max(abs(high - mark), abs(mark - low))
        size = sum((abs(one.amount) for one in held if one.symbol == symbol), Decimal(0))
        # any symbol may use up its share of what is left before the next look
        return size * away * WORST * len(held) > self._left()

    def _left(self) -> Decimal:
        """What may be lost before the margin call, reckoned anew whenever something moved."""
        state, account = self._exchange.state, self._account
        marks = [(name, market.mark) for name, market in state.markets.items()]
        now = (state.version, tuple(marks))
        if self._spare[0] != now:
            spares = []
            for asset in {state.symbols[name].margin for name, _ in marks}:
                sums = totals(state, account, asset)
                spares.append(sums.cross_balance * MARGIN_CALL_AT - sums.cross_maintenance)
            alone = any(account.setting(name).isolated for name, _ in marks)
            self._spare = (now, Decimal(0) if alone else min(spares))
        return self._spare[1]

    # between two prices

    def stops(self, symbol: str, price: Decimal, to: Decimal) -> Iterator[Decimal]:
        """The next price strictly between these two that somebody waits for, and so on.

        What waits may be another after each stop: it is looked at anew.
        """
        while (stop := self._next(symbol, price, to)) is not None:
            yield stop
            price = stop

    def _next(self, symbol: str, price: Decimal, to: Decimal) -> Decimal | None:
        up = to > price
        tick = self._exchange.state.symbols[symbol].tick
        found = [*self._levels(symbol, price, up, tick), *self._orders(symbol, price, up, tick)]
        if self.risky(symbol, min(price, to), max(price, to)):
            part = (to - price) / PARTS
            step = ceil_to(part, tick) if up else floor_to(part, tick)
            found.append(price + step)
        between = [one for one in found if (price < one < to if up else to < one < price)]
        return (min if up else max)(between, default=None)

    def _levels(self, symbol: str, price: Decimal, up: bool, tick: Decimal) -> Iterator[Decimal]:
        """The first price past each level of the engine: equal is not past."""
        for source in self.sources.get(symbol, ()):
            band = self._board.band(symbol, source)
            if band is not None and source != "funding":
                level = band.high if up else band.low
                if level is not None:
                    yield _past(level, tick, up)
                extremes = self._board.extremes(symbol, source) or (price, price)
                yield from _trailed(
                    band, (max(extremes[0], price), min(extremes[1], price)), tick, up
                )
            for key, window in self._board.windows(symbol, source).items():
                share = self._board.band(*key)
                extremes_ = window.extremes
                if share is not None and share.high is not None and extremes_ is not None:
                    level = (
                        extremes_[1] * (1 + share.high) if up else extremes_[0] * (1 - share.high)
                    )
                    yield _past(level, tick, up)

    def _orders(self, symbol: str, price: Decimal, up: bool, tick: Decimal) -> Iterator[Decimal]:
        """The price at which each order of the exchange fills or triggers."""
        state = self._exchange.state
        for order in state.resting.get(symbol, {}).values():
            if (order.side == "SELL") == up:
                yield order.price
        for algo in state.waiting.get(symbol, {}).values():
            if algo.type != TRAILING:
                if algo.rising == up:
                    yield (
                        ceil_to(algo.trigger_price, tick)
                        if up
                        else floor_to(algo.trigger_price, tick)
                    )
            elif not algo.activated:
                yield algo.activate_price
            elif (algo.side == "BUY") == up:
                rate = algo.callback_rate / 100
                if up:
                    yield ceil_to(min(algo.extreme, price) * (ONE + rate), tick)
                else:
                    yield floor_to(max(algo.extreme, price) * (ONE - rate), tick)


def _past(level: Decimal, tick: Decimal, up: bool) -> Decimal:
    return floor_to(level, tick) + tick if up else ceil_to(level, tick) - tick


def _trailed(
    band: Band, extremes: tuple[Decimal, Decimal], tick: Decimal, up: bool
) -> Iterator[Decimal]:
    high, low = extremes
    if up and band.rise is not None:
        yield ceil_to(low * (ONE + band.rise), tick)
    if not up and band.fall is not None:
        yield floor_to(high * (ONE - band.fall), tick)
