"""What the exchange shall be asked next: orders, cancels, countdowns, readings and probes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import field
from typing import Protocol

from runner.core.decision import Leg
from runner.core.legs import Moment
from runner.core.orders import (
    AmendCall,
    AmendIntent,
    Call,
    CancelCall,
    CancelIntent,
    DeadManCall,
    Family,
    OrderIntent,
    OrderState,
    PlaceCall,
    ProbeCall,
    ReadCall,
    SettingCall,
    SettingIntent,
    TimeCall,
)
from runner.core.rules import DeadMan
from runner.core.state import PRICE_PATIENCE, State
from runner.core.values import dataclass

BATCH = 5
"""Legs of one signed batch at most (POST /fapi/v1/batchOrders)."""

CLOCK_EVERY = 60_000
ACCOUNT_EVERY = 60_000
GIVE_UP_AFTER = 60_000
PRICE_FOR = 600_000
"""Ms for which the price of a fill is asked for, more and more seldom."""


class Signed(Protocol):
    """What the journal keeps of a signed request."""

    @property
    def request_id(self) -> str:
        """Names the request in the journal."""

    @property
    def call(self) -> Call:
        """What it asks for."""

    @property
    def method(self) -> str:
        """POST, DELETE …"""

    @property
    def path(self) -> str:
        """The endpoint."""

    @property
    def timestamp(self) -> int:
        """The signed server time in ms."""

    @property
    def recv_window(self) -> int:
        """How long it is valid, in ms."""

    @property
    def payload_sha256(self) -> str:
        """The hash of the exact bytes that leave."""


@dataclass(slots=True)
class Questions:
    """Which readings are wanted, and which calls are on their way; lost on a crash, harmlessly."""

    wanted: dict[ReadCall, int] = field(default_factory=dict)
    asked: dict[Call, int] = field(default_factory=dict)
    paused: dict[Call, int] = field(default_factory=dict)
    clock_at: int = 0
    account_at: int = 0
    polled_at: int = 0

    def want(self, call: ReadCall, at: int = 0) -> None:
        """This part of the account shall be read, not before `at`."""
        known = self.wanted.get(call)
        self.wanted[call] = at if known is None else min(at, known)

    def want_all(self) -> None:
        """The whole account shall be read: after a start, a gap, a doubt."""
        for what in ("positions", "account", "open_orders", "open_algo_orders"):
            self.want(ReadCall(what))

    def hurry(self) -> None:
        """The exchange answers again: whatever was put off is asked now."""
        self.paused.clear()
        self.wanted = dict.fromkeys(self.wanted, 0)

    def done(self, call: Call) -> None:
        """The answer to this call is in."""
        self.asked.pop(call, None)

    def pause(self, call: Call, until: int) -> None:
        """This call came to nothing: not again before then."""
        self.paused[call] = until

    def free(self, call: Call, now: int) -> bool:
        """True when this call is not on its way already, and not paused."""
        at = self.asked.get(call)
        waits = at is not None and abs(now - at) <= GIVE_UP_AFTER
        # a pause that seems longer than any was reckoned before our clock was set back
        paused = 0 < self.paused.get(call, now) - now <= GIVE_UP_AFTER
        return not waits and not paused

    def sent(self, call: Call, now: int) -> None:
        """This call is on its way."""
        self.asked[call] = now
        self.paused.pop(call, None)
        if isinstance(call, TimeCall):
            self.clock_at = now
        if isinstance(call, ReadCall):
            self.wanted.pop(call, None)
            if call.what == "account":
                self.account_at = now


def calls(
    state: State, questions: Questions, dead_men: Iterable[DeadMan], moment: Moment
) -> Iterator[Call]:
    """Everything that may leave now, what lowers risk first."""
    yield from _free(_countdowns(state, dead_men, moment), questions, moment.now)
    yield from _orders(state, moment)
    yield from _free(_readings(questions, moment), questions, moment.now)
    yield from _free(_probes(state, moment), questions, moment.now)


def _free(calls: Iterable[Call], questions: Questions, now: int) -> Iterator[Call]:
    """Those that are not on their way already."""
    return (call for call in calls if questions.free(call, now))


def _countdowns(state: State, dead_men: Iterable[DeadMan], moment: Moment) -> Iterator[DeadManCall]:
    wanted = {dead_man.symbol: dead_man for dead_man in dead_men}
    for symbol, dead_man in wanted.items():
        known = state.dead_men.get(symbol)
        due = known is None or not known.countdown
        if due or moment.server_now >= refresh_time(state, dead_man):
            yield DeadManCall(symbol, dead_man.countdown)
    for symbol, known in state.dead_men.items():
        if symbol not in wanted and known.countdown:
            yield DeadManCall(symbol, 0)


def refresh_time(state: State, dead_man: DeadMan) -> int:
    """Server time at which the countdown is set again."""
    known = state.dead_men.get(dead_man.symbol)
    return 0 if known is None else known.confirmed_time + dead_man.refresh


def _ready(leg: Leg, moment: Moment) -> bool:
    late = leg.deadline is not None and leg.deadline <= moment.now
    if leg.state is not OrderState.PLANNED or late or leg.unasked:
        return False
    return leg.next_at is None or moment.reached(leg.next_at)


def _orders(state: State, moment: Moment) -> Iterator[Call]:
    ready = [leg for leg in state.restless.values() if _ready(leg, moment)]
    for leg in ready:
        if isinstance(leg.intent, CancelIntent):
            yield CancelCall(leg.intent, leg.attempt + 1)
    for leg in ready:
        if isinstance(leg.intent, AmendIntent):
            yield AmendCall(leg.intent, leg.attempt + 1)
        if isinstance(leg.intent, SettingIntent):
            yield SettingCall(leg.intent, leg.attempt + 1)
    orders = [leg for leg in ready if isinstance(leg.intent, OrderIntent)]
    yield from _placing([leg for leg in orders if leg.intent.protective])
    yield from _placing([leg for leg in orders if not leg.intent.protective])


def _placing(legs: list[Leg]) -> Iterator[PlaceCall]:
    """First attempts of one action go as batches of five; whatever is sent again goes alone."""
    batches: dict[tuple[str, str], list[Leg]] = {}
    for leg in legs:
        alone = leg.attempt > 0 or leg.intent.family is Family.ALGO
        name = leg.name if alone else leg.name.partition(".")[0]
        batches.setdefault((leg.run_id, name), []).append(leg)
    for batch in batches.values():
        for start in range(0, len(batch), BATCH):
            part = batch[start : start + BATCH]
            intents = tuple(leg.intent for leg in part if isinstance(leg.intent, OrderIntent))
            yield PlaceCall(intents, tuple(leg.attempt + 1 for leg in part))


def _readings(questions: Questions, moment: Moment) -> Iterator[ReadCall | TimeCall]:
    # the distance, not the difference: our clock may be set back by hours
    if abs(moment.now - questions.clock_at) >= CLOCK_EVERY:
        yield TimeCall()
    if abs(moment.now - questions.account_at) >= ACCOUNT_EVERY:
        questions.want(ReadCall("account"))
    yield from [call for call, at in questions.wanted.items() if moment.reached(at)]


def _probes(state: State, moment: Moment) -> Iterator[ProbeCall]:
    for leg in state.restless.values():
        asks = leg.state in (OrderState.UNKNOWN, OrderState.LIVE)
        if asks and leg.next_at is not None and moment.reached(leg.next_at):
            yield _probe(leg)
    for key, at in state.unpriced.items():
        filled = state.find(key)
        if filled is not None and moment.reached(at):
            yield _probe(filled)


def sent(state: State, questions: Questions, call: Call, now: int) -> None:
    """This question is on its way (`now` in ms); that for a price is asked again later."""
    questions.sent(call, now)
    if not isinstance(call, ProbeCall) or call.client_order_id not in state.unpriced:
        return
    leg = state.find(call.client_order_id)
    waited = 0 if leg is None else abs(now - leg.updated_at)
    if leg is None or waited > PRICE_FOR:
        del state.unpriced[call.client_order_id]
    else:
        wait = min(max(waited, PRICE_PATIENCE), GIVE_UP_AFTER)
        state.unpriced[call.client_order_id] = now + wait


def _probe(leg: Leg) -> ProbeCall:
    return ProbeCall(leg.client_order_id, leg.intent.symbol, leg.intent.family)


def next_at(state: State, questions: Questions, dead_men: Iterable[DeadMan], moment: Moment) -> int:
    """Our clock's reading at which something may be due next, apart from schedules."""
    # in case our clock was set back since
    times = [min(questions.clock_at, moment.now) + CLOCK_EVERY]
    times.append(min(questions.account_at, moment.now) + ACCOUNT_EVERY)
    for leg in state.restless.values():
        times += _times(leg, questions, moment)
    for key, at in state.unpriced.items():
        filled = state.find(key)
        if filled is not None and questions.free(_probe(filled), moment.now):
            times.append(_sooner(at, moment))
    for dead_man in dead_men:
        call = DeadManCall(dead_man.symbol, dead_man.countdown)
        if questions.free(call, moment.now):
            times.append(moment.local(refresh_time(state, dead_man)))
    times += [
        _sooner(at, moment)
        for call, at in questions.wanted.items()
        if questions.free(call, moment.now)
    ]
    times += [at for at in questions.paused.values() if not moment.reached(at)]
    return min(times)


def _sooner(at: int, moment: Moment) -> int:
    return min(at, moment.now) if moment.reached(at) else at


def _times(leg: Leg, questions: Questions, moment: Moment) -> Iterator[int]:
    """When a leg may leave, lapse or be asked for; never for what is on its way already."""
    if leg.state is OrderState.PLANNED:
        yield moment.now if leg.next_at is None else _sooner(leg.next_at, moment)
        if leg.deadline is not None:
            yield leg.deadline
    elif leg.next_at is not None and questions.free(_probe(leg), moment.now):
        yield _sooner(leg.next_at, moment)
