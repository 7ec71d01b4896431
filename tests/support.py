"""What tests on real sockets and processes share: waiting for a fact, and a free port."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

POLL_SECONDS = 0.01


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
    """Return a TCP port of 127.0.0.1 that nobody listened on a moment ago.

    Port 0 is better wherever the listener can say what it got.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
