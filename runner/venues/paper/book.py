"""One symbol's market: prices, and a book synthesised around the best bid and ask."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from .history import History
from .numbers import ZERO, ceil_to, floor_to
from .orders import Order
from .symbols import Symbol

# What funding is usually: 0.01 % every eight hours.
FUNDING_RATE = Decimal("0.0001")
# How deep the book is, for takers and for who looks at it.
LEVELS = 50
# What a level shows when it is bottomless: multiples of the smallest quantity.
_SHOWN = 2000


@dataclass(slots=True)
class Print:
    """One trade on the public tape."""

    trade_id: int
    price: Decimal
    quantity: Decimal
    time: int
    buyer_is_maker: bool


@dataclass(slots=True)
class Market:
    """Prices of one symbol; `level_quantity` None stands for a book without a bottom.

    `resting` are the accounts' orders, which stand in the book beside what is synthesised.
    `own_index` and `funding_rate` are as given, None before: then the index is the mark.
    """

    symbol: Symbol
    mark: Decimal
    last: Decimal
    bid: Decimal
    ask: Decimal
    level_quantity: Decimal | None = None
    own_index: Decimal | None = None
    funding_rate: Decimal = FUNDING_RATE
    bid_quantity: Decimal | None = None
    ask_quantity: Decimal | None = None
    taken_bid: Decimal = ZERO
    taken_ask: Decimal = ZERO
    update_id: int = 1
    trade_id: int = 0
    time: int = 0
    prints: deque[Print] = field(default_factory=lambda: deque(maxlen=1000))
    history: History = field(default_factory=History)
    resting: Mapping[int, Order] = field(default_factory=dict, repr=False)

    @property
    def index(self) -> Decimal:
        """Return the index price."""
        return self.mark if self.own_index is None else self.own_index

    def level_price(self, side: str, depth: int) -> Decimal:
        """Return the price of the `depth`-th level (0 is the best) of the BUY or SELL side."""
        step = self.symbol.tick * depth
        return self.bid - step if side == "BUY" else self.ask + step

    def offers(self, taker_side: str) -> Iterator[tuple[Decimal, Decimal | None]]:
        """Yield (price, quantity left) of what a taker meets, best first; None has no end."""
        side = "SELL" if taker_side == "BUY" else "BUY"
        taken = self.taken_ask if side == "SELL" else self.taken_bid
        for depth in range(LEVELS):
            price = self.level_price(side, depth)
            held = self.held(side, depth)
            if price <= 0:
                return
            if held is None:
                yield price, None
                return
            left = max(ZERO, held - taken)
            taken = max(ZERO, taken - held)
            if left:
                yield price, left

    def held(self, side: str, depth: int) -> Decimal | None:
        """Return what a level holds before anything was taken from it, None without end."""
        first = self.bid_quantity if side == "BUY" else self.ask_quantity
        return first if depth == 0 and first is not None else self.level_quantity

    def take(self, taker_side: str, quantity: Decimal) -> None:
        """Remove what a taker got; it comes back with the next move of the price."""
        if taker_side == "BUY":
            self.taken_ask += quantity
        else:
            self.taken_bid += quantity

    def shown(self, side: str, depth: int) -> Decimal:
        """Return the quantity that depth and bookTicker show for a level."""
        held = self.held(side, depth)
        if held is not None:
            return held
        # A price always shows the same quantity, so that a moved book differs in few levels.
        wave = int(self.level_price(side, depth) / self.symbol.tick) * 37 % 97
        return self.symbol.min_quantity * (_SHOWN + 25 * wave)

    def visible(self, side: str, count: int) -> list[tuple[Decimal, Decimal]]:
        """Return the best (price, quantity) levels of a side as everybody sees them."""
        levels: dict[Decimal, Decimal] = {}
        # Nothing of the accounts can stand between levels when they have no orders.
        for depth in range(LEVELS if self.resting else min(count, LEVELS)):
            price = self.level_price(side, depth)
            if price > 0:
                levels[price] = self.shown(side, depth)
        if not self.resting:
            return list(levels.items())
        self._add_resting(side, levels)
        return sorted(levels.items(), reverse=side == "BUY")[:count]

    def _add_resting(self, side: str, levels: dict[Decimal, Decimal]) -> None:
        limits = [one for one in self.resting.values() if one.type == "LIMIT"]
        facing = [one.price for one in limits if one.side != side]
        # Where an order waits for more of the other side, that side has no more.
        for price in [one for one in levels if facing and _meets(side, one, facing)]:
            del levels[price]
        for one in limits:
            if one.side == side:
                levels[one.price] = levels.get(one.price, ZERO) + one.left

    def best(self, side: str) -> tuple[Decimal, Decimal]:
        """Return the best price of a side, and the quantity there."""
        found = self.visible(side, 1)
        return found[0] if found else (self.bid if side == "BUY" else self.ask, ZERO)

    def move(
        self,
        now: int,
        *,
        mark: Decimal | None = None,
        last: Decimal | None = None,
        bid: Decimal | None = None,
        ask: Decimal | None = None,
        keep_book: bool = False,
        index: Decimal | None = None,
        funding_rate: Decimal | None = None,
    ) -> None:
        """Take over new prices; without bid and ask the book closes in around the last price."""
        self.own_index = self.own_index if index is None else index
        self.funding_rate = self.funding_rate if funding_rate is None else funding_rate
        tick = self.symbol.tick
        if mark is not None:
            self.mark = mark
        if last is not None:
            self.last = last
            if bid is None and ask is None and not keep_book:
                bid = floor_to(last, tick)
                ask = bid + tick
        self._quote(bid, ask, tick)
        self.taken_bid = self.taken_ask = ZERO
        self.update_id += 1
        self.time = now

    def _quote(self, bid: Decimal | None, ask: Decimal | None, tick: Decimal) -> None:
        if bid is not None:
            self.bid = max(tick, floor_to(bid, tick))
        if ask is not None:
            self.ask = max(2 * tick, ceil_to(ask, tick))
        if self.bid >= self.ask:
            if ask is None:
                self.ask = self.bid + tick
            else:
                self.bid = self.ask - tick

    def tape(self, now: int, price: Decimal, quantity: Decimal, buyer_is_maker: bool) -> Print:
        """Record a public trade and return it."""
        self.trade_id += 1
        entry = Print(self.trade_id, price, quantity, now, buyer_is_maker)
        self.prints.append(entry)
        self.history.add(now, price, quantity, buyer_is_maker)
        return entry


def _meets(side: str, price: Decimal, facing: list[Decimal]) -> bool:
    return price >= min(facing) if side == "BUY" else price <= max(facing)


def open_market(symbol: Symbol, price: Decimal, now: int) -> Market:
    """Return the market of a symbol that starts at `price`, brought onto its tick."""
    price = max(2 * symbol.tick, floor_to(price, symbol.tick))
    market = Market(symbol, price, price, price, price)
    market.move(now, mark=price, last=price)
    market.tape(now, price, symbol.min_quantity * 10, buyer_is_maker=False)
    return market
