"""Plans: what a rule would send now, through the real engine, with nothing sent or remembered."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from runner.connecting import wall_ms
from runner.core.actions.order import fills_at_once
from runner.core.decision import Decision, Leg, Reason, RuleAnswer, Run, RunStatus
from runner.core.engine import Engine
from runner.core.events import (
    AccountUpdate,
    CallFailed,
    Event,
    ExecutionReport,
    Positions,
    PositionUpdate,
)
from runner.core.firing import offer
from runner.core.formula import EvaluationError
from runner.core.legs import Moment
from runner.core.orders import OrderIntent, Outcome, ReadCall, Sending, intents_of
from runner.core.prices import PriceBoard
from runner.core.rules import PRICE_NAMES, Hit, Rule, RuleSet, Trigger
from runner.core.running import World
from runner.core.state import State, Work
from runner.core.triggers.price import PriceTrigger
from runner.core.triggers.webhook import WebhookTrigger
from runner.core.view import View
from runner.errors import UsageError, VenueError
from runner.occasions import Happening, Occasion, Present, number
from runner.settings import Settings
from runner.venues import SignedRequest, Venue

PRICES_WITHIN = 10.0
"""Seconds to wait for the first price of each symbol and source."""

LOOK_EVERY = 0.02
MOST_ROUNDS = 20

_POSITION = frozenset({"size", "entry_price", "unrealised_pnl", "liquidation_price", "leverage"})
_ACCOUNT = frozenset({"available", "wallet_balance", "equity", "margin_ratio"})


@dataclass(frozen=True, slots=True)
class Condition:
    """A line of `if:` with what it saw; `holds` is None when a name had no value."""

    text: str
    holds: bool | None
    seen: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What would happen on one symbol.

    `rounds` are requests that leave together; a later one leaves once the one before was
    accepted. `answer` says why not when there are none. `notes` say what else would happen,
    `verdicts` what the guards made of each leg, by its name.
    """

    symbol: str
    trigger: str
    moment: Moment
    answer: RuleAnswer
    conditions: tuple[Condition, ...]
    rounds: tuple[tuple[SignedRequest, ...], ...]
    legs: Mapping[str, str]
    notes: tuple[str, ...]
    verdicts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


class Planner:
    """One rule beside the account as it is; signs, and never sends what it signed."""

    def __init__(self, venue: Venue, rules: RuleSet, settings: Settings, account: str) -> None:
        """`venue` is connected."""
        self._venue = venue
        self._rules = rules
        self._settings = settings
        self._account = account
        self._board = PriceBoard(settings.stale_after)
        self._view = View(self._board, venue.instruments())
        self._present = Present(self._view, rules, wall_ms())

    def look(self, rule: Rule) -> list[str]:
        """Read account and prices; returns what could not be had. Raises VenueError."""
        for what in ("positions", "account"):
            self._read(ReadCall(what))
        wanted = frozenset((symbol, source) for symbol in rule.symbols for source in rule.sources())
        stream = self._venue.market_stream(wanted, self._board, lambda _: None)
        stream.start()
        deadline = time.monotonic() + PRICES_WITHIN
        missing = wanted
        while missing and time.monotonic() < deadline:
            time.sleep(LOOK_EVERY)
            missing = frozenset(key for key in wanted if self._board.last(*key) is None)
        stream.stop()
        self._present.now = wall_ms()
        return [f"no price of {symbol} {source}" for symbol, source in sorted(missing)]

    def _read(self, call: ReadCall) -> None:
        signed = self._venue.sign(self._venue.request(call))
        for event in self._venue.interpret(signed, self._venue.send(signed)):
            if isinstance(event, CallFailed):
                raise VenueError(f"the {call.what} could not be read: {event.detail}")
            if isinstance(event, Positions):
                self._view.apply_positions(event)
            if isinstance(event, AccountUpdate):
                self._view.apply_account(event)

    def give(self, symbols: tuple[str, ...], name: str, text: str) -> None:
        """Put a value in the place of what is: mark, position.size, account.available …

        Raises UsageError for a name or a value that cannot be given.
        """
        room, _, part = name.partition(".")
        if name in PRICE_NAMES:
            for symbol in symbols:
                self._present.offer(symbol, PRICE_NAMES[name], number(name, text))
        elif room == "position" and part in _POSITION:
            for symbol in symbols:
                self._give_position(symbol, part, number(name, text))
        elif room == "account" and part in _ACCOUNT:
            figures: dict[str, Any] = {"wallet_balance": None, "available": None}
            figures[part] = number(name, text)
            self._view.apply_account(AccountUpdate(event_time=self._present.now, **figures))
        else:
            known = [*PRICE_NAMES, *(f"position.{each}" for each in sorted(_POSITION))]
            known += [f"account.{each}" for each in sorted(_ACCOUNT)]
            raise UsageError(f"{name} cannot be given: {', '.join(known)}")

    def _give_position(self, symbol: str, part: str, value: Decimal) -> None:
        zero = Decimal(0)
        flat = PositionUpdate(symbol, "BOTH", zero, zero, zero, self._present.now)
        known = self._view.positions.get((symbol, "BOTH"), flat)
        change: dict[str, Any] = {part: value}
        self._view.positions[symbol, "BOTH"] = replace(known, **change)

    # the plan

    def plan(self, rule: Rule, symbol: str, occasion: Occasion) -> Plan:
        """What the rule would do on this symbol. Raises UsageError when the occasion fits none."""
        engine = Engine(
            World(
                self._rules,
                self._view,
                self._settings.namespace,
                self._account,
                _unseen,
                self._settings.limits(self._account),
            ),
            State(),
        )
        engine.load(self._rules, self._moment())
        attempts = [
            self._attempt(engine, rule, symbol, trigger, occasion)
            for trigger in _triggers(rule, occasion)
        ]
        chosen = [one for one in attempts if one.answer.outcome == "fired"]
        fitting = [one for one in attempts if one.answer.reason != Reason.BODY.value]
        return (chosen or fitting or attempts)[0]

    def _attempt(
        self, engine: Engine, rule: Rule, symbol: str, trigger: Trigger, occasion: Occasion
    ) -> Plan:
        answer = RuleAnswer(rule.id, symbol, "quiet")
        happened, conditions = "", tuple[Condition, ...]()
        decisions: list[Decision] = []
        for event in Happening(self._present, rule, symbol, trigger, occasion).events():
            work = Work(engine.state, self._present.now)
            happened, conditions = _look(work, engine.world, rule, symbol, trigger, event)
            answer = offer(work, engine.world, rule, symbol, trigger, event)
            decisions.append(work.apply(engine.state.revisions))
            if answer.outcome != "quiet":
                break
        if answer.outcome == "quiet":
            answer = replace(answer, outcome="not fired", detail=_not_past(trigger, occasion))
        rounds = tuple(self._rounds(rule, engine, decisions))
        run = _run(decisions)
        if run is not None and run.reason and not rounds:
            answer = replace(answer, outcome="not fired", reason="stopped", detail=run.reason)
        legs = {leg.client_order_id: leg.name for leg in engine.state.legs.values()}
        legs |= {leg.client_order_id: leg.name for leg in engine.state.recent.values()}
        return Plan(
            symbol,
            f"{trigger.name}: {happened}" if happened else trigger.name,
            self._moment(),
            answer,
            conditions,
            rounds,
            legs,
            (*_told(decisions), *_open_ends(rule, run)),
            _verdicts(decisions, legs),
        )

    def _rounds(
        self, rule: Rule, engine: Engine, decisions: list[Decision]
    ) -> Iterator[tuple[SignedRequest, ...]]:
        """Requests that leave together, and, as if each was accepted, those that follow."""
        for _ in range(MOST_ROUNDS):
            moment = self._moment()
            calls = [c for c in engine.calls(moment) if isinstance(c, Sending)]
            if not calls:
                return
            signed = tuple(self._venue.sign(self._venue.request(call)) for call in calls)
            yield signed
            engine.sending(signed, moment)
            for call in calls:
                for intent in intents_of(call):
                    leg = engine.state.find(intent.client_order_id)
                    assert leg is not None
                    report = _accepted(rule, leg, moment)
                    decisions.append(engine.process(report, moment))

    def _moment(self) -> Moment:
        ahead = self._present.now - wall_ms()
        return Moment(self._present.now, self._venue.server_time() + ahead, self._settings.timing)


def _verdicts(
    decisions: list[Decision], legs: Mapping[str, str]
) -> Mapping[str, Mapping[str, Any]]:
    """What the guards made of each order that was planned, by the name of its leg."""
    records = [record for decision in decisions for record in decision.records]
    return {
        legs[record.client_order_id]: record.data
        for record in records
        if record.kind == "planned" and record.data and record.client_order_id in legs
    }


def _unseen(rule_id: str, trigger: str, symbol: str, event_key: str) -> None:
    """Nothing fired before: a plan is about an event that is new."""
    del rule_id, trigger, symbol, event_key


def _triggers(rule: Rule, occasion: Occasion) -> list[Trigger]:
    """The triggers of the rule that the occasion is about."""
    found: list[Trigger]
    if occasion.trigger:
        found = [t for t in rule.triggers if t.name == occasion.trigger]
        listed = ", ".join(t.name for t in rule.triggers)
        missing = f"has no trigger {occasion.trigger}, but {listed}"
    elif occasion.alert is not None:
        found = [t for t in rule.triggers if isinstance(t, WebhookTrigger)]
        missing = "takes no alerts: leave out --alert"
    elif occasion.price is not None:
        found = [t for t in rule.triggers if _priced(t)]
        missing = "waits for no price: leave out --price"
    else:
        found = [t for t in rule.triggers if not isinstance(t, WebhookTrigger)]
        fitting = [t for t in found if t.fields.keys() >= occasion.event.keys()]
        found = (fitting or found)[:1]
        missing = f"waits for an alert: give one with --alert '{_example(rule)}'"
    if not found:
        raise UsageError(f"{rule.id} {missing}")
    return found


def _priced(trigger: Trigger) -> bool:
    """True for what a price makes fire."""
    return "price" in trigger.fields and trigger.interest[0] in ("price", "kline")


def _example(rule: Rule) -> str:
    words = []
    for trigger in rule.triggers:
        for name, kind in getattr(trigger, "body", {}).items():
            value = f'"{kind.values[0]}"' if kind.values else "1"
            words.append(f'"{name}": {value}')
        break
    return f"{{{', '.join(words)}}}"


def _look(
    work: Work, world: World, rule: Rule, symbol: str, trigger: Trigger, event: Event
) -> tuple[str, tuple[Condition, ...]]:
    """What fires the rule, and every line of `if:` as it will see it; empty when it does not."""
    memory = work.memory(rule.id, symbol)
    names = world.names_before(work, rule, symbol)
    try:
        match = trigger.match(event, memory.triggers.get(trigger.name, {}), names)
    except EvaluationError:
        return "", ()
    if not isinstance(match, Hit):
        return "", ()
    names = replace(names, fields=match.fields)
    found = []
    for formula in rule.conditions:
        try:
            holds = formula.evaluate(names) is True
            found.append(Condition(formula.text, holds, formula.trace(names)))
        except EvaluationError as error:
            found.append(Condition(formula.text, None, error.reason))
    return match.detail, tuple(found)


def _accepted(rule: Rule, leg: Leg, moment: Moment) -> ExecutionReport:
    """As if the exchange had taken it: what fills at once is filled, the rest is on the book.

    How much of a bracket's entry fills is what its exits wait for: that is left open.
    """
    report = ExecutionReport(
        leg.client_order_id, "answer", Outcome.ACCEPTED, moment.server_now, 1, order_status="NEW"
    )
    of_bracket = rule.actions[int(leg.name.partition(".")[0])].kind == "bracket"
    if of_bracket or not isinstance(leg.intent, OrderIntent) or not fills_at_once(leg):
        return report
    return replace(report, order_status="FILLED", cumulative_quantity=leg.intent.quantity)


def _run(decisions: Sequence[Decision]) -> Run | None:
    """The run that the event began, as it stood in the end."""
    stands: dict[str, Run] = {}
    for decision in decisions:
        stands |= {run.run_id: run for run in decision.new_runs}
        stands |= decision.runs
    return next(iter(stands.values()), None)


def _told(decisions: Sequence[Decision]) -> list[str]:
    """What it would say on its way."""
    records = [record for decision in decisions for record in decision.records]
    return [f"{each.kind}: {each.text}" for each in records if each.kind in ("crossed", "notify")]


def _not_past(trigger: Trigger, occasion: Occasion) -> str:
    if isinstance(trigger, PriceTrigger) and occasion.price is not None:
        side = "above" if trigger.above else "below"
        return f"{trigger.source} {occasion.price} is not {side} the level"
    what = f"price {occasion.price}" if occasion.price is not None else "this"
    return f"{what} does not make {trigger.name} fire"


def _open_ends(rule: Rule, run: Run | None) -> list[str]:
    """What waits for fills, which a plan cannot know."""
    if run is None:
        return []
    if run.reason:
        return [f"then it stops: {run.reason}"]
    if run.status is not RunStatus.RUNNING or run.step >= len(rule.actions):
        return []
    action = rule.actions[run.step]
    if action.kind == "bracket":
        return ["the exits (stop, target) are placed for what the entry fills, when it fills"]
    return [f"do[{run.step}] {action.kind} goes on when what is before it is over"]
