"""Circuit breakers: while a group of calls only fails, what is not urgent waits a little."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass

from runner.core.orders import Lane

log = logging.getLogger(__name__)

FAILURES = 5
"""So many failures one after another open a group's breaker."""
FIRST_PAUSE = 1_000
LONGEST_PAUSE = 10_000
"""Ms for which it stays open; it doubles with each failure after the pause."""

ORDERS = frozenset({"order", "batchOrders", "algoOrder"})


def group_of(method: str, path: str) -> str:
    """Orders, or the endpoint itself: that one reading fails says nothing about another."""
    name = path.rpartition("/")[2]
    return "orders" if method in ("POST", "PUT") and name in ORDERS else f"{method} {name}"


@dataclass(slots=True)
class _Group:
    failures: int = 0
    closed_at: int = 0


class Breakers:
    """What failed of late, by group. Any thread may call; `now` is monotonic ms.

    Nothing is serialised: once a pause is over every call may go, and one that gets through closes
    the breaker. The urgent lane (exits, cancels, the dead man, the kill) always may.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._groups: dict[str, _Group] = {}

    def allows(self, group: str, lane: Lane, now: int) -> bool:
        """True when a call of this group may go now."""
        known = self._groups.get(group)
        return lane == "urgent" or known is None or now >= known.closed_at

    def learn(self, group: str, *, failed: bool, now: int) -> None:
        """One call came back: with no answer or a 5xx (failed), or with anything else."""
        with self._lock:
            if not failed:
                if self._groups.pop(group, _Group()).failures >= FAILURES:
                    log.info("%s answers again", group)
                return
            known = self._groups.setdefault(group, _Group())
            # calls that were on their way together count once a pause
            if now < known.closed_at:
                return
            known.failures += 1
            beyond = known.failures - FAILURES
            if beyond >= 0:
                pause = min(FIRST_PAUSE * 2 ** min(beyond, 10), LONGEST_PAUSE)
                known.closed_at = now + pause
                log.info("%s: fails, what is not urgent waits %d ms", group, pause)
