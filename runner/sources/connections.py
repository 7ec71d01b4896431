"""One connection to the hook server: who dawdles is cut off, what is too large is told so."""

from __future__ import annotations

import json
import time
from typing import Any

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.task import ErrorTask
from waitress.utilities import RequestEntityTooLarge

from runner.sources.door import TOO_LARGE

MAX_DISCARDED = 16 * 1024 * 1024
"""How many bytes of a refused body are thrown away so that its sender hears the answer."""

REQUEST_SECONDS = 10.0
"""How long a sender may take over a request, its head and body together; TradingView takes 3."""

IDLE_SECONDS = 150.0
"""How long a connection stays open between requests: longer than a proxy keeps it for re-use."""


class _Discarded:
    """A buffer that forgets: what a refused body is read into."""

    def append(self, _: bytes) -> None:
        """Forget it."""

    def close(self) -> None:
        """Nothing to close."""


class _Request(HTTPRequestParser):  # type: ignore[misc]  # waitress ships no types
    """Refuses large bodies without holding them.

    An answer that is sent while the body is still coming is lost when the connection closes
    over unread bytes (TCP resets it), so a body of up to MAX_DISCARDED is let pass by first.
    """

    discarded = 0
    expect_continue: bool

    def received(self, data: bytes) -> int:
        """Take the next bytes; return how many belonged to this request."""
        if self.discarded:
            return self._discard(data)
        consumed: int = super().received(data)
        refused = isinstance(self.error, RequestEntityTooLarge)
        if refused and not self.expect_continue and self.content_length <= MAX_DISCARDED:
            self.body_rcv.getbuf().close()
            self.body_rcv.buf = _Discarded()
            self.discarded = 1
            self.completed = self.body_rcv.completed
        elif refused:
            self.expect_continue = False  # the refusal is the answer to the question
        return consumed

    def _discard(self, data: bytes) -> int:
        consumed: int = self.body_rcv.received(data)
        self.discarded += consumed
        over = self.discarded > MAX_DISCARDED
        self.completed = bool(self.body_rcv.completed or self.body_rcv.error or over)
        return consumed


class _Refusal(ErrorTask):  # type: ignore[misc]  # waitress ships no types
    """Says in JSON why waitress would not even hand a request to the app."""

    def execute(self) -> None:
        """Write the answer and close the connection."""
        error = self.request.error
        large = isinstance(error, RequestEntityTooLarge)
        message = TOO_LARGE if large else f"{error.reason}: the request is not understood"
        body = json.dumps({"error": message}).encode()
        self.status = f"{error.code} {error.reason}"
        self.response_headers.append(("Content-Type", "application/json"))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class Connection(HTTPChannel):  # type: ignore[misc]  # waitress ships no types
    """One connection; beyond the most that are held, each new one costs the slowest its place.

    So connections that lead to nothing never keep an alert out: it is the newest, and at once
    complete.
    """

    parser_class = _Request
    error_task_class = _Refusal
    requests: list[Any]

    def __init__(self, most: int, server: Any, *args: Any, **kwargs: Any) -> None:
        """A sender connected: the time for its first request begins."""
        make_room(server, most)
        self._begun_at: float | None = time.monotonic()
        super().__init__(server, *args, **kwargs)

    def received(self, data: bytes) -> bool:
        """Take bytes in; the first of a request start its time."""
        taken: bool = super().received(data)
        if self.request is not None and self._begun_at is None:
            self._begun_at = time.monotonic()
        return taken

    def service(self) -> None:
        """A whole request came."""
        self.taken()
        super().service()

    def taken(self) -> None:
        """Its time is over."""
        self._begun_at = None

    def read_at_once(self) -> None:
        """Read what came with the connection itself, as an alert does."""
        try:
            data = self.socket.recv(self.adj.recv_bytes)
        except BlockingIOError:
            return
        except OSError:
            self.handle_close()
            return
        try:
            self.received(data) if data else self.handle_close()
        except Exception:  # noqa: BLE001  # as waitress reads: the listener is not at fault
            self.handle_error()

    def reply(self, data: bytes, *, close: bool) -> None:
        """Answer the first request, in the server's own thread: one write, and close or go on."""
        if not self.connected:
            return
        self._write_now(data)
        if not close:
            self._go_on()
            return
        with self.requests_lock:
            for request in self.requests:
                request.close()
            self.requests = []
        if self.total_outbufs_len:
            self.close_when_flushed = True
        else:
            self.handle_close()

    def _write_now(self, data: bytes) -> None:
        """What the socket does not take at once follows when it does."""
        sent = 0
        if not self.total_outbufs_len:
            try:
                sent = self.send(data, do_close=False)
            except OSError:
                self.will_close = True
        if sent < len(data):
            with self.outbuf_lock:
                self.outbufs[-1].append(data[sent:])
                self.total_outbufs_len += len(data) - sent
        self.last_activity = time.time()

    def _go_on(self) -> None:
        """The next request of this connection, as waitress goes on after one (HTTPChannel)."""
        with self.requests_lock:
            self.requests.pop(0).close()
            if self.requests:
                self.server.add_task(self)
            elif (
                self.request is not None
                and self.request.expect_continue
                and self.request.headers_finished
                and not self.sent_continue
            ):
                self.send_continue()

    @property
    def waits(self) -> bool:
        """True while a request of this connection waits for its answer."""
        return bool(self.requests)

    @property
    def order(self) -> tuple[bool, float]:
        """The smallest is the first to go: unfinished requests, the oldest of them first."""
        idle = self._begun_at is None
        return idle, self.last_activity if self._begun_at is None else self._begun_at

    def late(self, now: float) -> bool:
        """True when a request was begun (monotonic seconds) and not finished in time."""
        return (
            not self.waits and self._begun_at is not None and now - self._begun_at > REQUEST_SECONDS
        )


def make_room(server: Any, most: int) -> None:
    """Close the slowest connection when so many are open; none whose alert is being answered."""
    open_now = server.active_channels
    if len(open_now) >= most:
        free = [each for each in list(open_now.values()) if not each.waits]
        if free:
            min(free, key=lambda each: each.order).handle_close()


def close_late(server: Any) -> None:
    """Close the connections that have taken too long over their request."""
    now = time.monotonic()
    for each in list(server.active_channels.values()):
        if each.late(now):
            each.will_close = True
