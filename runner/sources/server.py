"""The hook server: waitress on its own threads, small bodies only, and a graceful stop."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from typing import Any

from flask import Flask
from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import create_server
from waitress.task import ErrorTask
from waitress.utilities import RequestEntityTooLarge

from runner.errors import ConfigurationError
from runner.sources.bodies import MAX_BYTES
from runner.sources.webhook import TOO_LARGE

THREADS = 16
"""Alerts that may wait for their commit at the same time; others wait in line."""

MAX_DISCARDED = 4 * 1024 * 1024
"""How many bytes of a refused body are thrown away so that its sender hears the answer."""

_POLL_SECONDS = 0.01

log = logging.getLogger(__name__)


class HookServer:
    """Serves the app on one address, which is bound (and can be refused) at construction."""

    def __init__(self, app: Flask, host: str, port: int, threads: int = THREADS) -> None:
        """Bind; port 0 takes a free one. Raises ConfigurationError when that cannot be."""
        listener = _listen(host, port)
        self.address: tuple[str, int] = listener.getsockname()[:2]
        self._server = create_server(
            app,
            sockets=[listener],
            threads=threads,
            ident=None,
            max_request_body_size=MAX_BYTES + 1,  # waitress refuses what reaches this size
            max_request_header_size=MAX_BYTES,
            connection_limit=500,
            channel_timeout=150,  # longer than a proxy keeps an idle connection for re-use
            asyncore_use_poll=True,
            log_socket_errors=False,
        )
        self._server.channel_class = _Channel
        self._thread = threading.Thread(target=self._server.run, name="hook-server", daemon=True)

    @property
    def url(self) -> str:
        """The address to post to, without a path."""
        host, port = self.address
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    @property
    def alive(self) -> bool:
        """True while its thread serves; whoever started it watches this."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin to serve, in a thread of its own."""
        self._thread.start()

    def stop(self, drain_seconds: float = 5.0) -> None:
        """Take no new connections, let begun requests be answered, then close everything.

        waitress itself would cut off whoever is still waiting for an answer.
        """
        deadline = time.monotonic() + drain_seconds
        if not self._thread.is_alive():
            self._close()
            return
        self._in_loop(lambda: wasyncore.dispatcher.close(self._server))
        while self._busy() and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        left = max(deadline - time.monotonic(), 0.1)
        self._server.task_dispatcher.shutdown(cancel_pending=True, timeout=left)
        self._in_loop(self._close)
        self._thread.join(timeout=5)

    def _in_loop(self, action: Any) -> None:
        """Run an action in the server's own thread, which owns the sockets."""
        self._server.trigger.pull_trigger(action)

    def _busy(self) -> bool:
        channels = list(self._server.active_channels.values())
        return any(each.requests or each.request or each.total_outbufs_len for each in channels)

    def _close(self) -> None:
        # A worker that is late would else write into whatever file gets the trigger's number next.
        self._server.pull_trigger = lambda: None
        wasyncore.close_all(self._server._map, ignore_all=True)
        self._server.task_dispatcher.set_thread_count(0)


def _listen(host: str, port: int) -> socket.socket:
    """Return a bound socket; say what to do when the address is not to be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _not_to_be_had(host, port, error) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(1)  # only then is an address that is taken noticed for certain
    except OSError as error:
        listener.close()
        raise _not_to_be_had(host, port, error) from error
    return listener


def _not_to_be_had(host: str, port: int, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"cannot take alerts on {host}:{port}: {error.strerror or error}. Stop the program that "
        "uses it, or choose another address: --hook HOST:PORT, or hook: in runner.yaml"
    )


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


class _Channel(HTTPChannel):  # type: ignore[misc]  # waitress ships no types
    """One connection."""

    parser_class = _Request
    error_task_class = _Refusal
