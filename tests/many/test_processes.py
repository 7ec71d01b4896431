"""A minute of orders and cancels on three accounts, as real processes: nothing leaks, nobody mixes.

One paper exchange, and beside it three runners with a key each, or one runner with three accounts.
How many orders a minute holds depends on the machine; what must be true of them does not.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from runner.audit import differences
from runner.journal import JournalReader
from tests.support import eventually, free_port

NAMES = ("one", "two", "three")
TOKEN = "many-token-0123456789"
SECRET = "many-secret"
MINUTE = 60.0
WARM = 20.0
"""Seconds after which the caches that fill once are full."""

EVERY = 0.125
"""Seconds between two alerts of an account: two orders each make the 960 a minute that an account's
entries may take of the exchange's limit.
"""

PATIENCE = 240
"""Seconds that anything may take on a busy machine."""

MORE_MEMORY = 64 * 1024
"""KiB that a process may grow by in the rest of the minute: what it remembers of its orders."""

MORE_FILES, MORE_THREADS = 24, 4
"""Connections of alerts that are being answered come and go; threads do not."""

UNSETTLED = frozenset({"PLANNED", "SENDING", "UNKNOWN", "LIVE"})

ACCOUNT = """\
  {name}:
    venue: binance_usdm
    address: {{rest: "{rest}", streams: "{streams}", ws_api: "{ws_api}"}}
    api_key: key_{name}
    api_secret: secret_{name}
"""

RULE = """\
  - id: churn-{name}
    account: {name}
    symbol: ETHUSDT
    mode: queued
    when:
      - webhook: {{path: {name}, secret: tv, body: {{n: number}}, dedupe: [n]}}
    do:
      - place:
          - {{side: buy, type: limit, price: =mark * 0.9, quantity: 0.1, tag: mine-{name}}}
          - {{side: buy, type: limit, price: =mark * 0.8, quantity: 0.1, tag: mine-{name}}}
      - cancel: {{tag: mine-{name}}}
"""


@dataclass(slots=True)
class Runner:
    """A process with some of the accounts, and what is known of it."""

    folder: Path
    names: tuple[str, ...]
    hook: int
    process: subprocess.Popen[bytes]
    warm: tuple[int, int, int] = (0, 0, 0)

    def journal(self, name: str) -> Path:
        """The journal of an account: the first one's is where it always was."""
        return self.folder / ("journal.db" if name == self.names[0] else f"journals/{name}.db")

    def ready(self) -> bool:
        """Whether it takes alerts for all of them."""
        assert self.process.poll() is None, self.log()[-2_000:]
        try:
            return requests.get(f"{self.url}/readyz", timeout=PATIENCE).status_code == 200
        except requests.ConnectionError:
            return False

    @property
    def url(self) -> str:
        """Where alerts come in."""
        return f"http://127.0.0.1:{self.hook}"

    def log(self) -> str:
        """What it said."""
        return (self.folder / "log.txt").read_text()

    def used(self) -> tuple[int, int, int]:
        """Resident memory in KiB, open files, threads (proc(5))."""
        place = Path("/proc", str(self.process.pid))
        told = dict(
            line.split(":", 1)
            for line in (place / "status").read_text().splitlines()
            if ":" in line
        )
        memory = int(told["VmRSS"].split()[0])
        return memory, len(list((place / "fd").iterdir())), int(told["Threads"])


@dataclass(slots=True)
class Scene:
    """The exchange and the runners beside it."""

    exchange: subprocess.Popen[bytes]
    addresses: Mapping[str, str]
    runners: list[Runner] = field(default_factory=list)
    answers: dict[int, int] = field(default_factory=dict)

    def runner(self, folder: Path, names: tuple[str, ...]) -> None:
        """Write a folder for these accounts, and start a runner in it."""
        for part in ("rules", "secrets"):
            (folder / part).mkdir(parents=True)
        (folder / "secrets").chmod(0o700)
        rules = "".join(RULE.format(name=name) for name in names)
        (folder / "rules" / "rules.yaml").write_text(f"version: 1\nrules:\n{rules}")
        accounts = [ACCOUNT.format(name=name, **self.addresses) for name in names]
        accounts[0] += "    default: true\n"
        hook = free_port()
        text = f"version: 1\nhook: 127.0.0.1:{hook}\naccounts:\n{''.join(accounts)}"
        (folder / "runner.yaml").write_text(text)
        secrets = {f"key_{name}": name for name in names}
        secrets |= {f"secret_{name}": SECRET for name in names} | {"tv": TOKEN}
        for name, value in secrets.items():
            path = folder / "secrets" / name
            path.touch(mode=0o600)
            path.write_text(value)
        with (folder / "log.txt").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "runner", "run", "--dir", str(folder)],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.runners.append(Runner(folder, names, hook, process))

    def traffic(self) -> None:
        """A minute of alerts on each account, as many as may become orders."""
        until = time.monotonic() + MINUTE
        senders = [
            threading.Thread(target=self._send, args=(runner, name, until), daemon=True)
            for runner in self.runners
            for name in runner.names
        ]
        for sender in senders:
            sender.start()
        senders[0].join(WARM)
        for runner in self.runners:
            runner.warm = runner.used()
        for sender in senders:
            sender.join(PATIENCE)

    def _send(self, runner: Runner, name: str, until: float) -> None:
        with requests.Session() as session:
            begun, pause = time.monotonic(), threading.Event()
            for number in itertools.count():
                pause.wait(max(begun + number * EVERY - time.monotonic(), 0))
                if time.monotonic() >= until:
                    return
                body = {"secret": TOKEN, "n": number}
                url = f"{runner.url}/hook/{name}"
                try:
                    status = session.post(url, json=body, timeout=PATIENCE).status_code
                except requests.ConnectionError:
                    status = 503  # it was idle for too long on a busy machine, and is closed
                self.answers[status] = self.answers.get(status, 0) + 1

    def accepted(self, name: str) -> list[str]:
        """The ids of the orders that the exchange ever accepted for an account."""
        url = f"{self.addresses['rest']}/paper/orders"
        seen = requests.get(url, timeout=PATIENCE).json()["orders"]
        return [order["clientOrderId"] for order in seen if order["account"] == name]

    def stop(self) -> None:
        """End every process, however the test ended."""
        for process in (*(runner.process for runner in self.runners), self.exchange):
            process.kill()
            process.wait(PATIENCE)
        assert self.exchange.stdout is not None
        self.exchange.stdout.close()


@pytest.fixture
def scene() -> Iterator[Scene]:
    """A paper exchange that knows three keys and enforces its limits."""
    words = ["paper", "--control", "--api-key", NAMES[0], "--api-secret", SECRET]
    for name in NAMES[1:]:
        words += ["--account", f"{name}:{SECRET}"]
    exchange = subprocess.Popen(
        [sys.executable, "-m", "runner", *words], stdout=subprocess.PIPE, env=dict(os.environ)
    )
    assert exchange.stdout is not None
    scene = Scene(exchange, json.loads(exchange.stdout.readline()))
    yield scene
    scene.stop()


def orders(path: Path) -> list[dict[str, Any]]:
    """What a journal tells of orders."""
    with JournalReader.open(path) as journal:
        return [order for order in journal.orders() if order["kind"] == "order"]


def at_rest(path: Path) -> bool:
    """Whether no order of a journal is open or in doubt, and no run goes on."""
    with JournalReader.open(path) as journal:
        running = any(run["status"] == "running" for run in journal.runs())
        return not running and not {o["state"] for o in journal.orders()} & UNSETTLED


@pytest.mark.parametrize("together", [True, False], ids=["one process", "three processes"])
def test_a_minute_of_orders_on_three_accounts(scene: Scene, tmp_path: Path, together: bool) -> None:
    """No 429, no growth, each order in the journal of its account and in no other."""
    for names in [NAMES] if together else [(name,) for name in NAMES]:
        scene.runner(tmp_path / names[0], names)
    for runner in scene.runners:
        eventually(runner.ready, PATIENCE)
    scene.traffic()
    assert set(scene.answers) <= {200, 503}
    assert scene.answers[200] > len(NAMES)
    for runner in scene.runners:
        memory, files, threads = (a - b for a, b in zip(runner.used(), runner.warm, strict=True))
        assert (memory < MORE_MEMORY, files <= MORE_FILES, threads <= MORE_THREADS) == (
            True,
            True,
            True,
        ), (memory, files, threads)
    for runner in scene.runners:
        for name in runner.names:
            path = runner.journal(name)
            eventually(lambda path=path: at_rest(path), PATIENCE)  # type: ignore[misc]
            told, accepted = orders(path), scene.accepted(name)
            assert differences(told, accepted, "main") == []
            assert accepted, f"no order of {name} reached the exchange"
            ours = {order["client_order_id"] for order in told}
            others = {each for other in NAMES if other != name for each in scene.accepted(other)}
            assert not ours & others
        said = runner.log()
        assert "answered 429" not in said
        assert "answered 418" not in said
