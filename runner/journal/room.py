"""Room on the journal's disk: what may begin, what may still be finished, and the reserve."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Final, Protocol

from runner.errors import JournalError, JournalFull

MIB: Final = 1024 * 1024
TO_BEGIN: Final = 32 * MIB
"""Bytes that must be free for anything new: an alert, a firing, a send."""

TO_FINISH: Final = 2 * MIB
"""Bytes that must be free to record the outcomes of what is under way."""

FRESH: Final = 0.05
"""Seconds for which a reading of plenty of room stands."""

PLENTY: Final = 256 * MIB
"""Bytes that nobody fills within so short a time."""

RESERVE: Final = 16 * MIB
"""Bytes of the file that is given up to the outcomes when somebody else filled the disk."""


class Room(Protocol):
    """What a database knows of the room that is left for it."""

    def to_begin(self) -> bool:
        """True while there is room for anything new."""

    def check(self, begins: bool) -> None:
        """Raise JournalFull when there is no room for what shall be written now."""


class Unlimited:
    """Room that only the database server knows of: it says when it is full."""

    def to_begin(self) -> bool:
        """Always: what does not fit is refused by the server, before its commit."""
        return True

    def check(self, begins: bool) -> None:
        """Nothing is known here."""


class Disk:
    """The disk of a journal that is a file, with `<journal>.reserve` beside it.

    SQLite mostly meets a full disk inside COMMIT, where it is too late to go on: so the room is
    looked at before.
    """

    def __init__(
        self,
        journal: Path,
        free: Callable[[Path], int] | None = None,
        reserve: int = RESERVE,
    ) -> None:
        """`free` tells how many bytes a folder's disk has left for us."""
        self._journal = journal
        self._free = free or Lately(free_bytes)
        self._size = reserve
        self.reserve: Final = journal.with_name(journal.name + ".reserve")

    def prepare(self) -> None:
        """At start: set the reserve aside, or give it up where there is no room to start at all."""
        if self._free(self._journal.parent) >= TO_BEGIN + self._size:
            self._set_aside()
        elif self._free(self._journal.parent) < TO_FINISH:
            self._give_up()

    def to_begin(self) -> bool:
        """True while there is room for anything new; with room again the reserve is restored."""
        free = self._free(self._journal.parent)
        if self._size and free >= TO_BEGIN + self._size and not self.reserve.exists():
            self._set_aside()
            free -= self._size
        return free >= TO_BEGIN

    def check(self, begins: bool) -> None:
        """Raise JournalFull when there is no room; for outcomes the reserve is given up first."""
        free = self._free(self._journal.parent)
        if free < TO_FINISH and self._give_up():
            free = self._free(self._journal.parent)
        if free < (TO_BEGIN if begins else TO_FINISH):
            raise JournalFull(
                f"only {free // 1024} KiB are left for {self._journal}: free space on its disk"
            )

    def _set_aside(self) -> None:
        if not self._size:
            return
        try:
            descriptor = os.open(self.reserve, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, self._size)
            finally:
                os.close(descriptor)
        except OSError as error:
            self._give_up()
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise JournalError(
                    f"cannot set {self.reserve} aside: {error.strerror}; give the runner a "
                    "folder it may write in, with --dir"
                ) from error

    def _give_up(self) -> bool:
        """True when there was a reserve to give up."""
        try:
            self.reserve.unlink()
        except FileNotFoundError:
            return False
        return True


class Lately:
    """A reading that is taken anew when it is 50 ms old, or where room is short.

    A busy loop would ask for the same number some hundred times a second.
    """

    def __init__(self, read: Callable[[Path], int], clock: Callable[[], float] = monotonic) -> None:
        """`clock` gives seconds."""
        self._read = read
        self._clock = clock
        self._known: dict[Path, tuple[float, int]] = {}

    def __call__(self, folder: Path) -> int:
        """The bytes as they are, or were 50 ms ago when there were plenty."""
        now = self._clock()
        at, known = self._known.get(folder, (now - 2 * FRESH, 0))
        if now - at > FRESH or known < PLENTY:
            at, known = self._known[folder] = now, self._read(folder)
        return known


def free_bytes(folder: Path) -> int:
    """How many bytes this user may still write on the folder's disk (statvfs(3))."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize
