"""One WebSocket connection: a reading thread, a writing thread, and a queue between them."""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Callable, Iterable
from typing import Final

from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

# A client that reads nothing for this many messages is cut off.
MAX_BACKLOG: Final = 20_000
PING_EVERY_SECONDS: Final = 180.0
PONG_WITHIN_SECONDS: Final = 600.0
# Incoming messages a second before a stream connection is cut off.
MAX_INCOMING: Final = 10


class Peer:
    """A connected client. `send` may be called from any thread, `serve` from one."""

    def __init__(
        self,
        connection: socket.socket,
        headers: Iterable[tuple[str, str]],
        target: str,
        *,
        ping_every: float = PING_EVERY_SECONDS,
        max_incoming: int | None = MAX_INCOMING,
    ) -> None:
        """Take over a socket on which `headers` and `target` of an upgrade were read."""
        self._socket = connection
        self._protocol = WSConnection(ConnectionType.SERVER)
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        self._protocol.initiate_upgrade_connection(raw, target)
        self._outbox: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._ping_every = ping_every
        self._max_incoming = max_incoming
        self._heard_at = time.monotonic()
        self._second, self._incoming = 0, 0
        self.closed = False

    def accept(self) -> bool:
        """Complete the handshake; return False when the client did not ask for a WebSocket."""
        first = next(iter(self._protocol.events()), None)
        if not isinstance(first, Request):
            self._socket.sendall(self._protocol.send(RejectConnection(status_code=400)))
            return False
        self._socket.sendall(self._protocol.send(AcceptConnection()))
        return True

    def send(self, text: str) -> None:
        """Queue a message; a peer that is closed or too slow loses it and its connection."""
        if self.closed:
            return
        if self._outbox.qsize() > MAX_BACKLOG:
            self.close(1008, "Too slow")
            return
        self._outbox.put(TextMessage(data=text))

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Say goodbye after what is queued."""
        if not self.closed:
            self.closed = True
            self._outbox.put(CloseConnection(code=code, reason=reason))
            self._outbox.put(None)

    def drop(self) -> None:
        """End the connection at once, without a goodbye."""
        self.closed = True
        self._outbox.put(None)
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            # The client was faster.
            return

    def serve(self, on_text: Callable[[str], None]) -> None:
        """Read until the connection ends, giving each text message to `on_text`."""
        writer = threading.Thread(target=self._write, name="paper-ws-writer", daemon=True)
        writer.start()
        parts: list[str] = []
        try:
            while self._read(on_text, parts):
                pass
        except (OSError, RemoteProtocolError, LocalProtocolError):
            # The peer vanished or spoke something else: both end the connection.
            self.closed = True
        finally:
            self.closed = True
            self._outbox.put(None)
            writer.join(timeout=5)

    def _read(self, on_text: Callable[[str], None], parts: list[str]) -> bool:
        data = self._socket.recv(65536)
        self._heard_at = time.monotonic()
        self._protocol.receive_data(data or None)
        for event in self._protocol.events():
            if isinstance(event, CloseConnection):
                self._outbox.put(event.response())
                return False
            if isinstance(event, Ping):
                self._outbox.put(event.response())
            elif isinstance(event, TextMessage | BytesMessage) and not self.closed:
                self._take(event, on_text, parts)
        # After our goodbye the rest is read and dropped: closing on unread data would reset the
        # connection, and the goodbye with it.
        return bool(data)

    def _take(
        self, event: TextMessage | BytesMessage, on_text: Callable[[str], None], parts: list[str]
    ) -> None:
        data = event.data
        parts.append(data if isinstance(data, str) else bytes(data).decode("utf-8", "replace"))
        if not event.message_finished:
            return
        text = "".join(parts)
        parts.clear()
        if self._too_many():
            self.close(1008, "Too many requests")
        else:
            on_text(text)

    def _too_many(self) -> bool:
        if self._max_incoming is None:
            return False
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._incoming = second, 0
        self._incoming += 1
        return self._incoming > self._max_incoming

    def _write(self) -> None:
        ping_at = time.monotonic() + self._ping_every
        while True:
            event: Event | None
            try:
                event = self._outbox.get(timeout=max(0.0, ping_at - time.monotonic()))
            except queue.Empty:
                if time.monotonic() - self._heard_at > PONG_WITHIN_SECONDS:
                    self.drop()
                    return
                ping_at = time.monotonic() + self._ping_every
                event = Ping(payload=str(int(time.time() * 1000)).encode())
            if event is None or not self._put(event):
                self._hang_up()
                return

    def _put(self, event: Event) -> bool:
        try:
            self._socket.sendall(self._protocol.send(event))
        except (OSError, LocalProtocolError):
            return False
        return not isinstance(event, CloseConnection)

    def _hang_up(self) -> None:
        self.closed = True
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            # Already gone.
            return
