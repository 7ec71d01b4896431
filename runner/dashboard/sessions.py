"""Who is logged in, for how long, and who has guessed too often; all in this process' memory."""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

MINUTE = 60_000
LONGEST = 12 * 60 * MINUTE
"""Ms after which one logs in again, whatever one does."""

IDLE = 60 * MINUTE
"""Ms without a request, or an open page, after which one logs in again."""

MOST_SESSIONS = 32
FREE_TRIES = 5
"""Wrong passwords in a row before an address must wait."""

FIRST_WAIT = MINUTE
LONGEST_WAIT = 60 * MINUTE
MOST_REMEMBERED = 4_096


@dataclass(slots=True)
class Session:
    """One login: `token` stands in every form that changes something; times are ms."""

    token: str
    opened_at: int
    seen_at: int
    said: tuple[bool, str] | None = None
    """What became of the last command, until a page has shown it."""


class Sessions:
    """Open logins by the hash of their cookie. Any thread may call."""

    def __init__(self, now: Callable[[], int]) -> None:
        """Nobody is logged in; `now` is a clock in ms that never steps."""
        self._now = now
        self._lock = threading.Lock()
        self._open: OrderedDict[str, Session] = OrderedDict()

    def open(self) -> str:
        """Begin a session; returns what its cookie holds. The oldest of too many ends."""
        cookie = secrets.token_urlsafe(32)
        now = self._now()
        with self._lock:
            self._open[_key(cookie)] = Session(secrets.token_urlsafe(32), now, now)
            while len(self._open) > MOST_SESSIONS:
                self._open.popitem(last=False)
        return cookie

    def find(self, cookie: str) -> Session | None:
        """The session of this cookie, seen now; None when there is none or it is over."""
        key, now = _key(cookie), self._now()
        with self._lock:
            session = self._open.get(key)
            if session is None:
                return None
            if now - session.opened_at >= LONGEST or now - session.seen_at >= IDLE:
                del self._open[key]
                return None
            session.seen_at = now
            return session

    def close(self, cookie: str) -> None:
        """Log out."""
        with self._lock:
            self._open.pop(_key(cookie), None)

    def close_all(self) -> None:
        """Everybody is logged out: the password is another one."""
        with self._lock:
            self._open.clear()


def _key(cookie: str) -> str:
    return hashlib.sha256(cookie.encode("utf-8", "replace")).hexdigest()


class Lockout:
    """Wrong passwords by address: after five each one doubles the wait. Any thread may call."""

    def __init__(self, now: Callable[[], int]) -> None:
        """Nobody has guessed; `now` is a clock in ms that never steps."""
        self._now = now
        self._lock = threading.Lock()
        self._failed: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def wait(self, address: str) -> int:
        """Ms for which this address is not listened to; 0: it may try."""
        with self._lock:
            count, at = self._failed.get(address, (0, 0))
        if count < FREE_TRIES:
            return 0
        length = min(FIRST_WAIT << min(count - FREE_TRIES, 16), LONGEST_WAIT)
        return max(at + length - self._now(), 0)

    def failed(self, address: str) -> int:
        """Note a wrong password; returns how many those are in a row."""
        with self._lock:
            count, _ = self._failed.pop(address, (0, 0))
            self._failed[address] = (count + 1, self._now())
            if len(self._failed) > MOST_REMEMBERED:
                self._failed.popitem(last=False)
            return count + 1

    def passed(self, address: str) -> None:
        """The right password: the count begins anew."""
        with self._lock:
            self._failed.pop(address, None)
