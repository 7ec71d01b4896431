"""What the engine remembers, and one event's changes laid over it until they are whole."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import field
from decimal import Decimal
from typing import Any, NamedTuple

from runner.core.decision import (
    FINAL,
    DeadManState,
    Decision,
    Leg,
    Reason,
    Record,
    RuleMemory,
    Run,
    RunStatus,
    Unseen,
)
from runner.core.flats import Flats
from runner.core.orders import OrderIntent, OrderState
from runner.core.rules import DeadMan, Rule
from runner.core.values import dataclass
from runner.core.view import Exposure

MINUTE = 60_000
RECENT = 2_000
"""How many finished legs are remembered for late reports, such as the fill behind an answer."""

PRICE_PATIENCE = 2_000
"""Ms that the stream has to tell at what price an order filled, before the exchange is asked."""

PARKED = (":parked", "")
"""Under this key (no rule has it) the orders that are parked are remembered."""

FIRED = 10_000
"""How many runs are remembered by their id, for late reports and for repeated events."""


class Entry(NamedTuple):
    """When (ms) a risk-adding order was planned, by which rule, and on which symbol."""

    at: int
    rule_id: str = ""
    symbol: str = ""


@dataclass(slots=True)
class State:
    """Runs that go on, their legs, every open leg, rule memories and countdowns.

    `waiting` are the actions (run id, index) that lack data, and since when; `held_up` those that
    wait for the orders of other actions.

    `rule_ids` tell whose run a leg is, also after the run is over, and that an event has fired
    whose run is not committed yet: runs without a leg are over before their commit.

    `revisions` are the rules by text hash, so that a run finishes on the rule it started with.
    `entries` are the risk-adding orders of the last minute, for the guard that counts them;
    `parked` those of which nobody knows whether they are at the exchange; `unseen` are fills until
    the position shows them, and all positions were last read at `read_time` (server time).
    `armed` are the symbols whose dead-man switch an action set; `unpriced` tells when the price of
    what an order filled is asked for (ms), unless the stream tells it before.
    `restored_at` (ms, the exchange's clock) is when a journal was accepted that had forgotten what
    came after it; `fresh`: this start accepted it, so all it knows is from before; `in_doubt`: any
    event may still be from the forgotten time; `doubtful` are runs of events that may be.
    `disarming`: the runner stops and leaves no countdown behind. `flats`: positions that are gone.
    """

    runs: dict[str, Run] = field(default_factory=dict)
    legs: dict[str, Leg] = field(default_factory=dict)
    by_run: dict[str, dict[str, Leg]] = field(default_factory=dict)
    by_symbol: dict[str, dict[str, Leg]] = field(default_factory=dict)
    restless: dict[str, Leg] = field(default_factory=dict)
    memories: dict[tuple[str, str], RuleMemory] = field(default_factory=dict)
    dead_men: dict[str, DeadManState] = field(default_factory=dict)
    revisions: dict[str, Rule] = field(default_factory=dict)
    entries: deque[Entry] = field(default_factory=deque)
    parked: dict[str, Leg] = field(default_factory=dict)
    unpriced: dict[str, int] = field(default_factory=dict)
    recent: dict[str, Leg] = field(default_factory=dict)
    rule_ids: dict[str, str] = field(default_factory=dict)
    waiting: dict[tuple[str, int], int] = field(default_factory=dict)
    held_up: dict[tuple[str, int], None] = field(default_factory=dict)
    unseen: list[Unseen] = field(default_factory=list)
    read_time: int = 0
    restored_at: int | None = None
    fresh: bool = False
    in_doubt: bool = False
    doubtful: set[str] = field(default_factory=set)
    disarming: bool = False
    armed: dict[str, DeadMan | None] = field(default_factory=dict)
    flats: Flats = field(default_factory=Flats)

    def put_leg(self, leg: Leg) -> None:
        """Keep a leg under every index it belongs to; a finished one only with its run."""
        key, symbol = leg.client_order_id, leg.intent.symbol
        self.legs[key] = leg
        self.by_run.setdefault(leg.run_id, {})[leg.name] = leg
        self.parked.pop(key, None)
        if leg.state is OrderState.PARKED:
            self.parked[key] = leg
        if leg.unpriced:
            self.unpriced.setdefault(key, leg.updated_at + PRICE_PATIENCE)
        else:
            self.unpriced.pop(key, None)
        if leg.state in FINAL:
            self.by_symbol.get(symbol, {}).pop(key, None)
            self.restless.pop(key, None)
        else:
            self.by_symbol.setdefault(symbol, {})[key] = leg
            if leg.state is OrderState.LIVE and leg.next_at is None:
                self.restless.pop(key, None)
            else:
                self.restless[key] = leg

    def put_run(self, run: Run) -> None:
        """Keep a run while it goes on; forget a finished one with its finished legs."""
        self._remember(run)
        if run.status is RunStatus.RUNNING:
            self.runs[run.run_id] = run
            return
        self.runs.pop(run.run_id, None)
        self._forget(run.run_id)

    def _remember(self, run: Run) -> None:
        self.rule_ids[run.run_id] = run.identity.rule_id
        if len(self.rule_ids) > FIRED:
            oldest = next(iter(self.rule_ids))
            rule_id = self.rule_ids.pop(oldest)
            if oldest in self.runs or oldest in self.by_run:
                self.rule_ids[oldest] = rule_id

    def settle(self, leg: Leg) -> None:
        """A leg changed: when it was the last of a run that is over, both are forgotten."""
        if leg.run_id not in self.runs:
            self._forget(leg.run_id)

    def _forget(self, run_id: str) -> None:
        legs = self.by_run.get(run_id, {})
        if any(leg.open for leg in legs.values()):
            return
        for leg in self.by_run.pop(run_id, {}).values():
            self.legs.pop(leg.client_order_id, None)
            self.flats.filled.pop(leg.client_order_id, None)
            self.recent[leg.client_order_id] = leg
        while len(self.recent) > RECENT:
            self.recent.pop(next(iter(self.recent)))

    def find(self, client_order_id: str) -> Leg | None:
        """A leg that is kept, or one that finished not long ago."""
        return self.legs.get(client_order_id) or self.recent.get(client_order_id)

    def seen_until(self, event_time: int, symbol: str | None = None, side: str = "") -> None:
        """A position (every one when `symbol` is None) is stated as of then (server time)."""
        if symbol is None:
            self.read_time = max(self.read_time, event_time)
        self.unseen = [
            fill
            for fill in self.unseen
            if fill.event_time > event_time
            or (symbol is not None and (fill.symbol, fill.position_side) != (symbol, side))
        ]

    def count_entries(self, now: int) -> int:
        """How many risk-adding orders were planned within the last minute."""
        while self.entries and self.entries[0].at <= now - MINUTE:
            self.entries.popleft()
        return len(self.entries)


class Work:
    """One event's changes over a State: readable at once, applied only when all went well."""

    def __init__(self, state: State, now: int) -> None:
        """Nothing is changed yet."""
        self.state = state
        self.now = now
        self.decision = Decision()
        self.entries: list[Entry] = []
        self.unseen: list[Unseen] = []
        self._runs: dict[str, Run] = {}
        self._touched: dict[str, None] = {}

    # reading: the changes first, then what lies below

    def leg(self, client_order_id: str) -> Leg | None:
        """A leg as it is now."""
        change = self.decision.legs.get(client_order_id)
        return change.after if change else self.state.find(client_order_id)

    def run(self, run_id: str) -> Run | None:
        """A run as it is now; None when it is over and forgotten."""
        return self._runs.get(run_id) or self.state.runs.get(run_id)

    def rule_id(self, run_id: str) -> str:
        """The rule a run is of, also when the run is over; empty when that is forgotten."""
        run = self.run(run_id)
        return run.identity.rule_id if run else self.state.rule_ids.get(run_id, "")

    def legs_of(self, run_id: str) -> dict[str, Leg]:
        """A run's legs by name."""
        legs = dict(self.state.by_run.get(run_id, {}))
        for change in self.decision.legs.values():
            if change.after.run_id == run_id:
                legs[change.after.name] = change.after
        return legs

    def open_legs(self, symbol: str) -> list[Leg]:
        """Every open leg of a symbol."""
        legs = dict(self.state.by_symbol.get(symbol, {}))
        for key, change in self.decision.legs.items():
            if change.after.intent.symbol == symbol:
                legs[key] = change.after
        return [leg for leg in legs.values() if leg.open]

    def unsure_legs(self, symbol: str | None) -> list[Leg]:
        """Every leg of a symbol (of all when None) that is open, or parked and not resolved."""
        legs = {
            key: leg
            for each, own in self.state.by_symbol.items()
            if symbol in (None, each)
            for key, leg in own.items()
        }
        legs |= self.state.parked
        legs |= {key: change.after for key, change in self.decision.legs.items()}
        return [
            leg
            for leg in legs.values()
            if symbol in (None, leg.intent.symbol) and (leg.open or leg.state is OrderState.PARKED)
        ]

    def all_unseen(self) -> list[Unseen]:
        """Every fill that no statement of its position may show yet."""
        return [*self.state.unseen, *self.unseen]

    @property
    def all_seen(self) -> bool:
        """True while the positions show every fill: nearly always."""
        return not (self.state.unseen or self.unseen)

    def running(self, rule_id: str, symbol: str) -> Run | None:
        """The rule's run on this symbol that still goes on."""
        for run in (*self._runs.values(), *self.state.runs.values()):
            same = run.identity.rule_id == rule_id and run.identity.symbol == symbol
            current = self.run(run.run_id)
            if same and current is not None and current.status is RunStatus.RUNNING:
                return current
        return None

    def all_running(self, rule_id: str, symbol: str) -> list[str]:
        """The ids of the rule's runs on this symbol that still go on."""
        runs = {**self.state.runs, **self._runs}
        return [
            run_id
            for run_id, run in runs.items()
            if run.status is RunStatus.RUNNING
            and (run.identity.rule_id, run.identity.symbol) == (rule_id, symbol)
        ]

    def memory(self, rule_id: str, symbol: str) -> RuleMemory:
        """What is kept for the rule on this symbol."""
        key = (rule_id, symbol)
        return self.decision.memories.get(key) or self.state.memories.get(key) or RuleMemory()

    def exposure(self, symbol: str) -> Exposure:
        """Own orders on the book (or on their way there) of a symbol."""
        count, notional = 0, Decimal(0)
        for leg in self.open_legs(symbol):
            intent = leg.intent
            if not isinstance(intent, OrderIntent):
                continue
            count += 1
            price = intent.price or intent.trigger_price
            if price is not None and intent.quantity is not None:
                notional += price * (intent.quantity - leg.cumulative_quantity)
        return Exposure(count, notional)

    def fired(self, run_id: str) -> bool:
        """True when this run began not long ago, committed or not."""
        return run_id in self._runs or run_id in self.state.rule_ids

    def unseen_size(
        self, symbol: str, side: str, event_time: int, *, exits: bool = False
    ) -> Decimal:
        """Signed size that filled after the position was stated (server time).

        Without `exits` only what added counts: the careful reading for a limit.
        """
        since = max(event_time, self.state.read_time)
        fills = (
            fill.size
            for fill in self.all_unseen()
            if (fill.symbol, fill.position_side) == (symbol, side)
            and fill.event_time > since
            and (exits or not fill.exit)
        )
        return sum(fills, Decimal(0))

    # writing

    def put_leg(self, after: Leg) -> None:
        """Change or add a leg."""
        before = self.state.find(after.client_order_id)
        self.decision.change_leg(before, after)
        self._touched[after.run_id] = None

    def put_run(self, run: Run) -> None:
        """Change a run."""
        self._runs[run.run_id] = run
        self.decision.runs[run.run_id] = run

    def add_run(self, run: Run, rule: Rule) -> None:
        """A new run of a rule; the rule's text is kept with the first one that uses it."""
        self._runs[run.run_id] = run
        self.decision.new_runs.append(run)
        self.decision.rule_texts[rule.text_hash] = rule.text

    def put_memory(self, rule_id: str, symbol: str, memory: RuleMemory) -> None:
        """Change what is kept for the rule on this symbol."""
        if memory != self.memory(rule_id, symbol):
            self.decision.memories[rule_id, symbol] = memory

    def record(self, kind: str, text: str, **fields: Any) -> None:
        """Add a line to the journal's log."""
        self.decision.records.append(Record(self.now, kind, text, **fields))

    def refuse(
        self, rule_id: str, symbol: str, reason: Reason, detail: str, run_id: str = ""
    ) -> None:
        """Record why a rule did not fire."""
        self.record(
            "refused", detail, rule_id=rule_id, symbol=symbol, reason=reason.value, run_id=run_id
        )

    def touch(self, run_id: str) -> None:
        """This run shall be asked anew."""
        self._touched[run_id] = None

    def asked(self, run_id: str) -> None:
        """This run is asked right now, as its legs are."""
        self._touched.pop(run_id, None)

    def touched_runs(self) -> Iterable[str]:
        """Runs whose legs changed since the last call."""
        touched, self._touched = self._touched, {}
        return tuple(touched)

    def apply(self, revisions: Mapping[str, Rule]) -> Decision:
        """Make the changes part of the State and return them for the journal."""
        self._keep_parked()
        state, decision = self.state, self.decision
        for run in decision.new_runs:
            rule = revisions.get(run.rule_hash)
            if rule is not None:
                state.revisions.setdefault(run.rule_hash, rule)
        for change in decision.legs.values():
            state.put_leg(change.after)
        for run in self._runs.values():
            state.put_run(run)
        for change in decision.legs.values():
            state.settle(change.after)
        state.memories.update(decision.memories)
        state.dead_men.update(decision.dead_men)
        if self.entries:
            state.entries.extend(self.entries)
            # also where no guard asks for them: they would become more for ever
            state.count_entries(self.now)
        state.unseen += self.unseen
        return decision

    def _keep_parked(self) -> None:
        """Parked orders are remembered by their ids: they are not open, and their runs are over."""
        changes = self.decision.legs.values()
        moved = [each for each in changes if _is_parked(each.before) or _is_parked(each.after)]
        if not moved:
            return
        kept = dict(parked_ids({PARKED: self.memory(*PARKED)}))
        for each in moved:
            kept.pop(each.after.client_order_id, None)
            if _is_parked(each.after):
                kept[each.after.client_order_id] = each.after.intent.symbol
        self.put_memory(*PARKED, RuleMemory(triggers={"orders": kept}))


def _is_parked(leg: Leg | None) -> bool:
    return leg is not None and leg.state is OrderState.PARKED


def parked_ids(memories: Mapping[tuple[str, str], RuleMemory]) -> Mapping[str, str]:
    """The client order ids of the orders that are parked now, each with its symbol."""
    return memories.get(PARKED, RuleMemory()).triggers.get("orders", {})
