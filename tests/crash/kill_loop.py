"""Kills the real runner again and again: real processes, files and sockets, worlds side by side.

`python -m tests.crash.kill_loop --kills 150 --worlds 4 --seed 7` prints what it found as JSON.
Everything is imported once; each life of a runner is a fork of that, so a kill costs little more
than the runner's own start. Each world has an account, a folder and a sender of its own.
"""

from __future__ import annotations

import argparse
import gc
import http.client
import json
import logging
import os
import random
import resource
import select
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from runner import app, failpoints
from runner.app import App
from runner.audit import differences
from runner.connecting import Place, wall_ms
from runner.journal import Journal, JournalReader
from runner.remembering import remembered
from runner.settings import load
from runner.sharing import Shares, read_allotted
from runner.venues.paper.market import Walk
from runner.venues.paper.server import PaperServer
from tests.simulation import cheap
from tests.support import free_port

TOKEN = "loop-token"
PATIENCE = 90.0
"""Seconds for what ends at once on a machine with nothing else to do."""
UNSETTLED = frozenset({"PLANNED", "SENDING", "UNKNOWN"})

RULES = """\
version: 1
dead_man: {symbols: [BTCUSDT], countdown: 2m, refresh: 10s}
rules:
  - id: batch
    symbol: ETHUSDT
    when: [{webhook: {path: batch, secret: tv, body: {n: number}, dedupe: [n]}}]
    do:
      - place:
          - {side: buy, type: limit, price: =mark * 0.98, quantity: 0.1}
          - {side: buy, type: limit, price: =mark * 0.97, quantity: 0.1}
          - {side: buy, type: market, quantity: 0.1}
  - id: single
    symbol: BTCUSDT
    when: [{webhook: {path: single, secret: tv, body: {n: number}, dedupe: [n]}}]
    do: [{place: {side: buy, type: market, quantity: 0.01}}]
  - id: stop
    symbol: BTCUSDT
    when: [{webhook: {path: stop, secret: tv, body: {n: number}, dedupe: [n]}}]
    do:
      - place: {side: sell, type: stop_market, trigger_price: =mark * 0.9, quantity: 0.01,
                reduce_only: true}
  - id: sweep
    symbol: ETHUSDT
    when: [{webhook: {path: sweep, secret: tv, body: {n: number}, dedupe: [n]}}]
    do: [{cancel: all}, {close: {type: market}}]
"""

SETTINGS = """\
version: 1
namespace: {name}
hook: 127.0.0.1:{hook}
accounts:
  main:
    venue: binance_usdm
    address: {{rest: "{rest}", streams: "{streams}", ws_api: "{ws_api}"}}
    api_key: exchange_key
    api_secret: exchange_secret
timing:
  recv_window: 2s
  engine_margin: 300ms
  skew: 100ms
  probe_offsets: [0s, 100ms, 200ms, 300ms]
  first_probe: 50ms
"""


@dataclass(slots=True)
class World:
    """One runner's folder, one sender, and what they came to."""

    name: str
    folder: Path
    hook: int
    dice: random.Random
    answered: dict[int, str] = field(default_factory=dict)
    waiting: list[tuple[int, str]] = field(default_factory=list)
    sent: int = 0
    deaths: Counter[str] = field(default_factory=Counter)
    rules: Shares | None = None

    def write(self, addresses: Mapping[str, str]) -> None:
        """The folder as an operator would write it."""
        for name in ("rules", "secrets"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "rules" / "rules.yaml").write_text(RULES)
        text = SETTINGS.format(name=self.name, hook=self.hook, **addresses)
        (self.folder / "runner.yaml").write_text(text)
        secrets = {"exchange_key": self.name, "exchange_secret": f"{self.name}-secret", "tv": TOKEN}
        for name, value in secrets.items():
            path = self.folder / "secrets" / name
            path.touch(mode=0o600)
            path.write_text(value)
        # read once: a life's own reading of them is no part of what is tested here
        settings = load(self.folder)
        self.rules = read_allotted(Place(self.folder), settings, tuple(settings.accounts))
        journal = Journal.open(self.folder / "warm.db", self.name, wall_ms)
        remembered(journal)
        journal.close()

    # one life

    def live_and_die(self) -> None:
        """Start, take alerts, and be killed: at a point of the way, or from outside."""
        point, count = self.dice.choice(failpoints.POINTS), self.dice.randint(1, 14)
        pid, ready = self.start(point, count)
        if _readable(ready, PATIENCE):
            for _ in range(self.dice.randint(1, 3)):
                self._send_one()
        how = self._wait(pid, self.dice.choice((0.0, 0.02, 0.1, 0.4)))
        os.close(ready)
        self.deaths[how or "outside"] += 1

    def start(self, point: str = "", count: int = 0) -> tuple[int, int]:
        """Fork a runner; the pipe tells when it takes alerts, or ends when it died before."""
        ready, told = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(ready)
            failpoints._name, failpoints._left = point, count
            app.read_shares = lambda *_: self.rules  # type: ignore[assignment,attr-defined]
            _live(self.folder, told)
        os.close(told)
        return pid, ready

    def _wait(self, pid: int, patience: float) -> str | None:
        """Wait for the runner's own death, else kill it; "point" when it was its own."""
        until = time.monotonic() + patience
        while time.monotonic() < until:
            if os.waitpid(pid, os.WNOHANG)[0]:
                return "point"
            time.sleep(0.005)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return None

    def _send_one(self) -> None:
        """What was not acknowledged is sent again before anything new."""
        if not self.waiting:
            path = self.dice.choice(("batch", "single", "single", "stop", "sweep"))
            self.waiting.append((self.sent, path))
            self.sent += 1
        number, path = self.waiting[0]
        outcome = self._post(number, path)
        if outcome is not None:
            self.waiting.pop(0)
            self.answered[number] = outcome

    def _post(self, number: int, path: str) -> str | None:
        body = json.dumps({"n": number, "secret": TOKEN})
        connection = http.client.HTTPConnection("127.0.0.1", self.hook, timeout=PATIENCE)
        try:
            connection.request("POST", f"/hook/{path}", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            document = json.loads(answer.read())
            return str(document["outcome"]) if answer.status == 200 else None
        except (OSError, http.client.HTTPException, ValueError):
            return None
        finally:
            connection.close()

    # the reckoning

    def settle(self, accepted: Callable[[], Sequence[str]]) -> list[str]:
        """A last life without a death: everything is acknowledged and comes to an end."""
        pid, ready = self.start()
        wrong: list[str] = []
        if not _readable(ready, PATIENCE):
            wrong.append(f"{self.name} did not start")
        until = time.monotonic() + PATIENCE
        while self.waiting and time.monotonic() < until:
            self._send_one()
        while (orders := self._orders()) is None and time.monotonic() < until:
            time.sleep(0.1)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(ready)
        if self.waiting or orders is None:
            wrong.append(f"{self.name} did not settle: {self.waiting}")
        return wrong + self._differences(accepted())

    def _orders(self) -> list[dict[str, Any]] | None:
        """The journal's orders and cancels, None while one of them is not settled."""
        with JournalReader.open(self.folder / "journal.db") as journal:
            orders = journal.orders()
        return None if any(order["state"] in UNSETTLED for order in orders) else orders

    def _differences(self, accepted: Sequence[str]) -> list[str]:
        with JournalReader.open(self.folder / "journal.db") as journal:
            orders = [order for order in journal.orders() if order["kind"] == "order"]
            fired = Counter(int(run["fields"]["n"]) for run in journal.runs())
        wrong = differences(orders, accepted, self.name)
        wrong += [f"alert {n} fired {times} times" for n, times in fired.items() if times > 1]
        for number, outcome in self.answered.items():
            if outcome in ("fired", "duplicate") and not fired[number]:
                wrong.append(f"alert {number} was answered {outcome} and never fired")
        return [f"{self.name}: {text}" for text in wrong]


def _live(folder: Path, told: int) -> NoReturn:
    """A runner's life, in a process of its own: as `runner run` does, but for the imports."""
    try:
        logging.disable(logging.CRITICAL)
        runner = App(Place(folder), load(folder))
        runner.start()
        while not runner.readiness().ready:
            runner.watch()
            time.sleep(0.002)
        os.write(told, b"r")
        while True:
            runner.watch()
            time.sleep(0.05)
    except BaseException as error:  # noqa: BLE001 - whatever it is, this process ends here
        (folder / "errors.txt").open("a").write(f"{error!r}\n")
    finally:
        os._exit(1)


def _readable(descriptor: int, timeout: float) -> bool:
    found, _, _ = select.select([descriptor], [], [], timeout)
    return bool(found) and os.read(descriptor, 1) == b"r"


def _exchange(names: Sequence[str]) -> tuple[int, dict[str, str]]:
    """The exchange in a process of its own; it forgets nothing, and counts no weight."""
    heard, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        keys = {name: f"{name}-secret" for name in names}
        server = PaperServer(
            keys=keys, market=Walk(1), control=True, limits=False, balance="1000000000"
        )
        # hundreds of starts a minute from one address: no real account does that
        server._gateway.limits.used_weight = lambda *_: 0  # type: ignore[method-assign]
        server.start()
        os.write(told, json.dumps(server.addresses).encode())
        signal.pause()
        os._exit(0)
    os.close(told)
    return pid, json.loads(os.read(heard, 10_000))


def _accepted(rest: str) -> list[str]:
    connection = http.client.HTTPConnection(rest.removeprefix("http://"), timeout=PATIENCE)
    connection.request("GET", "/paper/orders")
    seen = json.loads(connection.getresponse().read())
    connection.close()
    plain = [order["clientOrderId"] for order in seen["orders"] if not order.get("algoId")]
    return [*plain, *(algo["clientAlgoId"] for algo in seen["algos"])]


def _play(world: World, kills: int, addresses: Mapping[str, str], until: float) -> dict[str, Any]:
    with cheap.openings():
        world.write(addresses)
        for _ in range(kills):
            if time.monotonic() > until:
                break
            world.live_and_die()
        wrong = world.settle(lambda: _accepted(addresses["rest"]))
    errors = world.folder / "errors.txt"
    return {
        "wrong": wrong,
        "kills": world.deaths.total(),
        "at a point": world.deaths["point"],
        "alerts": world.sent,
        "errors": errors.read_text().splitlines() if errors.exists() else [],
    }


def _cpu(whose: int) -> float:
    used = resource.getrusage(whose)
    return used.ru_utime + used.ru_stime


def loop(kills: int, worlds: int, seed: int, seconds: float, folder: Path) -> dict[str, Any]:
    """Play the worlds beside each other; what they found, added up."""
    names = [f"w{number}" for number in range(worlds)]
    exchange, addresses = _exchange(names)
    gc.freeze()
    until = time.monotonic() + seconds
    pipes = []
    for name in names:
        heard, told = os.pipe()
        if os.fork() == 0:
            dice = random.Random(f"{seed} {name}")
            world = World(name, folder / name, free_port(), dice)
            found = _play(world, -(-kills // worlds), addresses, until)
            with os.fdopen(told, "w") as out:
                json.dump(found, out)
            os._exit(0)
        os.close(told)
        pipes.append(heard)
    results = []
    for heard in pipes:
        with os.fdopen(heard) as told_back:
            text = told_back.read()
        results.append(json.loads(text) if text else {"wrong": ["a world ended early"]})
    orders = len(_accepted(addresses["rest"]))
    os.kill(exchange, signal.SIGKILL)
    for _ in range(worlds + 1):
        os.wait()
    total: dict[str, Any] = {"orders": orders, "seed": seed}
    for key in ("kills", "at a point", "alerts"):
        total[key] = sum(result.get(key, 0) for result in results)
    total["CPU seconds"] = round(_cpu(resource.RUSAGE_CHILDREN), 1)
    for key in ("wrong", "errors"):
        total[key] = [text for result in results for text in result.get(key, [])]
    return total


def main() -> None:
    """Read the command line, play, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=150)
    parser.add_argument("--worlds", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where the worlds are left to be looked at")
    parser.add_argument("--seconds", type=float, default=120, help="no further kill after this")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = asked.folder or Path(folder)
        found = loop(asked.kills, asked.worlds, asked.seed, asked.seconds, place)
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
