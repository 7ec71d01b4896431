"""What rules may look at: prices, positions, account and open orders, under the formulas' names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from datetime import UTC, datetime, tzinfo
from decimal import Decimal

from runner.core.decision import RuleMemory
from runner.core.events import AccountUpdate, Positions, PositionUpdate, PriceSource, Value
from runner.core.formula import NUMBER, TEXT, Type, one_of
from runner.core.instruments import Instrument
from runner.core.prices import PriceBoard
from runner.core.values import dataclass

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Exposure:
    """Our own open orders of one symbol: how many, and price times open quantity in sum."""

    orders: int = 0
    notional: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Opening:
    """The equity that a UTC day (its number) began with; deposits since then count as there."""

    day: int
    equity: Decimal


@dataclass(slots=True)
class View:
    """The world as last reported; the dispatcher alone changes it."""

    board: PriceBoard
    instruments: Mapping[str, Instrument] = field(default_factory=dict)
    positions: dict[tuple[str, str], PositionUpdate] = field(default_factory=dict)
    positions_known: bool = False
    account: AccountUpdate | None = None
    opening: Opening | None = None

    def price(self, symbol: str, source: PriceSource, now: int) -> Decimal | None:
        """The last price, or None when there is none or it is older than the staleness limit."""
        last = self.board.last(symbol, source)
        if last is None or now - last.received_at > self.board.stale_after:
            return None
        return last.value

    def position(self, symbol: str) -> PositionUpdate | None:
        """The symbol's position; in hedge mode the two sides added up."""
        sides = [self.positions.get((symbol, side)) for side in ("BOTH", "LONG", "SHORT")]
        known = [position for position in sides if position is not None and position.size != 0]
        if len(known) <= 1:
            return known[0] if known else None
        return PositionUpdate(
            symbol,
            "BOTH",
            sum((position.size for position in known), ZERO),
            known[0].entry_price,
            sum((position.unrealised_pnl for position in known), ZERO),
            known[0].event_time,
        )

    def apply_position(self, update: PositionUpdate) -> bool:
        """Take a newer statement of a position; an older one changes nothing. True if taken."""
        key = (update.symbol, update.position_side)
        known = self.positions.get(key)
        if known is not None and known.event_time > update.event_time:
            return False
        self.positions[key] = update
        return True

    def apply_positions(self, reading: Positions) -> None:
        """Take a whole reading: what it does not list, and is not newer, is flat."""
        self.positions_known = True
        listed = {(update.symbol, update.position_side) for update in reading.positions}
        for key, known in list(self.positions.items()):
            if key not in listed and known.size and known.event_time <= reading.asked_time:
                # kept as flat: a message that comes late or twice must not bring it back
                gone_at = known.event_time + 1
                self.positions[key] = PositionUpdate(*key, ZERO, ZERO, ZERO, gone_at, reading=True)
            elif key in listed and known.reading and not known.size:
                # the reading before lagged: it did not list yet what is there
                del self.positions[key]
        for update in reading.positions:
            self.apply_position(update)

    def apply_account(self, update: AccountUpdate) -> None:
        """Take newer balances; numbers that are absent keep what was known."""
        old = self.account
        if old is None:
            self.account = update
            return
        self.account = AccountUpdate(
            wallet_balance=_newer(update.wallet_balance, old.wallet_balance),
            available=_newer(update.available, old.available),
            event_time=max(update.event_time, old.event_time),
            equity=_newer(update.equity, old.equity),
            margin_ratio=_newer(update.margin_ratio, old.margin_ratio),
        )


def _newer(new: Decimal | None, old: Decimal | None) -> Decimal | None:
    return old if new is None else new


@dataclass(frozen=True, slots=True)
class Names(Mapping[str, Value]):
    """The names of one rule at one moment, looked up only when a formula asks.

    Raises KeyError for what is unknown or stale: the formula turns it into "no data for …".
    `exposure` reckons the symbol's open orders: few formulas ask for them.
    `unseen` is the signed size that own orders filled and that no statement of the position
    shows yet: a silent user stream must not make a rule believe that it is flat.
    """

    view: View
    symbol: str
    now: int
    fields: Mapping[str, Value]
    memory: RuleMemory
    exposure: Callable[[], Exposure]
    zone: tzinfo = UTC
    unseen: Decimal = ZERO

    def __getitem__(self, name: str) -> Value:
        """The value of a dotted name. Raises KeyError when there is none now."""
        if name.startswith("trigger."):
            return self.fields[name[8:]]
        value = NAMES[name][1](self)
        if value is None:
            raise KeyError(name)
        return value

    def __iter__(self) -> Iterator[str]:
        """Every name that a formula may use here."""
        yield from NAMES
        yield from (f"trigger.{name}" for name in self.fields)

    def __len__(self) -> int:
        """How many names there are."""
        return len(NAMES) + len(self.fields)


Getter = Callable[[Names], Value | None]


def _price(source: PriceSource) -> tuple[Type, Getter]:
    return NUMBER, lambda names: names.view.price(names.symbol, source, names.now)


def _position(read: Callable[[PositionUpdate], Value | None], flat: Value | None) -> Getter:
    def get(names: Names) -> Value | None:
        if not names.view.positions_known:
            return None  # before the first reading "flat" would be a guess
        position = names.view.position(names.symbol)
        return flat if position is None else read(position)

    return get


def _account(read: Callable[[AccountUpdate], Decimal | None]) -> tuple[Type, Getter]:
    return NUMBER, lambda names: None if names.view.account is None else read(names.view.account)


def _daily_pnl(names: Names) -> Decimal | None:
    account, begun = names.view.account, names.view.opening
    if account is None or account.equity is None or begun is None:
        return None
    # a new day whose first statement is still to come begins with what is known
    return account.equity - begun.equity if begun.day == names.now // DAY else ZERO


def _size(names: Names) -> Decimal | None:
    if not names.view.positions_known:
        return None
    position = names.view.position(names.symbol)
    return names.unseen if position is None else position.size + names.unseen


def _side(names: Names) -> str | None:
    size = _size(names)
    if size is None or not size:
        return None if size is None else "flat"  # hedge mode: both sides may be equally large
    return "long" if size > 0 else "short"


def _last_fired_ago(names: Names) -> Decimal | None:
    fired = names.memory.last_fired_at
    return None if fired is None else Decimal(names.now - fired) / 1000


def _clock(read: Callable[[datetime], int]) -> tuple[Type, Getter]:
    return NUMBER, lambda names: Decimal(
        read(datetime.fromtimestamp(names.now // 1000, names.zone))
    )


NAMES: dict[str, tuple[Type, Getter]] = {
    "mark": _price("mark"),
    "last": _price("last"),
    "bid": _price("bid"),
    "ask": _price("ask"),
    "index": _price("index"),
    "funding_rate": _price("funding"),
    "symbol": (TEXT, lambda names: names.symbol),
    "position.size": (NUMBER, _size),
    "position.side": (one_of("long", "short", "flat"), _side),
    "position.entry_price": (NUMBER, _position(lambda p: p.entry_price, None)),
    "position.unrealised_pnl": (NUMBER, _position(lambda p: p.unrealised_pnl, ZERO)),
    "position.liquidation_price": (NUMBER, _position(lambda p: p.liquidation_price, None)),
    "position.leverage": (NUMBER, _position(lambda p: p.leverage, None)),
    "account.available": _account(lambda a: a.available),
    "account.wallet_balance": _account(lambda a: a.wallet_balance),
    "account.equity": _account(lambda a: a.equity),
    "account.margin_ratio": _account(lambda a: a.margin_ratio),
    "account.daily_pnl": (NUMBER, _daily_pnl),
    "rule.fires": (NUMBER, lambda names: Decimal(names.memory.fires)),
    "rule.fires_today": (NUMBER, lambda names: Decimal(fires_on(names.memory, names.now))),
    "rule.last_fired_ago": (NUMBER, _last_fired_ago),
    "orders.open": (NUMBER, lambda names: Decimal(names.exposure().orders)),
    "orders.open_notional": (NUMBER, lambda names: names.exposure().notional),
    "now.hour": _clock(lambda now: now.hour),
    "now.minute": _clock(lambda now: now.minute),
    "now.weekday": _clock(lambda now: now.isoweekday()),
}
"""Every name of the language but `trigger.*`, with its type and where its value comes from."""

DAY = 86_400_000


def fires_on(memory: RuleMemory, now: int) -> int:
    """How often the rule fired on the UTC day of `now`."""
    return memory.fires_today if memory.day == now // DAY else 0


def scope() -> dict[str, Type]:
    """The types of every name but `trigger.*`, for compiling formulas."""
    return {name: kind for name, (kind, _) in NAMES.items()}
