"""Two runners on one PostgreSQL journal: one leads, the other takes alerts, and takes over."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from runner.audit import differences
from runner.journal import JournalReader
from tests import figures
from tests.crash.stage import NUMBERED, PATIENCE, TOKEN, Stage
from tests.postgres import Server
from tests.support import eventually, free_port

RULES = NUMBERED.replace("    when:", "    expires_after: 10m\n    when:")
"""However long a takeover takes on a busy machine, what was stored is sent then."""

TAKEN_OVER_WITHIN = 15.0
TAKEOVERS = int(os.environ.get("RUNNER_REAL_TAKEOVERS", "3"))


class Pair:
    """Two runners that share a folder, a journal and an account."""

    def __init__(self, folder: Path, url: str, rules: str = RULES, *words: str) -> None:
        """An exchange, with these further words, and the settings of both; none is started."""
        self.stage = Stage(folder, rules, *words)
        settings = folder / "runner.yaml"
        settings.write_text(f"{settings.read_text()}journal: {url}\n")
        self.url = url
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, host: str = "127.0.0.1") -> tuple[subprocess.Popen[str], str]:
        """One more runner; returns once it leads or stands by, with its hook address."""
        port = free_port()
        words = ["run", "--dir", str(self.stage.folder), "--hook", f"{host}:{port}"]
        with (self.stage.folder.parent / f"runner-{port}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "runner", *words],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.processes.append(process)
        return process, f"http://{host}:{port}"

    def stop(self) -> None:
        """End all of it."""
        for process in self.processes:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait(PATIENCE)
            if process.stdout is not None:
                process.stdout.close()
        self.stage.stop()

    def post(self, address: str, number: int) -> str | None:
        """Post an alert; the outcome of a 200, else None."""
        body: dict[str, int | str] = {"n": number, "secret": TOKEN}
        try:
            answer = requests.post(f"{address}/hook/signal", json=body, timeout=PATIENCE)
        except requests.RequestException:
            return None
        return str(answer.json()["outcome"]) if answer.status_code == 200 else None

    def states(self) -> Counter[str]:
        """How many orders stand where."""
        with JournalReader.open(self.url) as reader:
            return Counter(order["state"] for order in reader.orders())

    def settled(self, count: int) -> bool:
        """True when so many orders are known to the exchange and none is open between both."""
        states = self.states()
        return sum(states.values()) == count and not {"PLANNED", "SENDING", "UNKNOWN"} & set(states)

    def wrong(self) -> list[str]:
        """What journal and exchange disagree about."""
        with JournalReader.open(self.url) as reader:
            return differences(reader.orders(), self.stage.accepted(), "main")


def line(process: subprocess.Popen[str]) -> str:
    """The next line that a runner prints."""
    assert process.stdout is not None
    return process.stdout.readline()


def ready(address: str) -> bool:
    """Whether the runner there leads and takes alerts."""
    try:
        return requests.get(f"{address}/readyz", timeout=PATIENCE).status_code == 200
    except requests.RequestException:
        return False


def assert_soon(took: list[float]) -> None:
    """What takes longer on a machine with twice the work it can do tells nothing of the runner.

    The histories of two runners hold each takeover to it, on their own clock.
    """
    if os.getloadavg()[0] < 2 * (os.cpu_count() or 1):
        assert statistics.median(took) < TAKEN_OVER_WITHIN, took


@pytest.fixture
def pair(tmp_path: Path, postgres: Server) -> Iterator[Pair]:
    """A stage for two, on an empty database."""
    pair = Pair(tmp_path / "runner", postgres.database())
    yield pair
    pair.stop()


def test_a_standby_takes_over_within_15_s_of_a_kill(pair: Pair) -> None:
    """Alerts to the standby are decided by the leader; killed, the other leads; none is lost."""
    first, one = pair.start()
    assert line(first).startswith("READY")
    second, two = pair.start()
    assert line(second).startswith("STANDBY")
    assert not ready(two)
    assert pair.post(one, 1) == "fired"
    assert pair.post(two, 2) == "stored"
    assert pair.post(two, 2) == "stored"
    eventually(lambda: pair.settled(4), PATIENCE)
    first.kill()
    killed_at = time.monotonic()
    assert pair.post(two, 3) == "stored"
    eventually(lambda: ready(two), PATIENCE)
    assert_soon([time.monotonic() - killed_at])
    assert pair.post(two, 4) == "fired"
    assert pair.post(two, 1) == "duplicate"
    eventually(lambda: pair.settled(8), PATIENCE)
    assert pair.wrong() == []
    assert len(pair.stage.accepted()) == 8


def test_a_paused_leader_ends_when_it_wakes_up(pair: Pair) -> None:
    """It finds that another leads: nothing of it is committed or accepted."""
    first, one = pair.start()
    assert line(first).startswith("READY")
    second, two = pair.start()
    assert line(second).startswith("STANDBY")
    assert pair.post(one, 1) == "fired"
    first.send_signal(signal.SIGSTOP)
    eventually(lambda: ready(two), PATIENCE)
    assert pair.post(two, 2) == "fired"
    first.send_signal(signal.SIGCONT)
    assert first.wait(PATIENCE) != 0
    eventually(lambda: pair.settled(4), PATIENCE)
    assert pair.wrong() == []


def test_a_leader_that_cannot_renew_ends(pair: Pair, postgres: Server) -> None:
    """A server that answers nobody takes the lead away before the lease can be another's."""
    first, one = pair.start()
    assert line(first).startswith("READY")
    postgres.pause()
    try:
        assert first.wait(PATIENCE) != 0
        assert pair.post(one, 1) is None
    finally:
        postgres.go_on()
    second, two = pair.start()
    eventually(lambda: ready(two), PATIENCE)
    assert pair.post(two, 1) == "fired"
    eventually(lambda: pair.settled(2), PATIENCE)
    assert pair.wrong() == []
    second.terminate()
    assert second.wait(PATIENCE) == 0


def test_takeover_after_takeover_doubles_and_loses_nothing(
    request: pytest.FixtureRequest, pair: Pair
) -> None:
    """Whoever leads is killed or stopped, again and again: the other leads, mostly within 15 s."""
    leading, address = pair.start()
    assert line(leading).startswith("READY")
    took = []
    for number in range(TAKEOVERS):
        following, other = pair.start()
        assert line(following).startswith("STANDBY")
        assert pair.post(address, 2 * number) == "fired"
        assert pair.post(other, 2 * number + 1) == "stored"
        leading.send_signal(signal.SIGSTOP if number % 5 == 4 else signal.SIGKILL)
        ended_at = time.monotonic()
        eventually(lambda at=other: ready(at), PATIENCE)  # type: ignore[misc]
        took.append(time.monotonic() - ended_at)
        leading.send_signal(signal.SIGCONT)
        assert leading.wait(PATIENCE) != 0
        leading, address = following, other
    eventually(lambda: pair.settled(4 * TAKEOVERS), PATIENCE)
    assert pair.wrong() == []
    assert len(pair.stage.accepted()) == 4 * TAKEOVERS
    assert_soon(took)
    told = {"takeovers of real processes": len(took), "s at the median": statistics.median(took)}
    figures.report(request, "two runners", told)
