"""Connections that obey one deadline for the whole exchange and know whether a byte has left."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import certifi
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, Retry
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.ssl_ import create_urllib3_context

from runner.venues.gate import Gate

ONCE = Retry(0, read=False, redirect=0)
"""No second try of anything, ever: urllib3's own would send an order twice."""


class Progress:
    """How far the running exchange has come: its deadline and whether its first byte has left.

    One per connection pool, and a pool serves one thread: no lock.
    """

    __slots__ = ("begun", "deadline", "gate")

    def __init__(self) -> None:
        self.begun = False
        self.deadline = 0.0
        self.gate: Gate | None = None

    def start(self, seconds: float, gate: Gate | None = None) -> None:
        """A new exchange that must be over in `seconds`; `gate` lets its bytes leave."""
        self.begun = False
        self.deadline = time.monotonic() + seconds
        self.gate = gate

    def left(self) -> float:
        """Seconds left; raises TimeoutError when there are none."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer was not complete within the deadline")
        return left


class _DeadlineReads:
    """A socket whose every read may take only what is left of the whole exchange.

    The read timeout of requests holds for one recv: a peer that sends a byte now and then
    would hold the thread for ever.
    """

    progress: Progress | None = None
    settimeout: Callable[[float | None], None]

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        if self.progress is not None:
            self.settimeout(self.progress.left())
        return super().recv_into(*args, **kwargs)  # type: ignore[misc,no-any-return]  # a mixin


class _PlainSocket(_DeadlineReads, socket.socket):
    """TCP with a deadline."""


class _TlsSocket(_DeadlineReads, ssl.SSLSocket):
    """TLS with a deadline; the ssl module itself bounds the handshake as a whole."""


class _OneWrite:
    """Hands head and body to the kernel in one write, and notes when the first byte leaves."""

    progress: Progress
    sock: Any
    _output: Callable[[bytes], None]
    _head: bytes | None = None
    _body_follows = False

    def request(self, method: str, url: str, body: Any = None, *args: Any, **kwargs: Any) -> None:
        self._head, self._body_follows = None, bool(body)
        super().request(method, url, body, *args, **kwargs)  # type: ignore[misc]  # a mixin

    def putheader(self, header: Any, *values: Any) -> None:
        """Without a check for line breaks: the headers are constants of ours and a length."""
        self._output(f"{header}: {values[0]}".encode("latin-1"))

    def send(self, data: Any) -> None:
        if self._body_follows and self._head is None:
            self._head = data
            return
        if self.sock is None:
            self.connect()
        data, self._head, self._body_follows = (self._head or b"") + data, None, False
        gate = self.progress.gate
        if gate is None:
            self._write(data)
        else:
            gate.leave(partial(self._write, data))

    def _write(self, data: bytes) -> None:
        self.sock.settimeout(self.progress.left())
        self.progress.begun = True
        super().send(data)  # type: ignore[misc]  # a mixin

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]  # a mixin
        self.sock.progress = self.progress

    def _new_conn(self) -> socket.socket:
        plain: socket.socket = super()._new_conn()  # type: ignore[misc]  # a mixin
        timeout = plain.gettimeout()
        deadlined = _PlainSocket(fileno=plain.detach())
        deadlined.settimeout(timeout)
        return deadlined


class _Http(_OneWrite, HTTPConnection):
    def __init__(self, *args: Any, progress: Progress, **kwargs: Any) -> None:
        self.progress = progress
        super().__init__(*args, **kwargs)


class _Https(_OneWrite, HTTPSConnection):
    def __init__(self, *args: Any, progress: Progress, **kwargs: Any) -> None:
        self.progress = progress
        super().__init__(*args, **kwargs)


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _Https


def tls_context() -> ssl.SSLContext:
    """Verifies against certifi's and the system's authorities; its sockets obey a deadline."""
    context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
    context.load_verify_locations(certifi.where())
    context.load_default_certs()
    context.sslsocket_class = _TlsSocket
    return context


def pool(
    host: str, port: int | None, context: ssl.SSLContext | None, progress: Progress
) -> HTTPConnectionPool:
    """A pool of one connection to this host, for one thread; plain HTTP without a context."""
    settings: dict[str, Any] = {
        "maxsize": 1,
        "block": False,
        "retries": ONCE,
        "socket_options": _socket_options(),
        "progress": progress,
    }
    if context is None:
        return _HttpPool(host, port, **settings)
    return _HttpsPool(host, port, ssl_context=context, cert_reqs="CERT_REQUIRED", **settings)


def _socket_options() -> list[tuple[int, int, int]]:
    """No delay; and probes on a silent connection, so that a dead one is known before use."""
    options = [
        (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    ]
    for name, seconds in (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3)):
        option = getattr(socket, name, None)
        if option is not None:
            options.append((socket.IPPROTO_TCP, option, seconds))
    return options
