"""The ways to the exchange: which of them fail, since when, and how patiently they are retried."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from runner.core import asking
from runner.core.asking import Questions
from runner.core.events import StreamState
from runner.core.figures import span
from runner.core.legs import Moment
from runner.core.orders import Call, DeadManCall, ReadCall, TimeCall
from runner.core.state import Work
from runner.core.values import dataclass, replace

USER = "user"
"""The stream that tells of the account's own orders."""

CLOCK = "time"
ACCOUNT = "account"
VITAL = (CLOCK, ACCOUNT)
"""Questions that tell for all: nothing works while one of them keeps failing."""

SURE_AFTER = 2
"""One failure may be an accident."""

FORGOTTEN_AFTER = 180_000
"""Ms after its last failure in which a question that matters is asked again; else it is moot."""

HURRY = 10_000
"""Ms between two looks at the clock that a trouble elsewhere asks for."""

_WORDS = {"open_orders": "open orders", "open_algo_orders": "open conditional orders"}


@dataclass(frozen=True, slots=True)
class Trouble:
    """What fails since `since` (ms), last at `last_at`, `count` times; the latest words why."""

    since: int
    last_at: int
    count: int
    detail: str


@dataclass(slots=True)
class Links:
    """Changed by the dispatcher alone, always by a whole new mapping: any thread may read.

    `streams` are those that are away, `calls` what fails over REST; `failures` counts since the
    first of these began, at `began_at`. `flawed` are calls whose end is still to be told.
    """

    streams: Mapping[str, Trouble] = field(default_factory=dict)
    calls: Mapping[str, Trouble] = field(default_factory=dict)
    failures: int = 0
    began_at: int = 0
    flawed: set[Call] = field(default_factory=set)

    @property
    def deaf(self) -> bool:
        """True while nobody tells of own orders: they must be asked for."""
        return USER in self.streams

    @property
    def down(self) -> Trouble | None:
        """The trouble that tells that nothing can be had over REST; None while something can."""
        vital = [self.calls[name] for name in VITAL if name in self.calls]
        return next((trouble for trouble in vital if trouble.count >= SURE_AFTER), None)

    def heard(self, event: StreamState) -> None:
        """A stream came or went."""
        others = {name: each for name, each in self.streams.items() if name != event.stream}
        if not event.connected:
            since = event.at if event.gap_from is None else event.gap_from
            known = self.streams.get(event.stream)
            if known is not None:
                since = known.since
            others[event.stream] = Trouble(since, event.at, 1, event.detail)
        self.streams = others

    def _add(self, name: str, detail: str, now: int) -> Trouble:
        known = self.calls.get(name, Trouble(now, now, 0, ""))
        after = replace(known, last_at=now, count=known.count + 1, detail=detail)
        if not self.calls:
            self.failures, self.began_at = 0, now
        self.failures += 1
        self.calls = {**self.calls, name: after}
        return after

    def _without(self, name: str, now: int) -> None:
        self.calls = {
            key: each
            for key, each in self.calls.items()
            if key != name and abs(now - each.last_at) <= FORGOTTEN_AFTER
        }


def named(call: Call) -> str:
    """A question in words; one and the same for every repetition."""
    match call:
        case TimeCall():
            return CLOCK
        case ReadCall(what=what, symbol=symbol):
            name = _WORDS.get(what, what)
            return f"{name} of {symbol}" if symbol else name
        case DeadManCall(symbol=symbol):
            return f"countdown of {symbol}"
        case _:
            return type(call).__name__


def stream(work: Work, links: Links, questions: Questions, event: StreamState) -> None:
    """A stream came or went: the journal is told, and what was missed is asked for."""
    text = f"{event.stream} {'connected' if event.connected else 'broke off'}"
    if event.detail:
        text = f"{text}: {event.detail}"
    data = {} if event.gap_from is None else {"gap_from": event.gap_from}
    work.record("stream", text, data=data)
    links.heard(event)
    if event.connected:
        questions.want_all()
    elif CLOCK not in links.calls:
        # does the exchange still answer at all?
        questions.clock_at = 0


def failed(
    work: Work, links: Links, questions: Questions, call: Call, detail: str, moment: Moment
) -> None:
    """A question came to nothing: asked again after a growing wait, told when it begins."""
    questions.done(call)
    quiet = not links.calls
    links.flawed.add(call)
    trouble = links._add(named(call), detail, moment.now)
    wait = patience(call, trouble.count, moment)
    match call:
        case ReadCall():
            questions.want(call, moment.now + wait)
        case DeadManCall():
            questions.pause(call, moment.now + wait)
        case TimeCall():
            questions.clock_at = moment.now - asking.CLOCK_EVERY + wait
    _look_around(links, questions, call, moment)
    if quiet:
        text = f"a question to the exchange failed: {named(call)}: {detail}"
        more = "further failures are counted and told at the end"
        work.record("error", f"{text}; {more}", data={"link": "rest"})


def _look_around(links: Links, questions: Questions, call: Call, moment: Moment) -> None:
    """One question failed: is it this one alone, the account's key, or the whole exchange?"""
    if CLOCK not in links.calls and abs(moment.now - questions.clock_at) >= HURRY:
        questions.clock_at = 0
    if ACCOUNT not in links.calls and not isinstance(call, TimeCall):
        questions.want(ReadCall("account"), moment.now)


def patience(call: Call, count: int, moment: Moment) -> int:
    """Ms before a question that failed `count` times in a row is asked again.

    A countdown that runs is set again within a tenth of itself.
    """
    timing = moment.timing
    wait = min(timing.probe_retry << min(count - 1, 10), timing.retry_cap)
    if isinstance(call, DeadManCall):
        cap = max(call.countdown // 10, timing.probe_retry)
        wait = min(wait, cap, asking.GIVE_UP_AFTER)
    return wait


def done(work: Work, links: Links, questions: Questions, call: Call, moment: Moment) -> None:
    """A call is over; if it went well that is told when something had failed before."""
    questions.done(call)
    if call in links.flawed:
        links.flawed.discard(call)
        return
    if not links.calls or not isinstance(call, ReadCall | TimeCall | DeadManCall):
        return
    was_down = links.down is not None
    links._without(named(call), moment.now)
    if was_down:
        questions.hurry()
        if CLOCK in links.calls:
            questions.clock_at = 0
    if not links.calls:
        lasted = span(max(moment.now - links.began_at, 0))
        text = f"every question to the exchange is answered again: {links.failures} failed"
        data = {"link": "rest", "failures": links.failures, "since": links.began_at}
        work.record("stream", f"{text} in {lasted}", data=data)
