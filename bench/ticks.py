"""What a price that crosses nothing costs, beside receiving and decoding the frame alone.

    python -m bench ticks [--symbols 1]

All read the same frames from a socket, each in a process of its own; CPU time for each frame. The
floor is a frame reader: websocket-client over reads of 64 KB, orjson, and the frame is dropped.
Ours is the runner's market connection and price board, with the bands that so many rules' levels
lead to. Beside the floor stand websocket-client as it is, and our own reader without the rest.
"""

from __future__ import annotations

import json
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from bench.goals import Measured, Sample
from bench.market import Market, shake_hands

FRAMES = 40_000
ROUNDS = 3
RULES = (10, 1_000, 100_000)
FLOOR, LIBRARY, READER = 0, -1, -2
"""In the place of a number of rules: the floor, the WebSocket library as it is, our reader."""


class Blast:
    """Sends so many frames to each WebSocket as quickly as it reads them."""

    def __init__(self, symbols: int) -> None:
        self.door = socket.create_server(("127.0.0.1", 0))
        market = Market()
        names = [f"x{n}usdt@aggTrade" for n in range(symbols)]
        at = int(time.time() * 1000)
        frames = [market.frame(names[n % symbols], at, n // symbols % 2) for n in range(1_000)]
        self._data = b"".join(frames) * (FRAMES // 1_000)
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def port(self) -> int:
        """Where."""
        port: int = self.door.getsockname()[1]
        return port

    def _serve(self) -> None:
        while True:
            link, _ = self.door.accept()
            shake_hands(link)
            threading.Thread(target=link.sendall, args=(self._data,), daemon=True).start()


def measure(symbols: int = 1, rules: Sequence[int] = RULES) -> dict[int, float]:
    """CPU µs a frame by the number of rules, and of the others. Medians of rounds in turns."""
    blast = Blast(symbols)
    found: dict[int, list[float]] = {count: [] for count in (FLOOR, LIBRARY, READER, *rules)}
    for _ in range(ROUNDS):
        for count, values in found.items():
            command = [sys.executable, "-m", "bench.ticks", "--read"]
            command += [str(blast.port), str(count), str(symbols)]
            ran = subprocess.run(command, check=True, capture_output=True, text=True)
            values.append(json.loads(ran.stdout)["µs"])
    return {count: statistics.median(values) for count, values in found.items()}


def read(port: int, rules: int, symbols: int) -> float:
    """CPU µs for each frame of one connection, read to its end."""
    from runner.venues.binance_usdm.link import Link, LinkTiming

    if rules in (FLOOR, LIBRARY):
        return _library(port, floor=rules == FLOOR)
    listener: Any = _Decode(port) if rules == READER else _Ours(port, rules, symbols)
    link = Link("ticks", listener, LinkTiming())
    link.start()
    listener.over.wait(120)
    link.stop()
    if listener.frames < FRAMES:
        raise RuntimeError(f"{listener.frames} of {FRAMES} frames were read")
    taken: float = (listener.ended - listener.began) / listener.counted * 1e6
    return taken


def _library(port: int, *, floor: bool) -> float:
    """The same by the WebSocket library, then orjson; as it is, or as the floor."""
    import orjson
    import websocket

    class Buffered(websocket.WebSocket):
        """The library asks the kernel for each header byte by itself: this asks for more."""

        _held, _at = b"", 0

        def _recv(self, bufsize: int) -> bytes:
            if self._at == len(self._held):
                self._held = super()._recv(65_536)  # type: ignore[no-untyped-call]
                self._at = 0
            part: bytes = self._held[self._at : self._at + bufsize]
            self._at += len(part)
            return part

    link = (Buffered if floor else websocket.WebSocket)(skip_utf8_validation=True)
    link.settimeout(60)
    link.connect(f"ws://127.0.0.1:{port}/market/stream")  # type: ignore[no-untyped-call]
    receive = (lambda: link.recv_data()[1]) if floor else link.recv
    began = 0.0
    for number in range(FRAMES):
        if number == FRAMES // 10:
            began = time.thread_time()
        orjson.loads(receive())
    return (time.thread_time() - began) / (FRAMES - FRAMES // 10) * 1e6


class _Decode:
    """Our own reader: each frame is decoded and dropped."""

    def __init__(self, port: int) -> None:
        import orjson

        self._loads = orjson.loads
        self._port = port
        self.frames = self.counted = 0
        self.began = self.ended = 0.0
        self.over = threading.Event()

    def address(self) -> str:
        return f"ws://127.0.0.1:{self._port}/market/stream"

    def connected(self) -> None:
        """Nothing to do."""

    renewed = connected

    def lost(self, detail: str) -> None:
        del detail

    def idle(self) -> str | None:
        return None

    def message(self, data: bytes) -> str | None:
        self.handle(data)
        self.frames += 1
        if self.frames == FRAMES // 10:
            self.began = time.thread_time()
        elif self.frames == FRAMES:
            self.ended, self.counted = time.thread_time(), FRAMES - FRAMES // 10
            self.over.set()
        return None

    def handle(self, data: bytes) -> None:
        self._loads(data)


class _Ours(_Decode):
    """The market stream's own listener and the board, with the bands of so many levels."""

    def __init__(self, port: int, rules: int, symbols: int) -> None:
        super().__init__(port)
        from runner.core.levels import Levels
        from runner.core.prices import PriceBoard
        from runner.core.rules import Waits
        from runner.venues.binance_usdm.presets import Addresses
        from runner.venues.binance_usdm.streams import MarketStream

        self._board = PriceBoard(30_000)
        self._levels = Levels()
        names = [f"X{n}USDT" for n in range(symbols)]
        for n in range(rules):
            owner = (f"rule-{n}", names[n % symbols], "price")
            level = Decimal(71_000 + n) if n % 2 else Decimal(69_000) - Decimal(n) / 2
            self._levels.set(owner, Waits("last", (level,)), 0)
        self._publish()
        wanted = frozenset((name, "last") for name in names)
        at = Addresses("", f"ws://127.0.0.1:{port}", "")
        clock = lambda: time.time_ns() // 1_000_000  # noqa: E731
        stream = MarketStream(at, wanted, self._board, self._post, clock)
        self._feed = stream._feeds[0]

    def _publish(self) -> None:
        self._board.publish(self._levels.bands(self._board.next_version()))

    def _post(self, event: Any) -> None:
        from runner.core.events import Tick

        if isinstance(event, Tick):
            self._levels.affected(event)
            self._publish()

    def handle(self, data: bytes) -> None:
        self._feed.message(data)


def main(arguments: Sequence[str] = ()) -> dict[str, Measured]:
    """Measure the rows of the table."""
    words = list(arguments)
    symbols = int(words[words.index("--symbols") + 1]) if "--symbols" in words else 1
    found = measure(symbols)
    base = Sample(found[FLOOR])
    told = f"websocket-client as it is: {found[LIBRARY]:.1f} µs, our reader: {found[READER]:.2f} µs"
    return {f"tick-{count}": Measured(Sample(found[count]), base, told) for count in RULES}


if __name__ == "__main__":
    _port, _rules, _symbols = (int(word) for word in sys.argv[2:5])
    print(json.dumps({"µs": read(_port, _rules, _symbols)}))
