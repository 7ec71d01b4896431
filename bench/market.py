"""The market's end of the wire: as many prices a second as asked for, or one that crosses.

    python -m bench.market

Prints its port. Streams are WebSockets, as the exchange has them. A line on the standard input,
`rate 20000` or `price BTCUSDT 70500`, changes what is sent: frames a second of all trade and book
streams together, and a price that is told at once; the answer is a line of JSON with the monotonic
time (ns) at which the frame left.
"""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import struct
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
STEP = 0.002
"""Seconds between two writes: at 20,000 frames a second 40 of them."""

HEARTBEAT = 1.0
USUAL = 70_000.0


@dataclass(slots=True)
class Line:
    """One connection and the streams that it carries."""

    link: socket.socket
    streams: list[str]
    lock: threading.Lock = field(default_factory=threading.Lock)
    at: int = 0


class Market:
    """All lines, the prices, and how many frames a second there are."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.rate = 0
        self.prices: dict[str, float] = {}

    def serve(self, door: socket.socket) -> None:
        """Take connections for ever."""
        while True:
            link, _ = door.accept()
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._open, args=(link,), daemon=True).start()

    def _open(self, link: socket.socket) -> None:
        first = shake_hands(link)
        asked = parse_qs(urlsplit(first.split(" ")[1]).query).get("streams", [""])[0]
        line = Line(link, [unquote(one) for one in asked.split("/") if one])
        self.lines.append(line)
        self._beat(line)
        self._listen(line)

    def _listen(self, line: Line) -> None:
        """Answer subscriptions and pings, until the connection ends."""
        try:
            while frame := read_frame(line.link):
                opcode, data = frame
                if opcode == 9:
                    self._send(line, bytes([0x8A, len(data)]) + data)
                elif opcode == 1:
                    self._asked(line, json.loads(data))
        except (OSError, struct.error):
            pass
        self.lines.remove(line)

    def _asked(self, line: Line, message: dict[str, Any]) -> None:
        names = message.get("params") or []
        if message.get("method") == "SUBSCRIBE":
            line.streams += [one for one in names if one not in line.streams]
        elif message.get("method") == "UNSUBSCRIBE":
            line.streams = [one for one in line.streams if one not in names]
        answer: dict[str, Any] = {"result": None, "id": message.get("id")}
        if message.get("method") == "LIST_SUBSCRIPTIONS":
            answer["result"] = line.streams
        self._send(line, framed(json.dumps(answer)))
        self._beat(line)

    def _send(self, line: Line, data: bytes) -> None:
        try:
            with line.lock:
                line.link.sendall(data)
        except OSError:
            pass

    def pace(self) -> None:
        """Send what is due, for ever."""
        began, sent, beaten, rate = time.monotonic(), 0, 0.0, 0
        while True:
            time.sleep(STEP)
            now = time.monotonic()
            if now - beaten >= HEARTBEAT:
                beaten = now
                for line in list(self.lines):
                    self._beat(line)
            if self.rate != rate:
                began, sent, rate = now, 0, self.rate
            due = min(int((now - began) * rate) - sent, rate // 20 + 1)
            sent = int((now - began) * rate)
            lines = [line for line in list(self.lines) if fast(line)]
            for line in lines:
                self._send(line, self._quick(line, due // len(lines)))

    def _quick(self, line: Line, count: int) -> bytes:
        streams = fast(line)
        at = int(time.time() * 1000)
        out = []
        for _ in range(count):
            line.at += 1
            stream = streams[line.at % len(streams)]
            out.append(self.frame(stream, at, line.at // len(streams) % 2))
        return b"".join(out)

    def _beat(self, line: Line) -> None:
        """Every stream's price once: the mark price's second, and what a new stream begins with."""
        at = int(time.time() * 1000)
        for stream in line.streams:
            self._send(line, self.frame(stream, at, 0))

    def frame(self, stream: str, at: int, wobble: int) -> bytes:
        """One message of a stream, as the exchange words it."""
        symbol, _, kind = stream.partition("@")
        symbol = symbol.upper()
        price = f"{self.prices.get(symbol, USUAL) + wobble * 0.1:.2f}"
        if kind.startswith("markPrice"):
            data = (
                f'{{"e":"markPriceUpdate","E":{at},"s":"{symbol}","p":"{price}","i":"{price}",'
                f'"P":"{price}","r":"0.00010000","T":{at}}}'
            )
        elif kind == "bookTicker":
            data = (
                f'{{"e":"bookTicker","u":{at},"s":"{symbol}","b":"{price}","B":"1.000","a":"{price}",'
                f'"A":"1.000","T":{at},"E":{at}}}'
            )
        else:
            data = (
                f'{{"e":"aggTrade","E":{at},"a":{at},"s":"{symbol}","p":"{price}","q":"0.010",'
                f'"f":1,"l":1,"T":{at},"m":false}}'
            )
        return framed(f'{{"stream":"{stream}","data":{data}}}')

    def price(self, symbol: str, price: float) -> int:
        """Tell a price now; when it left (monotonic ns)."""
        self.prices[symbol] = price
        at = int(time.time() * 1000)
        left = 0
        for line in list(self.lines):
            frames = [
                self.frame(one, at, 0)
                for one in line.streams
                if one.upper().startswith(symbol + "@")
            ]
            if frames:
                data = b"".join(frames)
                left = left or time.monotonic_ns()
                self._send(line, data)
        return left


def shake_hands(link: socket.socket) -> str:
    """Make a WebSocket of a connection; the request's first line."""
    head = b""
    while b"\r\n\r\n" not in head:
        piece = link.recv(65_536)
        if not piece:
            raise OSError("ended")
        head += piece
    first, *rest = head.decode().split("\r\n")
    key = next(
        line.split(": ", 1)[1] for line in rest if line.lower().startswith("sec-websocket-key")
    )
    digest = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()  # noqa: S324
    link.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + digest.encode() + b"\r\n\r\n"
    )
    return first


def fast(line: Line) -> list[str]:
    """The streams that are not paced by the second."""
    return [one for one in line.streams if "markPrice" not in one]


def framed(text: str) -> bytes:
    """An unmasked text frame."""
    data = text.encode()
    size = len(data)
    head = struct.pack("!BB", 0x81, size) if size < 126 else struct.pack("!BBH", 0x81, 126, size)
    return head + data


def read_frame(link: socket.socket) -> tuple[int, bytes] | None:
    """A client's frame: opcode and data; None at the end."""
    head = exactly(link, 2)
    size = head[1] & 0x7F
    if size == 126:
        (size,) = struct.unpack("!H", exactly(link, 2))
    elif size == 127:
        (size,) = struct.unpack("!Q", exactly(link, 8))
    mask = exactly(link, 4)
    data = exactly(link, size)
    opcode = head[0] & 0x0F
    plain = bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))
    return None if opcode == 8 else (opcode, plain)


def exactly(link: socket.socket, size: int) -> bytes:
    """So many bytes; raises OSError when the connection ends before."""
    data = b""
    while len(data) < size:
        piece = link.recv(size - len(data))
        if not piece:
            raise OSError("ended")
        data += piece
    return data


def main() -> None:
    """Serve, and do as the lines of the standard input say."""
    market = Market()
    door = socket.create_server(("127.0.0.1", 0), backlog=512)
    for work in (lambda: market.serve(door), market.pace):
        threading.Thread(target=work, daemon=True).start()
    print(door.getsockname()[1], flush=True)
    for line in sys.stdin:
        word, *rest = line.split()
        left = 0
        if word == "rate":
            market.rate = int(rest[0])
        elif word == "price":
            left = market.price(rest[0], float(rest[1]))
        print(json.dumps({"left": left}), flush=True)


if __name__ == "__main__":
    main()
