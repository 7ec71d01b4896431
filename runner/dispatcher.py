"""The dispatcher: one thread that drains, decides, signs, commits once, and releases effects."""

from __future__ import annotations

import logging
import queue
import traceback
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol

from runner import failpoints
from runner.core.decision import AlertAnswer, Decision
from runner.core.engine import Engine
from runner.core.events import Alert, CallDone, Due, Event, Fire
from runner.core.legs import Moment
from runner.core.loading import Reload
from runner.core.lifecycle import Timing
from runner.core.orders import Call, Lane, TimeCall, lane_of
from runner.core.rules import RuleSet
from runner.core.triggers.schedule import ScheduleTrigger
from runner.errors import JournalError
from runner.journal import Journal
from runner.sources.schedule import AlarmClock, next_occurrence, occurrences
from runner.venues import SignedRequest, Venue

log = logging.getLogger(__name__)

INBOX = 10_000
MOST_AT_ONCE = 500
SHORTEST_WAIT = 0.02
BLOCKED_WAIT = 0.25
"""Seconds until calls that found no room are tried again; an answer wakes the loop before."""

LONGEST_WAIT = 1.0
CLOCK_LIMIT = 1_000
"""Ms of uncertainty about the exchange's clock above which nothing is signed."""

MISSED_AT_MOST = 1_000
FINISH_WITHIN = 3_000
"""Ms a clean stop waits for the answers to what was sent."""

Reply = Future[AlertAnswer | None]
Item = tuple[Event | Reload | None, Reply | None]
Observer = Callable[[Sequence[Decision]], None]


class Lanes(Protocol):
    """What the dispatcher asks of the gateway."""

    def idle(self, lane: Lane) -> int:
        """How many more calls this lane can take at once."""

    @property
    def busy(self) -> bool:
        """True while a request is on its way."""

    def submit(self, signed: SignedRequest) -> None:
        """Send this request, whose attempt is durable."""

    def freed(self, call: Call) -> None:
        """This call's answer was taken in."""


@dataclass(slots=True)
class Planned:
    """A schedule of one rule and symbol, with the next instant at which it is due."""

    rule_id: str
    symbol: str
    trigger: ScheduleTrigger
    watermark: int
    next_at: int | None


@dataclass(slots=True)
class Schedules:
    """Which planned instants have come, reckoned from the journal's watermarks."""

    planned: list[Planned] = field(default_factory=list)
    rules: RuleSet | None = None

    def load(self, engine: Engine) -> None:
        """Take the schedules and watermarks of the rules that run."""
        self.rules = engine.world.rules
        self.planned = [
            Planned(rule.id, symbol, trigger, watermark, next_occurrence(trigger, watermark))
            for rule, symbol, trigger, watermark in engine.schedules()
        ]

    def next_at(self) -> int | None:
        """The next planned instant of all."""
        return min((p.next_at for p in self.planned if p.next_at is not None), default=None)

    def due(self, now: int) -> Iterable[Due]:
        """The instants that have come, oldest first; of missed ones what the rule asks for."""
        for planned in self.planned:
            if planned.next_at is None or planned.next_at > now:
                continue
            for instant in self._chosen(planned, now):
                yield Due(planned.rule_id, planned.trigger.name, planned.symbol, instant)
            planned.watermark = now
            planned.next_at = next_occurrence(planned.trigger, now)

    @staticmethod
    def _chosen(planned: Planned, now: int) -> list[int]:
        trigger = planned.trigger
        if trigger.missed == "all":
            return occurrences(trigger, planned.watermark, now, MISSED_AT_MOST)
        start = max(planned.watermark, now - max(trigger.grace, 86_400_000))
        found = occurrences(trigger, start, now, 100_000) or [planned.next_at or now]
        fresh = [instant for instant in found if now - instant <= trigger.grace]
        return fresh if fresh and trigger.missed == "skip" else found[-1:]


class Dispatcher:
    """Owns all state. Its loop body, `turn`, is what tests drive."""

    def __init__(
        self,
        engine: Engine,
        journal: Journal,
        venue: Venue,
        timing: Timing,
        now: Callable[[], int],
        observers: Sequence[Observer] = (),
    ) -> None:
        """`now` is our wall clock in ms; observers see decisions after their commit."""
        self.engine = engine
        self.schedules = Schedules()
        self.gateway: Lanes | None = None
        self._alarm: AlarmClock | None = None
        self._journal = journal
        self._venue = venue
        self._timing = timing
        self._now = now
        self._observers = tuple(observers)
        self._inbox: queue.Queue[Item] = queue.Queue(INBOX)
        self._stopping = False
        self._blocked = False
        self.turned_at = now()

    # the doors, used by other threads

    def post(self, event: Event) -> None:
        """Hand in an event; a full inbox slows its source down, nothing is dropped."""
        self._inbox.put((event, None))

    def ask(self, event: Alert | Fire, timeout: float) -> AlertAnswer | None:
        """Hand in an alert and wait for its commit; None when that could not be had in time."""
        reply = self.hand_in(event)
        try:
            return reply.result(timeout) if reply is not None else None
        except TimeoutError:
            return None

    def hand_in(self, event: Alert | Fire | Reload) -> Reply | None:
        """Hand in an alert; its answer comes with the commit. None when the inbox is full."""
        reply: Reply = Future()
        try:
            self._inbox.put_nowait((event, reply))
        except queue.Full:
            return None
        return reply

    def wake(self) -> None:
        """Make the loop look at the clock now."""
        if self._inbox.empty():
            self._inbox.put((None, None))

    def stop(self) -> None:
        """End the loop after the turn that goes on."""
        self._stopping = True
        self.wake()

    # the loop

    def begin(
        self, decisions: Sequence[Decision], gateway: Lanes, alarm: AlarmClock | None = None
    ) -> None:
        """Commit what loading and recovering decided, then take the schedules up."""
        self.gateway = gateway
        self._alarm = alarm
        self._commit(decisions, self._moment())
        self.schedules.load(self.engine)
        self._set_alarm()
        for observe in self._observers:
            observe(decisions)

    def _set_alarm(self) -> None:
        at = self.schedules.next_at()
        if self._alarm is not None and at is not None:
            self._alarm.set([at])

    def run(self) -> None:
        """Turn until stopped. Raises JournalError when a commit failed: the process must end."""
        items: list[Item] = []
        try:
            while not self._stopping:
                self.turn(items)
                items = self._drain(self._wait())
            self._finish(items)
        except JournalError:
            self._refuse([*items, *self._drain(0)])
            raise

    def _finish(self, items: list[Item]) -> None:
        """Stopped: nothing new is sent, but the answers to what was sent are still recorded."""
        until = self._now() + FINISH_WITHIN
        gateway, self.gateway = self.gateway, None
        self.turn(items)
        while gateway is not None and gateway.busy and self._now() < until:
            items = self._drain(SHORTEST_WAIT)
            for event, _ in items:
                if isinstance(event, CallDone):
                    gateway.freed(event.call)
            self.turn(items)

    def waiting(self) -> bool:
        """True when something was handed in that no turn has taken up."""
        return not self._inbox.empty()

    def step(self) -> None:
        """One turn over what waits now, without waiting: how a virtual clock drives the loop."""
        self.turn(self._drain(0))

    def next_at(self) -> int:
        """When the loop may have something to do, if nothing happens before (ms)."""
        moment = self._moment()
        floor = BLOCKED_WAIT if self._blocked else SHORTEST_WAIT
        return max(self.engine.next_at(moment), moment.now + int(floor * 1000))

    def turn(self, items: Sequence[Item]) -> None:
        """Decide, sign, commit once, release: everything that waits, in one transaction."""
        decisions: list[Decision] = []
        replies: list[tuple[Reply, AlertAnswer | None]] = []
        for event, reply in items:
            if event is None:
                continue
            decision = self._decide(event)
            decisions.append(decision)
            if reply is not None:
                replies.append((reply, decision.answer))
        if self.schedules.rules is not self.engine.world.rules:
            self.schedules.load(self.engine)
            self._set_alarm()
        moment = self._moment()
        due = [self._decide(event) for event in self.schedules.due(moment.now)]
        if due:
            decisions += due
            self._set_alarm()
        decisions.append(self.engine.wake(moment))
        signed = self._sign(moment)
        if signed:
            decisions.append(self.engine.sending(signed, moment))
        self._commit(decisions, moment)
        self._release(signed, replies, decisions)

    def _wait(self) -> float:
        return min((self.next_at() - self._now()) / 1000, LONGEST_WAIT)

    def _drain(self, timeout: float) -> list[Item]:
        items: list[Item] = []
        try:
            items.append(self._inbox.get(timeout=timeout) if timeout else self._inbox.get_nowait())
            while len(items) < MOST_AT_ONCE:
                items.append(self._inbox.get_nowait())
        except queue.Empty:
            pass
        return items

    def _moment(self) -> Moment:
        return Moment(self._now(), self._venue.server_time(), self._timing)

    def _decide(self, event: Event | Reload) -> Decision:
        """One event alone: if it raises, that is recorded, and the next goes on."""
        if isinstance(event, CallDone) and self.gateway is not None:
            self.gateway.freed(event.call)
        try:
            return self.engine.process(event, self._moment())
        except Exception:
            log.exception("an event could not be processed: %s", type(event).__name__)
            return self.engine.poisoned(event, traceback.format_exc(limit=8), self._moment())

    def _sign(self, moment: Moment) -> list[SignedRequest]:
        """At most what can leave now: the lanes' room and the rate limits decide."""
        if self.gateway is None:
            return []
        uncertainty = self._venue.clock_uncertainty()
        trusted = uncertainty is not None and uncertainty <= CLOCK_LIMIT
        left = {lane: self.gateway.idle(lane) for lane in ("urgent", "order", "probe")}
        signed = []
        self._blocked = False
        for call in self.engine.calls(moment):
            lane = lane_of(call)
            may = trusted or isinstance(call, TimeCall)
            if not (left[lane] and may and self._venue.room(call)):
                self._blocked = True
                left[lane] = 0 if may else left[lane]
                continue
            left[lane] -= 1
            signed.append(self._signed(call))
        return signed

    def _signed(self, call: Call) -> SignedRequest:
        return self._venue.sign(self._venue.request(call))

    def _commit(self, decisions: Sequence[Decision], moment: Moment) -> None:
        durable = [decision for decision in decisions if not decision.empty]
        if durable:
            failpoints.hit("commit.before")
            self._journal.commit(durable)
            failpoints.hit("commit.after")
        else:
            self._journal.beat()
        self.turned_at = moment.now

    def _release(
        self,
        signed: Sequence[SignedRequest],
        replies: Sequence[tuple[Reply, AlertAnswer | None]],
        decisions: Sequence[Decision],
    ) -> None:
        """The effects, only now: requests first, they are what the alert is about."""
        for request in signed:
            assert self.gateway is not None
            self.gateway.submit(request)
        for reply, answer in replies:
            reply.set_result(answer)
        bands = self.engine.bands()
        if bands:
            self.engine.world.view.board.publish(bands)
        for observe in self._observers:
            observe(decisions)

    @staticmethod
    def _refuse(items: Iterable[Item]) -> None:
        """The journal failed: whoever waits hears that nothing was committed."""
        for _, reply in items:
            if reply is not None and not reply.done():
                reply.set_result(None)
