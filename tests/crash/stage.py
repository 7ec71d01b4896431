"""A stage for crash tests: a paper exchange and a runner as processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import requests

from runner.audit import differences
from runner.journal import JournalReader
from tests.support import eventually, free_port

KEY, SECRET, TOKEN = "stage-key", "stage-secret", "stage-token"
PATIENCE = 90
"""Seconds that anything may take on a busy machine; nothing waits so long when all is well."""

GUARDED_BRACKET = """\
version: 1
dead_man: {symbols: BTCUSDT, countdown: 30s, refresh: 5s}
rules:
  - id: trade
    symbol: BTCUSDT
    mode: queued
    when:
      - webhook: {path: signal, secret: tv, body: {action: {one_of: [buy]}}, dedupe_window: 0s}
    do:
      - bracket:
          entry: {side: buy, type: market, quantity: 0.01}
          stop: {trigger_price: =mark * 0.9}
          target: {price: =mark * 1.1}
"""
"""A rule whose entry fills at once, and whose exits stay; a countdown covers them."""

NUMBERED = """\
version: 1
rules:
  - id: numbered
    symbol: ETHUSDT
    when:
      - webhook: {path: signal, secret: tv, body: {n: number}, dedupe: [n]}
    do:
      - place:
          - {side: buy, type: limit, price: =mark * 0.9, quantity: 0.1}
          - {side: buy, type: market, quantity: 0.1}
"""
"""A rule that places two orders for each number."""

SETTINGS = """\
version: 1
hook: 127.0.0.1:{hook}
accounts:
  main:
    venue: binance_usdm
    address: {{rest: "{rest}", streams: "{streams}", ws_api: "{ws_api}"}}
    api_key: exchange_key
    api_secret: exchange_secret
timing:                              # the waits of the exactly-once rules, shortened to seconds
  recv_window: 2s
  engine_margin: 300ms
  skew: 100ms
  probe_offsets: [0s, 100ms, 200ms, 300ms]
  first_probe: 50ms
"""


class Stage:
    """A folder with a runner in it, an exchange beside it, and both processes."""

    def __init__(self, folder: Path, rules: str, *words: str) -> None:
        """Start the exchange, with these further words, and write the runner's folder.

        The runner is started by `run`.
        """
        self.folder = folder
        self.armed = folder / "armed"
        self.hook = free_port()
        self.runner: subprocess.Popen[bytes] | None = None
        self.processes: list[subprocess.Popen[bytes]] = []
        keys = ("--api-key", KEY, "--api-secret", SECRET)
        self.exchange = self._start("paper", "--control", *keys, *words)
        assert self.exchange.stdout is not None
        self.addresses = json.loads(self.exchange.stdout.readline())
        self._write(rules)

    def _write(self, rules: str) -> None:
        for name in ("rules", "secrets"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "rules" / "rules.yaml").write_text(rules)
        text = SETTINGS.format(hook=self.hook, **self.addresses)
        (self.folder / "runner.yaml").write_text(text)
        secrets = {"tv": TOKEN, "exchange_key": KEY, "exchange_secret": SECRET}
        for name, value in secrets.items():
            path = self.folder / "secrets" / name
            path.touch(mode=0o600)
            path.write_text(value)

    def _start(self, *words: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        with (self.folder.parent / f"{words[0]}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "runner", *words],
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, **(env or {})},
            )
        self.processes.append(process)
        return process

    def run(self, failpoint: str | None = None, *words: str) -> None:
        """Start the runner, with these further words, and wait until it takes alerts."""
        env = {"RUNNER_FAILPOINT": f"{failpoint}@{self.armed}"} if failpoint else {}
        self.runner = self._start("run", "--dir", str(self.folder), *words, env=env)
        eventually(self._ready, PATIENCE)

    def _ready(self) -> bool:
        assert self.runner is not None
        if self.runner.poll() is not None:
            said = (self.folder.parent / "run.log").read_text()[-2_000:]
            raise RuntimeError(f"the runner ended with {self.runner.returncode}: {said}")
        try:
            return requests.get(self.url("/readyz"), timeout=PATIENCE).status_code == 200
        except requests.ConnectionError:
            return False

    def url(self, path: str) -> str:
        """An address of the runner's hook server."""
        return f"http://127.0.0.1:{self.hook}{path}"

    def alert(self, body: Mapping[str, Any]) -> dict[str, Any] | None:
        """Post an alert as TradingView does; the answer if there was a 200, else None."""
        try:
            answer = requests.post(
                self.url("/hook/signal"), json={**body, "secret": TOKEN}, timeout=PATIENCE
            )
        except requests.RequestException:
            return None
        document: dict[str, Any] = answer.json()
        return document if answer.status_code == 200 else None

    def died(self) -> None:
        """Wait until the runner was killed by its failpoint."""
        assert self.runner is not None
        assert self.runner.wait(PATIENCE) == -signal.SIGKILL

    def kill(self) -> None:
        """Kill -9, now."""
        assert self.runner is not None
        self.runner.kill()
        self.runner.wait(PATIENCE)

    def stop(self) -> None:
        """End every process, however the test ended."""
        for process in self.processes:
            process.kill()
            process.wait(PATIENCE)
            if process.stdout is not None:
                process.stdout.close()

    # what the exchange and the journal say

    def fault(self, **fault: Any) -> None:
        """Ask the exchange for a fault."""
        answer = requests.post(
            f"{self.addresses['rest']}/paper/fault", json=fault, timeout=PATIENCE
        )
        assert answer.status_code == 200, answer.text

    def price(self, symbol: str, price: str) -> None:
        """Move a price."""
        body = {"symbol": symbol, "price": price}
        answer = requests.post(f"{self.addresses['rest']}/paper/price", json=body, timeout=PATIENCE)
        assert answer.status_code == 200, answer.text

    def accepted(self) -> list[str]:
        """The client order ids of every order that the exchange ever accepted."""
        seen = requests.get(f"{self.addresses['rest']}/paper/orders", timeout=PATIENCE).json()
        plain = [order["clientOrderId"] for order in seen["orders"] if not order.get("algoId")]
        return [*plain, *(algo["clientAlgoId"] for algo in seen["algos"])]

    def orders(self) -> Sequence[Mapping[str, Any]]:
        """The journal's orders, read while the runner runs."""
        with JournalReader.open(self.folder / "journal.db") as journal:
            return [order for order in journal.orders() if order["kind"] == "order"]

    def settled(self, count: int) -> bool:
        """True when the journal has that many orders and the exchange's verdict on each."""
        states = [order["state"] for order in self.orders()]
        open_states = {"PLANNED", "SENDING", "UNKNOWN"}
        return len(states) >= count and not open_states & set(states)

    def audit(self) -> list[str]:
        """What journal and exchange disagree about."""
        return differences(self.orders(), self.accepted(), "main")
