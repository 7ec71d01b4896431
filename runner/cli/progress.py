"""What a person sees on a terminal while something takes longer than a second."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from types import TracebackType
from typing import Final

AFTER: Final = 1.0
"""Seconds for which nothing is shown: most things are done by then."""

EVERY: Final = 0.2
BAR: Final = 20
CLEAR: Final = "\r\x1b[K"


class Working:
    """A line on stderr that says what is being done, for how long, and how far it is.

    Nothing of it appears where stderr is no terminal, and it is gone when the block ends.
    """

    def __init__(self, text: str, *, quiet: bool = False, after: float = AFTER) -> None:
        """`text` says what is being done: checking rules. `quiet`: the answer itself appears
        on the terminal meanwhile.
        """
        self._text = text
        self._quiet = quiet
        self._after = after
        self._done = self._count = 0
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Working:
        if sys.stderr.isatty() and not self._quiet:
            self._thread = threading.Thread(target=self._show, name="progress", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def step(self, done: int, count: int = 0) -> None:
        """So much is done; of `count` where that is known."""
        self._done, self._count = done, count

    def line(self, seconds: float) -> str:
        """What is shown after so many seconds."""
        text = f"{self._text} … {seconds:.0f} s"
        if not self._count:
            return f"{text}, {self._done}" if self._done else text
        full = BAR * self._done // self._count
        return f"{text} [{'#' * full}{' ' * (BAR - full)}] {self._done} of {self._count}"

    def _show(self) -> None:
        began, shown, out = time.monotonic(), False, sys.stderr
        while not self._over.wait(EVERY if shown else self._after):
            room = shutil.get_terminal_size().columns - 1
            out.write(f"{CLEAR}{self.line(time.monotonic() - began)[:room]}")
            out.flush()
            shown = True
        if shown:
            out.write(CLEAR)
            out.flush()
