"""A sign of life to a service outside: a dead process cannot tell that it is dead."""

from __future__ import annotations

import threading
from collections.abc import Callable

import requests

EVERY = 60.0
PATIENCE = 10.0
"""Seconds that the service may take to answer."""

TURNING = 15_000
"""Ms since the dispatcher's last turn within which it is alive."""


class Heartbeat:
    """GETs an address every minute while the dispatcher turns."""

    def __init__(
        self, url: str, turned_at: Callable[[], int], now: Callable[[], int], every: float = EVERY
    ) -> None:
        """`url` is a secret; `turned_at` is when the dispatcher last did a turn (ms)."""
        self._url = url
        self._turned_at = turned_at
        self._now = now
        self._every = every
        self._session = requests.Session()
        self._session.trust_env = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self.failing_since: int | None = None
        self.trouble = ""
        self.beats = 0

    def start(self) -> None:
        """Begin, with a first beat at once."""
        self._thread.start()

    def stop(self) -> None:
        """End without a further beat."""
        self._stop.set()
        self._session.close()

    @property
    def alive(self) -> bool:
        """True while its thread runs."""
        return self._thread.is_alive()

    def _run(self) -> None:
        while not self._stop.is_set():
            self.beat()
            self._stop.wait(self._every)

    def beat(self) -> None:
        """One GET, unless the dispatcher stands still: then silence is the alarm."""
        if self._now() - self._turned_at() > TURNING:
            return
        trouble = self._get()
        if not trouble:
            self.beats += 1
            self.failing_since = None
        elif self.failing_since is None:
            self.failing_since = self._now()
        self.trouble = trouble

    def _get(self) -> str:
        try:
            with self._session.get(
                self._url, timeout=PATIENCE, allow_redirects=False, stream=True
            ) as answer:
                return "" if answer.status_code < 400 else f"HTTP {answer.status_code}"
        except requests.RequestException as error:
            # the error's own words hold the address
            return type(error).__name__
