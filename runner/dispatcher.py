"""The dispatcher: one thread that drains, decides, signs, commits once, and releases effects."""

from __future__ import annotations

import logging
import queue
import traceback
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future

from runner import failpoints
from runner.core.decision import AlertAnswer, Decision, Record
from runner.core.engine import Engine
from runner.core.events import Alert, CallDone, Command, Event, Fire, JournalTrouble
from runner.core.legs import Moment
from runner.core.lifecycle import Timing
from runner.core.loading import Reload
from runner.core.orders import Call, CancelCall, PlaceCall, Sending, TimeCall, lane_of
from runner.core.state import State
from runner.errors import JournalError, JournalFull
from runner.journal import Journal
from runner.lanes import Lanes
from runner.planned import Schedules
from runner.sources.schedule import AlarmClock
from runner.taking import OUTCOMES, Inbox
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

FINISH_WITHIN = 3_000
"""Ms a clean stop waits for the answers to what was sent."""

WALK_EVERY = 1_000
"""Ms between two tries to go on from the journal after it refused a commit."""

Reply = Future[AlertAnswer | None]
Item = tuple[Event | Reload | None, Reply | None]
Observer = Callable[[Sequence[Decision]], None]


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
        *,
        remember: Callable[[], State],
        ready: Callable[[], bool] = lambda: True,
        announce: Callable[[Sequence[Decision], int], Decision] = lambda *_: Decision(),
        clean: Callable[[str], str] = str,
    ) -> None:
        """`now` is our wall clock in ms; observers see decisions after their commit, `announce`
        before it, and what it adds is committed with them.

        `remember` gives the engine's state as the journal has it; `ready` tells whether alerts
        that others left in the journal may be decided; `clean` takes secrets out of a trace.
        """
        self.engine = engine
        self.schedules = Schedules()
        self.gateway: Lanes | None = None
        self._alarm: AlarmClock | None = None
        self._journal = journal
        self._venue = venue
        self._timing = timing
        self._now = now
        self._observers = tuple(observers)
        self._announce = announce
        self._inbox: queue.Queue[Sequence[Item]] = queue.Queue(INBOX)
        self._stopping = False
        self._blocked = False
        self._remember = remember
        self._left = Inbox(journal)
        self._ready = ready
        self._clean = clean
        self._behind = False
        self._walked_at = 0
        self.full = ""
        """Why nothing new is taken, while the journal has no room; else empty."""
        self.turned_at = now()

    # the doors, used by other threads

    def post(self, event: Event) -> None:
        """Hand in an event; a full inbox slows its source down, nothing is dropped."""
        self._inbox.put(((event, None),))

    def post_all(self, events: Iterable[Event]) -> None:
        """Hand in what belongs together, such as one answer's parts: one turn takes it up."""
        self._inbox.put([(event, None) for event in events])

    def ask(self, event: Alert | Fire | Command, timeout: float) -> AlertAnswer | None:
        """Hand in an alert and wait for its commit; None when that could not be had in time."""
        reply = self.hand_in(event)
        try:
            return reply.result(timeout) if reply is not None else None
        except TimeoutError:
            return None

    def hand_in(self, event: Alert | Fire | Command | Reload) -> Reply | None:
        """Hand in an alert; its answer comes with the commit. None when the inbox is full."""
        reply: Reply = Future()
        try:
            self._inbox.put_nowait(((event, reply),))
        except queue.Full:
            return None
        return reply

    def wake(self) -> None:
        """Make the loop look at the clock now."""
        if self._inbox.empty():
            self._inbox.put(((None, None),))

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
        floor = BLOCKED_WAIT if self._blocked or self.full else SHORTEST_WAIT
        return max(self.engine.next_at(moment), moment.now + int(floor * 1000))

    def turn(self, items: Sequence[Item]) -> None:
        """Decide, sign, commit once, release: everything that waits, in one transaction.

        With the journal full, what the exchange tells is still recorded as long as the reserve
        lasts; alerts, prices and schedules wait for room. A commit that was refused leaves the
        engine ahead of the journal: then it is built anew from the journal, as by a restart.
        """
        for event, _ in items:
            if isinstance(event, CallDone) and self.gateway is not None:
                self.gateway.freed(event.call)
        try:
            roomy = self._journal.room_to_begin()
            if roomy and self.full:
                self._behind = True
            if self._behind and not self._walk_again():
                self._refuse(items)
                return
            if roomy:
                self.full = ""
                self._decide_all(items)
            else:
                self._fill_up()
                self._record_outcomes(items)
        except JournalFull as error:
            if not self.full:
                log.error("nothing new is taken or sent: %s", error)
            self.full = str(error)
            self._behind, self._walked_at = True, self._now()
            self._refuse(items)

    def _fill_up(self) -> None:
        if not self.full:
            self.full = "the disk of the journal is nearly full: free space on it"
            log.error("nothing new is taken or sent: %s", self.full)

    def _walk_again(self) -> bool:
        """Go on from what the journal says, by the walk of a start; False while it is too early."""
        if abs(self._now() - self._walked_at) < WALK_EVERY:
            return False
        self._walked_at = self._now()
        self.engine.world.view.board.forget()
        moment = self._moment()
        text = f"CRITICAL nothing new was taken or sent for a while: {self.full}"
        told = Decision([Record(moment.now, "notify", text, reason="critical")])
        decisions = [told, *self.engine.restart(self._remember(), moment)]
        trouble = JournalTrouble(str(moment.now), self.full, moment.now)
        decisions.append(self.engine.process(trouble, moment))
        self._commit(decisions, moment)
        self._behind = False
        self.schedules.load(self.engine)
        self._set_alarm()
        for observe in self._observers:
            observe(decisions)
        return True

    def _record_outcomes(self, items: Sequence[Item]) -> None:
        """What the exchange tells, and the questions that need no commit; nothing begins."""
        told = [item for item in items if isinstance(item[0], OUTCOMES)]
        self._refuse(items)
        moment = self._moment()
        decisions = [self._decide(event) for event, _ in told if event is not None]
        signed = self._sign(moment, placing=False)
        decisions.append(self.engine.sending(signed, moment))
        self._commit(decisions, moment, signed)
        self._release(signed, [], decisions)

    def _decide_all(self, items: Sequence[Item]) -> None:
        decisions: list[Decision] = []
        replies: list[tuple[Reply, AlertAnswer | None]] = []
        for item, event in self._left.items(self.engine, self._now(), self._ready()):
            decision = self._decide(event)
            decision.taken.append(item)
            decisions.append(decision)
        for told, reply in items:
            if told is None:
                continue
            decision = self._decide(told)
            decisions.append(decision)
            if reply is not None:
                replies.append((reply, decision.answer))
        if self.schedules.rules is not self.engine.world.rules:
            self.schedules.load(self.engine)
            self._set_alarm()
        moment = self._moment()
        decisions.append(self._left.chores(moment.now))
        due = [self._decide(event) for event in self.schedules.due(moment.now)]
        if due:
            decisions += due
            self._set_alarm()
        decisions.append(self.engine.wake(moment))
        signed = self._sign(moment)
        if signed:
            decisions.append(self.engine.sending(signed, moment))
        self._commit(decisions, moment, signed)
        self._release(signed, replies, decisions)

    def _wait(self) -> float:
        # a busy machine lets time pass between the two looks: then it is due by now
        return min(max(self.next_at() - self._now(), 0) / 1000, LONGEST_WAIT)

    def _drain(self, timeout: float) -> list[Item]:
        items: list[Item] = []
        try:
            items += self._inbox.get(timeout=timeout) if timeout else self._inbox.get_nowait()
            while len(items) < MOST_AT_ONCE:
                items += self._inbox.get_nowait()
        except queue.Empty:
            pass
        return items

    def _moment(self) -> Moment:
        return Moment(self._now(), self._venue.server_time(), self._timing)

    def _decide(self, event: Event | Reload) -> Decision:
        """One event alone: if it raises, that is recorded, and the next goes on."""
        try:
            return self.engine.process(event, self._moment())
        except Exception:
            log.exception("an event could not be processed: %s", type(event).__name__)
            trace = self._clean(traceback.format_exc(limit=8))
            return self.engine.poisoned(event, trace, self._moment())

    def _sign(self, moment: Moment, *, placing: bool = True) -> list[SignedRequest]:
        """At most what can leave now: the lanes' room and the rate limits decide.

        Without `placing` only questions and countdowns, which no commit must precede.
        """
        if self.gateway is None:
            return []
        uncertainty = self._venue.clock_uncertainty()
        trusted = uncertainty is not None and uncertainty <= CLOCK_LIMIT
        left = {lane: self.gateway.idle(lane) for lane in ("urgent", "order", "probe")}
        signed = []
        self._blocked = False
        for call in self.engine.calls(moment):
            if not placing and isinstance(call, (PlaceCall, CancelCall)):
                continue
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

    def _commit(
        self,
        decisions: Sequence[Decision],
        moment: Moment,
        signed: Sequence[SignedRequest] = (),
    ) -> None:
        """Make them durable; what was signed is made ready meanwhile, and leaves only after it."""
        durable = [decision for decision in decisions if not decision.empty]
        told = self._announce(durable, moment.now)
        if durable or not told.empty:
            durable.append(told)
            failpoints.hit("commit.before")
            self._prepare(signed)
            try:
                self._journal.commit(durable)
            except BaseException:
                self._drop(signed)
                raise
            failpoints.hit("commit.after")
        else:
            self._journal.beat()
        self.turned_at = moment.now

    def _prepare(self, signed: Sequence[SignedRequest]) -> None:
        """What asks for no commit waits: some of it measures how long the answer takes."""
        for request in signed:
            if isinstance(request.call, Sending) and self.gateway is not None:
                self.gateway.prepare(request)

    def _drop(self, signed: Sequence[SignedRequest]) -> None:
        for request in signed:
            if self.gateway is not None:
                self.gateway.drop(request)

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
