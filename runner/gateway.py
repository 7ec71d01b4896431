"""The gateway: lanes that each send signed bytes once, read the answer, and post what it means."""

from __future__ import annotations

import logging
import queue
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from runner import failpoints
from runner.core.events import CallDone, Event
from runner.core.orders import Call, Lane, lane_of
from runner.venues import RawAnswer, SignedRequest, Venue

log = logging.getLogger(__name__)

LANES: Mapping[Lane, int] = {"urgent": 2, "order": 3, "probe": 1}
"""How many connections each lane has: one slow answer blocks nothing more urgent."""

WARM_EVERY = 20.0
"""Seconds of idleness after which a lane uses its connection; no two of a kind at one moment."""


Measured = Callable[[SignedRequest, RawAnswer, int], None]
"""Hears of each request that was sent, its answer, and the ms it took."""


def too_old(signed: SignedRequest, monotonic: int) -> RawAnswer | None:
    """The answer to a request whose signature outlived its welcome; None when it may leave.

    The exchange would refuse it as well: this only spares a paused process the way there.
    """
    age = monotonic - signed.signed_monotonic
    if age <= signed.recv_window // 2:
        return None
    return RawAnswer("not_sent", detail=f"signed {age} ms ago, too old to send")


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
        self._queues: dict[Lane, queue.SimpleQueue[SignedRequest | None]] = {
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

    def submit(self, signed: SignedRequest) -> None:
        """Hand over a request whose attempt is durable."""
        lane = lane_of(signed.call)
        self._busy[lane] += 1
        self._queues[lane].put(signed)

    def freed(self, call: Call) -> None:
        """The dispatcher saw this call's CallDone: its lane has room again."""
        self._busy[lane_of(call)] -= 1

    def _work(self, lane: Lane, number: int) -> None:
        """Send what comes; before it comes, and while nothing does, keep the connection warm."""
        try:
            self._venue.warm()
            while True:
                try:
                    signed = self._queues[lane].get(timeout=WARM_EVERY + number)
                except queue.Empty:
                    self._venue.warm()
                    continue
                if signed is None:
                    return
                self._carry(signed)
        except BaseException as error:
            log.exception("a gateway lane died")
            self.failure = error
            raise

    def _carry(self, signed: SignedRequest) -> None:
        answer = self._send(signed)
        failpoints.hit("answer.before")
        done = CallDone(signed.call, self._now())
        self._post([*self._venue.interpret(signed, answer), done])

    def _send(self, signed: SignedRequest) -> RawAnswer:
        """Send once, unless the signature grew too old in the queue to be accepted."""
        refusal = too_old(signed, self._monotonic())
        if refusal is not None:
            return refusal
        failpoints.hit("send.before")
        began_at = self._monotonic()
        answer = self._venue.send(signed)
        failpoints.hit("send.after")
        if self._measured is not None:
            self._measured(signed, answer, self._monotonic() - began_at)
        return answer
