"""The rules of exactly once, each removed in turn, and where that rule is the only protection."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from runner.core import legs, lifecycle, recovery, state
from runner.core.asking import Questions
from runner.core.decision import Leg
from runner.core.events import Alert, Fire
from runner.core.legs import Moment
from runner.core.lifecycle import Absence, Answer, Timing
from runner.core.orders import Identity, OrderState, Outcome
from runner.dispatcher import Dispatcher
from runner.journal import Journal
from runner.venues import RawAnswer, SignedRequest
from runner.venues.binance_usdm import wire_answers
from runner.venues.binance_usdm.limits import Budget
from runner.virtual import VirtualRunner, Wire
from tests.simulation.exchange import Witness
from tests.simulation.faults import Rates
from tests.simulation.history import Crash, History

SHORT = replace(Timing(), probe_offsets=(0, 100, 200, 300))
"""No settling: what is asked right after the fence must be enough."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A rule's removal, and the histories (a Story's settings) in which only it protects."""

    name: str
    removed: Callable[[], AbstractContextManager[object]]
    rates: Rates
    alerts: tuple[str, ...] = ("single",)
    down: tuple[int, ...] = (0, 1_000)
    timing: Timing = Timing()  # noqa: RUF009 - it is frozen
    at_least: int = 0
    within: int = 200


@contextmanager
def send_before_commit() -> Iterator[None]:
    """The bytes leave as soon as they are signed."""
    sign, release = Dispatcher._sign, Dispatcher._release

    def hasty(self: Dispatcher, moment: Moment) -> list[SignedRequest]:
        signed = sign(self, moment)
        for request in signed:
            assert self.gateway is not None
            self.gateway.submit(request)
        return signed

    def spent(self: Dispatcher, signed: object, *rest: Any) -> None:
        release(self, (), *rest)

    with patch.object(Dispatcher, "_sign", hasty), patch.object(Dispatcher, "_release", spent):
        yield


@contextmanager
def sign_after_commit() -> Iterator[None]:
    """What leaves is signed anew, so that its time is right however long we stood still."""
    carry = VirtualRunner._carry

    def fresh(self: VirtualRunner, signed: SignedRequest) -> None:
        carry(self, self.venue.sign(self.venue.request(signed.call)))

    with patch.object(VirtualRunner, "_carry", fresh):
        yield


@contextmanager
def forget_sending() -> Iterator[None]:
    """After a restart what was being sent counts as not sent."""
    recovered = legs.recovered

    def forgotten(leg: Leg, moment: Moment) -> Leg:
        if leg.state is OrderState.SENDING:
            return replace(leg, state=OrderState.PLANNED, next_at=None)
        return recovered(leg, moment)

    with patch.object(legs, "recovered", forgotten):
        yield


@contextmanager
def unknown_503_as_failure() -> Iterator[None]:
    """Every 503 means that nothing was executed."""
    told = lifecycle._classify_server_error

    def sure(answer: Answer) -> Outcome:
        return Outcome.NOT_ACCEPTED if answer.status == 503 else told(answer)

    with patch.object(lifecycle, "_classify_server_error", sure):
        yield


def one_probe() -> AbstractContextManager[object]:
    """The first "not found" is believed."""
    return patch.object(Absence, "proven", lambda self, _: self.negatives >= 1)


def no_fence() -> AbstractContextManager[object]:
    """A copy that is still on its way is not waited for."""
    return patch.object(Timing, "fence", lambda _, timestamp: timestamp)


@contextmanager
def network_retry() -> Iterator[None]:
    """A layer below sends again what the connection broke off on."""
    answered = VirtualRunner._answered
    again: set[str] = set()

    def retried(self: VirtualRunner, signed: SignedRequest, answer: RawAnswer) -> None:
        if answer.transport == "broken" and signed.request_id not in again:
            again.add(signed.request_id)
            wire = Wire(self.clock, signed, self.venue.send, self._answered)
            self.clock.plan(self.clock.now, lambda: wire.answer(wire.execute()))
        else:
            answered(self, signed, answer)

    with patch.object(VirtualRunner, "_answered", retried):
        yield


@contextmanager
def acknowledge_before_commit() -> Iterator[None]:
    """The sender hears what was decided, not what is durable."""
    decide = Dispatcher._decide
    decided: list[Any] = []

    def noted(self: Dispatcher, event: Any) -> Any:
        decision = decide(self, event)
        if isinstance(event, (Alert, Fire)):
            decided.append(decision.answer)
        return decision

    def post(self: History, alert: Alert) -> None:
        decided.clear()
        if self.runner is None:
            return
        runner = self.runner
        try:
            runner.ask(alert)
        except Crash:
            self._die()
        if decided:
            self.answered.setdefault(str(alert.fields["n"]), decided[-1].outcome)

    with patch.object(Dispatcher, "_decide", noted), patch.object(History, "_post", post):
        yield


def duplicate_as_reject() -> AbstractContextManager[object]:
    """-4116 means that the order was refused."""
    return patch.object(lifecycle, "UNKNOWN_CODES", lifecycle.UNKNOWN_CODES - {-4116})


@contextmanager
def batch_by_position() -> Iterator[None]:
    """The n-th part of a batch's answer is the n-th leg's, whatever it says."""
    parts = wire_answers._parts

    def placed(call: Any, reply: Any) -> Any:
        found = reply.value
        if isinstance(found, list) and len(call.intents) > 1:
            padded = [*found, *[None] * len(call.intents)][: len(call.intents)]
            return [
                {**part, "clientOrderId": leg.client_order_id} if part else None
                for part, leg in zip(padded, call.intents, strict=True)
            ]
        return parts(call, reply)

    with patch.object(wire_answers, "_parts", placed):
        yield


@contextmanager
def failed_question_as_absence() -> Iterator[None]:
    """A question that came to nothing counts as "not found"."""
    probed = wire_answers.probed

    def sure(*given: Any) -> Any:
        return [
            replace(report, outcome=Outcome.ABSENT) if report.outcome is Outcome.UNKNOWN else report
            for report in probed(*given)
        ]

    with patch.object(wire_answers, "probed", sure):
        yield


def no_sweep() -> AbstractContextManager[object]:
    """After a gap in the stream nothing is asked."""
    return patch.object(Questions, "want_all", lambda _: None)


def no_pause() -> AbstractContextManager[object]:
    """A 429 or 418 is an answer like any other: nothing waits for its end."""
    return patch.object(Budget, "_paused", lambda *_: False)


@contextmanager
def no_dedupe() -> Iterator[None]:
    """The same event fires again."""
    with (
        patch.object(Journal, "seen", lambda *_: None),
        patch.object(state.Work, "fired", lambda *_: False),
    ):
        yield


@contextmanager
def random_ids() -> Iterator[None]:
    """An order's id is chosen when it is planned, and only the journal knows it."""
    dice = random.Random(1)
    chosen: dict[tuple[Identity, str], str] = {}
    put_back = Witness.put_back

    def drawn(identity: Identity, leg: str) -> str:
        fresh = f"r1-{identity.namespace}-{dice.getrandbits(64):x}"
        return chosen.setdefault((identity, leg), fresh)

    def forget(self: Witness, copy: bytes) -> None:
        chosen.clear()
        put_back(self, copy)

    with (
        patch.object(Identity, "client_order_id", drawn),
        patch.object(Witness, "put_back", forget),
    ):
        yield


@contextmanager
def no_probe_after_restore() -> Iterator[None]:
    """A restored journal is believed: what it says was not sent is sent without a question."""
    with (
        patch.object(recovery, "ask_first", lambda *_: False),
        patch.object(recovery, "_forgotten", lambda leg, _: leg),
    ):
        yield


MUTANTS = (
    Mutant("send before commit", send_before_commit, Rates(crash=0.3)),
    Mutant("sign after commit", sign_after_commit, Rates(pause=0.5)),
    Mutant("forget SENDING on restart", forget_sending, Rates(crash=0.3)),
    Mutant(
        "503 Unknown error as a failure",
        unknown_503_as_failure,
        Rates(unknown_503=0.3, silent=0.9),
    ),
    Mutant("one probe", one_probe, Rates(unanswered=0.3, lag=0.5, silent=0.9)),
    Mutant(
        "no fence", no_fence, Rates(late_order=0.8, crash=0.5, silent=0.9), down=(0,), timing=SHORT
    ),
    Mutant("retry below us", network_retry, Rates(reset=0.3)),
    Mutant("acknowledge before commit", acknowledge_before_commit, Rates(crash=0.5)),
    Mutant("-4116 as a rejection", duplicate_as_reject, Rates(duplicate_4116=0.3, silent=0.9)),
    Mutant("batch answers by position", batch_by_position, Rates(short_batch=0.5), ("batch",)),
    Mutant(
        "a failed question as absence",
        failed_question_as_absence,
        Rates(unanswered=0.3, refused_503=0.5, silent=0.9),
    ),
    Mutant("no sweep after a gap", no_sweep, Rates(silent=0.3, gap=0.5), ("batch", "bracket")),
    Mutant("no pause after a ban", no_pause, Rates(limited=0.5)),
    Mutant("no memory of events", no_dedupe, Rates(crash=0.3)),
    Mutant("random ids", random_ids, Rates(rollback=0.4), timing=SHORT, at_least=12),
    Mutant("no probe after a restore", no_probe_after_restore, Rates(rollback=0.4), at_least=12),
)
