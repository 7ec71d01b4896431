"""Brings notices to one target: what is critical one by one until it is taken, the rest together.

`turn` is the whole body of the thread: it sends at most one message and tells when to come back.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from runner.core.notice import Notice, Outgoing, Settled

GATHER = 1_500
"""Ms that notices which are not critical wait for others, to be told together."""

MOST_A_MINUTE = 20
"""Messages; a Telegram group takes no more. What is critical is not held back by it."""

MOST_WAITING = 200
MOST_LINES = 20
MOST_TRIES = 5
"""How often the rest is tried; what is critical is tried until it is taken, or GIVE_UP."""

GIVE_UP = 3 * 86_400_000
FIRST_WAIT = 1_000
LONGEST_WAIT = 300_000
MINUTE = 60_000
IDLE = 3_600_000


class Sending(Protocol):
    """A target."""

    @property
    def name(self) -> str:
        """How the settings call it."""

    def send(self, kind: str, title: str, body: str, *, silent: bool) -> str:
        """Return nothing when it was taken, else why it was not."""


@dataclass(frozen=True, slots=True)
class Failing:
    """A target that took nothing since then (ms), how often it was tried, and its words."""

    since: int
    tries: int
    trouble: str


@dataclass(slots=True)
class Counts:
    """How many messages a target took and refused, and how many notices it never got."""

    sent: int = 0
    failed: int = 0
    dropped: int = 0


@dataclass(slots=True)
class _Rest:
    """Notices that may be told together, oldest first."""

    notices: deque[tuple[Notice, bool]] = field(default_factory=deque)
    since: int = 0
    dropped: int = 0
    tries: int = 0


class Courier:
    """One target's waiting notices; any thread may put, one thread turns."""

    def __init__(
        self,
        target: Sending,
        now: Callable[[], int],
        settled: Callable[[Settled], None],
    ) -> None:
        """`now` gives ms; `settled` hears what became of each critical notice."""
        self.target = target
        self._now = now
        self._settled = settled
        self._lock = threading.Lock()
        self._urgent: deque[tuple[Outgoing, bool]] = deque()
        self._rest = _Rest()
        self._sent_at: deque[int] = deque()
        self._retry_at = 0
        self.failing: Failing | None = None
        self.counts = Counts()

    def put(self, notice: Notice, *, silent: bool, key: str = "") -> None:
        """Take a notice; a critical one that waits in the journal comes with its key there."""
        with self._lock:
            if notice.critical:
                self._urgent.append((Outgoing(key, self.target.name, notice), silent))
                return
            rest = self._rest
            if not rest.notices:
                rest.since, rest.tries = self._now(), 0
            rest.notices.append((notice, silent))
            while len(rest.notices) > MOST_WAITING:
                rest.notices.popleft()
                rest.dropped += 1
                self.counts.dropped += 1

    @property
    def waiting(self) -> int:
        """How many critical notices wait for this target."""
        return len(self._urgent)

    @property
    def idle(self) -> bool:
        """True when nothing waits."""
        return not (self._urgent or self._rest.notices)

    def turn(self, *, hurry: bool = False) -> int:
        """Send at most one message; the ms after which to come again. `hurry`: gather no more."""
        now = self._now()
        if self._retry_at > now + LONGEST_WAIT:
            self._retry_at = now  # the clock was set back
        if now < self._retry_at:
            return self._retry_at - now
        with self._lock:
            urgent = self._urgent[0] if self._urgent else None
            wait = 0 if urgent else self._patience(now, hurry=hurry)
            rest = [] if urgent or wait else list(self._rest.notices)
        if urgent is not None:
            self._send_urgent(*urgent)
        elif rest:
            self._send_rest(rest)
        else:
            return wait
        return max(self._retry_at - self._now(), 0)

    def _patience(self, now: int, *, hurry: bool) -> int:
        """Ms until the rest may be sent."""
        if not self._rest.notices:
            return IDLE
        if hurry:
            return 0
        while self._sent_at and not now - MINUTE < self._sent_at[0] <= now:
            self._sent_at.popleft()
        full = len(self._sent_at) >= MOST_A_MINUTE
        room_at = self._sent_at[0] + MINUTE if full else now
        gathered_at = min(self._rest.since, now) + GATHER
        return max(room_at - now, gathered_at - now, 0)

    def _send_urgent(self, item: Outgoing, silent: bool) -> None:
        notice = item.notice
        trouble = self._send(notice.kind, notice.title, notice.body, silent=silent)
        now = self._now()
        if trouble and now - notice.at < GIVE_UP:
            return
        with self._lock:
            self._urgent.popleft()
        if item.key:
            self._settled(Settled(item.key, item.target, now, trouble))

    def _send_rest(self, taken: list[tuple[Notice, bool]]) -> None:
        silent = all(quiet for _, quiet in taken)
        kind, title, body = told_together([notice for notice, _ in taken], self._rest.dropped)
        trouble = self._send(kind, title, body, silent=silent)
        with self._lock:
            rest = self._rest
            rest.tries += 1
            if trouble and rest.tries < MOST_TRIES:
                return
            if trouble:
                self.counts.dropped += len(taken)
            sent = {id(notice) for notice, _ in taken}
            rest.notices = deque(each for each in rest.notices if id(each[0]) not in sent)
            rest.since, rest.tries, rest.dropped = self._now(), 0, 0

    def _send(self, kind: str, title: str, body: str, *, silent: bool) -> str:
        trouble = self.target.send(kind, title, body, silent=silent)
        now = self._now()
        if not trouble:
            self.counts.sent += 1
            self.failing, self._retry_at = None, 0
            self._sent_at.append(now)
            return ""
        self.counts.failed += 1
        known = self.failing or Failing(now, 0, "")
        self.failing = Failing(known.since, known.tries + 1, trouble)
        self._retry_at = now + min(FIRST_WAIT << min(known.tries, 10), LONGEST_WAIT)
        return trouble


def told_together(notices: list[Notice], dropped: int = 0) -> tuple[str, str, str]:
    """Kind, first line and body of one message about them all; repeats are counted."""
    last = notices[-1]
    if len(notices) == 1 and not dropped:
        return last.kind, last.title, last.body
    counts = Counter(notice.title for notice in notices)
    lines = [f"{title} ×{count}" if count > 1 else title for title, count in counts.items()]
    if len(lines) == 1 and not dropped:
        return last.kind, lines[0], last.body
    hidden = len(lines) - MOST_LINES
    shown = ([f"… and {hidden} before"] if hidden > 0 else []) + lines[-MOST_LINES:]
    if dropped:
        shown.insert(0, f"{dropped} older ones were dropped, this target was away for too long")
    return last.kind, f"{len(notices) + dropped} notices, the last: {last.title}", "\n".join(shown)
