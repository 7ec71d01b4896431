"""Notices a user stream that is connected and silent: an own order's update must follow soon."""

from __future__ import annotations

import threading
from collections import OrderedDict

REMEMBERED = 1_000


class Liveness:
    """Orders that were accepted, and whether the stream has told of them. Any thread may call.

    The update often overtakes the answer, so what was seen is remembered for a while.
    """

    def __init__(self, patience: int) -> None:
        """An update must come within `patience` ms of the answer."""
        self._patience = patience
        self._lock = threading.Lock()
        self._awaited: dict[str, int] = {}
        self._seen: OrderedDict[str, None] = OrderedDict()

    def expect(self, client_order_id: str, now: int) -> None:
        """An answer said ACCEPTED at `now` (monotonic ms)."""
        with self._lock:
            if client_order_id not in self._seen:
                self._awaited.setdefault(client_order_id, now + self._patience)

    def saw(self, client_order_id: str) -> None:
        """The stream told of this order."""
        with self._lock:
            self._awaited.pop(client_order_id, None)
            self._seen[client_order_id] = None
            while len(self._seen) > REMEMBERED:
                self._seen.popitem(last=False)

    def overdue(self, now: int) -> int:
        """How many orders the stream should have told of; they are asked for elsewhere then."""
        with self._lock:
            late = [name for name, until in self._awaited.items() if now > until]
            for name in late:
                del self._awaited[name]
            return len(late)

    def forgive(self) -> None:
        """A new connection begins: what is awaited may have been told in the gap."""
        with self._lock:
            self._awaited.clear()
