"""The whole exchange as data: symbols, markets, accounts, counters, and events not yet told."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from .account import MAKER_FEE, TAKER_FEE, Account
from .algo import Algo
from .book import Market, Print, open_market
from .brackets import Bracket, brackets_of
from .errors import TEXTS, ApiError, refuse
from .numbers import JsonObject
from .orders import RETENTION, Order
from .symbols import Symbol, start_price

_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class UserEvent:
    """A message for the user streams of one account."""

    account: str
    payload: JsonObject


@dataclass(frozen=True, slots=True)
class MarketEvent:
    """A move of one symbol's prices; `trade` is the public trade that came with it.

    `quoted` says that the best prices changed, `deep` that the book did.
    """

    symbol: str
    time: int
    trade: Print | None = None
    marked: bool = False
    quoted: bool = False
    deep: bool = False


@dataclass(frozen=True, slots=True)
class PublicEvent:
    """A message for everybody who listens to one of the named market streams."""

    names: tuple[str, ...]
    payload: JsonObject


Event = UserEvent | MarketEvent | PublicEvent


@dataclass(frozen=True, slots=True)
class Cross:
    """A trade between two accounts that the public tape has not shown yet."""

    symbol: str
    price: Decimal
    quantity: Decimal
    buyer_is_maker: bool


@dataclass(slots=True)
class Serials:
    """The next number of each kind; wide ones, as clients must cope with."""

    order_id: int = 8_389_765_000_001
    algo_id: int = 2_000_000_000_000_001
    trade_id: int = 6_000_000_001
    transfer_id: int = 9_000_000_001

    def order(self) -> int:
        """Return a new order id."""
        self.order_id += 1
        return self.order_id

    def algo(self) -> int:
        """Return a new conditional-order id."""
        self.algo_id += 1
        return self.algo_id

    def trade(self) -> int:
        """Return a new id of an own trade."""
        self.trade_id += 1
        return self.trade_id

    def transfer(self) -> int:
        """Return a new id of a change of the wallet."""
        self.transfer_id += 1
        return self.transfer_id


@dataclass(slots=True)
class State:
    """All that the engine's functions work on; nothing here knows the real time.

    Tests decide over single orders by client id: `refused` are refused with that code, `held`
    are accepted and fill only by hand. Neither survives a snapshot. `insurance` is what the
    insurance fund holds of each asset, `statuses` the status of symbols that got another; the
    fees are shares of the notional.
    Queries see orders as they were `read_lag` ms ago (`past`), and forget them after `retention`.
    """

    symbols: dict[str, Symbol]
    accounts: dict[str, Account] = field(default_factory=dict)
    markets: dict[str, Market] = field(default_factory=dict)
    serials: Serials = field(default_factory=Serials)
    resting: dict[str, dict[int, Order]] = field(default_factory=dict)
    waiting: dict[str, dict[int, Algo]] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    brackets: Mapping[str, tuple[Bracket, ...]] = field(default_factory=dict)
    price_of: Callable[[str], Decimal] = start_price
    level_quantity: Decimal | None = None
    now: int = 0
    version: int = 0
    changed_orders: set[int] = field(default_factory=set)
    changed_algos: set[int] = field(default_factory=set)
    refused: dict[str, int] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    crossed: list[Cross] = field(default_factory=list)
    liquidating: set[int] = field(default_factory=set)
    insurance: dict[str, Decimal] = field(default_factory=dict)
    statuses: dict[str, str] = field(default_factory=dict)
    maker_fee: Decimal = MAKER_FEE
    taker_fee: Decimal = TAKER_FEE
    read_lag: int = 0
    retention: tuple[int, int] = RETENTION
    past: dict[int, list[Order | Algo]] = field(default_factory=dict)

    def symbol(self, name: str) -> Symbol:
        """Return a symbol; raises -1121."""
        found = self.symbols.get(name)
        if found is None:
            raise refuse(-1121)
        return found

    def check_refused(self, client_id: str) -> None:
        """Raise the refusal that a test asked for this order."""
        code = self.refused.get(client_id)
        if code is not None:
            text = TEXTS.get(code, "Refused, as the test asked.")
            raise ApiError(400, code, text.replace("%s", "…"))

    def market(self, name: str) -> Market:
        """Return the market of a known symbol, opened at its start price on first use."""
        found = self.markets.get(name)
        if found is None:
            symbol = self.symbols[name]
            price = max(symbol.min_price, self.price_of(name))
            price = min(price, symbol.max_price or price)
            found = open_market(symbol, price, self.now)
            found.level_quantity = self.level_quantity
            found.resting = self.resting.setdefault(name, {})
            self.markets[name] = found
        return found

    def brackets_of(self, name: str) -> tuple[Bracket, ...]:
        """Return the leverage brackets of a symbol, lowest notional first."""
        return brackets_of(self.brackets, name)

    def tell(self, account: str, payload: JsonObject) -> None:
        """Queue a message for an account's user streams and note that it changed."""
        self.events.append(UserEvent(account, payload))
        self.version += 1

    def rest(self, order: Order) -> None:
        """Put an order into the book and on its account."""
        self.accounts[order.account].add(order)
        self.resting.setdefault(order.symbol, {})[order.order_id] = order
        self.stir(order)

    def unrest(self, order: Order) -> None:
        """Take a finished order out of the book."""
        self.accounts[order.account].open.pop(order.order_id, None)
        self.resting.get(order.symbol, {}).pop(order.order_id, None)
        self.stir(order)

    def stir(self, order: Order) -> None:
        """Note that the book changed at an order's price."""
        market = self.markets.get(order.symbol)
        if market is None or order.type != "LIMIT":
            return
        market.update_id += 1
        near = order.price >= market.bid if order.side == "BUY" else order.price <= market.ask
        self.events.append(MarketEvent(order.symbol, self.now, quoted=near, deep=True))

    def wait(self, algo: Algo) -> None:
        """Let a conditional order wait for its trigger."""
        account = self.accounts[algo.account]
        account.algos[algo.algo_id] = account.waiting[algo.algo_id] = algo
        self.waiting.setdefault(algo.symbol, {})[algo.algo_id] = algo

    def unwait(self, algo: Algo) -> None:
        """Stop waiting for a conditional order's trigger."""
        self.accounts[algo.account].waiting.pop(algo.algo_id, None)
        self.waiting.get(algo.symbol, {}).pop(algo.algo_id, None)


def generated_id(account: str, serial: int) -> str:
    """Return the client id of an order sent without one: 22 letters and digits."""
    number = int.from_bytes(hashlib.sha256(f"{account}/{serial}".encode()).digest())
    letters = []
    for _ in range(22):
        number, digit = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[digit])
    return "".join(letters)
