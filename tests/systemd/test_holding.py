"""Alerts that come through a TLS front while the runner restarts: each one order."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.calling import TOKEN, answer, demo_folder
from tests.support import eventually
from tests.systemd.fronts import PATIENCE, Front, missing

RULES = """\
version: 1
rules:
  - id: tv-eth
    symbol: ETHUSDT
    when:
      - webhook: {path: eth, secret: tv_eth, body: {n: number}, dedupe: [n]}
    do:
      - place: {side: buy, type: market, quantity: 0.1}
"""
TAKEN = {"fired", "duplicate"}
"""A duplicate is what was decided after its sender's patience, and sent again."""

LIKE_SYSTEMD = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.executable, [sys.executable, "-m", "runner", *sys.argv[2:]])
"""


class Service:
    """A runner on paper whose hook's port is held for it, as runner@.socket does."""

    def __init__(self, folder: Path) -> None:
        """Nothing runs yet; the port is there."""
        self.folder = demo_folder(folder)
        (self.folder / "rules" / "demo.yaml").write_text(RULES)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = int(self.listener.getsockname()[1])
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it; returns once it is ready."""
        number = self.listener.fileno()
        with (self.folder / "runner.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", LIKE_SYSTEMD, str(number), "run", "--paper"],
                env={**os.environ, "RUNNER_DIR": str(self.folder)},
                pass_fds=[number],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._process.stdout is not None
        assert self._process.stdout.readline().startswith("READY")

    def stop(self) -> None:
        """End it cleanly; the port stays."""
        if self._process is not None:
            self._process.terminate()
            assert self._process.wait(PATIENCE) == 0
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def waiting(self) -> int:
        """How many connections have sent something that nobody read yet."""
        place = f"0100007F:{self.port:04X}"
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        there = [row[4] for row in rows if row[1] == place and row[3] != "0A"]
        return sum(int(queues.split(":")[1], 16) > 0 for queues in there)

    def orders(self) -> list[dict[str, Any]]:
        """The journal's orders, once each is filled."""
        found: list[dict[str, Any]] = answer("orders", "--dir", self.folder)
        return found if all(order["state"] == "FILLED" for order in found) else []


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A runner that runs."""
    service = Service(tmp_path / "my")
    service.start()
    yield service
    service.stop()
    service.listener.close()


@pytest.fixture(params=("caddy", "nginx"))
def front(request: pytest.FixtureRequest, tmp_path: Path, service: Service) -> Iterator[Front]:
    """Each front before it."""
    if why := missing(request.param):
        pytest.skip(why)
    folder = tmp_path / "front"
    folder.mkdir()
    front = Front(request.param, folder, [f"127.0.0.1:{service.port}"])
    yield front
    front.stop()


def body(number: int) -> bytes:
    """An alert as TradingView posts it."""
    return json.dumps({"secret": TOKEN, "n": number}).encode()


def outcome(front: Front, number: int) -> str:
    """What becomes of an alert that is sent again while it is answered 503, as TradingView does.

    On a busy machine a commit may take longer than a sender has patience for.
    """

    def taken() -> str:
        status, text = front.ask("/hook/eth", body(number))
        return str(json.loads(text)["outcome"]) if status == 200 else ""

    return eventually(taken, PATIENCE)


def test_alerts_during_a_restart_are_answered_and_executed(front: Front, service: Service) -> None:
    """One waits for its answer; another's sender gives up, as TradingView does after 3 s."""
    assert outcome(front, 1) in TAKEN
    service.stop()
    told: list[str] = []
    patient = threading.Thread(target=lambda: told.append(outcome(front, 2)), daemon=True)
    patient.start()
    eventually(lambda: service.waiting() == 1, PATIENCE)
    hasty = front.connection()
    hasty.request("POST", "/hook/eth", body(3))
    eventually(lambda: service.waiting() == 2, PATIENCE)
    hasty.close()
    # a start that takes its time answers nobody 503: the hasty one would not hear it
    service.start()
    patient.join(3 * PATIENCE)
    assert told
    assert told[0] in TAKEN
    eventually(lambda: len(service.orders()) == 3, PATIENCE)
    assert outcome(front, 3) == "duplicate"
    assert len(service.orders()) == 3
