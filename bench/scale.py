"""1,000 accounts and 10,000 alerts a second, on the virtual clock: what that takes of machines.

    python -m bench scale [--accounts 1000] [--alerts 10] [--seconds 1]

Each account has a runner of its own, as it would have a process: the real engine, journal, adapter
and dispatcher, on its own paper exchange, without sockets. `--alerts` come to each account every
virtual second. CPU time is taken apart: what the runners take, and what the exchanges take, which
would be elsewhere. Every alert must fire once and lead to one order, or the run fails.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from bench.programs import ROOT, python
from bench.table import circumstances, grid

WORKERS = 2
BEGIN = 1_780_000_000_000
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  # many journals at once: their disk is another matter
FSYNC = 0.00016
"""Seconds of a small append's fdatasync on this machine when it is quiet (design tables)."""

RULE = """\
version: 1
rules:
  - id: buy
    symbol: BTCUSDT
    when: [{webhook: {path: a, secret: s, body: {n: number}, dedupe: [n]}}]
    do: [{place: {side: buy, type: limit, price: 60000, quantity: 0.001, time_in_force: ioc}}]
"""


@dataclass(slots=True)
class Exchanges:
    """All accounts' exchanges, with the CPU time that they took."""

    seconds: float = 0.0
    orders: int = 0

    def timed(self, ask: Any) -> Any:
        """`ask` with a clock beside it."""

        def asked(method: str, path: str, payload: str) -> Any:
            began = time.process_time()
            answer = ask(method, path, payload)
            self.seconds += time.process_time() - began
            self.orders += (method, path) == ("POST", "/fapi/v1/order") and answer.status == 200
            return answer

        return asked


def work(accounts: int, alerts: int, seconds: int) -> dict[str, float]:
    """One process' share of the accounts."""
    from runner.core.events import Alert
    from runner.rulebook.load import load
    from runner.sources.bodies import body_hash

    place = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="bench-scale-", dir=place) as name:
        folder = Path(name)
        (folder / "rules.yaml").write_text(RULE)
        rules = load(folder / "rules.yaml").rules
        assert rules is not None
        exchanges = Exchanges()
        runners = [_runner(folder / f"{n}.db", rules, exchanges) for n in range(2)]
        before = _resident()
        runners += [_runner(folder / f"{n}.db", rules, exchanges) for n in range(2, accounts)]
        each = (_resident() - before) / max(accounts - 2, 1)
        for _, runner in runners:
            runner.advance(BEGIN + 1_000)
        exchanges.seconds, exchanges.orders = 0.0, 0
        began, fired = time.process_time(), 0
        for turn in range(alerts * seconds):
            at = BEGIN + 1_000 + (turn + 1) * 1_000 // alerts
            fields = {"n": Decimal(turn)}
            alert = Alert("a", fields, body_hash(fields), at)
            for clock, runner in runners:
                runner.advance(at)
                answer = runner.ask(alert)
                fired += answer is not None and answer.outcome == "fired"
                del clock
        for _, runner in runners:
            runner.advance(BEGIN + (seconds + 5) * 1_000)
        took = time.process_time() - began
        for _, runner in runners:
            runner.crash()
    return {
        "fired": fired,
        "orders": exchanges.orders,
        "runner": took - exchanges.seconds,
        "exchange": exchanges.seconds,
        "MB": each,
    }


def _runner(journal: Path, rules: Any, exchanges: Exchanges) -> tuple[Any, Any]:
    from runner.venues.paper.exchange import Exchange
    from runner.venues.paper.symbols import built_in
    from runner.virtual import Calm, VirtualClock, VirtualExchange, VirtualRunner

    clock = VirtualClock(BEGIN)
    symbols = {"BTCUSDT": built_in()["BTCUSDT"]}
    engine = Exchange(symbols, accounts=(), balance={"USDT": Decimal(100_000)}, now=BEGIN)
    exchange = VirtualExchange(engine, clock)
    exchange.request = exchanges.timed(exchange.request)  # type: ignore[method-assign]
    runner = VirtualRunner(journal, rules, exchange, clock, network=Calm(5), told=True)
    runner.advance(BEGIN)
    return clock, runner


def _resident() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(arguments: Sequence[str] = ()) -> int:
    """Play and print; 1 when an alert did not fire once or an order is missing."""
    words = list(arguments)
    given = {"--accounts": 1_000, "--alerts": 10, "--seconds": 1}
    for name in given:
        if name in words:
            given[name] = int(words[words.index(name) + 1])
    accounts, alerts, seconds = given.values()
    print(circumstances())
    share = [str(accounts // WORKERS), str(alerts), str(seconds)]
    command = python("-m", "bench.scale", "--work", *share)
    processes = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        for _ in range(WORKERS)
    ]
    found = [json.loads(one.communicate()[0]) for one in processes]
    told = accounts // WORKERS * WORKERS * alerts * seconds
    total = {name: sum(one[name] for one in found) for name in found[0]}
    each = total["runner"] / told
    rate = accounts * alerts
    rows = [
        ("what", "figure"),
        ("accounts, each with a runner and a journal", f"{accounts:,}"),
        ("alerts a (virtual) second", f"{rate:,}"),
        ("alerts played, fired, orders", f"{told:,}, {total['fired']:,}, {total['orders']:,}"),
        ("CPU of a runner for an alert, with its order", f"{each * 1e3:.2f} ms"),
        ("cores for all alerts (hook servers not counted)", f"{each * rate:.1f}"),
        ("alerts a second that one core decides and journals", f"{1 / each:,.0f}"),
        ("memory of one more runner in a process", f"{total['MB'] / len(found):.2f} MB"),
        ("disk: fdatasyncs a second, one for each alert", f"{rate:,}"),
        ("disks for those, each alone and waited for", f"{rate * FSYNC:.1f}"),
    ]
    print("\n".join(grid(rows)))
    right = total["fired"] == told == total["orders"]
    if not right:
        print(f"of {told} alerts {total['fired']} fired, with {total['orders']} orders")
    return 0 if right else 1


if __name__ == "__main__":
    print(json.dumps(work(*(int(word) for word in sys.argv[2:5]))))
