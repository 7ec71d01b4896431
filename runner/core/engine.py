"""The engine: takes an event, gives a Decision; all the deciding there is, and no effect."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from runner.core import asking, commands, curbs, deadman, legs, links, polling, recovery, reporting
from runner.core.asking import Questions, Signed
from runner.core.countdowns import Countdowns
from runner.core.decision import (
    AlertAnswer,
    AlertRow,
    Attempt,
    Decision,
    Leg,
    Record,
)
from runner.core.events import (
    AccountUpdate,
    Alert,
    CallDone,
    CallFailed,
    Command,
    DeadManReport,
    Due,
    Event,
    ExecutionReport,
    Fire,
    JournalTrouble,
    KlineClosed,
    OpenOrders,
    OrderChanged,
    PositionIncident,
    Positions,
    PositionUpdate,
    Resolve,
    StreamState,
    Tick,
)
from runner.core.firing import answered, fire, offer
from runner.core.holdings import ACCOUNT_PAUSE, Holdings
from runner.core.legs import Moment
from runner.core.lifecycle import BY_WEBSOCKET
from runner.core.links import Links
from runner.core.listening import Listening
from runner.core.loading import Reload, take_up
from runner.core.orders import (
    Call,
    DeadManCall,
    ReadCall,
    Sending,
    intents_of,
)
from runner.core.prices import Band, Key
from runner.core.resolving import resolve
from runner.core.rules import Hit, Rule, RuleSet
from runner.core.running import World, advance
from runner.core.state import State, Work
from runner.core.telling import Telling
from runner.core.triggers.schedule import ScheduleTrigger
from runner.core.values import replace

DATA_RETRY = 100
"""Ms after which an action that lacks data is asked again."""

CLOCK_CODES = frozenset({-1021, -5028})


class Engine:
    """All state of one account's rules; the dispatcher thread alone calls it."""

    def __init__(self, world: World, state: State) -> None:
        """An engine over a state that the journal remembered; call `load`, then `recover`."""
        self.world = world
        self.state = state
        self.questions = Questions()
        self.links = Links()
        self._listening = Listening(world, state)
        self._telling = Telling(world, self._listening)
        self._countdowns = Countdowns(world, self._listening)
        self._handlers: dict[type, Callable[[Work, Any, Moment], None]] = {
            Alert: self._alert,
            Tick: self._tick,
            Due: self._due,
            Fire: self._fire,
            Resolve: resolve,
            Command: lambda work, event, _: commands.command(work, self.world, event),
            ExecutionReport: self._report,
            PositionUpdate: lambda *told: self._holdings().position(*told),
            Positions: lambda *told: self._holdings().positions(*told),
            AccountUpdate: self._account,
            OpenOrders: self._open_orders,
            DeadManReport: self._dead_man_report,
            StreamState: self._stream,
            CallFailed: self._call_failed,
            CallDone: self._call_done,
            KlineClosed: self._kline,
            PositionIncident: lambda work, event, _: self._holdings().incident(work, event),
            OrderChanged: self._order_changed,
            JournalTrouble: self._journal_trouble,
            Reload: self._reload,
        }

    # what runs

    def load(self, rules: RuleSet, moment: Moment) -> Decision:
        """Run this rule set from now on; state is kept by (rule id, symbol), nothing fires."""
        work = Work(self.state, moment.now)
        text = f"{len(rules.rules)} rules, revision {rules.revision[:12]}"
        work.record("reload", text, data={"revision": rules.revision, "rules": len(rules.rules)})
        take_up(work, self.world, self._listening, rules)
        self.state.armed = deadman.armed(self.state.memories)
        curbs.begin(self.world, self.state)
        return self._applied(work, moment)

    def recover(self, moment: Moment) -> Decision:
        """After a start: every SENDING is UNKNOWN, the account is read, runs go on."""
        self.state.count_entries(moment.now)
        work = Work(self.state, moment.now)
        recovery.recover(work, moment)
        deadman.came_back(work, moment.server_now)
        for run_id in list(self.state.runs):
            advance(work, self.world, run_id)
        self.questions.want_all()
        self._telling.start(work)
        return self._applied(work, moment)

    def restart(self, state: State, moment: Moment) -> list[Decision]:
        """Go on from this state, which the journal remembered, by the walk of a start."""
        self.state = state
        self.questions = Questions()
        self._listening = Listening(self.world, state)
        self._telling.follow(self._listening)
        self._countdowns.follow(self._listening)
        return [self.load(self.world.rules, moment), self.recover(moment)]

    def symbols(self) -> list[str]:
        """Every symbol that is traded, held or has orders; also for the kill switch's thread."""
        return commands.known_symbols(self.state, self.world)

    def schedules(self) -> Iterable[tuple[Rule, str, ScheduleTrigger, int]]:
        """Every schedule with its symbol and watermark, for the alarm clock."""
        for rule in self.world.rules.rules.values():
            for trigger in rule.triggers:
                if not isinstance(trigger, ScheduleTrigger):
                    continue
                for symbol in rule.symbols:
                    memory = self.state.memories.get((rule.id, symbol))
                    own = memory.triggers.get(trigger.name, {}) if memory else {}
                    yield rule, symbol, trigger, own.get("watermark", 0)

    # what happened

    def process(self, event: Event | Reload, moment: Moment) -> Decision:
        """All that this event changes. If it raises, nothing was changed but the view."""
        recovery.note_time(self.state, moment)
        work = Work(self.state, moment.now)
        try:
            self._handlers[type(event)](work, event, moment)
            return self._applied(work, moment)
        except Exception:
            if isinstance(event, Tick):
                self._listening.unheard(event)
            raise

    def poisoned(self, event: Event | Reload, trace: str, moment: Moment) -> Decision:
        """The record of an event whose processing raised; the next one goes on."""
        work = Work(self.state, moment.now)
        work.record(
            "error", f"{type(event).__name__} could not be processed", data={"trace": trace}
        )
        if isinstance(event, Alert):
            work.decision.answer = AlertAnswer("not fired", ())
        return work.apply(self.state.revisions)

    def wake(self, moment: Moment) -> Decision:
        """What the passing of time changes: lapsed entries, countdowns, timers."""
        recovery.note_time(self.state, moment)
        work = Work(self.state, moment.now)
        recovery.ask(work, moment)
        reporting.lapse(work, moment)
        for run_id in dict.fromkeys(key[0] for key in (*self.state.waiting, *self.state.held_up)):
            advance(work, self.world, run_id)
        self._telling.pass_time(work, moment)
        curbs.pass_time(work, self.world)
        self._countdowns.pass_time(work, moment, self.questions, self.links.streams)
        if self.links.deaf:
            polling.poll(self.state, self.questions, moment)
        return self._applied(work, moment)

    def _applied(self, work: Work, moment: Moment) -> Decision:
        curbs.withdraw(work, self.world)
        told: dict[str, Leg] = {}
        while (touched := list(work.touched_runs())) or self._telling.orders(work, told):
            held_up = (run_id for run_id, _ in self.state.held_up)
            for run_id in dict.fromkeys((*touched, *held_up)):
                advance(work, self.world, run_id)
        decision = work.apply(self.state.revisions)
        if any(rule_id == deadman.ARMED for rule_id, _ in decision.memories):
            self.state.armed = deadman.armed(self.state.memories)
        self._listening.follow(decision.memories, moment.now)
        return decision

    # what shall be asked

    def calls(self, moment: Moment) -> Iterable[Call]:
        """Everything that may leave now, what lowers risk first."""
        in_force = self._countdowns.in_force(self.state).values()
        found = asking.calls(self.state, self.questions, in_force, moment)
        return self._countdowns.let_out(found)

    def next_at(self, moment: Moment) -> int:
        """Our clock's reading at which `wake` or `calls` may have something new."""
        dead_men = self._countdowns.refreshed(self.state)
        at = asking.next_at(self.state, self.questions, dead_men, moment)
        waits = [at, self._telling.next_at()]
        if self.state.waiting:
            waits.append(moment.now + DATA_RETRY)
        if self.links.deaf:
            waits.append(polling.poll_at(self.state, self.questions, moment))
        return min(each for each in waits if each is not None)

    def sending(self, requests: Sequence[Signed], moment: Moment) -> Decision:
        """What must be durable before the first byte of these requests leaves."""
        work = Work(self.state, moment.now)
        for request in requests:
            call = request.call
            if isinstance(call, Sending):
                self._sending(work, request, call, moment)
            else:
                asking.sent(self.state, self.questions, call, moment.now)
        return work.apply(self.state.revisions)

    def _sending(self, work: Work, request: Signed, call: Sending, moment: Moment) -> None:
        intents = intents_of(call)
        for intent in intents:
            leg = work.leg(intent.client_order_id)
            assert leg is not None
            fenced = request.method != BY_WEBSOCKET
            after = legs.signed(leg, request.timestamp, moment, fenced=fenced)
            work.put_leg(after)
            work.decision.attempts.append(
                Attempt(
                    intent.client_order_id,
                    after.attempt,
                    request.request_id,
                    request.timestamp,
                    request.recv_window,
                    request.payload_sha256,
                    moment.now,
                )
            )
        first = work.leg(intents[0].client_order_id)
        assert first is not None
        many = f", {len(intents)} orders" if len(intents) > 1 else ""
        what = f"{request.method} {request.path}{many}"
        data = {"request_id": request.request_id, "legs": [i.client_order_id for i in intents]}
        rule_id = self.state.rule_ids.get(first.run_id, "")
        symbol = first.intent.symbol
        work.record("sent", what, rule_id=rule_id, symbol=symbol, run_id=first.run_id, data=data)

    def bands(self) -> dict[Key, Band]:
        """The bands that changed, with a new version."""
        return self._listening.bands()

    # the handlers, one an event kind

    def _reload(self, work: Work, event: Reload, moment: Moment) -> None:
        del moment
        work.decision.records.append(event.told(self.world.rules, self.state, work.now))
        if event.rules is not None:
            take_up(work, self.world, self._listening, event.rules)
        work.decision.answer = AlertAnswer("recorded", ())

    def _alert(self, work: Work, event: Alert, moment: Moment) -> None:
        del moment
        answers = [
            offer(work, self.world, rule, symbol, trigger, event)
            for rule, trigger in self._listening.to(("webhook", event.path))
            for symbol in rule.symbols
        ]
        outcome = answered(answers)
        work.decision.answer = AlertAnswer(outcome, tuple(answers))
        work.decision.alerts.append(
            AlertRow(
                event.path,
                event.body_hash,
                event.fields,
                event.received_at,
                event.event_time,
                outcome,
            )
        )
        data = {name: str(value) for name, value in event.fields.items()}
        text = f"alert on {event.path}: {outcome}"
        # first in the log, as it was first in the world
        work.decision.records.insert(0, Record(work.now, "event", text, data=data))

    def _tick(self, work: Work, event: Tick, moment: Moment) -> None:
        if moment.server_now - event.event_time > self.world.view.board.stale_after:
            # it was on its way too long: what it shows is recorded, but no order follows from it
            event = replace(event, fresh_start=True)
        for owner, rule, trigger, seen in self._listening.affected(event):
            offer(work, self.world, rule, event.symbol, trigger, seen)
            if owner[:2] not in work.decision.memories:
                self._listening.level(owner, work.now)

    def _due(self, work: Work, event: Due, moment: Moment) -> None:
        del moment
        rule = self.world.rules.rules.get(event.rule_id)
        for trigger in rule.triggers if rule else ():
            if rule is not None and trigger.name == event.trigger:
                offer(work, self.world, rule, event.symbol, trigger, event)

    def _fire(self, work: Work, event: Fire, moment: Moment) -> None:
        del moment
        rule = self.world.rules.rules[event.rule_id]
        hit = Hit(event.event_key, {}, {}, "fired by hand")
        at = event.received_at
        answer = fire(work, self.world, rule, event.symbol, "manual", hit, at, at)
        work.decision.answer = AlertAnswer(answered([answer]), (answer,))

    def _report(self, work: Work, event: ExecutionReport, moment: Moment) -> None:
        if event.code in CLOCK_CODES:
            self.questions.clock_at = 0
        reporting.report(work, self.world.namespace, event, moment)
        deadman.attribute(work, moment)

    def _order_changed(self, work: Work, event: OrderChanged, moment: Moment) -> None:
        del moment
        for interest in (("order", event.rule_id), ("order", "")):
            self._telling.tell(work, interest, event.symbol, event)

    def _kline(self, work: Work, event: KlineClosed, moment: Moment) -> None:
        del moment
        self._telling.tell(work, ("kline", event.interval), event.symbol, event)

    def _journal_trouble(self, work: Work, event: JournalTrouble, moment: Moment) -> None:
        del moment
        work.record("error", f"journal: {event.detail}")
        self._telling.tell_all(work, ("system", "journal"), event)

    def _holdings(self) -> Holdings:
        return Holdings(self.world, self._listening, self._telling, self.questions)

    def _account(self, work: Work, event: AccountUpdate, moment: Moment) -> None:
        again = curbs.stated(work, self.world, event)
        self._listening.moved()
        if event.available is None:
            again = ACCOUNT_PAUSE
        if again is not None:
            self.questions.want(ReadCall("account"), moment.now + again)

    def _open_orders(self, work: Work, event: OpenOrders, moment: Moment) -> None:
        reporting.open_orders(work, self.world.namespace, event, moment)
        self._countdowns.read(work, event, moment, self.questions)

    def _dead_man_report(self, work: Work, event: DeadManReport, moment: Moment) -> None:
        call = DeadManCall(event.symbol, event.countdown)
        if event.accepted or links.named(call) not in self.links.calls:
            deadman.confirmed(work, event)
        if not event.accepted:
            links.failed(work, self.links, self.questions, call, event.detail, moment)

    def _stream(self, work: Work, event: StreamState, moment: Moment) -> None:
        del moment
        links.stream(work, self.links, self.questions, event)
        self._telling.tell_all(work, ("system", "stream_gap"), event)

    def _call_failed(self, work: Work, event: CallFailed, moment: Moment) -> None:
        links.failed(work, self.links, self.questions, event.call, event.detail, moment)

    def _call_done(self, work: Work, event: CallDone, moment: Moment) -> None:
        links.done(work, self.links, self.questions, event.call, moment)
