"""Notices that rule files are not those that were read, however an editor replaced them."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

from runner.rulebook.load import TESTS, is_rule_file
from runner.rulebook.reader import MOST_BYTES

Stats = tuple[tuple[str, int, int, int, int], ...]


class Watch:
    """The rule files of a folder, by content: asked again and again, never told by inotify.

    Renames, links, mounts and replaced folders are all the same to it.
    """

    def __init__(self, folder: Path, *, tests: bool = False) -> None:
        """Begin to watch, before the files are read: what changes from then on is noticed.

        With `tests` the tests beside the rules belong to it.
        """
        self._folder = folder
        self._tests = tests
        self._stats: Stats | None = None
        self._digest = ""
        self._certain = False
        self.began = self.digest()
        """The digest of what was there then."""

    def digest(self) -> str:
        """What names the content of all rule files now, and which there are.

        While path, inode, time and size stay as they are the files are not read again, but for
        once: what was written in the same tick of the file system's clock leaves no trace there.
        """
        stats = self._stats_now()
        if stats == self._stats and self._certain:
            return self._digest
        self._certain = stats == self._stats
        self._stats = stats
        self._digest = _digest(self._folder, stats)
        return self._digest

    def _stats_now(self) -> Stats:
        try:
            return _stats(sorted(path for path in self._folder.iterdir() if self._watched(path)))
        except OSError:
            return ()

    def _watched(self, path: Path) -> bool:
        name = path.name
        if self._tests and name.endswith(TESTS) and not name.startswith("."):
            return True
        return is_rule_file(path)


def _stats(paths: list[Path]) -> Stats:
    """Name, device, inode, time and size of each; what is no plain file has a size of -1."""
    found = []
    for path in paths:
        try:
            told = path.stat()
        except OSError:
            found.append((path.name, 0, 0, 0, -1))
            continue
        size = told.st_size if stat.S_ISREG(told.st_mode) else -1
        found.append((path.name, told.st_dev, told.st_ino, told.st_mtime_ns, size))
    return tuple(found)


def _digest(folder: Path, stats: Stats) -> str:
    whole = hashlib.sha256()
    for name, _, _, _, size in stats:
        whole.update(f"{name}\0{size}\0".encode("utf-8", "surrogateescape"))
        whole.update(_content(folder / name) if size >= 0 else b"")
    return whole.hexdigest()


def _content(path: Path) -> bytes:
    """The SHA-256 of as much as a rule file may have."""
    try:
        with path.open("rb") as stream:
            return hashlib.sha256(stream.read(MOST_BYTES + 1)).digest()
    except OSError as error:
        return str(error.errno).encode()
