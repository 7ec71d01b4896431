"""Remembers the trees of rule files without a mistake, by content, so that none is read twice.

Reading YAML takes three quarters of the time that a rule needs from file to memory; all else is
done anew each time, since it depends on more than the file.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Final

import ruamel.yaml

from runner import __version__
from runner.rulebook import reader
from runner.rulebook.source import Source
from runner.rulebook.together import Part

FILE_NAME: Final = "rules.cache"
MOST_BYTES: Final = 256 << 20
_OPEN: Final = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK

Entry = Mapping[str, Any]
"""Of one content: its `tree`, and the lines at which its rules begin, `starts`."""


class Shelf:
    """What was read; in a file for the next start, in memory until it is told to `rest`.

    The file is nobody's but this user's; one that is not, or is not whole, or was written by
    another version, counts as none. So does one that cannot be written.
    """

    def __init__(self, file: Path | None = None) -> None:
        """Without a `file` only this process remembers."""
        self._file = file
        self._resting = False
        self._parts: dict[tuple[str, str], Part] = {}
        self._known: Mapping[str, Entry] | None = None
        self._used: dict[str, Entry] = {}

    def part(self, name: str, content: bytes) -> Part | None:
        """The share of the file of this name, as it was built before."""
        return self._parts.get((name, _digest(content)))

    def source(self, name: str, content: bytes) -> Source | None:
        """The source of such a content as `reader.read` would return it."""
        if self._known is None:
            self._known = {} if self._file is None else _read(self._file)
        entry = self._known.get(_digest(content))
        if entry is None:
            return None
        return Source(
            name,
            tree=entry["tree"],
            starts=tuple(entry["starts"]),
            again=lambda: reader.read(name, content).text,
        )

    def put(self, content: bytes, part: Part) -> None:
        """Remember a file in which nothing is wrong."""
        digest, source = _digest(content), part.source
        self._parts[source.file, digest] = part
        starts = [source.line(path) for path, _ in part.trees()]
        self._used[digest] = {"tree": source.tree, "starts": starts}

    def finish(self, *, sound: bool) -> None:
        """All files were read: if they are `sound`, write what they hold, unless that is known."""
        known = self._known or {}
        if sound and self._file is not None and self._used.keys() != known.keys():
            _write(self._file, self._used)
            self._known = self._used
        if self._resting:
            self.rest()

    def rest(self) -> None:
        """Remember by the file alone from now on: a reload is rare, and memory is not free."""
        self._resting = True
        self._parts, self._known, self._used = {}, None, {}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@cache
def _written_by() -> str:
    """What a tree depends on besides the content: whoever reads it."""
    own = hashlib.sha256(Path(reader.__file__).read_bytes()).hexdigest()
    return f"runner {__version__}, reader {own}, ruamel.yaml {ruamel.yaml.__version__}"


def _read(file: Path) -> Mapping[str, Entry]:
    try:
        kept = _content(file)
        total, _, text = kept.partition(b"\n")
        if total.decode("ascii") != _digest(text):
            return {}
        found = json.loads(text, parse_float=Decimal)
        return dict(found["files"]) if found["by"] == _written_by() else {}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}


def _content(file: Path) -> bytes:
    """Of a file that only this user can have written. Raises OSError for any other."""
    descriptor = os.open(file, os.O_RDONLY | _OPEN)
    with os.fdopen(descriptor, "rb") as stream:
        about = os.fstat(descriptor)
        own = stat.S_ISREG(about.st_mode) and about.st_uid == os.geteuid()
        if not own or about.st_mode & 0o077 or about.st_size > MOST_BYTES:
            raise PermissionError(f"{file} may not be this user's alone")
        return stream.read()


def _write(file: Path, used: Mapping[str, Entry]) -> None:
    """In one step; not synced, since what a power cut tears is noticed and read anew."""
    beside = file.with_name(f"{file.name}.new")
    try:
        text = _dump({"by": _written_by(), "files": used}).encode("utf-8")
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _OPEN, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            os.fchmod(descriptor, 0o600)
            stream.write(f"{_digest(text)}\n".encode() + text)
        beside.replace(file)
    except (OSError, UnicodeEncodeError):
        with suppress(OSError):
            beside.unlink()


def _dump(value: Any) -> str:
    """As JSON, from which the very same values are read: a Decimal stays one, to the last zero.

    Raises UnicodeEncodeError later, when it is encoded, for the halves of characters that YAML can
    spell and JSON would join.
    """
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{_text(key)}:{_dump(each)}' for key, each in value.items())}}}"
    if isinstance(value, list):
        return f"[{','.join(map(_dump, value))}]"
    if isinstance(value, Decimal):
        text = str(value)
        return text if "." in text or "E" in text else f"{text}E+0"
    return _text(value)


_text: Final = json.JSONEncoder(ensure_ascii=False).encode
