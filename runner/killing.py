"""The kill switch's own way out: cancels leave at once, on a connection that nothing else uses.

A kill must not wait for the journal, for a slow answer on another lane or for our own share of the
rate limit. So a thread of its own takes a request as soon as it is there, and sends a cancel of
everything for each symbol; a cancel may be repeated without harm, so no commit need precede it. At
the same moment the command itself is handed in, so that nothing fires while it is still on its
usual way, through the journal's inbox. A kill that comes by the inbox alone, as from another
machine through PostgreSQL, is found there within half a second and goes the same way once it is
decided. The closing of positions and the record follow, and send the cancels again.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from runner.core.events import Command
from runner.core.orders import CancelCall, CancelIntent, Family
from runner.ops.arrivals import Arrivals
from runner.venues import Venue

log = logging.getLogger(__name__)

REQUEST: Final = "kill.request"
LOOK_EVERY: Final = 0.05
"""Seconds between two looks for a request that the kernel did not tell of."""
TRIES: Final = 5
BETWEEN: Final = 0.2
"""Seconds between two tries of a cancel that did not get through."""


def request_in(folder: Path, apart: str = "") -> Path:
    """The request's file; `apart` names the account where it is not the default one."""
    return folder / (f"kill-{apart}.request" if apart else REQUEST)


def leave_request(
    folder: Path, key: str = "", told: Mapping[str, Any] | None = None, apart: str = ""
) -> None:
    """Ask the runner of this folder for the cancels; harmless when none runs.

    With `key` and what is `told` of it the command is handed in at once, too. Whoever leaves the
    request gives the same command on the usual way: it is done once. `apart` names the account
    where it is not the default one.
    """
    path = request_in(folder, apart)
    unfinished = folder / f".{path.name}.{os.getpid()}"
    with contextlib.suppress(OSError):
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(json.dumps({"key": key, **told}) if told is not None else "")
        unfinished.rename(path)


class KillSwitch:
    """Looks for a request in the runner's folder; `now` asks for one from inside."""

    def __init__(
        self,
        folder: Path,
        venue: Venue,
        symbols: Callable[[], Iterable[str]],
        hand_in: Callable[[Command], object],
        apart: str = "",
    ) -> None:
        """`symbols` are those whose orders go, asked for when it happens.

        `hand_in` takes the command that a request brings, without waiting for anything; `apart`
        names the account where it is not the default one.
        """
        self._path = request_in(folder, apart)
        self._venue = venue
        self._symbols = symbols
        self._hand_in = hand_in
        self._key = ""
        self._asked = threading.Event()
        self._stopping = threading.Event()
        self._arrivals: Arrivals | None = None
        self._numbers = itertools.count()
        self._thread = threading.Thread(target=self._run, name="kill", daemon=True)

    def start(self) -> None:
        """Begin to look; a request from a time when nobody ran is for the usual way."""
        self._path.unlink(missing_ok=True)
        self._arrivals = Arrivals(self._path.parent)
        self._thread.start()

    def now(self, key: str) -> None:
        """Send the cancels at once, for the command of this name."""
        self._key = key
        self._asked.set()
        self._wake()

    def _wake(self) -> None:
        if self._arrivals is not None:
            self._arrivals.knock()

    def follow(self, key: str) -> None:
        """The command of this name was decided: send the cancels, unless they left for it."""
        if key != self._key:
            self.now(key)

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        self._wake()
        if self._thread.is_alive():
            self._thread.join(3)

    @property
    def alive(self) -> bool:
        """False when the thread died without being stopped."""
        return self._thread.is_alive() or self._stopping.is_set()

    def _run(self) -> None:
        arrivals = self._arrivals
        assert arrivals is not None
        with contextlib.closing(arrivals):
            while not self._stopping.is_set():
                arrivals.wait(LOOK_EVERY)
                if self._stopping.is_set():
                    return
                if self._asked.is_set() or self._path.exists():
                    self._asked.clear()
                    self._take()
                    self.cancel_all()

    def _take(self) -> None:
        """Hand in the command of the request; one that cannot be read comes by the inbox alone."""
        with contextlib.suppress(OSError, ValueError, TypeError):
            text = self._path.read_text()
            self._path.unlink(missing_ok=True)
            if text:
                command = Command("kill", live=True, **json.loads(text))
                self._key = command.key
                self._hand_in(command)

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
        try:
            return self._sent(symbol, family)
        except Exception:
            # one symbol's trouble must not keep the others' cancels back
            log.exception("kill: the cancel of %s could not be made", symbol)
            return False

    def _sent(self, symbol: str, family: Family) -> bool:
        intent = CancelIntent(f"kill-{next(self._numbers)}", symbol, family)
        signed = self._venue.sign(self._venue.request(CancelCall(intent, 1)))
        answer = self._venue.send(signed)
        if answer.transport == "not_sent":
            log.critical("kill: nothing can be sent for %s: %s", symbol, answer.detail)
        return answer.transport == "ok" and answer.status < 500 and answer.status not in (418, 429)
