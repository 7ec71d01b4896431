"""Notices at once that a file was moved into a folder, where the kernel tells of it (inotify)."""

from __future__ import annotations

import contextlib
import os
import select
import socket
from pathlib import Path

MOVED_INTO = 0x0100_0080
"""IN_ONLYDIR and IN_MOVED_TO of sys/inotify.h."""


class Arrivals:
    """Waits for files that are moved into a folder, or for a knock from another thread.

    It only wakes whoever waits: what came, the folder itself tells. Where the kernel does not
    tell (another system, no watch to be had, a folder over the network) a wait lasts its time.
    """

    def __init__(self, folder: Path) -> None:
        """Watch from now on."""
        self._knocked, self._door = socket.socketpair()
        for end in (self._knocked, self._door):
            end.setblocking(False)
        self._watch = _watch(folder)
        self._either = select.poll()
        self._either.register(self._door, select.POLLIN)
        if self._watch is not None:
            self._either.register(self._watch, select.POLLIN)

    @property
    def told(self) -> bool:
        """True where the kernel tells."""
        return self._watch is not None

    def wait(self, seconds: float) -> bool:
        """Wait so long at most; True when something was moved in, or somebody knocked."""
        ready = self._either.poll(seconds * 1_000)
        for descriptor, _ in ready:
            with contextlib.suppress(BlockingIOError):
                # what it says is of no interest, but it must not be said again
                while os.read(descriptor, 4_096):
                    pass
        return bool(ready)

    def knock(self) -> None:
        """End a wait now, or the next one; from any thread, also when nobody waits any more."""
        with contextlib.suppress(OSError):
            # a full one wakes as well
            self._knocked.send(b"!")

    def close(self) -> None:
        """No more waits; by the thread that waited."""
        self._knocked.close()
        self._door.close()
        if self._watch is not None:
            os.close(self._watch)
            self._watch = None


def _watch(folder: Path) -> int | None:
    """What can be read when a file is moved into the folder; None where there is no such thing."""
    try:
        # only here: whoever leaves a request needs none of it, and some Pythons lack it
        import ctypes

        system = ctypes.CDLL(None)
        descriptor: int = system.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
    except (ImportError, AttributeError, OSError):
        return None
    if descriptor < 0:
        return None
    if system.inotify_add_watch(descriptor, os.fsencode(folder), MOVED_INTO) < 0:
        os.close(descriptor)
        return None
    return descriptor
