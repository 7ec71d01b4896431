"""The hook server: waitress on its own threads, room for every alert, and a graceful stop."""

from __future__ import annotations

import logging
import resource
import socket
import threading
import time
from functools import partial
from typing import Any

from flask import Flask
from waitress import wasyncore
from waitress.server import create_server

from runner.errors import ConfigurationError
from runner.sources.activation import passed_on
from runner.sources.bodies import MAX_BYTES
from runner.sources.connections import IDLE_SECONDS, Connection, close_late
from runner.sources.straight import Straight
from runner.sources.webhook import DOOR

THREADS = 16
"""For what is no usual alert: each may wait for something; others wait in line."""

ACCEPTED_AT_ONCE = 64
"""Connections taken up before those that are there are looked at again."""

MOST_CONNECTIONS = 2_000
"""Connections held at the same time, as far as the process may open so many files."""

FILES_ELSEWHERE = 256
"""Open files that are left to the rest of the process: journal, exchange, logs."""

FEWEST_CONNECTIONS = 64

_POLL_SECONDS = 0.01

log = logging.getLogger(__name__)


class HookServer:
    """Serves the app on one address, which is bound (and can be refused) at construction.

    A socket that systemd passed on goes before the address: it holds what came during a restart.
    """

    def __init__(self, app: Flask, host: str, port: int, threads: int = THREADS) -> None:
        """Bind; port 0 takes a free one. Raises ConfigurationError when that cannot be."""
        held = passed_on()
        self.held = held is not None
        """True where systemd holds the address, and what came, while no runner runs."""
        listener = held or _listen(host, port)
        most = most_connections()
        self.address: tuple[str, int] = listener.getsockname()[:2]
        self._server = create_server(
            app,
            sockets=[listener],
            threads=threads,
            ident=None,
            max_request_body_size=MAX_BYTES + 1,  # waitress refuses what reaches this size
            max_request_header_size=MAX_BYTES,
            clear_untrusted_proxy_headers=False,  # the app knows which proxies it trusts
            connection_limit=most + FEWEST_CONNECTIONS,  # never reached: waitress stops listening
            channel_timeout=IDLE_SECONDS,
            cleanup_interval=1,
            log_socket_errors=False,
        )
        self._server.channel_class = partial(Connection, most)
        self._close_idle = self._server.maintenance
        self._server.maintenance = self._maintain
        self._server.handle_accept = self._accept
        self._straight = Straight(app.extensions[DOOR], self._server)
        self._server.add_task = self._straight.add
        self._thread = threading.Thread(target=self._serve, name="hook-server", daemon=True)

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
            self._straight.close()
            self._server.trigger.close()
            return
        self._in_loop(lambda: wasyncore.dispatcher.close(self._server))
        while self._busy() and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        left = max(deadline - time.monotonic(), 0.1)
        self._server.task_dispatcher.shutdown(cancel_pending=True, timeout=left)
        self._in_loop(self._close)
        self._thread.join(timeout=5)
        self._straight.close()
        if not self._thread.is_alive():
            self._server.trigger.close()

    def _serve(self) -> None:
        """Until nothing is left to be served."""
        self._straight.begin()
        while self._server._map:
            wasyncore.poll2(self._straight.rest(), self._server._map)
            self._straight.turn()

    def _accept(self) -> None:
        """Take up all who knock, each with what it said already.

        The first alert is handed in before the next one is looked for, the others together.
        """
        server = self._server
        for number in range(ACCEPTED_AT_ONCE):
            try:
                found = server.accept()
                if found is None:
                    return
                connection, address = found
                server.set_socket_options(connection)
            except OSError:  # the other side is gone already
                return
            whose = server.fix_addr(address)
            link = server.channel_class(server, connection, whose, server.adj, map=server._map)
            link.read_at_once()
            if number == 0:
                self._straight.take_in()

    def _in_loop(self, action: Any) -> None:
        """Run an action in the server's own thread, which owns the sockets."""
        self._server.trigger.pull_trigger(action)

    def _maintain(self, now: float) -> None:
        """Called about once a second, in the server's own thread."""
        self._close_idle(now)
        close_late(self._server)

    def _busy(self) -> bool:
        channels = list(self._server.active_channels.values())
        return any(each.requests or each.request or each.total_outbufs_len for each in channels)

    def _close(self) -> None:
        # A worker that is late would else write into whatever file gets the trigger's number next.
        self._server.pull_trigger = lambda: None
        # For the same reason the pipe stays open until nobody writes to it; the loop ends without.
        self._server.trigger.del_channel()
        wasyncore.close_all(self._server._map, ignore_all=True)
        self._server.task_dispatcher.set_thread_count(0)


def most_connections() -> int:
    """How many connections may be open, by the process' limit of open files (RLIMIT_NOFILE)."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    return max(FEWEST_CONNECTIONS, min(MOST_CONNECTIONS, files - FILES_ELSEWHERE))


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
