"""A gate before the exchange: a request waits there, all but sent, until its attempt is durable."""

from __future__ import annotations

import threading
from collections.abc import Callable

from runner.errors import RunnerError


class Withheld(RunnerError):
    """The request must not leave; not one byte of it did."""


class Gate:
    """Passed once, by one request. `open` and `shut` are the dispatcher's, `leave` the lane's.

    A lane's thread makes its request ready while the commit is on its way to the disk. Who comes
    second, the dispatcher with its commit or the lane with its bytes, writes them: no thread has
    to be woken in between.
    """

    __slots__ = ("_decided", "_error", "_guard", "_passed", "_write")

    def __init__(self) -> None:
        self._decided = False
        self._error: BaseException | None = None
        self._write: Callable[[], None] | None = None
        self._guard = threading.Lock()
        self._passed = threading.Lock()
        self._passed.acquire()

    def leave(self, write: Callable[[], None]) -> None:
        """Have the bytes written as soon as they may be; returns when they are.

        Raises what `write` raises, and Withheld when they may not leave at all.
        """
        with self._guard:
            waits = not self._decided
            self._write = write
        if waits:
            self._passed.acquire()
        if self._error is not None:
            raise self._error
        if not waits:
            write()

    def wait(self) -> None:
        """Return once it is decided whether anything may leave."""
        with self._guard:
            waits = not self._decided
            self._write = self._write or _nothing
        if waits:
            self._passed.acquire()

    def open(self) -> None:
        """It is durable: write what waits here, and let pass what comes."""
        write = self._decide()
        if write is None:
            return
        try:
            write()
        except BaseException as error:  # noqa: BLE001  # the lane's, as if it had written itself
            self._error = error
        self._passed.release()

    def shut(self, why: str) -> None:
        """Nothing leaves here, and that is why."""
        self._error = Withheld(why)
        if self._decide() is not None:
            self._passed.release()

    def _decide(self) -> Callable[[], None] | None:
        with self._guard:
            self._decided = True
            return self._write


def _nothing() -> None:
    """Nothing is left to write."""


def opened() -> Gate:
    """A gate for what no commit must precede."""
    gate = Gate()
    gate.open()
    return gate
