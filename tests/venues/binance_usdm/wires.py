"""Servers that misbehave on purpose: raw TCP, and the least of a WebSocket on top of it."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import socket
import threading
from collections.abc import Callable, Iterator

Behaviour = Callable[[socket.socket, int], None]
"""What to do with a connection; the number counts connections from 0."""


class RawServer:
    """Accepts on a free port of 127.0.0.1 and hands every connection to a behaviour."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self._behaviour = behaviour
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._open.append(connection)
                number, self.connections = self.connections, self.connections + 1
                threading.Thread(target=self._serve, args=(connection, number), daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError), connection:
            self._behaviour(connection, number)

    def read(self, connection: socket.socket) -> bytes:
        """One HTTP request, head and body, which is counted; b"" when the client has gone."""
        received = b""
        while b"\r\n\r\n" not in received:
            part = connection.recv(65_536)
            if not part:
                return b""
            received += part
        head, body = received.split(b"\r\n\r\n", 1)
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        while len(body) < length:
            body += connection.recv(65_536)
        self.requests.append(head + b"\r\n\r\n" + body)
        return self.requests[-1]

    def refuse(self) -> None:
        """Accept nobody new; what is open stays open."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def close(self) -> None:
        """Stop accepting and drop what is open."""
        self._listener.close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()


@contextlib.contextmanager
def raw_server(behaviour: Callable[[RawServer, socket.socket, int], None]) -> Iterator[RawServer]:
    """A running RawServer whose behaviour also gets the server itself."""
    server: RawServer

    def bound(connection: socket.socket, number: int) -> None:
        behaviour(server, connection, number)

    server = RawServer(bound)
    try:
        yield server
    finally:
        server.close()


def response(body: bytes, status: str = "200 OK", *lines: str) -> bytes:
    """A whole HTTP answer."""
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *lines]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def upgrade(request: bytes) -> bytes:
    """The answer that turns this request's connection into a WebSocket."""
    key = next(
        line.split(b":", 1)[1].strip()
        for line in request.split(b"\r\n")
        if line.lower().startswith(b"sec-websocket-key:")
    )
    digest = hashlib.sha1(  # noqa: S324  # RFC 6455 asks for it
        key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    ).digest()
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
    )


def text_frame(text: str) -> bytes:
    """One unmasked text frame, up to 64 KiB."""
    data = text.encode()
    if len(data) < 126:
        return bytes([0x81, len(data)]) + data
    return bytes([0x81, 126]) + len(data).to_bytes(2, "big") + data
