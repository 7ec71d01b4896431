"""A thread that looks again and again until it is stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Rounds:
    """Calls `look` every so many seconds; `look` is the whole body of the thread."""

    def __init__(self, name: str, every: float, look: Callable[[], None]) -> None:
        """`name` is the thread's; `every` in seconds."""
        self._every = every
        self._look = look
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin; the first look comes after the first wait."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()

    @property
    def alive(self) -> bool:
        """True while its thread runs."""
        return self._thread.is_alive()

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            self._look()
