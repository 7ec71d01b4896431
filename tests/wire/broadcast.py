"""The exchange's end of a user stream on a real WebSocket, which can go wrong once."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import socket
import struct
import threading
from collections.abc import Callable
from typing import Literal

Trouble = Literal[
    "silence", "stall inside a frame", "gap", "duplicate", "disorder", "24 h cut", "key expiry"
]
TROUBLES: tuple[Trouble, ...] = (
    *("silence", "stall inside a frame", "gap", "duplicate", "disorder", "24 h cut"),
    "key expiry",
)
BREAKING = frozenset(TROUBLES) - {"duplicate", "disorder"}
"""The troubles after which the runner must connect again."""

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def frame(opcode: int, data: bytes) -> bytes:
    """One unmasked frame, as servers send it."""
    size = len(data)
    head = bytes([0x80 | opcode])
    if size < 126:
        return head + bytes([size]) + data
    return head + bytes([126]) + struct.pack(">H", size) + data


class Line:
    """One connection; `trouble` is what befalls what is told on it from then on."""

    def __init__(self, connection: socket.socket) -> None:
        """The client has connected and waits for the handshake's answer."""
        self._connection = connection
        self.reader = connection.makefile("rb")
        self._lock = threading.Lock()
        self._held: bytes | None = None
        self.trouble: Trouble | None = None
        self.path = self.query = ""

    def open(self) -> bool:
        """Shake hands; False when nobody is there."""
        first = self.reader.readline().decode().split(" ")
        if len(first) < 3:
            return False
        self.path, _, self.query = first[1].partition("?")
        key = b""
        while (line := self.reader.readline().strip()) != b"":
            name, _, value = line.partition(b":")
            if name.lower() == b"sec-websocket-key":
                key = value.strip()
        accept = base64.b64encode(hashlib.sha1(key + MAGIC).digest())  # noqa: S324 - RFC 6455
        lines = [b"HTTP/1.1 101 Switching Protocols", b"Upgrade: websocket", b"Connection: Upgrade"]
        lines += [b"Sec-WebSocket-Accept: " + accept, b"", b""]
        self._write(b"\r\n".join(lines))
        return True

    def serve(self) -> None:
        """Answer pings until the client hangs up; a silent line does not."""
        while len(head := self.reader.read(2)) == 2:
            size = head[1] & 0x7F
            if size == 126:
                size = struct.unpack(">H", self.reader.read(2))[0]
            mask, data = self.reader.read(4), self.reader.read(size)
            plain = bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))
            if head[0] & 0xF == PING and self.trouble not in ("silence", "stall inside a frame"):
                self._write(frame(PONG, plain))

    def send(self, text: str) -> None:
        """The exchange tells something."""
        data = frame(TEXT, text.encode())
        match self.trouble:
            case "silence" | "gap":
                return
            case "stall inside a frame":
                if self._held is None:
                    self._held = data
                    self._write(data[: len(data) // 2])
            case "duplicate":
                self._write(data + data)
            case "disorder" if self._held is None:
                self._held = data
            case "disorder":
                held, self._held = self._held or b"", None
                self._write(data + held)
            case _:
                self._write(data)

    def flush(self) -> None:
        """What was held back for the sake of disorder is told at last."""
        held, self._held = self._held, None
        if self.trouble == "disorder" and held is not None:
            self._write(held)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Say goodbye and hang up."""
        self._write(frame(CLOSE, struct.pack(">H", code) + reason.encode()))
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def end(self, how: Trouble) -> None:
        """The troubles that end the connection by themselves."""
        if how in ("gap", "24 h cut"):
            self.close()
        elif how == "key expiry":
            self.trouble = None
            self.send(json.dumps({"e": "listenKeyExpired", "E": 1, "listenKey": "k"}))

    def _write(self, data: bytes) -> None:
        with self._lock, contextlib.suppress(OSError):
            self._connection.sendall(data)


class Broadcast:
    """Listens for user streams; `joined` takes each new line in, `left` forgets it."""

    def __init__(self, joined: Callable[[Line], Callable[[], None]]) -> None:
        """`joined` returns what forgets the line."""
        self._joined = joined
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connections: list[socket.socket] = []
        self.lines: list[Line] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        """Where user streams connect."""
        return f"ws://127.0.0.1:{self._listener.getsockname()[1]}"

    def stop(self) -> None:
        """End every connection."""
        for one in [self._listener, *self._connections]:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._connections.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        line = Line(connection)
        with contextlib.suppress(OSError, ValueError), connection, line.reader:
            if line.open():
                leave = self._joined(line)
                self.lines.append(line)
                try:
                    line.serve()
                finally:
                    leave()
