"""How long a sender waits for its answer, and an order for its own: one alert, and 50 at once.

    python -m bench.alerts [--alerts 200] [--bursts 10] [--dir FOLDER]

The whole daemon on its paper exchange, over sockets: each alert on a connection of its own, as
TradingView sends them; the journal with WAL and synchronous=FULL, where `--dir` says. An answer
comes after the commit of what the alert led to. The commits alone: `bench journal`.
"""

from __future__ import annotations

import argparse
import http.client
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from runner.journal import JournalReader

SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "DOGEUSDT")
BURST = 50
"""Ten for each rule: so many may wait for their turn."""

READY_WITHIN = 60.0
QUIET_WITHIN = 120.0
PACE = 1.2
"""Seconds between two bursts: 50 orders are a sixth of what the exchange takes in 10 s."""

RULE = """\
  - id: bench-{path}
    symbol: {symbol}
    when: [{{webhook: {{path: a{path}, secret: bench, body: {{n: number}}, dedupe: [n]}}}}]
    do: [{{place: {{side: buy, type: market, notional: 200, expires_after: 10m}}}}]
"""


def prepared(folder: Path) -> None:
    """The runner's folder."""
    (folder / "rules").mkdir()
    (folder / "secrets").mkdir()
    rules = "".join(RULE.format(path=n, symbol=symbol) for n, symbol in enumerate(SYMBOLS))
    (folder / "rules" / "bench.yaml").write_text(f"version: 1\nrules:\n{rules}")
    (folder / "runner.yaml").write_text("version: 1\npaper: {balance: 100000000}\n")
    secret = folder / "secrets" / "bench"
    secret.touch(mode=0o600)
    secret.write_text("bench-secret")


@contextmanager
def daemon(folder: Path) -> Iterator[tuple[str, int]]:
    """A runner that takes alerts there."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address: tuple[str, int] = probe.getsockname()
    hook = f"{address[0]}:{address[1]}"
    words = ["run", "--dir", str(folder), "--paper", "--hook", hook]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "runner", *words], stdout=log, stderr=log)
    try:
        until = time.monotonic() + READY_WITHIN
        while not ready(address):
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError((folder / "log").read_text())
            time.sleep(0.05)
        yield address
    finally:
        process.terminate()
        process.wait(30)


def ready(address: tuple[str, int]) -> bool:
    """Whether alerts are taken."""
    connection = http.client.HTTPConnection(*address, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def send(address: tuple[str, int], number: int) -> float:
    """Post one alert on a connection of its own; seconds until its answer was read."""
    body = json.dumps({"n": number, "secret": "bench-secret"})
    began = time.perf_counter()
    connection = http.client.HTTPConnection(*address, timeout=30)
    connection.request("POST", f"/hook/a{number % len(SYMBOLS)}", body)
    answer = connection.getresponse()
    told = json.loads(answer.read())
    took = time.perf_counter() - began
    connection.close()
    if told.get("outcome") != "fired":
        raise RuntimeError(f"alert {number} was answered {answer.status}: {told}")
    return took


def placed(folder: Path, first: int, count: int) -> list[float]:
    """Wait for the orders; ms from each alert's arrival to the exchange's answer."""
    until = time.monotonic() + QUIET_WITHIN
    answered: list[int | None] = []
    while time.monotonic() < until:
        with JournalReader.open(folder / "journal.db") as reader:
            rows = sorted(reader.orders(), key=lambda row: int(row["fired_at"]))[first:]
        answered = [row["attempts"][-1]["answered_at"] for row in rows if row["attempts"]]
        if len(answered) == count and None not in answered:
            return [row["attempts"][-1]["answered_at"] - row["fired_at"] for row in rows]
        time.sleep(0.1)
    raise RuntimeError(f"of {count} orders {len(answered)} were answered")


def report(name: str, took: Sequence[float], orders: Sequence[float], per_second: float) -> None:
    """One line: p50 and p99 of the answers, then of the orders."""
    cells = [f"{name:<12} {per_second:>9,.0f}"]
    for values in ([second * 1e3 for second in took], orders):
        cells += [
            f"{statistics.median(values):>9.2f}",
            f"{statistics.quantiles(values, n=100)[98]:>9.2f}",
        ]
    print(" ".join(cells))


def measure(folder: Path, alerts: int, bursts: int) -> None:
    """Both ways, in one life of a daemon."""
    prepared(folder)
    with daemon(folder) as address, ThreadPoolExecutor(BURST) as pool:
        for number in range(-len(SYMBOLS), 0):
            send(address, number)
        placed(folder, 0, len(SYMBOLS))
        took = []
        for number in range(alerts):
            took.append(send(address, number))
            time.sleep(0.06)  # the exchange takes 300 orders in 10 s
        orders = placed(folder, len(SYMBOLS), alerts)
        report("one by one", took, orders, 1 / statistics.mean(took))
        took, spent, first = [], 0.0, len(SYMBOLS) + alerts
        for burst in range(bursts):
            numbers = range(alerts + burst * BURST, alerts + (burst + 1) * BURST)
            began = time.perf_counter()
            took += pool.map(lambda number: send(address, number), numbers)
            spent += time.perf_counter() - began
            placed(folder, first + burst * BURST, BURST)
            time.sleep(PACE)
        orders = placed(folder, first, bursts * BURST)
        report(f"{BURST} at once", took, orders, len(took) / spent)


def main(arguments: Sequence[str] = ()) -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--alerts", type=int, default=200)
    parser.add_argument("--bursts", type=int, default=10)
    parser.add_argument("--dir", type=Path, default=None)
    options = parser.parse_args(arguments)
    print("              alerts/s  answer: p50 and p99 ms, order: p50 and p99 ms")
    with tempfile.TemporaryDirectory(dir=options.dir) as folder:
        measure(Path(folder), options.alerts, options.bursts)


if __name__ == "__main__":
    main(sys.argv[1:])
