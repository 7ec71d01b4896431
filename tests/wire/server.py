"""An HTTP server on loopback that can go wrong in every way a connection can."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Answer = tuple[int, dict[str, str], bytes]
"""Status, headers, body."""

Execute = Callable[[], Answer]
"""The exchange takes the request now; its answer."""

AT_ONCE = struct.pack("ii", 1, 0)
"""SO_LINGER: a close throws away what is unsent and resets the connection."""

DRIP_SECONDS = 0.05
"""Between two bytes of an answer that drips; far below every deadline, as 0.3 s are below 12."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came over the socket."""

    method: str
    path: str
    payload: str


class Peer:
    """One connection's end at the exchange; what a fault may do with it."""

    def __init__(self, connection: socket.socket, stopping: threading.Event) -> None:
        self._connection = connection
        self._reader = connection.makefile("rb")
        self._stopping = stopping
        self.open = True

    def read(self) -> Request | None:
        """The next request; None when the client hung up."""
        first = self._reader.readline()
        if not first.strip():
            return None
        method, target, _ = first.decode().split(" ", 2)
        length = 0
        while (line := self._reader.readline().strip()) != b"":
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        body = self._reader.read(length).decode()
        path, _, query = target.partition("?")
        return Request(method, path, body or query)

    def raw(self, data: bytes) -> None:
        """These bytes, as they are."""
        self._connection.sendall(data)

    def answer(self, answer: Answer) -> None:
        """A whole answer."""
        self.raw(encoded(answer))

    def close(self) -> None:
        """End the connection in order: FIN."""
        self.open = False
        self._reader.close()
        self._connection.close()

    def reset(self) -> None:
        """Break the connection off: RST."""
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        self.close()

    def hang(self) -> None:
        """Say nothing until the client gives up."""
        with contextlib.suppress(OSError):
            while not self._stopping.is_set() and self._connection.recv(4_096):
                pass
        self.close()

    def drip(self, data: bytes) -> None:
        """A byte now and then, the last one never, until the client gives up."""
        with contextlib.suppress(OSError):
            for at in range(len(data) - 1):
                self.raw(data[at : at + 1])
                if self._stopping.wait(DRIP_SECONDS):
                    break
        self.hang()


def encoded(answer: Answer) -> bytes:
    """An answer as bytes."""
    status, headers, body = answer
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def said(status: int, document: Any, **headers: str) -> Answer:
    """An answer in JSON."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, {"Content-Type": "application/json", **named}, json.dumps(document).encode()


Act = Callable[[Peer, Execute], None]


@dataclass(slots=True)
class FaultServer:
    """Serves `execute`; the first request that `matches` meets `act` instead."""

    execute: Callable[[Request], Answer]
    matches: Callable[[Request], bool]
    act: Act
    seen: list[Request] = field(default_factory=list)
    waiting: bool = True
    acted: threading.Event = field(default_factory=threading.Event)
    _race: bool = False
    _stopping: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _listener: socket.socket = field(default_factory=socket.socket)
    _serving: list[tuple[socket.socket, threading.Thread]] = field(default_factory=list)

    def start(self) -> str:
        """Listen; returns the address."""
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def stop(self) -> None:
        """End every connection."""
        self._stopping.set()
        for one in [self._listener, *(connection for connection, _ in self._serving)]:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def end_idle(self, how: str) -> None:
        """End the kept-alive connections now, or (`race`) as soon as the next byte comes."""
        self._race = how == "race"
        for connection, thread in [] if self._race else list(self._serving):
            with contextlib.suppress(OSError):
                if how == "reset":
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
                connection.shutdown(socket.SHUT_RD)
            thread.join(60)
            assert not thread.is_alive()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
                self._serving.append((connection, thread))
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        peer = Peer(connection, self._stopping)
        with contextlib.suppress(OSError, ValueError):
            while peer.open and connection.recv(1, socket.MSG_PEEK):
                if self._race:
                    self._race = False
                    peer.reset()
                    self.acted.set()
                elif (request := peer.read()) is not None:
                    self._handle(peer, request)
        peer.close()

    def _handle(self, peer: Peer, request: Request) -> None:
        with self._lock:
            self.seen.append(request)
            faulty = self.waiting and self.matches(request)
            self.waiting = self.waiting and not faulty
        if faulty:
            try:
                self.act(peer, lambda: self.execute(request))
            finally:
                self.acted.set()
        else:
            peer.answer(self.execute(request))
