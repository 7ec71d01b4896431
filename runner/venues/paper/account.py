"""One account: wallet, positions, settings, orders and what happened to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from .algo import Algo
from .numbers import ZERO, JsonObject, booked
from .orders import Fill, Order

MAKER_FEE = Decimal("0.0002")
TAKER_FEE = Decimal("0.0005")
DEFAULT_LEVERAGE = 20


@dataclass(slots=True)
class Position:
    """One side of one symbol; `amount` is negative for a short position."""

    symbol: str
    side: str
    amount: Decimal = ZERO
    entry: Decimal = ZERO
    realized: Decimal = ZERO
    carried: Decimal = ZERO
    isolated_wallet: Decimal = ZERO
    update_time: int = 0

    @property
    def break_even(self) -> Decimal:
        """Return the price at which closing would leave nothing, fees so far included."""
        return self.entry + self.carried / self.amount if self.amount else ZERO

    def unrealized(self, mark: Decimal) -> Decimal:
        """Return the profit at the mark price."""
        return (mark - self.entry) * self.amount

    def trade(self, quantity: Decimal, price: Decimal, fee: Decimal, now: int) -> Decimal:
        """Take in a signed quantity at a price; return the profit realized by it."""
        closing = ZERO
        if self.amount * quantity < 0:
            closing = min(abs(quantity), abs(self.amount)) * (1 if self.amount > 0 else -1)
        realized = booked((price - self.entry) * closing)
        before = self.amount
        self.amount += quantity
        self.carried += fee - realized
        if not self.amount:
            self.entry = self.carried = ZERO
        elif before * self.amount < 0:
            self.entry, self.carried = price, fee
        elif not closing:
            self.entry = (before * self.entry + quantity * price) / self.amount
        self.realized += realized
        self.update_time = now
        return realized


@dataclass(slots=True)
class SymbolSetting:
    """What an account has set for one symbol."""

    leverage: int = DEFAULT_LEVERAGE
    isolated: bool = False


@dataclass(slots=True)
class Account:
    """Everything the exchange keeps for one customer; amounts are of the named asset."""

    name: str
    wallet: dict[str, Decimal]
    opened_at: int
    hedge: bool = False
    multi_assets: bool = False
    settings: dict[str, SymbolSetting] = field(default_factory=dict)
    positions: dict[str, Position] = field(default_factory=dict)
    orders: dict[int, Order] = field(default_factory=dict)
    newest: dict[str, int] = field(default_factory=dict)
    open: dict[int, Order] = field(default_factory=dict)
    algos: dict[int, Algo] = field(default_factory=dict)
    waiting: dict[int, Algo] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)
    income: list[JsonObject] = field(default_factory=list)
    amendments: list[JsonObject] = field(default_factory=list)
    margin_moves: list[JsonObject] = field(default_factory=list)
    countdowns: dict[str, int] = field(default_factory=dict)
    fee_burn: bool = False
    wallet_time: int = 0
    warned: dict[str, int] = field(default_factory=dict)

    def setting(self, symbol: str) -> SymbolSetting:
        """Return a symbol's settings; whoever changes them stores them in `settings`."""
        return self.settings.get(symbol) or SymbolSetting()

    def position(self, symbol: str, side: str) -> Position:
        """Return a position, flat when there never was one."""
        key = f"{symbol} {side}"
        if key not in self.positions:
            self.positions[key] = Position(symbol, side)
        return self.positions[key]

    def amount(self, symbol: str, side: str) -> Decimal:
        """Return a position's signed amount without making an entry for it."""
        held = self.positions.get(f"{symbol} {side}")
        return held.amount if held else ZERO

    def sides(self) -> tuple[str, ...]:
        """Return the position sides of the mode the account is in."""
        return ("LONG", "SHORT") if self.hedge else ("BOTH",)

    def find_open(self, client_order_id: str) -> Order | None:
        """Return the open order with that client id."""
        for order in self.open.values():
            if order.client_order_id == client_order_id:
                return order
        return None

    def find(self, symbol: str, order_id: int | None, client_order_id: str) -> Order | None:
        """Return an order of a symbol, by its id or else the newest with the client id."""
        if order_id is not None:
            order = self.orders.get(order_id)
            return order if order and order.symbol == symbol else None
        newest = self.newest.get(f"{symbol} {client_order_id}")
        return None if newest is None else self.orders[newest]

    def add(self, order: Order) -> None:
        """Take in a new open order."""
        self.orders[order.order_id] = self.open[order.order_id] = order
        self.newest[f"{order.symbol} {order.client_order_id}"] = order.order_id

    def find_algo(self, algo_id: int | None, client_algo_id: str) -> Algo | None:
        """Return a conditional order, by its id or else the newest with the client id."""
        if algo_id is not None:
            return self.algos.get(algo_id)
        for algo in reversed(self.algos.values()):
            if algo.client_algo_id == client_algo_id:
                return algo
        return None

    def resting(self, symbol: str) -> list[Order]:
        """Return the open orders of a symbol, oldest first."""
        return [order for order in self.open.values() if order.symbol == symbol]
