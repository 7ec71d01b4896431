"""Small builders for tests of the core: a symbol, a view, rules from plain values, legs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from runner.core.actions import ACTIONS
from runner.core.decision import Decision, Leg, RuleMemory, Run, RunStatus
from runner.core.document import Node
from runner.core.engine import Engine
from runner.core.events import ExecutionReport, Fire, Positions, PositionUpdate
from runner.core.instruments import Instrument
from runner.core.legs import Moment
from runner.core.lifecycle import Timing
from runner.core.limits import Limits
from runner.core.orders import (
    Call,
    CancelIntent,
    Family,
    Identity,
    Intent,
    OrderIntent,
    OrderState,
    OrderType,
    Outcome,
    Side,
    TimeInForce,
)
from runner.core.prices import Band, PriceBoard
from runner.core.rules import Action, ActionContext, DeadMan, Rule, RuleSet
from runner.core.running import World
from runner.core.state import Entry, State, parked_ids
from runner.core.view import Exposure, Names, View, scope

SYMBOL = "BTCUSDT"
START = 1_700_000_000_000
TIMING = Timing()
NAMESPACE = "t"


def dec(text: str | int) -> Decimal:
    """A short name for an exact number."""
    return Decimal(text)


def moment(now: int = START, timing: Timing = TIMING, *, ahead: int = 0) -> Moment:
    """A moment; the exchange's clock is `ahead` of ours."""
    return Moment(now, now + ahead, timing)


def instrument(symbol: str = SYMBOL, **changes: Any) -> Instrument:
    """A generous symbol: tick 0.1, step 0.001."""
    given: dict[str, Any] = {
        "symbol": symbol,
        "status": "TRADING",
        "base_asset": "BTC",
        "quote_asset": "USDT",
        "margin_asset": "USDT",
        "contract_type": "PERPETUAL",
        "tick_size": dec("0.1"),
        "min_price": dec("0.1"),
        "max_price": dec("10000000"),
        "step_size": dec("0.001"),
        "min_quantity": dec("0.001"),
        "max_quantity": dec("1000"),
        "market_step_size": dec("0.001"),
        "market_min_quantity": dec("0.001"),
        "market_max_quantity": dec("1000"),
        "min_notional": dec(5),
        "multiplier_up": dec("1.5"),
        "multiplier_down": dec("0.5"),
        "max_orders": 200,
        "order_types": frozenset(OrderType),
        "time_in_force": frozenset(TimeInForce),
    }
    return Instrument(**{**given, **changes})


def view(mark: str | None = "70000", *, symbol: str = SYMBOL, now: int = START) -> View:
    """A world with one symbol, flat, at this mark price."""
    board = PriceBoard(stale_after=10**12)
    if mark is not None:
        board.publish({(symbol, "mark"): Band()})
        board.offer(symbol, "mark", dec(mark), now, now)
    return View(board, {symbol: instrument(symbol)}, positions_known=True)


def position(size: str, *, side: str = "BOTH", at: int = START, symbol: str = SYMBOL) -> Any:
    """A position of this signed size."""
    return PositionUpdate(symbol, side, dec(size), dec(70000), dec(0), at)


def order(
    part: str = "0.0",
    *,
    side: Side = Side.BUY,
    kind: OrderType = OrderType.LIMIT,
    quantity: str | None = "1",
    price: str | None = "70000",
    **more: Any,
) -> OrderIntent:
    """An order under an id derived from `part`."""
    return OrderIntent(
        client_order_id=identity().client_order_id(part),
        symbol=SYMBOL,
        side=side,
        type=kind,
        quantity=None if quantity is None else dec(quantity),
        price=None if price is None or kind is OrderType.MARKET else dec(price),
        **more,
    )


def cancel(part: str = "0.cancel", target: str | None = None) -> CancelIntent:
    """A cancel of `target`, or of all."""
    return CancelIntent(identity().client_order_id(part), SYMBOL, Family.ORDER, target)


def identity(rule_id: str = "rule", key: str = "key", symbol: str = SYMBOL) -> Identity:
    """A run's identity."""
    return Identity(NAMESPACE, "main", rule_id, "manual", symbol, key)


def leg(
    intent: Intent | None = None,
    state: OrderState = OrderState.PLANNED,
    *,
    name: str = "0.0",
    run_id: str = "run",
    **more: Any,
) -> Leg:
    """A leg in this state; signed at START when it is past PLANNED."""
    if state is not OrderState.PLANNED:
        fence = TIMING.fence(START)
        more = {"attempt": 1, "signed_time": START, "fence_time": fence, **more}
    return Leg(intent or order(name), run_id, name, state, START, **more)


def report(of: Leg | str, outcome: Outcome = Outcome.ACCEPTED, **more: Any) -> ExecutionReport:
    """A report on a leg; `origin` is an answer to its attempt unless said otherwise."""
    key = of if isinstance(of, str) else of.client_order_id
    origin = more.pop("origin", "answer")
    if origin == "answer" and isinstance(of, Leg):
        more.setdefault("attempt", of.attempt)
    for name in ("cumulative_quantity", "average_price"):
        if isinstance(more.get(name), str):
            more[name] = dec(more[name])
    return ExecutionReport(key, origin, outcome, more.pop("event_time", START), **more)


def built(kind: str, value: Any) -> Action:
    """An action from the plain tree of a rule file; numbers as text become Decimal."""
    node = Node(_exact(value), scope=scope())
    action = ACTIONS[kind].build(node)
    assert action is not None, node.problems
    return action


def problems(kind: str, value: Any) -> list[str]:
    """The codes of the problems that a rule file's block has."""
    node = Node(_exact(value), scope=scope())
    ACTIONS[kind].build(node)
    return [problem.code for problem in node.problems]


def _exact(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _exact(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_exact(item) for item in value]
    return Decimal(str(value)) if isinstance(value, int | float) and value is not True else value


def rule(rule_id: str, *actions: Action, **more: Any) -> Rule:
    """A rule that is fired by hand."""
    text = f"{rule_id}:{len(actions)}:{more}"
    given: dict[str, Any] = {"limits": Limits(), "text": text, "text_hash": text, **more}
    symbols = given.pop("symbols", (SYMBOL,))
    return Rule(rule_id, rule_id, "main", symbols, (), (), tuple(actions), **given)


def rule_set(*rules: Rule, dead_men: Sequence[DeadMan] = ()) -> RuleSet:
    """These rules together."""
    return RuleSet({r.id: r for r in rules}, {d.symbol: d for d in dead_men}, "revision")


def context(
    action: Action,
    legs: Mapping[str, Leg] | None = None,
    *,
    world: View | None = None,
    open_legs: Sequence[Leg] = (),
    overdue: bool = False,
) -> ActionContext:
    """What an action is asked with."""
    names = Names(world or view(), SYMBOL, START, {}, RuleMemory(), Exposure)
    run = Run(identity().run_id(), identity(), "hash", {}, START)
    return ActionContext(
        run=run,
        rule=rule("rule", action),
        index=0,
        names=names,
        legs=legs or {},
        open_legs=lambda _: tuple(open_legs),
        overdue=overdue,
    )


@dataclass(frozen=True, slots=True)
class Request:
    """A signed request, as far as the engine looks at it."""

    call: Call
    timestamp: int
    request_id: str = "request"
    recv_window: int = 3_000
    payload_sha256: str = "hash"
    method: str = "POST"
    path: str = "/order"


@dataclass(slots=True)
class ModelJournal:
    """What a journal would remember of the decisions: plain dictionaries of the dataclasses."""

    runs: dict[str, Run] = field(default_factory=dict)
    legs: dict[str, Leg] = field(default_factory=dict)
    memories: dict[tuple[str, str], RuleMemory] = field(default_factory=dict)
    dead_men: dict[str, Any] = field(default_factory=dict)
    attempts: dict[tuple[str, int], Any] = field(default_factory=dict)
    records: list[Any] = field(default_factory=list)

    def commit(self, decision: Decision) -> None:
        """Take a decision; each leg's change is a compare-and-set."""
        for run in decision.new_runs:
            assert run.run_id not in self.runs, "a run was begun twice"
            self.runs[run.run_id] = run
        self.runs.update(decision.runs)
        for key, change in decision.legs.items():
            known = self.legs.get(key)
            assert (known is None) == (change.before is None)
            if known is not None and change.before is not None:
                before = change.before
                assert (known.state, known.attempt) == (before.state, before.attempt)
            self.legs[key] = change.after
        for attempt in decision.attempts:
            assert (attempt.client_order_id, attempt.attempt) not in self.attempts
            self.attempts[attempt.client_order_id, attempt.attempt] = attempt
        for outcome in decision.outcomes:
            assert (outcome.client_order_id, outcome.attempt) in self.attempts
        self.memories.update(decision.memories)
        self.dead_men.update(decision.dead_men)
        self.records += decision.records

    def seen(self, rule_id: str, trigger: str, symbol: str, key: str) -> str | None:
        """The run that this event already led to."""
        for run in self.runs.values():
            one = run.identity
            if (one.rule_id, one.trigger, one.symbol, one.event_key) == (
                rule_id,
                trigger,
                symbol,
                key,
            ):
                return run.run_id
        return None

    def remembered(self) -> State:
        """A State as a start would build it: open runs with their legs, and every open leg."""
        state = State()
        running = {r.run_id for r in self.runs.values() if r.status is RunStatus.RUNNING}
        parked = parked_ids(self.memories)
        kept = [
            leg
            for key, leg in self.legs.items()
            if leg.open or leg.run_id in running or key in parked
        ]
        for run_id in running:
            state.put_run(self.runs[run_id])
        for one in kept:
            state.rule_ids[one.run_id] = self.runs[one.run_id].identity.rule_id
            state.put_leg(one)
        owners = {run_id: run.identity.rule_id for run_id, run in self.runs.items()}
        entries = (
            Entry(leg.planned_at, owners[leg.run_id], leg.intent.symbol)
            for leg in self.legs.values()
            if not leg.intent.protective
        )
        state.entries.extend(sorted(entries))
        state.memories.update(self.memories)
        state.dead_men.update(self.dead_men)
        return state

    def named(self, name: str) -> Leg:
        """The only leg of this name."""
        found = [leg for leg in self.legs.values() if leg.name == name]
        assert len(found) == 1, f"{name} among {sorted(leg.name for leg in self.legs.values())}"
        return found[0]

    def alarms(self) -> list[str]:
        """Every critical line."""
        return [r.text for r in self.records if r.kind == "notify" and "CRITICAL" in r.text]


class Bench:
    """An engine with a model journal and a hand-moved clock."""

    def __init__(
        self,
        rules: RuleSet,
        world: View | None = None,
        *,
        now: int = START,
        timing: Timing = TIMING,
    ) -> None:
        """Loaded and recovered, nothing fired."""
        self.rules, self.view, self.now, self.timing = rules, world or view(), now, timing
        self.journal = ModelJournal()
        self.engine = self._engine(State())

    def _engine(self, state: State) -> Engine:
        world = World(RuleSet(), self.view, NAMESPACE, "main", self.journal.seen)
        engine = Engine(world, state)
        self.journal.commit(engine.load(self.rules, self.moment))
        self.journal.commit(engine.recover(self.moment))
        return engine

    @property
    def moment(self) -> Moment:
        """Now; both clocks agree."""
        return Moment(self.now, self.now, self.timing)

    def restart(self) -> None:
        """The process is gone; the next one has what the journal remembers."""
        self.engine = self._engine(self.journal.remembered())

    def tell(self, *events: Any) -> Decision:
        """Process events one by one and commit; returns the last decision."""
        decision = Decision()
        for event in events:
            decision = self.engine.process(event, self.moment)
            self.journal.commit(decision)
        return decision

    def fire(self, rule_id: str, key: str = "1", symbol: str = SYMBOL) -> Decision:
        """Fire a rule by hand."""
        return self.tell(Fire(rule_id, symbol, key, self.now))

    def pass_time(self, ms: int) -> None:
        """Move the clock and wake the engine."""
        self.now += ms
        self.journal.commit(self.engine.wake(self.moment))

    def calls(self, *kinds: type) -> list[Call]:
        """What may leave now, of these kinds (all when none is given)."""
        found = list(self.engine.calls(self.moment))
        return [call for call in found if not kinds or isinstance(call, kinds)]

    def send(self, *calls: Call) -> None:
        """Make the attempts durable."""
        requests = [Request(call, self.now) for call in calls]
        self.journal.commit(self.engine.sending(requests, self.moment))

    def hold(self, *positions: PositionUpdate) -> None:
        """A reading of the positions."""
        self.tell(Positions(positions, self.now))
