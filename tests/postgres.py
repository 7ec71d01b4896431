"""A PostgreSQL server of its own for the tests, where the machine has its programs."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from tests.support import eventually

NOBODY = "nobody"
DEBIAN = Path("/usr/lib/postgresql")


def programs() -> Path | None:
    """The folder of initdb and postgres, the newest version; None when there is none."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    versions = sorted(DEBIAN.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return versions[-1].parent if versions else None


@dataclass(slots=True)
class Server:
    """A running server, reached through a socket in its folder."""

    folder: Path
    process: subprocess.Popen[bytes]
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def database(self) -> str:
        """A new, empty database; its URL."""
        name = f"journal_{next(self._numbers)}"
        with psycopg.connect(self._dsn("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return f"postgresql+psycopg://runner@/{name}?host={self.folder}"

    def _dsn(self, name: str) -> str:
        return f"host={self.folder} user=runner dbname={name}"

    def pause(self) -> None:
        """Stop every process of the server as they are: it answers nobody."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let them go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        # each backend is a session of its own: the process group holds only the first
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for each in (pid, *map(int, children)):
            os.kill(each, number)


@contextmanager
def server(binaries: Path) -> Iterator[Server]:
    """Start a server as a user that may (it refuses root), and end it with the block."""
    with tempfile.TemporaryDirectory(prefix="runner-pg-") as name:
        folder = Path(name)
        user = None
        if os.geteuid() == 0:
            user = next((u for u in ("postgres", NOBODY) if _there(u)), NOBODY)
            shutil.chown(folder, user)
        data = folder / "data"
        initdb: list[str | Path] = [
            binaries / "initdb",
            "-D",
            data,
            "-U",
            "runner",
            "-A",
            "trust",
            "--no-sync",
        ]
        subprocess.run(initdb, user=user, check=True, capture_output=True, cwd=folder)
        words: list[str | Path] = [
            binaries / "postgres",
            "-D",
            data,
            "-k",
            folder,
            "-c",
            "listen_addresses=",
        ]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                words, user=user, cwd=folder, stdout=log, stderr=log, start_new_session=True
            )
        try:
            _wait(binaries, folder)
            yield Server(folder, process)
        finally:
            process.send_signal(signal.SIGCONT)
            process.send_signal(signal.SIGQUIT)
            process.wait(10)


def _there(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def _wait(binaries: Path, folder: Path) -> None:
    ready: list[str | Path] = [
        binaries / "pg_isready",
        "-q",
        "-h",
        folder,
        "-d",
        "postgres",
        "-U",
        "runner",
    ]
    eventually(lambda: subprocess.run(ready, check=False).returncode == 0, 20)
