"""SIGTERM and Ctrl-C, for the verbs that stay up: the first stops cleanly, the second at once."""

from __future__ import annotations

import os
import queue
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopRequests:
    """Requests to stop; the main thread waits for one."""

    def __init__(self) -> None:
        """Nobody asked yet."""
        # put() of a SimpleQueue may be called in a handler; an Event's lock could be held there
        self._asked: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._count = 0

    def handle(self, number: int, frame: FrameType | None) -> None:
        """The handler."""
        del frame
        self._count += 1
        if self._count > 1:
            os._exit(128 + number)
        self._asked.put(number)

    def ask(self) -> None:
        """Ask for a clean stop, from any thread."""
        self._asked.put(0)

    def wait(self, seconds: float | None = None) -> bool:
        """True as soon as somebody asks, False when the seconds are over."""
        try:
            self._asked.get(timeout=seconds)
        except queue.Empty:
            return False
        return True


@contextmanager
def stop_requests() -> Iterator[StopRequests]:
    """SIGTERM and SIGINT become requests for as long as the block lasts."""
    requests = StopRequests()
    before = {
        number: signal.signal(number, requests.handle) for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield requests
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
