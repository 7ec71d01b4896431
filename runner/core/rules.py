"""Rules as data, and the two protocols that every trigger and action kind fulfils."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import UTC, tzinfo
from decimal import Decimal
from enum import Enum
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

from runner.core import flats
from runner.core.active import Active
from runner.core.decision import Leg, Reason, Run
from runner.core.document import Node, Scope
from runner.core.events import Event, PriceSource, Value
from runner.core.formula import EvaluationError, Formula
from runner.core.limits import Limits
from runner.core.orders import Intent
from runner.core.prices import Trail
from runner.core.values import dataclass
from runner.core.view import Names, View

Memory = Mapping[str, Any]
Mode = Literal["single", "queued", "restart"]
"""What a rule does when it fires while its last run goes on: not, later, or in its place."""

Interest = tuple[str, str]
"""What a trigger listens to: ("webhook", path), ("price", source), ("schedule", name), …"""


@dataclass(frozen=True, slots=True)
class Hit:
    """The trigger fires: `event_key` is what makes the firing unique, `fields` are `trigger.*`."""

    event_key: str
    fields: Mapping[str, Value]
    memory: Memory
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Miss:
    """The event was meant for this trigger and did not fire it; recorded with its reason."""

    reason: Reason
    detail: str
    memory: Memory
    event_key: str = ""


@dataclass(frozen=True, slots=True)
class Quiet:
    """Nothing to fire; `note` (kind, text) is recorded when the trigger's state changed."""

    memory: Memory
    note: tuple[str, str] | None = None


Match = Hit | Miss | Quiet


@dataclass(frozen=True, slots=True)
class Waits:
    """The price levels a trigger waits for.

    `source` is a price source or `moved_source(…)`. `awake`: it must hear of the very next tick;
    `wake_at`: from then on it must (ms); `trail`: it must when the price is that far back.
    """

    source: str
    levels: tuple[Decimal, ...]
    awake: bool = False
    wake_at: int | None = None
    trail: Trail | None = None


class Trigger(Protocol):
    """One entry under `when:`. `name` is its place in the rule: `price`, `price#2`, `webhook`."""

    kind: ClassVar[str]

    @property
    def name(self) -> str:
        """Stable under edits and under reordering with other kinds."""

    @property
    def fields(self) -> Scope:
        """The names and types it offers to formulas as `trigger.*`."""

    @property
    def interest(self) -> Interest:
        """What it listens to."""

    @property
    def fingerprint(self) -> str:
        """Changes when the trigger was edited: then its memory starts over."""

    def match(self, event: Event, memory: Memory, names: Names) -> Match:
        """Look at one event; pure. `names.now` is the time."""


@runtime_checkable
class WaitsForPrice(Protocol):
    """What a trigger that compares prices says besides."""

    @property
    def moving(self) -> bool:
        """True when its levels are formulas: they move with the position and the account."""

    def waits(self, memory: Memory, names: Names) -> Waits:
        """The levels it waits for now. Raises EvaluationError when one has no value."""


@runtime_checkable
class WaitsForTime(Protocol):
    """What a trigger says besides that does something when time has passed: it gets a Due."""

    def due_at(self, memory: Memory) -> int | None:
        """When its wait is over (ms); None while it waits for something else."""


@runtime_checkable
class Begins(Protocol):
    """What a trigger says besides that remembers something from its first moment on."""

    def begin(self, memory: Memory, names: Names) -> Memory:
        """Its memory as of now; what is known already stays. Loading a rule never fires it."""


class Progress(Enum):
    """How far an action is: WAITING holds the next one back, PASSED lets it begin and goes on."""

    WAITING = "waiting"
    PASSED = "passed"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Planned:
    """An intent an action wants, under its leg name; `deadline` ms, None for exits."""

    name: str
    intent: Intent
    deadline: int | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What an action wants now. Legs are named, so saying the same again changes nothing.

    `arm` sets symbols' dead-man switches ("file": as their file says, None: disarms). `withdraw`
    names own legs that shall not be sent any more. `ask_again`: what it waits for are not its own
    legs.
    """

    progress: Progress
    planned: tuple[Planned, ...] = ()
    notes: tuple[str, ...] = ()
    switch: Mapping[str, bool] = field(default_factory=dict)
    arm: Mapping[str, DeadMan | Literal["file"] | None] = field(default_factory=dict)
    withdraw: tuple[str, ...] = ()
    ask_again: bool = False
    reason: Reason | None = None
    detail: str = ""
    critical: bool = False


def unknown_hand(leg: Leg) -> str:
    """For who knows of no cancel of ours: it was somebody else's."""
    del leg
    return ""


@dataclass(frozen=True, slots=True)
class ActionContext:
    """What an action sees when it is asked: the run, its own legs so far, and the world.

    `legs` are this action's own, by full name. `open_legs(rule_id)` are what a rule (all rules,
    when None) has open on this symbol. `unseen(position_side)` is the signed size that filled and
    that no statement of the position shows yet. `closed(entry)`: others closed what it opened;
    `cancelled_by(leg)`: whose cancel of ours took it off the book, empty for somebody else's.
    `overdue`: data that it waits for did not come in time.
    """

    run: Run
    rule: Rule
    index: int
    names: Names
    legs: Mapping[str, Leg]
    open_legs: Callable[[str | None], tuple[Leg, ...]]
    overdue: bool = False
    unseen: Callable[[str], Decimal] = flats.all_seen
    closed: Callable[[Leg], flats.Closed | None] = flats.all_held
    cancelled_by: Callable[[Leg], str] = unknown_hand

    @property
    def view(self) -> View:
        """The world as last reported."""
        return self.names.view

    @property
    def symbol(self) -> str:
        """The symbol of the run."""
        return self.run.identity.symbol

    @property
    def now(self) -> int:
        """The time in ms."""
        return self.names.now

    def leg_name(self, part: str) -> str:
        """The full name of a leg of this action: unique in the run, stable for ever."""
        return f"{self.index}.{part}"

    def client_order_id(self, part: str) -> str:
        """The id of a leg of this action."""
        return self.run.identity.client_order_id(self.leg_name(part))

    def leg(self, part: str) -> Leg | None:
        """The leg of this action under this part of the name, if it was planned."""
        return self.legs.get(self.leg_name(part))

    def held(self, position_side: str) -> Decimal:
        """The signed size of a position, with the fills that it does not show yet.

        Raises EvaluationError while positions are not known: "flat" would be a guess.
        """
        if not self.view.positions_known:
            raise EvaluationError(f"what {self.symbol} holds is not known yet", "position.size")
        stated = self.view.positions.get((self.symbol, position_side))
        return (stated.size if stated else Decimal(0)) + self.unseen(position_side)

    def deadline(self, own: int | None = None) -> int:
        """When an entry decided by this run is too old to be sent."""
        return self.run.fired_at + (self.rule.expires_after if own is None else own)


class Action(Protocol):
    """One entry under `do:`."""

    kind: ClassVar[str]

    def step(self, context: ActionContext) -> Step:
        """What shall exist now, given the legs so far; pure, asked again on every change."""

    def formulas(self) -> tuple[Formula, ...]:
        """Every formula in it: their names tell which prices must be streamed."""


@runtime_checkable
class Priced(Protocol):
    """What an action says besides that turns money into sizes."""

    @property
    def sources(self) -> frozenset[PriceSource]:
        """The prices that it is sized by."""


@dataclass(frozen=True, slots=True)
class TriggerKind:
    """A registry entry: what the schema, the builder and the documentation know of a kind."""

    kind: str
    schema: Mapping[str, Any]
    build: Callable[[Node, str], Trigger | None]
    example: str


@dataclass(frozen=True, slots=True)
class ActionKind:
    """A registry entry: what the schema, the builder and the documentation know of a kind."""

    kind: str
    schema: Mapping[str, Any]
    build: Callable[[Node], Action | None]
    example: str


@dataclass(frozen=True, slots=True)
class DeadMan:
    """One symbol's dead-man switch: countdown and refresh in ms.

    `require`: it is refreshed only while these are well, too: streams, heartbeat.
    """

    symbol: str
    countdown: int
    refresh: int
    require: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, compiled. `text` is its canonical JSON, `text_hash` names that revision.

    `limits` are its file's guards, `own_limits` those that stand in the rule itself.
    """

    id: str
    name: str
    account: str
    symbols: tuple[str, ...]
    triggers: tuple[Trigger, ...]
    conditions: tuple[Formula, ...]
    actions: tuple[Action, ...]
    limits: Limits
    text: str
    text_hash: str
    cooldown: int = 0
    max_fires: int | None = None
    max_fires_per_day: int | None = None
    enabled: bool = True
    dry_run: bool = False
    expires_after: int = 60_000
    stop_on_failure: bool = True
    hold_unknown: bool = False
    cancel_on_remove: bool = False
    mode: Mode = "single"
    active: Active | None = None
    zone: tzinfo = UTC
    renamed_from: str = ""
    file: str = ""
    line: int = 0
    own_limits: Limits = field(default_factory=Limits)
    supersedes: bool = field(init=False, repr=False, compare=False)
    named: frozenset[str] = field(init=False, repr=False, compare=False)
    reckoned: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Reckon once what every event of the rule asks for.

        `supersedes`: its newest event goes before older ones, it brings the position to a size;
        `named`: what its conditions and actions look at; `reckoned`: the price sources without
        which its conditions and orders cannot be reckoned.
        """
        formulas = [*self.conditions, *(f for action in self.actions for f in action.formulas())]
        named = frozenset(name for formula in formulas for name in formula.names)
        sized = {s for action in self.actions if isinstance(action, Priced) for s in action.sources}
        found: set[str] = {source for name, source in PRICE_NAMES.items() if name in named}
        supersedes = any(action.kind == "target" for action in self.actions)
        object.__setattr__(self, "supersedes", supersedes)
        object.__setattr__(self, "named", named)
        object.__setattr__(self, "reckoned", frozenset(found | sized))

    def sources(self) -> frozenset[str]:
        """What must be streamed: price sources of triggers and formulas, and `kline_15m`."""
        found = set(self.reckoned)
        heard = [trigger.interest for trigger in self.triggers]
        found.update(what for kind, what in heard if kind == "price")
        found.update(f"{KLINE}{what}" for kind, what in heard if kind == "kline")
        # sizing and the exchange's own price checks go by the mark
        return frozenset(found | {"mark"})


KLINE = "kline_"
"""Before an interval: the name under which its candles are streamed, `kline_15m`."""

PRICE_NAMES: dict[str, PriceSource] = {
    "mark": "mark",
    "last": "last",
    "bid": "bid",
    "ask": "ask",
    "index": "index",
    "funding_rate": "funding",
}


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All rules that run together, as one immutable revision."""

    rules: Mapping[str, Rule] = field(default_factory=dict)
    dead_men: Mapping[str, DeadMan] = field(default_factory=dict)
    revision: str = ""
    wanted: frozenset[tuple[str, str]] = field(init=False, repr=False, compare=False)
    """Every (symbol, price source or candle) that must be streamed."""

    def __post_init__(self) -> None:
        """Reckon once what the rules want."""
        wanted = frozenset(
            (symbol, source)
            for rule in self.rules.values()
            for symbol in rule.symbols
            for source in rule.sources()
        )
        object.__setattr__(self, "wanted", wanted)
