"""Rebuilds the disk as a power cut could leave it, at every write of a program under strace.

A disk keeps what was synced, and of later writes any part, torn at 512 bytes (4.4 of the
reliability reference). Only what strace saw is believed; the shared memory file is left out,
since SQLite makes it anew.
"""

from __future__ import annotations

import random
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.simulation import cheap

SECTOR = 512
CALLS = "openat,close,lseek,write,pwrite64,ftruncate,fdatasync,fsync,unlink"

_LINE = re.compile(r"^(?:\d+ +)?(\w+)\((.*)\) += (-?\d+|0x[0-9a-f]+)")
_FD = re.compile(r"^(\d+)(?:<([^>]*)>)?")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')

WRITER = """
import sys
from runner.core.decision import AlertRow, Decision, Record
from runner.journal import Journal
path, commits, level = sys.argv[1], int(sys.argv[2]), sys.argv[3]
journal = Journal.open(path, "main", lambda: 1_760_000_000_000, wal_bytes=0, reserve=0)
run = journal._writer.run
run(f"PRAGMA synchronous={level}")
run("PRAGMA wal_autocheckpoint=60")
for number in range(1, commits + 1):
    alert = AlertRow("tv", f"{number:064d}", {"n": number}, number, None, "fired")
    record = Record(number, "event", "x" * (37 * number % 3000))
    journal.commit([Decision(alerts=[alert], records=[record])])
    sys.stdout.write(f"ACK {number}\\n")
    sys.stdout.flush()
"""


def why_not() -> str:
    """Why strace cannot be used here; empty when it can."""
    try:
        tried = subprocess.run(
            ["strace", "-o", "/dev/null", "true"], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return "strace is not installed: apt-get install strace"
    return "" if tried.returncode == 0 else f"ptrace is not allowed here: {tried.stderr.strip()}"


@dataclass(slots=True)
class File:
    """A file's content on the disk, and the writes (offset, bytes) that no sync has covered."""

    synced: bytearray = field(default_factory=bytearray)
    later: list[tuple[int, bytes]] = field(default_factory=list)

    def sync(self) -> None:
        """Everything so far is durable."""
        self.synced, self.later = self.image(self.later), []

    def image(self, some: Sequence[tuple[int, bytes]]) -> bytearray:
        """The content with some of the later writes; a truncation is a write of nothing."""
        content = bytearray(self.synced)
        for offset, data in some:
            if not data:
                del content[offset:]
                content.extend(bytes(max(0, offset - len(content))))
            else:
                content.extend(bytes(max(0, offset + len(data) - len(content))))
                content[offset : offset + len(data)] = data
        return content

    def torn(self, dice: random.Random) -> bytearray:
        """Any of the later writes, each cut into sectors of which some arrived."""
        some: list[tuple[int, bytes]] = []
        for offset, data in self.later:
            if not data:
                some += [(offset, data)] if dice.random() < 0.5 else []
                continue
            whole = dice.random()
            for at in range(0, len(data), SECTOR):
                if whole < 0.3 or (whole < 0.8 and dice.random() < 0.5):
                    some.append((offset + at, data[at : at + SECTOR]))
        return self.image(some)


@dataclass(slots=True)
class Disk:
    """The files of one folder, and what the program has reported so far."""

    folder: Path
    files: dict[str, File] = field(default_factory=dict)
    offsets: dict[int, int] = field(default_factory=dict)
    reported: int = 0

    def take(self, line: str) -> bool:
        """Apply one line of strace; True when the disk or what was reported has changed."""
        found = _LINE.match(line)
        if found is None or found[3].startswith("-"):
            return False
        name, given, result = found[1], found[2], found[3]
        if name == "unlink":
            self.files.pop(Path(_decoded(given)).name, None)
            return True
        if name == "openat":
            self.offsets[int(result)] = 0
            return False
        descriptor = _FD.match(given)
        if descriptor is None:
            return False
        number, path = int(descriptor[1]), Path(_plain(descriptor[2] or ""))
        if number == 1 and name == "write":
            self.reported = int(_decoded(given).split()[-1])
            return True
        if path.parent != self.folder or path.name.endswith(("-shm", ".lock")):
            return False
        return self._change(name, number, path.name, given, result)

    def _change(self, name: str, number: int, path: str, given: str, result: str) -> bool:
        file = self.files.setdefault(path, File())
        if name in ("fdatasync", "fsync"):
            file.sync()
        elif name == "pwrite64":
            offset = int(given.rsplit(",", 1)[1])
            file.later.append((offset, _bytes(given)))
        elif name == "lseek":
            self.offsets[number] = int(result, 0)
            return False
        elif name == "write":
            offset = self.offsets.get(number, 0)
            file.later.append((offset, _bytes(given)))
            self.offsets[number] = offset + int(result)
        elif name == "ftruncate":
            file.later.append((int(given.rsplit(",", 1)[1]), b""))
        else:
            return False
        return True

    def images(self, dice: random.Random) -> Iterator[dict[str, bytes]]:
        """What the disk may hold if the power fails now: nothing more, everything, some parts."""
        yield {name: bytes(file.synced) for name, file in self.files.items()}
        yield {name: bytes(file.image(file.later)) for name, file in self.files.items()}
        for _ in range(2):
            yield {name: bytes(file.torn(dice)) for name, file in self.files.items()}


def _plain(text: str) -> str:
    return re.sub(r"\\x([0-9a-f]{2})", lambda found: chr(int(found[1], 16)), text)


def _bytes(given: str) -> bytes:
    found = _TEXT.search(given)
    assert found is not None, given[:80]
    return bytes.fromhex(found[1].replace("\\x", ""))


def _decoded(given: str) -> str:
    return _bytes(given).decode()


def traced(place: Path, commits: int, level: str) -> list[str]:
    """Commit to a journal in `place` under strace; its lines."""
    trace = place / "trace.txt"
    strace = ["strace", "-xx", "-y", "-s", "10000000", "-e", f"trace={CALLS}", "-o", str(trace)]
    program = [sys.executable, "-c", WRITER, str(place / "journal.db"), str(commits), level]
    subprocess.run([*strace, *program], check=True, stdout=subprocess.DEVNULL, timeout=120)
    return trace.read_text().splitlines()


def lost(place: Path, lines: Sequence[str], dice: random.Random) -> tuple[int, list[str]]:
    """How many images of the disk in `place` were looked at, and what each bad one lacks."""
    with cheap.folder() as folder:
        return _lost(Disk(place), folder, lines, dice)


def _lost(
    disk: Disk, folder: Path, lines: Sequence[str], dice: random.Random
) -> tuple[int, list[str]]:
    images, wrong = 0, []
    for number, line in enumerate(lines):
        if not disk.take(line) or "journal.db" not in disk.files or not disk.reported:
            continue
        for image in disk.images(dice):
            images += 1
            said = _looked_at(folder, image, disk.reported)
            if said:
                wrong.append(f"line {number}: {said}")
    return images, wrong


def _looked_at(folder: Path, image: dict[str, bytes], reported: int) -> str:
    """What is wrong with an image: damaged, or fewer alerts than were reported."""
    for old in folder.glob("image.db*"):
        old.unlink()
    for name, content in image.items():
        if name.startswith("journal.db"):
            (folder / name.replace("journal.db", "image.db")).write_bytes(content)
    connection = sqlite3.connect(folder / "image.db")
    try:
        connection.execute("PRAGMA synchronous=OFF")
        if connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            return "damaged"
        (count,) = connection.execute("SELECT count(*) FROM alerts").fetchone()
    except sqlite3.DatabaseError as error:
        return f"damaged: {error}"
    finally:
        connection.close()
    return f"{reported} were reported, {count} are there" if count < reported else ""
