"""Hostile connections to the hook server: a right alert is answered in time, whoever else is there.

Real sockets; how many depends on how many files this process may open.
"""

from __future__ import annotations

import json
import resource
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import pytest
import requests

from runner.core.decision import AlertAnswer
from runner.core.events import Alert
from runner.sources import connections
from runner.sources.hooks import Hook
from runner.sources.readiness import Readiness
from runner.sources.server import FEWEST_CONNECTIONS, HookServer, most_connections
from runner.sources.webhook import create_app
from tests.support import eventually

SECRET = "Geheimnis-17"
RIGHT = json.dumps({"secret": SECRET, "n": 1}).encode()
HALF_HEAD = b"POST /hook/eth HTTP/1.1\r\nHost: x\r\n"
HALF_BODY = HALF_HEAD + b"Content-Length: 16000\r\n\r\n" + b"{" * 8
IN_TIME = 3.0
"""Seconds after which TradingView gives up."""

TEN_MEGABYTES = 10 * 1024 * 1024


@pytest.fixture
def files() -> Iterator[int]:
    """As many open files as the machine allows, up to 8,192."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 8_192 if hard == resource.RLIM_INFINITY else min(8_192, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
    yield max(soft, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


Serve = Callable[[], HookServer]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers, and stop them afterwards."""
    with ExitStack() as stack:

        def start() -> HookServer:
            hooks = {"eth": Hook("eth", SECRET.encode())}
            app = create_app(lambda: hooks, fired, lambda: Readiness(True), lambda: 1)
            server = HookServer(app, "127.0.0.1", 0)
            server.start()
            stack.callback(server.stop, 0.1)
            return server

        yield start


def fired(_: Alert) -> AlertAnswer:
    return AlertAnswer("fired", ())


def opened(stack: ExitStack, server: HookServer, count: int, data: bytes) -> list[socket.socket]:
    """So many connections that say this much and nothing more."""
    found = []
    for _ in range(count):
        link = stack.enter_context(closing(socket.create_connection(server.address, timeout=30)))
        if data:
            link.sendall(data)
        found.append(link)
    return found


def answered(server: HookServer) -> float:
    """Post a right alert on a connection of its own; how long its 200 took, in seconds."""
    began = time.monotonic()
    response = requests.post(f"{server.url}/hook/eth", data=RIGHT, timeout=30)
    assert response.status_code == 200
    return time.monotonic() - began


@pytest.mark.parametrize("data", [b"", HALF_HEAD, HALF_BODY], ids=["silent", "head", "body"])
def test_1000_connections_that_lead_to_nothing_keep_no_alert_out(
    serve: Serve, files: int, data: bytes
) -> None:
    """Each alert among them is answered in the 3 s that TradingView waits."""
    server = serve()
    with ExitStack() as stack:
        opened(stack, server, min(1_000, files // 2 - 200), data)
        assert max(answered(server) for _ in range(5)) < IN_TIME


def test_more_than_the_server_holds_cost_the_slowest_their_place(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With room for 64, 200 half-open bodies do not keep an alert out; the first are closed."""
    monkeypatch.setattr("runner.sources.server.most_connections", lambda: FEWEST_CONNECTIONS)
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 600.0)
    server = serve()
    with ExitStack() as stack:
        links = opened(stack, server, 200, HALF_BODY)
        assert answered(server) < IN_TIME
        closed = 200 - FEWEST_CONNECTIONS
        eventually(lambda: all(map(ended, links[:closed])), 30)
        assert not any(map(ended, links[closed + 1 :]))


def ended(link: socket.socket) -> bool:
    """Whether the server closed it."""
    link.setblocking(False)
    try:
        return link.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def test_a_request_that_is_not_finished_in_time_is_cut_off(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Silent ones, halves, and a byte now and then; one that waits after its answer stays."""
    server = serve()
    with ExitStack() as stack:
        session = stack.enter_context(requests.Session())
        assert session.post(f"{server.url}/hook/eth", data=RIGHT, timeout=30).status_code == 200
        monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.5)
        slow = [*opened(stack, server, 1, b""), *opened(stack, server, 1, HALF_BODY)]
        drip = opened(stack, server, 1, HALF_HEAD)[0]

        def dripped() -> bool:
            if not ended(drip):
                drip.setblocking(True)
                drip.sendall(b"X")
                return False
            return True

        eventually(dripped, 30)
        eventually(lambda: all(map(ended, slow)), 30)
        assert len(server._server.active_channels) == 1


@pytest.mark.parametrize("size", [3 * 1024 * 1024, TEN_MEGABYTES])
def test_a_body_of_ten_megabytes_hears_why_not(serve: Serve, size: int) -> None:
    """A readable 413 instead of a reset, and the server holds none of it."""
    response = requests.post(f"{serve().url}/hook/eth", data=b"x" * size, timeout=30)
    assert response.status_code == 413
    assert "larger than 16384 bytes" in response.json()["error"]


def test_200_alerts_in_one_second_are_all_answered_in_time(serve: Serve) -> None:
    """Each on a connection of its own, as TradingView sends them."""
    server = serve()
    with ThreadPoolExecutor(50) as pool:
        took = list(pool.map(lambda _: answered(server), range(200)))
    assert len(took) == 200
    assert sorted(took)[len(took) // 2] < IN_TIME


def test_the_limit_of_open_files_bounds_the_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Systemd's default of 1,024 leaves room for the rest of the process."""
    limits = {1_024: 768, 20_000: 2_000, 100: FEWEST_CONNECTIONS, resource.RLIM_INFINITY: 2_000}
    for files, most in limits.items():
        monkeypatch.setattr(resource, "getrlimit", lambda _, files=files: (files, files))
        assert most_connections() == most
