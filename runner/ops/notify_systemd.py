"""Tells systemd how it goes: READY=1, STOPPING=1, WATCHDOG=1, STATUS=… (sd_notify(3))."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping


def notify(*lines: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Send assignments such as `READY=1`; return False where no systemd listens.

    A notification that gets lost is no reason to stop trading: errors are False too.
    """
    address = environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as connection:
            connection.connect(address.replace("@", "\0", 1) if address[0] == "@" else address)
            connection.sendall("\n".join(lines).encode())
    except OSError:
        return False
    return True


def watchdog_seconds(environ: Mapping[str, str] = os.environ) -> float | None:
    """Return how often WATCHDOG=1 is due (half the unit's limit), None without a watchdog."""
    limit = environ.get("WATCHDOG_USEC", "")
    meant = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    return int(limit) / 2_000_000 if meant and limit.isdigit() and int(limit) else None


class Pulse:
    """Feeds the watchdog only while the dispatcher turns: a process that hangs is started anew."""

    def __init__(self, beat: Callable[[], object], every: float | None) -> None:
        """`every` is in seconds, None where no watchdog waits."""
        self._beat = beat
        self._every = every
        self._fed_for: int | None = None

    def feed(self, turned_at: int) -> None:
        """Beat when the dispatcher has turned since, `every` seconds (ms in `turned_at`) on."""
        if self._every is None:
            return
        if self._fed_for is None or abs(turned_at - self._fed_for) >= self._every * 1000:
            self._beat()
            self._fed_for = turned_at
