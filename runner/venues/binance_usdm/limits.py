"""The rate-limit budget: what may still be sent, which share is kept for what lowers risk."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Literal

from runner.core.orders import Lane

Kind = Literal["weight", "orders"]

MINUTE = 60_000
GRACE = 1_000
"""After a pause the urgent lane goes first; the others wait this much longer (ms)."""
SHORTEST_BAN = 2 * MINUTE
LONGEST_BAN = 3 * 1_440 * MINUTE
"""An IP ban lasts two minutes to three days (general-info, limits)."""
SHARE: dict[Kind, dict[Lane, float]] = {
    "weight": {"order": 0.7, "probe": 0.85, "urgent": 1.0},
    "orders": {"order": 0.8, "probe": 1.0, "urgent": 1.0},
}
"""How far into a window each lane may reach; what lies above is kept for the more urgent."""

SPARE = 10
"""Of each 1,000 weight: what other processes at this address may have under way, and no answer
has told of yet.
"""

_UNIT = {"S": 1_000, "M": MINUTE, "H": 60 * MINUTE, "D": 1_440 * MINUTE}
_HEADER = re.compile(r"x-mbx-(used-weight|order-count)-(\d+)([smhd])$", re.IGNORECASE)
_TOO_MANY_ORDERS = re.compile(rb'"code"\s*:\s*"?-1015\b')
_BANNED = re.compile(r"banned until (\d{10,19})")


@dataclass(frozen=True, slots=True)
class Limit:
    """So much of `kind` in each `interval` ms."""

    kind: Kind
    interval: int
    limit: int


@dataclass(frozen=True, slots=True)
class Cost:
    """What one call takes: weight of the address, orders in 10 s and orders in a minute."""

    weight: int = 0
    orders_10s: int = 0
    orders_1m: int = 0

    def of(self, limit: Limit) -> int:
        """How much of this limit the call takes."""
        if limit.kind == "weight":
            return self.weight
        return self.orders_10s if limit.interval < MINUTE else self.orders_1m


DEFAULTS = (
    Limit("weight", MINUTE, 2_400),
    Limit("orders", 10_000, 300),
    Limit("orders", MINUTE, 1_200),
)
"""What exchangeInfo stated in 2026-07; replaced at start by what it states then."""


@dataclass(slots=True)
class Spent:
    """What was used of each limit, as window and amount, and the end of a pause (server time)."""

    used: dict[tuple[Kind, int], tuple[int, int]] = field(default_factory=dict)
    paused_until: int = 0


class Budget:
    """What was spent in the running windows, and until when nothing may be sent.

    Windows are the exchange's own: they begin at whole multiples of the interval in server
    time. Any thread may call; `now` is server time in ms. Orders count for the account, weight
    for the address: accounts of one process share that with each other.
    """

    def __init__(self, limits: Iterable[Limit] = DEFAULTS) -> None:
        self._lock = threading.Lock()
        self._limits = tuple(limits)
        self._own = Spent()
        self._address = Spent()

    def share(self, other: Budget) -> None:
        """Count weight and pauses together with another account at the same address."""
        self._lock, self._address = other._lock, other._address

    def adopt(self, limits: Iterable[Limit]) -> None:
        """Use these limits from now on; what was spent stays spent."""
        with self._lock:
            self._limits = tuple(limits) or self._limits

    def room(self, cost: Cost, lane: Lane, now: int) -> bool:
        """True when the call may go now, and then it is counted as spent."""
        with self._lock:
            if self._paused(lane, now):
                return False
            if not all(self._fits(limit, cost, lane, now) for limit in self._limits):
                return False
            for limit in self._limits:
                self._spend(limit, cost.of(limit), now)
            return True

    def paused(self, lane: Lane, now: int) -> int:
        """Milliseconds for which this lane may send nothing at all; 0 when it may."""
        with self._lock:
            return max(0, self._end(lane) - now) if self._paused(lane, now) else 0

    def learn(self, status: int, headers: Mapping[str, str], body: bytes, now: int) -> int:
        """Take over what an answer tells; return the ms of a pause it begins (429, 418), else 0."""
        with self._lock:
            for name, text in headers.items():
                self._learn_header(name, text, now)
            if status not in (418, 429):
                return 0
            until = _until(status, headers, body, now)
            # an account's own orders were too many: the others at this address may go on
            own = status == 429 and _TOO_MANY_ORDERS.search(body) is not None
            spent = self._own if own else self._address
            spent.paused_until = max(spent.paused_until, until)
            return spent.paused_until - now

    def left(self, now: int) -> list[tuple[Limit, int]]:
        """Each limit with what is left of it in the running window."""
        with self._lock:
            return [(limit, limit.limit - self._spent(limit, now)) for limit in self._limits]

    def _paused(self, lane: Lane, now: int) -> bool:
        return self._until > 0 and now < self._end(lane)

    def _end(self, lane: Lane) -> int:
        return self._until + (0 if lane == "urgent" else GRACE)

    @property
    def _until(self) -> int:
        return max(self._own.paused_until, self._address.paused_until)

    def _of(self, limit: Limit) -> Spent:
        return self._address if limit.kind == "weight" else self._own

    def _fits(self, limit: Limit, cost: Cost, lane: Lane, now: int) -> bool:
        amount = cost.of(limit)
        if amount == 0:
            return True
        spare = limit.limit // 1_000 * SPARE if limit.kind == "weight" else 0
        most = min(limit.limit * SHARE[limit.kind][lane], limit.limit - spare)
        return self._spent(limit, now) + amount <= most

    def _spent(self, limit: Limit, now: int) -> int:
        window, used = self._of(limit).used.get((limit.kind, limit.interval), (-1, 0))
        return used if window == now // limit.interval else 0

    def _spend(self, limit: Limit, amount: int, now: int) -> None:
        spent = self._spent(limit, now) + amount
        self._of(limit).used[limit.kind, limit.interval] = (now // limit.interval, spent)

    def _learn_header(self, name: str, text: str, now: int) -> None:
        found = _HEADER.match(name)
        if found is None or not _is_number(text):
            return
        kind: Kind = "weight" if found[1].lower() == "used-weight" else "orders"
        limit = Limit(kind, int(found[2]) * _UNIT[found[3].upper()], 0)
        # calls still under way are in our count and not yet in theirs: the larger one holds
        missing = int(text) - self._spent(limit, now)
        if missing > 0:
            self._spend(limit, missing, now)


def _until(status: int, headers: Mapping[str, str], body: bytes, now: int) -> int:
    """The end of the pause: the largest time that the answer names, else the documented least."""
    named = [_retry_after(text, now) for name, text in headers.items() if _is_retry_after(name)]
    named += [int(text) for text in _BANNED.findall(body.decode("utf-8", "replace"))]
    if any(until > now for until in named):
        return min(max(named), now + LONGEST_BAN)
    return now + SHORTEST_BAN if status == 418 else (now // MINUTE + 1) * MINUTE


def _is_retry_after(name: str) -> bool:
    return name.lower() == "retry-after"


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 20


def _retry_after(text: str, now: int) -> int:
    """Seconds from now, or an HTTP date; 0 for anything else."""
    text = text.strip()
    if _is_number(text):
        return now + int(text) * 1_000
    try:
        return int(parsedate_to_datetime(text).timestamp() * 1_000)
    except (ValueError, TypeError):
        return 0
