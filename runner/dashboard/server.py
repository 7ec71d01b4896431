"""The dashboard's own server: threads apart from the alerts', few of them, and a quick end."""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

from waitress import wasyncore
from waitress.server import create_server

from runner.dashboard.app import MOST_FORM, Dashboard, together
from runner.dashboard.live import MOST_STREAMS
from runner.errors import ConfigurationError

READERS = 6
"""Requests that are answered at the same time, besides the streams."""

MOST_CONNECTIONS = 200
BACKLOG = 64
IDLE_SECONDS = 60


class DashboardServer:
    """Serves a dashboard on a bound socket, in a thread of its own."""

    def __init__(
        self, dashboard: Dashboard | Mapping[str, Dashboard], listener: socket.socket
    ) -> None:
        """Take the socket over; nothing is served yet.

        Of several accounts the first one's pages are at the root.
        """
        served = {"": dashboard} if isinstance(dashboard, Dashboard) else dashboard
        self._dashboards = [*served.values()]
        self._server = create_server(
            together(served),
            sockets=[listener],
            threads=READERS + MOST_STREAMS,
            ident=None,
            max_request_body_size=MOST_FORM,
            max_request_header_size=MOST_FORM,
            clear_untrusted_proxy_headers=False,  # the doors know which proxies they trust
            connection_limit=MOST_CONNECTIONS,
            channel_timeout=IDLE_SECONDS,
            asyncore_use_poll=True,
            log_socket_errors=False,
        )
        self.url = url_of(listener)
        self._thread = threading.Thread(target=self._server.run, name="dashboard", daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """End streams and connections."""
        for each in self._dashboards:
            each.live.stop()
        # a loop that is awake takes the order before its trigger is pulled, and closes that too
        with suppress(OSError):
            self._server.trigger.pull_trigger(self._close)
        self._thread.join(5)
        if not self._thread.is_alive():
            self._server.trigger.close()

    def _close(self) -> None:
        # a worker that is late would else write into whatever file gets the trigger's number next
        self._server.pull_trigger = lambda: None
        self._server.trigger.del_channel()
        wasyncore.close_all(self._server._map, ignore_all=True)
        self._server.task_dispatcher.shutdown(cancel_pending=True, timeout=1)


UNIX = "unix:"


def listen(host: str, port: int) -> socket.socket:
    """A bound socket that listens; `unix:PATH` as the host is a Unix socket.

    Raises ConfigurationError when the address is not to be had.
    """
    try:
        listener = _unix(Path(host[len(UNIX) :])) if host.startswith(UNIX) else _tcp(host, port)
    except OSError as error:
        where = host if host.startswith(UNIX) else f"{host}:{port}"
        raise ConfigurationError(
            f"cannot show the dashboard on {where}: {error.strerror or error}. Stop the "
            "program that uses it, or choose another address: --dashboard HOST:PORT, or "
            "dashboard: in runner.yaml"
        ) from error
    return listener


def _tcp(host: str, port: int) -> socket.socket:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def _unix(path: Path) -> socket.socket:
    """Its group may connect, too: a proxy that is in it."""
    _clear(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
        path.chmod(0o660)
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def _clear(path: Path) -> None:
    """Remove a socket that somebody left when they were killed; one that is used stays."""
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        try:
            asking.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)


def leave(url: str) -> None:
    """Remove the file of a Unix socket that is no longer listened on."""
    if url.startswith(UNIX):
        Path(url[len(UNIX) :]).unlink(missing_ok=True)


def is_private(listener: socket.socket) -> bool:
    """True when only this machine can reach it."""
    if listener.family == socket.AF_UNIX:
        return True
    return ip_address(listener.getsockname()[0]).is_loopback


def url_of(listener: socket.socket) -> str:
    """The address to type into a browser of this machine; of a Unix socket unix:PATH."""
    if listener.family == socket.AF_UNIX:
        return f"{UNIX}{listener.getsockname()}"
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
