"""How the tests of the command line call it: in this process, or as a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from runner import resources
from runner.cli import main

TOKEN = "tok-123"
ALERTED = """\
version: 1
rules:
  - id: tv-eth
    symbol: ETHUSDT
    when:
      - webhook: {path: eth, secret: tv_eth, body: {action: {one_of: [buy, sell]}}}
    do:
      - place: {side: =trigger.action, type: market, quantity: 0.1}
"""
"""The rules of a runner whose one rule waits for an alert."""


def call(*words: object, env: Mapping[str, str] | None = None) -> Result:
    """Run the command line in this process; stdout and stderr apart."""
    return CliRunner().invoke(main, [str(word) for word in words], env=env, prog_name="runner")


def answer(*words: object) -> Any:
    """The JSON document that a verb prints; it must have gone well."""
    result = call(*words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def demo_folder(folder: Path) -> Path:
    """A runner's folder with the demo's rules and its secret."""
    shutil.copytree(resources.folder("rules") / "demo", folder / "rules")
    secret = folder / "secrets" / "tv_eth"
    secret.parent.mkdir()
    secret.touch(mode=0o600)
    secret.write_text(TOKEN)
    return folder


class Process:
    """A process of `runner`, ended with the block."""

    def __init__(
        self, *words: object, env: Mapping[str, str] | None = None, log: Path | None = None
    ) -> None:
        """Start it; stderr goes to `log` where there is more of it than a pipe holds."""
        self._log = log.open("w") if log is not None else None
        self._process = subprocess.Popen(
            [sys.executable, "-m", "runner", *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=self._log or subprocess.PIPE,
            env={**os.environ, **(env or {})},
            text=True,
        )

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.kill()
        self._process.communicate(timeout=120)
        if self._log is not None:
            self._log.close()

    def line(self) -> str:
        """The next line of stdout; empty when it ended."""
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def send(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def end(self, seconds: float = 120) -> tuple[int, str, str]:
        """Wait for its end: exit code and the rest of stdout and stderr."""
        out, err = self._process.communicate(timeout=seconds)
        return self._process.returncode, out, err
