"""The runner as people run it: a folder, the daemon's process, and how to reach it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import sending, stand
from bench.programs import ROOT

PATHS = 20
"""Hooks and rules: of one rule ten runs may wait, and 6,000 alerts come in a minute."""

READY_WITHIN = 120.0

ORDER = "{side: buy, type: limit, price: 69000, quantity: 0.01, time_in_force: ioc, %s}"
RULE = """\
  - id: bench-{n}
    symbol: BTCUSDT
    when: [{{webhook: {{path: a{n}, secret: bench, body: {{n: number}}, dedupe: [n]}}}}]
    do:
      - place:
{orders}
"""


def rules(orders: int = 5, paths: int = PATHS) -> str:
    """A rule file: so many hooks, each of which places so many orders at once."""
    order = ORDER % "expires_after: 10m"
    listed = "\n".join(f"          - {order}" for _ in range(orders))
    return "version: 1\nrules:\n" + "".join(RULE.format(n=n, orders=listed) for n in range(paths))


def folder_of(
    folder: Path,
    account: dict[str, Any],
    text: str,
    settings: dict[str, Any] | None = None,
    key: str = stand.KEY,
) -> Path:
    """The runner's folder, made."""
    for name in ("rules", "secrets"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "rules" / "bench.yaml").write_text(text)
    written = {"version": 1, "accounts": {"bench": account}, **(settings or {})}
    (folder / "runner.yaml").write_text(json.dumps(written, indent=1))  # YAML, too
    values = {"key": key, "api_secret": stand.SECRET, "bench": sending.SECRET}
    for name, value in values.items():
        secret = folder / "secrets" / name
        secret.touch(mode=0o600)
        secret.write_text(value)
    return folder


@dataclass(slots=True)
class Daemon:
    """A runner that takes alerts."""

    folder: Path
    process: subprocess.Popen[bytes]
    port: int
    ready_after: float
    sent: int = 0

    @property
    def pid(self) -> int:
        """Of its process."""
        return self.process.pid

    def alert(self) -> bytes:
        """The next alert's bytes; no two are equal."""
        self.sent += 1
        return sending.request(f"/hook/a{self.sent % PATHS}", {"n": self.sent})

    def send(self) -> sending.Sent:
        """Send the next alert; raises RuntimeError unless it fired."""
        answer = sending.send(self.port, self.alert())
        if not answer.fired:
            raise RuntimeError(f"alert {self.sent} was answered {answer.status}: {answer.body!r}")
        return answer


def free_port() -> int:
    """A port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def daemon(folder: Path, prefix: tuple[str, ...] = (), module: str = "runner") -> Iterator[Daemon]:
    """The runner of that folder, ready; `prefix` goes before its command, `module` is run."""
    port = free_port()
    words = ["run", "--dir", str(folder), "--hook", f"127.0.0.1:{port}"]
    began = time.monotonic()
    log = folder / "log"
    # who installed it has its bytecode; without, each start would compile what others only load
    around = {key: text for key, text in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    with log.open("ab") as told:
        process = subprocess.Popen(
            [*prefix, sys.executable, "-m", module, *words],
            stdout=subprocess.PIPE,
            stderr=told,
            cwd=ROOT,
            env=around,
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.startswith(b"READY"):
            raise RuntimeError(f"the runner did not start: {line!r}\n{log.read_text()}")
        yield Daemon(folder, process, port, time.monotonic() - began)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def resident(pid: int) -> float:
    """Resident memory in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"there is no process {pid}")


def cpu_seconds(pid: int) -> float:
    """CPU time that a process took, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
