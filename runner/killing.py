"""The kill switch's own way out: cancels leave at once, on a connection that nothing else uses.

A kill must not wait for the journal, for a slow answer on another lane or for our own share of the
rate limit. So a thread of its own looks for a request, and sends a cancel of everything for each
symbol; a cancel may be repeated without harm, so no commit need precede it. The latch, the closing
of positions and the record follow on the usual way, which sends the cancels again.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from runner.core.orders import CancelCall, CancelIntent, Family
from runner.venues import Venue

log = logging.getLogger(__name__)

REQUEST: Final = "kill.request"
LOOK_EVERY: Final = 0.05
TRIES: Final = 5
BETWEEN: Final = 0.2
"""Seconds between two tries of a cancel that did not get through."""


def leave_request(folder: Path) -> None:
    """Ask the runner of this folder for the cancels; harmless when none runs."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder / REQUEST, os.O_WRONLY | os.O_CREAT, 0o600)
        os.close(descriptor)


class KillSwitch:
    """Looks for a request in the runner's folder; `now` asks for one from inside."""

    def __init__(self, folder: Path, venue: Venue, symbols: Callable[[], Iterable[str]]) -> None:
        """`symbols` are those whose orders go, asked for when it happens."""
        self._path = folder / REQUEST
        self._venue = venue
        self._symbols = symbols
        self._asked = threading.Event()
        self._stopping = threading.Event()
        self._numbers = itertools.count()
        self._thread = threading.Thread(target=self._run, name="kill", daemon=True)

    def start(self) -> None:
        """Begin to look; a request from a time when nobody ran is for the usual way."""
        self._path.unlink(missing_ok=True)
        self._thread.start()

    def now(self) -> None:
        """Send the cancels at once."""
        self._asked.set()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        self._asked.set()
        if self._thread.is_alive():
            self._thread.join(3)

    @property
    def alive(self) -> bool:
        """False when the thread died without being stopped."""
        return self._thread.is_alive() or self._stopping.is_set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            asked = self._asked.wait(LOOK_EVERY)
            if self._stopping.is_set():
                return
            if asked or self._path.exists():
                self._asked.clear()
                with contextlib.suppress(OSError):
                    self._path.unlink(missing_ok=True)
                self.cancel_all()

    def cancel_all(self) -> None:
        """Every order of every symbol, both families; what does not get through is repeated."""
        left = [(symbol, family) for symbol in self._symbols() for family in Family]
        log.critical("kill: cancelling every order of %d symbols", len(left) // len(Family))
        for _ in range(TRIES):
            left = [each for each in left if not self._cancelled(*each)]
            if not left or self._stopping.wait(BETWEEN):
                return
        symbols = ", ".join(sorted({symbol for symbol, _ in left}))
        log.critical(
            "kill: the cancels of %s did not get through yet; they are repeated, and a countdown "
            "on the exchange cancels without us. If it is urgent, act in the exchange's app",
            symbols,
        )

    def _cancelled(self, symbol: str, family: Family) -> bool:
        intent = CancelIntent(f"kill-{next(self._numbers)}", symbol, family)
        signed = self._venue.sign(self._venue.request(CancelCall(intent, 1)))
        answer = self._venue.send(signed)
        if answer.transport == "not_sent":
            log.critical("kill: nothing can be sent for %s: %s", symbol, answer.detail)
        return answer.transport == "ok" and answer.status < 500 and answer.status not in (418, 429)
