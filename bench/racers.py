"""Everybody who takes alerts in one run: the floor, ours, and what people write."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from bench import sending, stand
from bench.daemon import Daemon, daemon, folder_of, free_port, rules
from bench.programs import HERE, built, peers_environment, python, running

PEERS = ("flask_requests", "flask_ccxt", "flask_python_binance")
ORDERS = 5
OURS = (("ours", "rest", ORDERS, stand.KEY), ("ours-ws", "ws", 1, stand.SECOND))
"""Name, transport, orders, key. The WebSocket API has no batch."""

RECORD = 4_096
"""Bytes that the floor appends for each alert."""


@dataclass(slots=True)
class Racer:
    """One who takes alerts: `first` and `last` of its orders on the wire, `answered`, in ms."""

    name: str
    send: Callable[[], sending.Sent]
    arrivals: int
    first: list[float] = field(default_factory=list)
    last: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)

    def run(self, arrivals: stand.Arrivals) -> None:
        """One alert from its first byte until its last order is at the exchange."""
        before = len(arrivals)
        sent = self.send()
        arrivals.wait(before + self.arrivals)
        came = arrivals.since(before)
        if len(came) != self.arrivals:
            raise RuntimeError(f"{self.name} sent {len(came)} requests for one alert: {came}")
        self.first.append((came[0].at - sent.began) / 1e6)
        self.last.append((came[-1].at - sent.began) / 1e6)
        self.answered.append((sent.answered - sent.began) / 1e6)


def signed_batch(port: int, orders: int = ORDERS) -> bytes:
    """The bytes of a request as ours sends it, for the floor, which only copies them."""
    order = {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "IOC",
        "quantity": "0.01",
        "price": "69000",
    }
    listed = [{**order, "newClientOrderId": f"r1-main-floor{n:018}"} for n in range(orders)]
    text = quote(json.dumps(listed, separators=(",", ":")))
    body = f"batchOrders={text}&recvWindow=5000&timestamp=1780000000000&signature={'0f' * 32}"
    return (
        f"POST /fapi/v1/batchOrders HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Accept-Encoding: identity\r\nX-MBX-APIKEY: bench-floor-key\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


@contextmanager
def floor(exchange: stand.Exchange, folder: Path, *, durable: bool = True) -> Iterator[int]:
    """The C receiver's port."""
    folder.mkdir(parents=True, exist_ok=True)
    batch = folder / "batch"
    batch.write_bytes(signed_batch(exchange.port))
    journal = str(folder / "journal") if durable else "-"
    command = [built("receiver"), journal, str(batch), str(exchange.port), str(RECORD)]
    with running(command, folder / "log") as (_, line):
        yield int(line)


@contextmanager
def peer(name: str, exchange: stand.Exchange, folder: Path) -> Iterator[int]:
    """A peer's port."""
    port = free_port()
    environment = peers_environment(os.environ)
    log = folder / f"{name}.log"
    command = python(str(HERE / "peers" / f"{name}.py"), exchange.url, str(port))
    with running_quietly(command, log, environment):
        _until_open(port, log)
        yield port


@contextmanager
def running_quietly(command: list[str], log: Path, environment: dict[str, str]) -> Iterator[None]:
    """A program that says nothing when it is ready."""
    import subprocess

    with log.open("wb") as told:
        process = subprocess.Popen(command, stdout=told, stderr=told, env=environment)
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


def _until_open(port: int, log: Path) -> None:
    import socket

    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"a peer did not start:\n{log.read_text()}")


def _sender(port: int, path: str) -> Callable[[], sending.Sent]:
    count = iter(range(10**9))

    def send() -> sending.Sent:
        answer = sending.send(port, sending.request(path, {"n": next(count)}))
        if not answer.fired:
            raise RuntimeError(f"port {port} answered {answer.status}: {answer.body!r}")
        return answer

    return send


@contextmanager
def racers(
    exchange: stand.Exchange, folder: Path, *, peers: bool = True, ws: bool = True
) -> Iterator[dict[str, Racer]]:
    """Everybody, by name: floor, ours, ours-ws, and the peers."""
    with ExitStack() as stack:
        found: dict[str, Racer] = {}
        for name, transport, orders, key in OURS[: 2 if ws else 1]:
            account = exchange.account(transport)
            where = folder_of(folder / name, account, rules(orders), key=key)
            own: Daemon = stack.enter_context(daemon(where))
            found[name] = Racer(name, own.send, 1)
        port = stack.enter_context(floor(exchange, folder / "floor"))
        found["floor"] = Racer("floor", _sender(port, "/hook/a0"), 1)
        for name in PEERS if peers else ():
            port = stack.enter_context(peer(name, exchange, folder))
            found[name] = Racer(name, _sender(port, "/hook"), ORDERS)
        yield found
