"""The dashboard beside the daemon: a process of its own, so that no page can hold up an alert."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

import click

from runner.dashboard.passwords import SECRET, is_hash
from runner.dashboard.server import is_private, leave, listen, url_of
from runner.errors import ConfigurationError
from runner.ops.secrets import Secrets
from runner.settings import Settings

log = logging.getLogger(__name__)

PAUSE = 5.0
"""Seconds before a dashboard that ended is started anew."""

PATIENCE = 5.0

_OURS = frozenset({"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_PID", "LISTEN_FDS"})
"""What systemd tells the daemon and nobody else."""


def show(folder: Path, settings: Settings, address: tuple[str, int], stack: ExitStack) -> None:
    """Start it at this address, for as long as `stack` lasts. Raises ConfigurationError."""
    beside = Beside(folder, settings, address)
    stack.callback(beside.stop)
    beside.start()
    click.echo(f"DASHBOARD {beside.url}")
    sys.stdout.flush()


class Beside:
    """One process, started again when it ends; the socket is bound here, and stays over that."""

    def __init__(
        self, folder: Path, settings: Settings, address: tuple[str, int], pause: float = PAUSE
    ) -> None:
        """Bind; `pause` seconds lie before it is started again.

        Raises ConfigurationError for an address that is taken, or open to others while there is
        no password.
        """
        self._folder = folder
        self._pause = pause
        self.process: int | None = None
        """The id of the process that serves now."""

        self._listener = listen(*address)
        self.url = url_of(self._listener)
        if not is_private(self._listener) and not _guarded(folder, settings):
            self._listener.close()
            raise ConfigurationError(
                f"the dashboard has no password, so it is not shown on {self.url}: set one with "
                f"runner dashboard password --dir {folder}, or choose 127.0.0.1"
            )
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dashboard", daemon=True)

    def start(self) -> None:
        """Start the process, and see that it is there."""
        self._thread.start()

    def stop(self) -> None:
        """End it; without its parent it would end by itself."""
        self._stopping.set()
        self._thread.join(PATIENCE + self._pause)
        self._listener.close()
        leave(self.url)

    def _run(self) -> None:
        while not self._stopping.is_set():
            with self._begun() as process:
                self.process = process.pid
                while process.poll() is None and not self._stopping.wait(0.1):
                    pass
                self._ended(process)
            if not self._stopping.is_set():
                log.error(
                    "the dashboard ended with code %s; alerts and orders go on without it, it is "
                    "started again in %g s",
                    process.returncode,
                    self._pause,
                )
                self._stopping.wait(self._pause)

    def _begun(self) -> subprocess.Popen[bytes]:
        descriptor = self._listener.fileno()
        words = ["dashboard", "--dir", str(self._folder), "--beside", str(descriptor)]
        return subprocess.Popen(
            [sys.executable, "-m", "runner", *words],
            stdin=subprocess.PIPE,  # it ends when this end closes, also when we are killed
            stdout=subprocess.DEVNULL,
            pass_fds=(descriptor,),
            env={name: text for name, text in os.environ.items() if name not in _OURS},
        )

    @staticmethod
    def _ended(process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()


def _guarded(folder: Path, settings: Settings) -> bool:
    try:
        return is_hash(Secrets(settings.secrets, folder).get(SECRET))
    except ConfigurationError:
        return False
