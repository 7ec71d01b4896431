"""The gateway by itself: what is prepared leaves with its commit, and never without it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

import pytest

from runner.core.events import CallDone, Event, ExecutionReport
from runner.core.orders import CancelCall, CancelIntent, Family, Outcome
from runner.gateway import Gateway
from runner.venues import RawAnswer, SignedRequest, Venue
from runner.venues.gate import Gate
from tests.support import eventually


class Exchange:
    """Notes what was written, and by which thread."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self.writers: list[str] = []
        self.breaks: Exception | None = None

    def warm(self) -> None:
        """Always warm."""

    def send(self, signed: SignedRequest, gate: Gate) -> RawAnswer:
        """As the adapter does it."""

        def write() -> None:
            if self.breaks is not None:
                raise self.breaks
            self.written.append(signed.request_id)
            self.writers.append(threading.current_thread().name)

        try:
            gate.leave(write)
        except OSError as error:
            return RawAnswer("broken", detail=str(error))
        return RawAnswer("ok", 200)

    def interpret(self, signed: SignedRequest, answer: RawAnswer) -> list[Event]:
        """One report that says how it went."""
        del signed
        outcome = Outcome.ACCEPTED if answer.transport == "ok" else Outcome.NOT_SENT
        return [ExecutionReport("c", "answer", outcome, 0, message=answer.detail)]


class Scene:
    """A gateway with one lane of each kind, its exchange, and what it told."""

    def __init__(self) -> None:
        self.exchange = Exchange()
        self.told: list[Event] = []
        self.now = 0
        self.gateway = Gateway(
            cast(Venue, self.exchange),
            self._post,
            lambda: self.now,
            lambda: self.now,
            lanes={"urgent": 1, "order": 1, "probe": 1},
        )
        self.gateway.start()

    def _post(self, events: Iterable[Event]) -> None:
        self.told += events

    def reports(self) -> list[ExecutionReport]:
        """What was told of the order, once its call is done."""
        eventually(lambda: any(isinstance(event, CallDone) for event in self.told))
        return [event for event in self.told if isinstance(event, ExecutionReport)]


@pytest.fixture
def scene() -> Iterator[Scene]:
    """A gateway that runs."""
    found = Scene()
    yield found
    found.gateway.stop()


def request(name: str = "1") -> SignedRequest:
    """A signed cancel."""
    call = CancelCall(CancelIntent("c", "BTCUSDT", Family.ORDER, "x"), 1)
    return SignedRequest(name, call, "DELETE", "/fapi/v1/order", "", 0, 5_000, "", 0)


def test_what_is_prepared_leaves_when_it_is_submitted(scene: Scene) -> None:
    """A lane makes it ready; with the commit it is the dispatcher's own thread that writes."""
    signed = request()
    scene.gateway.prepare(signed)
    eventually(lambda: waits(scene))
    assert scene.exchange.written == []
    scene.gateway.submit(signed)
    assert scene.exchange.written == ["1"]
    assert scene.exchange.writers == [threading.current_thread().name]
    assert [report.outcome for report in scene.reports()] == [Outcome.ACCEPTED]


def test_a_lane_that_comes_late_writes_by_itself(scene: Scene) -> None:
    """Submitted without being prepared, or before the lane was there: it leaves all the same."""
    scene.gateway.submit(request())
    assert [report.outcome for report in scene.reports()] == [Outcome.ACCEPTED]
    assert scene.exchange.writers == ["gateway-urgent-0"]


def test_what_was_not_written_down_never_leaves(scene: Scene) -> None:
    """Dropped: no byte leaves, nothing is said of the order, and the lane has room again."""
    signed = request()
    scene.gateway.prepare(signed)
    scene.gateway.drop(signed)
    assert scene.reports() == []
    assert scene.exchange.written == []
    assert scene.gateway.idle("urgent") == 0
    scene.gateway.freed(signed.call)
    assert scene.gateway.idle("urgent") == 1
    scene.gateway.drop(signed)  # again, or of what was never prepared: nothing happens


def test_nothing_is_told_before_the_commit(scene: Scene) -> None:
    """A lane that cannot send at all says so only when it is known what the journal holds."""
    scene.now = 60_000  # its signature is too old already
    signed = request()
    scene.gateway.prepare(signed)
    eventually(lambda: waits(scene))
    assert scene.told == []
    scene.gateway.submit(signed)
    assert scene.reports()[0].outcome is Outcome.NOT_SENT
    assert scene.exchange.written == []


def test_a_signature_that_grew_old_during_the_commit_stays(scene: Scene) -> None:
    """A slow disk: what the exchange would refuse does not leave, and the reason is told."""
    signed = request()
    scene.gateway.prepare(signed)
    eventually(lambda: waits(scene))
    scene.now = 3_000
    scene.gateway.submit(signed)
    (report,) = scene.reports()
    assert report.outcome is Outcome.NOT_SENT
    assert report.message == "signed 3000 ms ago, too old to send"
    assert scene.exchange.written == []


def test_a_write_that_breaks_is_the_lanes_to_tell(scene: Scene) -> None:
    """The dispatcher's thread writes, but never dies of it."""
    scene.exchange.breaks = BrokenPipeError("the line is gone")
    signed = request()
    scene.gateway.prepare(signed)
    eventually(lambda: waits(scene))
    scene.gateway.submit(signed)
    assert scene.reports()[0].message == "the line is gone"
    assert scene.gateway.failure is None


def test_each_way_round_a_gate_is_passed_once() -> None:
    """Whoever comes second writes, exactly once; a race of both loses nothing."""
    for _ in range(200):
        gate, written = Gate(), list[int]()
        lane = threading.Thread(target=leave, args=(gate, lambda: written.append(1)))  # noqa: B023
        lane.start()
        gate.open()
        lane.join()
        gate.wait()
        assert written == [1]


def leave(gate: Gate, write: Callable[[], Any]) -> None:
    """Pass a gate."""
    gate.leave(lambda: write() and None)


def waits(scene: Scene) -> bool:
    """True when the lane stands before the gate."""
    held = scene.gateway._held.values()
    return all(handed.gate._write is not None for handed in held)
