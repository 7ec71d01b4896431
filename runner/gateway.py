"""The gateway: lanes that each send signed bytes once, read the answer, and post what it means."""

from __future__ import annotations

import logging
import queue
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from runner import failpoints
from runner.core.events import CallDone, Event
from runner.core.orders import Call, Lane, lane_of
from runner.venues import RawAnswer, SignedRequest, Venue
from runner.venues.gate import Gate, Withheld, opened

log = logging.getLogger(__name__)

LANES: Mapping[Lane, int] = {"urgent": 2, "order": 3, "probe": 1}
"""How many connections each lane has: one slow answer blocks nothing more urgent."""

WARM_EVERY = 20.0
"""Seconds of idleness after which a lane uses its connection; no two of a kind at one moment."""


Measured = Callable[[SignedRequest, RawAnswer, int], None]
"""Hears of each request that was sent, its answer, and the ms it took."""


def too_old(signed: SignedRequest, monotonic: int) -> str:
    """Why a request whose signature outlived its welcome stays; empty when it may leave.

    The exchange would refuse it as well: this only spares a paused process the way there.
    """
    age = monotonic - signed.signed_monotonic
    return "" if age <= signed.recv_window // 2 else f"signed {age} ms ago, too old to send"


@dataclass(slots=True)
class _Handed:
    """A request in a lane's hands, and when it could leave (monotonic, ms).

    `dropped`: nobody waits for its answer any more.
    """

    signed: SignedRequest
    gate: Gate
    left_at: int
    dropped: bool = False


class Gateway:
    """The only way out to the exchange. `submit`, `idle` and `freed` are the dispatcher's."""

    def __init__(
        self,
        venue: Venue,
        post: Callable[[Iterable[Event]], None],
        now: Callable[[], int],
        monotonic: Callable[[], int],
        lanes: Mapping[Lane, int] = LANES,
        measured: Measured | None = None,
    ) -> None:
        """Lanes are threads; `post` takes all that one answer says; both clocks give ms."""
        self._venue = venue
        self._post = post
        self._now = now
        self._monotonic = monotonic
        self._measured = measured
        self._sizes = dict(lanes)
        self._busy: Counter[Lane] = Counter()
        self._held: dict[str, _Handed] = {}
        self._queues: dict[Lane, queue.SimpleQueue[_Handed | None]] = {
            lane: queue.SimpleQueue() for lane in lanes
        }
        self._threads = [
            threading.Thread(
                target=self._work, args=(lane, n), name=f"gateway-{lane}-{n}", daemon=True
            )
            for lane, size in lanes.items()
            for n in range(size)
        ]
        self.failure: BaseException | None = None

    def start(self) -> None:
        """Start the lanes."""
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float = 3.0) -> None:
        """Let each lane finish what it is sending, then end it."""
        for lane, size in self._sizes.items():
            for _ in range(size):
                self._queues[lane].put(None)
        for thread in self._threads:
            thread.join(timeout)

    def idle(self, lane: Lane) -> int:
        """How many more calls this lane can take at once."""
        return self._sizes[lane] - self._busy[lane]

    @property
    def busy(self) -> bool:
        """True while a request is on its way."""
        return any(self._busy.values())

    def prepare(self, signed: SignedRequest) -> None:
        """Have a lane make this request ready; it leaves when it is submitted."""
        handed = _Handed(signed, Gate(), self._monotonic())
        self._held[signed.request_id] = handed
        self._hand_over(handed)

    def submit(self, signed: SignedRequest) -> None:
        """Let a request leave whose attempt is durable."""
        handed = self._held.pop(signed.request_id, None)
        if handed is None:
            failpoints.hit("send.before")
            self._hand_over(_Handed(signed, opened(), self._monotonic()))
        elif late := too_old(signed, self._monotonic()):
            handed.gate.shut(late)
        else:
            failpoints.hit("send.before")
            handed.left_at = self._monotonic()
            handed.gate.open()

    def drop(self, signed: SignedRequest) -> None:
        """Its attempt is not durable: it never leaves, and nothing is said of it."""
        handed = self._held.pop(signed.request_id, None)
        if handed is not None:
            handed.dropped = True
            handed.gate.shut("it was not written down")

    def _hand_over(self, handed: _Handed) -> None:
        lane = lane_of(handed.signed.call)
        self._busy[lane] += 1
        self._queues[lane].put(handed)

    def freed(self, call: Call) -> None:
        """The dispatcher saw this call's CallDone: its lane has room again."""
        self._busy[lane_of(call)] -= 1

    def _work(self, lane: Lane, number: int) -> None:
        """Send what comes; before it comes, and while nothing does, keep the connection warm."""
        try:
            self._venue.warm()
            while True:
                try:
                    handed = self._queues[lane].get(timeout=WARM_EVERY + number)
                except queue.Empty:
                    self._venue.warm()
                    continue
                if handed is None:
                    return
                self._carry(handed)
        except BaseException as error:
            log.exception("a gateway lane died")
            self.failure = error
            raise

    def _carry(self, handed: _Handed) -> None:
        signed = handed.signed
        answer = self._send(handed)
        handed.gate.wait()
        failpoints.hit("answer.before")
        told = [] if handed.dropped else self._venue.interpret(signed, answer)
        self._post([*told, CallDone(signed.call, self._now())])

    def _send(self, handed: _Handed) -> RawAnswer:
        """Send once, unless the signature grew too old in the queue to be accepted."""
        signed = handed.signed
        late = too_old(signed, self._monotonic())
        if late:
            return RawAnswer("not_sent", detail=late)
        try:
            answer = self._venue.send(signed, handed.gate)
        except Withheld as why:
            return RawAnswer("not_sent", detail=str(why))
        failpoints.hit("send.after")
        if self._measured is not None:
            self._measured(signed, answer, self._monotonic() - handed.left_at)
        return answer
