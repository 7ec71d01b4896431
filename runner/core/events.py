"""What happens: the immutable facts that enter the runner, from whichever door they come."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

from runner.core.orders import Call, Family, Outcome
from runner.core.values import dataclass

Value = Decimal | bool | str
"""What a formula can see of an event: a number, true or false, or text."""

OrderStatus = Literal["filled", "partly_filled", "rejected", "cancelled", "expired"]
"""What can happen to an order, in a trader's words."""

PriceSource = Literal["mark", "last", "bid", "ask", "index", "funding"]


@dataclass(frozen=True, slots=True)
class Alert:
    """An authenticated webhook body, its secret already taken out.

    `fields` are flat: nested objects become dotted names. `body_hash` identifies the body
    without its secret. `event_time` is the sender's own time in ms where the body tells it.
    `stored`: its sender was answered before it could be decided.
    """

    path: str
    fields: Mapping[str, Value]
    body_hash: str
    received_at: int
    event_time: int | None = None
    stored: bool = False


@dataclass(frozen=True, slots=True)
class Move:
    """A price, and the extreme of a window that is farthest from it."""

    price: Decimal
    origin: Decimal


@dataclass(frozen=True, slots=True)
class Tick:
    """A price that left its band, or the first one after a silence (`fresh_start`: only arms).

    `source` is a price source, or how far one moved within a window (then `moved` tells more).
    `version` is the version of the bands that were published when the price was seen, `number`
    counts the ticks of this symbol and source, so that a band can say which it reckons with.
    `previous_at` is when the price before this one was received, also across a reconnect.
    `high` and `low` are the extremes since the tick that was let through before, this one
    included; None where nobody trails them.
    """

    symbol: str
    source: str
    price: Decimal
    event_time: int
    received_at: int
    version: int = 0
    number: int = 0
    fresh_start: bool = False
    previous_at: int | None = None
    high: Decimal | None = None
    low: Decimal | None = None
    moved: Move | None = None


@dataclass(frozen=True, slots=True)
class KlineClosed:
    """A candle of an interval (`15m`) is over; its last moment is `close_time`.

    `span` is its length in ms, so that a missing candle shows.
    """

    symbol: str
    interval: str
    close: Decimal
    close_time: int
    span: int
    event_time: int
    received_at: int


@dataclass(frozen=True, slots=True)
class Due:
    """A planned instant (UTC ms) of a schedule, or the end of a trigger's wait, has come."""

    rule_id: str
    trigger: str
    symbol: str
    planned_at: int


@dataclass(frozen=True, slots=True)
class Fire:
    """A person asks for a rule to fire now; `event_key` makes the request repeatable."""

    rule_id: str
    symbol: str
    event_key: str
    received_at: int


@dataclass(frozen=True, slots=True)
class Resolve:
    """A person says what became of a parked order; `command` names the request."""

    client_order_id: str
    verdict: Literal["sent", "absent"]
    reason: str
    command: str


@dataclass(frozen=True, slots=True)
class Command:
    """A person's order: `verb` is enable, disable, pause, resume, cancel, flatten, kill, unlock
    or fire; `key` names the request, `who` gave it at `at` (ms).

    `rule_id` and `symbol` narrow it; `event_key` makes a fire happen once; `flatten`: a kill
    closes positions, too. `live`: it was given while this process ran, so no earlier one did it.
    """

    verb: str
    key: str
    who: str
    at: int
    reason: str = ""
    rule_id: str = ""
    symbol: str = ""
    event_key: str = ""
    flatten: bool = True
    live: bool = False


@dataclass(frozen=True, slots=True)
class Fill:
    """One trade of an order. `realised_pnl` and `commission` are in their asset's units."""

    trade_id: str
    price: Decimal
    quantity: Decimal
    commission: Decimal
    commission_asset: str
    realised_pnl: Decimal
    event_time: int


@dataclass(frozen=True, slots=True)
class ExecutionReport:
    """What is known of one order or cancel, whichever way it became known.

    `attempt` is set on the answer to a send. `asked_time` is the server time at which a probe
    was begun: a negative counts only if it is past the fence. Late and repeated reports are
    harmless, the order-status table only moves forward.
    """

    client_order_id: str
    origin: Literal["answer", "stream", "probe"]
    outcome: Outcome
    event_time: int
    attempt: int | None = None
    order_id: str | None = None
    order_status: str | None = None
    cumulative_quantity: Decimal | None = None
    average_price: Decimal | None = None
    fill: Fill | None = None
    code: int | None = None
    message: str | None = None
    asked_time: int | None = None
    symbol: str = ""


@dataclass(frozen=True, slots=True)
class PositionUpdate:
    """A position as the exchange states it; `size` is signed, short is negative.

    `reading`: it was read, so what changed since the last statement may be long ago.
    """

    symbol: str
    position_side: str
    size: Decimal
    entry_price: Decimal
    unrealised_pnl: Decimal
    event_time: int
    liquidation_price: Decimal | None = None
    leverage: Decimal | None = None
    reading: bool = False


@dataclass(frozen=True, slots=True)
class PositionIncident:
    """The exchange acted on a position, or warns that it will; `key` tells incidents apart.

    `size` is signed like the position's (of a closing order: how much it closes).
    """

    what: Literal["liquidation", "adl", "margin_call"]
    symbol: str
    position_side: str
    size: Decimal
    price: Decimal
    key: str
    event_time: int


@dataclass(frozen=True, slots=True)
class OrderChanged:
    """The exchange did something to an own order, worked out from its leg by the engine.

    `leg` is the order's part in the run: 0, entry, stop. Prices and sizes are the order's so far.
    """

    rule_id: str
    symbol: str
    client_order_id: str
    leg: str
    status: OrderStatus
    side: str
    cumulative_quantity: Decimal
    average_price: Decimal | None
    tag: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class AccountUpdate:
    """Balances of the margin asset; absent numbers keep what was known.

    `transferred` is what was deposited, or withdrawn when below 0, with this very change.
    """

    wallet_balance: Decimal | None
    available: Decimal | None
    event_time: int
    equity: Decimal | None = None
    margin_ratio: Decimal | None = None
    transferred: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class OpenOrders:
    """All that is open in one family (of one symbol, or of all when None), as one reading.

    Own orders that are LIVE here and missing there are asked for one by one.
    """

    family: Family
    symbol: str | None
    orders: tuple[ExecutionReport, ...]
    asked_time: int


@dataclass(frozen=True, slots=True)
class Positions:
    """All positions as one reading: what is not listed is flat."""

    positions: tuple[PositionUpdate, ...]
    asked_time: int


@dataclass(frozen=True, slots=True)
class DeadManReport:
    """The answer to one refresh of a symbol's countdown; `countdown` in ms, 0 when disarmed."""

    symbol: str
    accepted: bool
    countdown: int
    server_time: int
    detail: str = ""


@dataclass(frozen=True, slots=True)
class DeadManAlarm:
    """A countdown ran out (`expired`, looked up first) or its refresh is overdue (`late`).

    `expired_while_stopped`: it ran out because the runner had been stopped on purpose.
    """

    symbol: str
    what: Literal["expired", "late", "expired_while_stopped"]
    confirmed_time: int
    at: int


@dataclass(frozen=True, slots=True)
class StreamState:
    """A stream connected or broke off; `gap_from` is the last moment it was surely alive."""

    stream: str
    connected: bool
    at: int
    gap_from: int | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Started:
    """The runner started at `at` after `away` ms; `ready` once account and prices are known."""

    at: int
    away: int
    ready: bool


@dataclass(frozen=True, slots=True)
class JournalTrouble:
    """The journal has a problem that it lives with, such as little room; `key` names the case."""

    key: str
    detail: str
    at: int


@dataclass(frozen=True, slots=True)
class CallFailed:
    """A reading or a refresh came to nothing; whoever owns it asks again."""

    call: Call
    at: int
    detail: str


@dataclass(frozen=True, slots=True)
class CallDone:
    """A call's answer was read and its events posted before this one: its lane is free again."""

    call: Call
    at: int


Event = (
    Alert
    | Tick
    | KlineClosed
    | Due
    | Fire
    | Resolve
    | Command
    | ExecutionReport
    | PositionUpdate
    | PositionIncident
    | OrderChanged
    | AccountUpdate
    | OpenOrders
    | Positions
    | DeadManReport
    | DeadManAlarm
    | StreamState
    | Started
    | JournalTrouble
    | CallFailed
    | CallDone
)
