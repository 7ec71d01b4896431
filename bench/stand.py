"""One exchange for everybody who is measured: paper exchange, market, and the raw responder."""

from __future__ import annotations

import copy
import json
import mmap
import struct
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from bench.programs import built, json_line, python, running

KEY, SECRET = "bench-key", "bench-secret"
SECOND = "bench-key-2"
"""Two runners on one machine need two keys."""

LIMITS = {"REQUEST_WEIGHT": 10**9, "ORDERS": 10**9}
WITHIN = 30.0


@dataclass(frozen=True, slots=True)
class Arrival:
    """Orders or a cancel at the exchange; `at` is monotonic ns of the first byte."""

    at: int
    orders: int
    kind: str
    name: str


class Arrivals:
    """What the responder noted, read from the file that it shares."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)

    def __len__(self) -> int:
        count: int = struct.unpack_from("q", self._map, 0)[0]
        return count

    def __getitem__(self, number: int) -> Arrival:
        at, orders, kind, name = struct.unpack_from("qii48s", self._map, 64 + 64 * number)
        return Arrival(at, orders, chr(kind), name.rstrip(b"\0").decode())

    def since(self, number: int) -> list[Arrival]:
        """All from this one on."""
        return [self[each] for each in range(number, len(self))]

    def wait(self, number: int, within: float = WITHIN) -> None:
        """Until there are so many; raises RuntimeError when they do not come: one was lost."""
        until = time.monotonic() + within
        while len(self) < number:
            if time.monotonic() > until:
                raise RuntimeError(f"{len(self)} of {number} requests came to the exchange")
            time.sleep(0.0002)


@dataclass(frozen=True, slots=True)
class Market:
    """Steers bench/market.py."""

    line: IO[str]
    told: IO[str]

    def ask(self, words: str) -> int:
        """Say something; when the frame left, where one did (monotonic ns)."""
        self.line.write(words + "\n")
        self.line.flush()
        left: int = json_line(self.told.readline())["left"]
        return left

    def rate(self, per_second: int) -> None:
        """So many frames a second from now on."""
        self.ask(f"rate {per_second}")

    def price(self, symbol: str, price: float) -> int:
        """Tell this price; when it left (monotonic ns)."""
        return self.ask(f"price {symbol} {price}")


@dataclass(frozen=True, slots=True)
class Exchange:
    """Where it is, what came to it, and its market."""

    port: int
    arrivals: Arrivals
    market: Market
    responder: int
    """Its process; SIGUSR1 breaks every connection."""

    @property
    def url(self) -> str:
        """For REST."""
        return f"http://127.0.0.1:{self.port}"

    def account(self, transport: str = "rest") -> dict[str, Any]:
        """The account of a runner.yaml."""
        at = f"127.0.0.1:{self.port}"
        return {
            "venue": "binance_usdm",
            "address": {
                "rest": f"http://{at}",
                "streams": f"ws://{at}",
                "ws_api": f"ws://{at}/ws-fapi/v1",
            },
            "api_key": "key",
            "api_secret": "api_secret",
            "transport": transport,
        }


@contextmanager
def exchange(
    folder: Path, symbols: int = 0, *, limits: bool = False, accounts: int = 0
) -> Iterator[Exchange]:
    """An exchange whose order limits are out of the way, with so many more symbols (X0USDT …).

    And so many more accounts, with the keys bench-key-a0 ….
    """
    folder.mkdir(parents=True, exist_ok=True)
    info = folder / "exchangeInfo.json"
    with running(_paper(), folder / "paper.log") as (_, line):
        info.write_text(json.dumps(_info(json_line(line)["rest"], symbols, limits=limits)))
    keys = [f"--account={KEY}-a{number}:{SECRET}" for number in range(accounts)]
    command = _paper("--exchange-info", str(info), *keys)
    with running(command, folder / "paper.log") as (_, line), _market(folder) as (market, port):
        paper = json_line(line)["rest"].rpartition(":")[2]
        log = folder / "arrivals"
        command = [built("responder"), str(log), paper, port, str(info)]
        with running(command, folder / "responder.log") as (process, told):
            yield Exchange(int(told), Arrivals(log), market, process.pid)


def _paper(*more: str) -> list[str]:
    words = ("--api-key", KEY, "--api-secret", SECRET, "--account", f"{SECOND}:{SECRET}")
    still = ("--no-limits", "--prices", "still", "--balance", "100000000")
    return python("-m", "runner", "paper", *words, *still, *more)


def _info(rest: str, symbols: int, *, limits: bool) -> dict[str, Any]:
    with urllib.request.urlopen(f"{rest}/fapi/v1/exchangeInfo", timeout=30) as answer:  # noqa: S310
        info: dict[str, Any] = json.load(answer)
    if not limits:
        for one in info["rateLimits"]:
            one["limit"] = LIMITS.get(one["rateLimitType"], one["limit"])
    first = next(one for one in info["symbols"] if one["symbol"] == "BTCUSDT")
    for number in range(symbols):
        one = copy.deepcopy(first)
        one["symbol"] = one["pair"] = f"X{number}USDT"
        one["baseAsset"] = f"X{number}"
        info["symbols"].append(one)
    return info


@contextmanager
def _market(folder: Path) -> Iterator[tuple[Market, str]]:
    import subprocess
    import sys

    with (folder / "market.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.market"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        port = process.stdout.readline().strip()
        yield Market(process.stdin, process.stdout), port
    finally:
        process.terminate()
        process.wait(10)
