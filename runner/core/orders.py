"""What can be asked of an exchange: intents, client order ids, calls, the order-status table."""

from __future__ import annotations

import base64
import hashlib
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from runner.core.values import dataclass


class Side(StrEnum):
    """Direction of an order, spelled as Binance does."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def opposite(self) -> Side:
        """The side that closes what this side opened."""
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderType(StrEnum):
    """Order types of USDⓈ-M futures; all but LIMIT and MARKET live in the algo service."""

    LIMIT = "LIMIT"
    MARKET = "MARKET"
    STOP = "STOP"
    STOP_MARKET = "STOP_MARKET"
    TAKE_PROFIT = "TAKE_PROFIT"
    TAKE_PROFIT_MARKET = "TAKE_PROFIT_MARKET"
    TRAILING_STOP_MARKET = "TRAILING_STOP_MARKET"


class TimeInForce(StrEnum):
    """How long an order stays, spelled as Binance does."""

    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    GTX = "GTX"
    GTD = "GTD"


class Family(StrEnum):
    """Which of the exchange's two order books of record an order lives in."""

    ORDER = "order"
    ALGO = "algo"


class Outcome(StrEnum):
    """What an answer proves about a send, or a probe about an order."""

    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"
    NOT_ACCEPTED = "NOT_ACCEPTED"
    NOT_SENT = "NOT_SENT"
    ABSENT = "ABSENT"
    UNKNOWN = "UNKNOWN"


class OrderState(StrEnum):
    """An order's path as the journal keeps it (design: exactly once)."""

    PLANNED = "PLANNED"
    SENDING = "SENDING"
    UNKNOWN = "UNKNOWN"
    LIVE = "LIVE"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"
    LAPSED = "LAPSED"
    PARKED = "PARKED"
    DONE = "DONE"


ORDER_STATUS: dict[str, OrderState] = {
    "NEW": OrderState.LIVE,
    "PARTIALLY_FILLED": OrderState.LIVE,
    "FILLED": OrderState.FILLED,
    "CANCELED": OrderState.CANCELED,
    "EXPIRED": OrderState.EXPIRED,
    "EXPIRED_IN_MATCH": OrderState.EXPIRED,
    "REJECTED": OrderState.REJECTED,
    # the algo service's own words: TRIGGERED is the order that is now in the book
    "TRIGGERING": OrderState.LIVE,
    "TRIGGERED": OrderState.LIVE,
    "FINISHED": OrderState.FILLED,
}
"""Binance's orderStatus and algoStatus -> our state; anything else is tolerated as still LIVE."""

CONDITIONAL = frozenset(OrderType) - {OrderType.LIMIT, OrderType.MARKET}


@dataclass(frozen=True, slots=True)
class Identity:
    """The identity under which at most one order is ever accepted (G1)."""

    namespace: str
    account: str
    rule_id: str
    trigger: str
    symbol: str
    event_key: str

    def run_id(self) -> str:
        """Ten letters that name the run in every listing (50 bits of the identity)."""
        return _digest(self, "run")[:10]

    def client_order_id(self, leg: str) -> str:
        """The id of one leg, the same for all its attempts: `r1-<namespace>-<22 letters>`.

        At most 31 of `[a-z0-9-]`: inside Binance's `^[.A-Z:/a-z0-9_-]{1,36}$` and never one
        of its reserved prefixes (`x-`, `autoclose-`, `adl_autoclose`, `settlement_autoclose-`).
        """
        return f"r1-{self.namespace}-{_digest(self, leg)[:22]}"


def _digest(identity: Identity, leg: str) -> str:
    parts = (
        identity.namespace,
        identity.account,
        identity.rule_id,
        identity.trigger,
        identity.symbol,
        identity.event_key,
        leg,
    )
    # the length before each part keeps ("a", "bc") apart from ("ab", "c")
    text = "".join(f"{len(part)}:{part}" for part in parts)
    # 15 bytes are 24 letters: more than anybody takes of them
    return base64.b32encode(hashlib.sha256(text.encode()).digest()[:15]).decode().lower()


@dataclass(frozen=True, slots=True)
class OrderIntent:
    """One order that shall exist. Prices and quantity are already on tick and step.

    `tag` is the rule's own name for it; `hold_unknown`: once proven absent it is not sent again,
    a person decides. `unfenced`: a copy left by a way on which the exchange does not refuse late
    ones (the WebSocket API). The exchange hears of none of them.
    """

    client_order_id: str
    symbol: str
    side: Side
    type: OrderType
    quantity: Decimal | None = None
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    time_in_force: TimeInForce | None = None
    reduce_only: bool = False
    close_position: bool = False
    position_side: str = "BOTH"
    working_type: str | None = None
    price_protect: bool = False
    activation_price: Decimal | None = None
    callback_rate: Decimal | None = None
    good_till_time: int | None = None
    price_match: str | None = None
    self_trade_prevention: str | None = None
    tag: str = ""
    hold_unknown: bool = False
    unfenced: bool = False

    @property
    def family(self) -> Family:
        """Conditional types live in the algo service since 2025-12-09."""
        return Family.ALGO if self.type in CONDITIONAL else Family.ORDER

    @property
    def protective(self) -> bool:
        """True when a second copy could not add risk: it can only shrink a position."""
        if self.reduce_only or self.close_position:
            return True
        # hedge mode knows no reduceOnly: the side against the position side is the exit
        return (self.position_side, self.side) in {("LONG", Side.SELL), ("SHORT", Side.BUY)}


@dataclass(frozen=True, slots=True)
class CancelIntent:
    """One cancellation: of an own order by its client order id, or of all of a symbol's family."""

    client_order_id: str
    symbol: str
    family: Family
    target: str | None = None

    @property
    def protective(self) -> bool:
        """A cancel never adds risk."""
        return True


@dataclass(frozen=True, slots=True)
class AmendIntent:
    """Another price and quantity for an own LIMIT order, named by its client order id.

    `quantity` is what the order shall be in all, what has filled included. Setting the same twice
    changes nothing, so a copy may be sent once the first can no longer arrive.
    """

    client_order_id: str
    symbol: str
    target: str
    side: Side
    quantity: Decimal
    price: Decimal
    protective: bool = False

    @property
    def family(self) -> Family:
        """Conditional orders cannot be changed."""
        return Family.ORDER


class Setting(StrEnum):
    """What can be set on the exchange, in the order in which one depends on another."""

    POSITION_MODE = "position_mode"
    MARGIN_TYPE = "margin_type"
    LEVERAGE = "leverage"
    ISOLATED_MARGIN = "isolated_margin"


@dataclass(frozen=True, slots=True)
class SettingIntent:
    """One setting of a symbol, or (position mode) of the account; `value` as the rule says it.

    All but isolated margin say how it shall be; that one says by how much it shall change.
    """

    client_order_id: str
    symbol: str
    setting: Setting
    value: str
    position_side: str = "BOTH"

    @property
    def family(self) -> Family:
        """It is no order; nobody asks for it in either family."""
        return Family.ORDER

    @property
    def protective(self) -> bool:
        """It opens nothing: limits on orders do not concern it."""
        return True

    @property
    def repeatable(self) -> bool:
        """True where setting the same twice changes nothing."""
        return self.setting is not Setting.ISOLATED_MARGIN


Intent = OrderIntent | CancelIntent | AmendIntent | SettingIntent


@dataclass(frozen=True, slots=True)
class PlaceCall:
    """Send these orders: one alone, or 2 to 5 of the order family as one batch."""

    intents: tuple[OrderIntent, ...]
    attempts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CancelCall:
    """Send one cancellation."""

    intent: CancelIntent
    attempt: int


@dataclass(frozen=True, slots=True)
class AmendCall:
    """Send one change of an order."""

    intent: AmendIntent
    attempt: int


@dataclass(frozen=True, slots=True)
class SettingCall:
    """Send one setting."""

    intent: SettingIntent
    attempt: int


@dataclass(frozen=True, slots=True)
class ProbeCall:
    """Ask what became of one order, in its own family."""

    client_order_id: str
    symbol: str
    family: Family


@dataclass(frozen=True, slots=True)
class ReadCall:
    """Read one part of the account, of one symbol or (None) of all."""

    what: Literal["open_orders", "open_algo_orders", "positions", "account"]
    symbol: str | None = None


@dataclass(frozen=True, slots=True)
class DeadManCall:
    """Set one symbol's countdown; 0 ms disarms it."""

    symbol: str
    countdown: int


@dataclass(frozen=True, slots=True)
class TimeCall:
    """Ask for the server's time, to keep the clock estimate sharp."""


Sending = PlaceCall | CancelCall | AmendCall | SettingCall
"""The calls that change something and are journaled leg by leg."""

Call = Sending | ProbeCall | ReadCall | DeadManCall | TimeCall

Lane = Literal["urgent", "order", "probe"]


def lane_of(call: Call) -> Lane:
    """Which gateway lane carries a call: what lowers risk is never behind what adds it."""
    match call:
        case PlaceCall(intents=intents):
            return "urgent" if all(intent.protective for intent in intents) else "order"
        case AmendCall(intent=amend):
            return "urgent" if amend.protective else "order"
        case SettingCall():
            return "order"
        case CancelCall() | DeadManCall():
            return "urgent"
        case ProbeCall() | ReadCall() | TimeCall():
            return "probe"


def intents_of(call: Sending) -> tuple[Intent, ...]:
    """What a call sends, in its order."""
    return call.intents if isinstance(call, PlaceCall) else (call.intent,)
