"""What came of an event: all that must be remembered, in one piece, before it takes effect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from decimal import Decimal
from enum import StrEnum
from typing import Any

from runner.core.events import Fill, Value
from runner.core.notice import Outgoing, Settled
from runner.core.orders import Identity, Intent, OrderState, Outcome
from runner.core.values import dataclass


class Reason(StrEnum):
    """Why something did not happen, or stopped: a closed list, the same words everywhere."""

    NO_DATA = "no data"
    STALE_DATA = "stale data"
    NOT_ARMED = "not armed"
    WAITING = "waiting"
    RESET = "reset"
    CROSSED_WHILE_AWAY = "crossed while away"
    IF = "if"
    IF_FAILED = "if failed"
    COOLDOWN = "cooldown"
    NOT_ACTIVE = "not active"
    STILL_RUNNING = "still running"
    QUEUE_FULL = "queue full"
    MAX_FIRES = "max fires"
    DISABLED = "disabled"
    PAUSED = "paused"
    KILLED = "killed"
    DRY_RUN = "dry run"
    GUARD = "guard"
    DUPLICATE = "duplicate"
    TOO_OLD = "too old"
    SUPERSEDED = "superseded"
    MISSED = "missed"
    BODY = "body does not fit"
    REJECTED = "rejected"
    LAPSED = "lapsed"
    PARKED = "parked"
    NOT_POSSIBLE = "not possible"
    POSITION_CLOSED = "position closed"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the journal's log, as `runner journal` shows it.

    `kind` is one of: started, stopped, event, armed, crossed, reset, fired, refused, planned,
    sent, answered, state, fill, notify, run, dead_man, stream, position, error, reload, command.
    """

    at: int
    kind: str
    text: str
    rule_id: str = ""
    symbol: str = ""
    run_id: str = ""
    client_order_id: str = ""
    reason: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


class RunStatus(StrEnum):
    """Where a run stands: `do` still going on, all done, or stopped with a reason."""

    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Run:
    """One firing and how far its `do` list has come.

    `fields` are what the event carried (`trigger.*`), frozen at the first write; `rule_hash`
    names the rule's text as it was. `step` is the action that is next; `watching` are earlier
    ones that still have something to do (a bracket's exits).
    """

    run_id: str
    identity: Identity
    rule_hash: str
    fields: Mapping[str, Value]
    fired_at: int
    status: RunStatus = RunStatus.RUNNING
    step: int = 0
    watching: tuple[int, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Leg:
    """One order or cancel of a run, and all that is known of it.

    `name` is its place in the run (`0.1`, `0.entry`, `0.stop@0.02`). `deadline` (ms) is when
    an unsent entry lapses; None never. Times ending in `_time` are the exchange's.
    """

    intent: Intent
    run_id: str
    name: str
    state: OrderState
    planned_at: int
    deadline: int | None = None
    attempt: int = 0
    signed_time: int | None = None
    fence_time: int | None = None
    negatives: int = 0
    first_negative_time: int | None = None
    next_at: int | None = None
    ask_first: bool = False
    order_id: str | None = None
    order_status: str | None = None
    cumulative_quantity: Decimal = Decimal(0)
    average_price: Decimal | None = None
    code: int | None = None
    message: str = ""
    updated_at: int = 0

    @property
    def client_order_id(self) -> str:
        """The id under which the exchange knows it."""
        return self.intent.client_order_id

    @property
    def unasked(self) -> bool:
        """True while a send that a restored journal forgot may stand, and nobody has asked yet."""
        return self.state is OrderState.PLANNED and self.ask_first and self.fence_time is None

    @property
    def unpriced(self) -> bool:
        """True when it is over and what filled has no price: a placing answer names none."""
        filled = self.state in FINAL and self.cumulative_quantity > 0
        return filled and self.average_price is None

    @property
    def open(self) -> bool:
        """True while something may still come of it."""
        return self.state not in FINAL

    @property
    def settled(self) -> bool:
        """True once the exchange's verdict is known: it is on the book, or over."""
        return self.state not in UNSETTLED


UNSETTLED = frozenset({OrderState.PLANNED, OrderState.SENDING, OrderState.UNKNOWN})
FINAL = frozenset(OrderState) - UNSETTLED - {OrderState.LIVE}
FAILED = frozenset({OrderState.REJECTED, OrderState.LAPSED, OrderState.PARKED})


@dataclass(frozen=True, slots=True)
class LegChange:
    """A compare-and-set on (state, attempt): `before` is None for a new leg."""

    before: Leg | None
    after: Leg


@dataclass(frozen=True, slots=True)
class Attempt:
    """One signed request for one leg, durable before its first byte leaves (insert only)."""

    client_order_id: str
    attempt: int
    request_id: str
    timestamp: int
    recv_window: int
    payload_sha256: str
    signed_at: int


@dataclass(frozen=True, slots=True)
class AttemptOutcome:
    """What the answer to an attempt proved."""

    client_order_id: str
    attempt: int
    outcome: Outcome
    code: int | None
    message: str
    answered_at: int


@dataclass(frozen=True, slots=True)
class FillRow:
    """A fill of one of our orders; unique by symbol and trade id."""

    client_order_id: str
    symbol: str
    fill: Fill


@dataclass(frozen=True, slots=True)
class Unseen:
    """A fill (signed) that no statement of its position may show yet; an `exit` made it smaller."""

    symbol: str
    position_side: str
    size: Decimal
    event_time: int
    exit: bool = False


@dataclass(frozen=True, slots=True)
class AlertRow:
    """An acknowledged alert with its outcome, kept for `why` and for duplicates."""

    path: str
    body_hash: str
    fields: Mapping[str, Value]
    received_at: int
    event_time: int | None
    outcome: str


@dataclass(frozen=True, slots=True)
class Received:
    """What waits in the journal's inbox until the leader takes it: an alert, or a command.

    `key` makes it unique: it is taken once. `event_time` (ms) is the sender's own time.
    """

    key: str
    kind: str
    data: Mapping[str, Any]
    received_at: int
    event_time: int | None = None


@dataclass(frozen=True, slots=True)
class DeadManState:
    """One symbol's countdown on the exchange, as last confirmed (server time).

    `expired`: it ran out (at `expired_since`, server time) and that was not yet said.
    `late_told`: that a refresh is overdue was said.
    """

    symbol: str
    countdown: int
    confirmed_time: int
    expired: bool = False
    late_told: bool = False
    expired_since: int | None = None


@dataclass(frozen=True, slots=True)
class RuleMemory:
    """What is kept under (rule id, symbol) across restarts and reloads.

    `triggers` maps a trigger's name to its own plain memory (text, whole numbers, true/false).
    `day` is the UTC day number that `fires_today` counts. `enabled` overrides the file.
    """

    last_fired_at: int | None = None
    fires: int = 0
    fires_today: int = 0
    day: int = 0
    enabled: bool | None = None
    triggers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(slots=True)
class Decision:
    """All that one event (or one turn of the clock) changes; committed in one transaction.

    `answer` is what an alert's sender gets, once it is committed.
    """

    records: list[Record] = field(default_factory=list)
    alerts: list[AlertRow] = field(default_factory=list)
    new_runs: list[Run] = field(default_factory=list)
    runs: dict[str, Run] = field(default_factory=dict)
    legs: dict[str, LegChange] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)
    outcomes: list[AttemptOutcome] = field(default_factory=list)
    fills: list[FillRow] = field(default_factory=list)
    memories: dict[tuple[str, str], RuleMemory] = field(default_factory=dict)
    dead_men: dict[str, DeadManState] = field(default_factory=dict)
    rule_texts: dict[str, str] = field(default_factory=dict)
    taken: list[Received] = field(default_factory=list)
    outbox: list[Outgoing] = field(default_factory=list)
    settled: list[Settled] = field(default_factory=list)
    answer: AlertAnswer | None = None

    @property
    def empty(self) -> bool:
        """True when nothing needs a commit."""
        return not (
            self.records
            or self.alerts
            or self.new_runs
            or self.runs
            or self.legs
            or self.attempts
            or self.outcomes
            or self.fills
            or self.memories
            or self.dead_men
            or self.rule_texts
            or self.taken
            or self.outbox
            or self.settled
        )

    def change_leg(self, before: Leg | None, after: Leg) -> None:
        """Note a leg's change; several in one decision fold into one compare-and-set."""
        known = self.legs.get(after.client_order_id)
        self.legs[after.client_order_id] = LegChange(known.before if known else before, after)


@dataclass(frozen=True, slots=True)
class RuleAnswer:
    """What one rule made of an alert, for one symbol."""

    rule_id: str
    symbol: str
    outcome: str
    run_id: str = ""
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class AlertAnswer:
    """What an alert's sender is told: `outcome` is fired, not fired, duplicate or unfit;
    stored when another runner will decide.
    """

    outcome: str
    rules: tuple[RuleAnswer, ...]
