"""What tests on real sockets and processes share: waiting for a fact, and a free port."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

POLL_SECONDS = 0.01
LOCAL_PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")
CHANCE = random.SystemRandom()


def eventually(check: Callable[[], T], timeout: float = 10.0) -> T:
    """Return the first true value of `check()`, asked again and again for `timeout` seconds.

    `check` may raise AssertionError while the fact is not there yet; any other error goes
    through at once. Raises AssertionError with the last answer when the time is over.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            last: object = (value := check())
            if value:
                return value
        except AssertionError as error:
            last = error
        if time.monotonic() >= deadline:
            name = getattr(check, "__qualname__", repr(check))
            raise AssertionError(f"not within {timeout} s: {name}; last answer: {last!r}")
        time.sleep(POLL_SECONDS)


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on, and that nobody is given meanwhile.

    Port 0 is better wherever the listener can say what it got. Its ports are also those of
    outgoing connections, so a listener that starts again might find its own taken: these are not.
    """
    given = LOCAL_PORTS.read_text().split() if LOCAL_PORTS.exists() else ["32768"]
    for _ in range(1_000):
        port = CHANCE.randrange(10_000, max(int(given[0]), 20_000))
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("a thousand ports of 127.0.0.1 are all taken")
