"""The hook server on a real socket: recorded alerts, large bodies, waiting commits, stopping."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests
from waitress.trigger import trigger

from runner.core.decision import AlertAnswer
from runner.core.events import Alert
from runner.errors import ConfigurationError
from runner.sources.connections import MAX_DISCARDED
from runner.sources.hooks import Hook
from runner.sources.readiness import Readiness
from runner.sources.server import HookServer
from runner.sources.webhook import create_app
from tests.support import eventually

SECRET = "Geheimnis-17"
SECRET_FIELDS = ("secret", "passphrase", "key", "apikey", "token", "api_token", "PIN")
MEGABYTE = 1024 * 1024
LARGE_HEAD = b"GET /livez HTTP/1.1\r\nHost: x\r\nX: "

Submit = Callable[[Alert], AlertAnswer | None]
Serve = Callable[..., HookServer]


def fired(_: Alert) -> AlertAnswer:
    return AlertAnswer("fired", ())


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers, and stop them afterwards."""
    servers = []

    def start(submit: Submit = fired, hooks: dict[str, Hook] | None = None) -> HookServer:
        table = hooks or {"eth": Hook("eth", SECRET.encode())}
        app = create_app(lambda: table, submit, lambda: Readiness(True), lambda: 1)
        server = HookServer(app, "127.0.0.1", 0)
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.stop(0.1)


def raw(server: HookServer, *pieces: bytes) -> bytes:
    """Send bytes on a connection of their own and return all that comes back."""
    with closing(socket.create_connection(server.address, timeout=10)) as connection:
        for piece in pieces:
            connection.sendall(piece)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_each_recorded_alert_is_accepted_or_refused_with_a_reason(
    serve: Serve, recorded: Path
) -> None:
    """Of the 87 bodies that people really send, what is a JSON object fires, the rest gets 400."""
    lines = (recorded / "tradingview-alerts.jsonl").read_text("utf-8").splitlines()
    hooks: dict[str, Hook] = {"plain": Hook("plain", SECRET.encode())}
    cases = []
    for number, line in enumerate(lines):
        text = json.loads(line)["body"]
        fields = as_object(text)
        name = next((name for name in SECRET_FIELDS if name in (fields or {})), None)
        path = f"plain/{SECRET}"
        if fields and name:
            path = f"hook-{number}"
            hooks[path] = Hook(path, str(fields[name]).encode(), name)
        cases.append((path, text, fields is not None))
    alerts: list[Alert] = []

    def submit(alert: Alert) -> AlertAnswer:
        alerts.append(alert)
        return fired(alert)

    server = serve(submit, hooks)
    with requests.Session() as session:
        for path, text, good in cases:
            response = session.post(f"{server.url}/hook/{path}", data=text.encode(), timeout=10)
            answer = response.json()
            assert response.status_code == (200 if good else 400), (text, answer)
            if not good:
                assert len(answer["error"]) > 10
                assert len(answer["cure"]) > 5
    assert len(cases) == 87
    assert len(alerts) == sum(good for _, _, good in cases) >= 50
    assert not any(set(SECRET_FIELDS) & set(alert.fields) for alert in alerts)


def as_object(text: str) -> dict[str, Any] | None:
    """Return the object that Python's own JSON reader sees, or None."""
    try:
        tree = json.loads(text)
    except ValueError:
        return None
    return tree if isinstance(tree, dict) else None


@pytest.mark.parametrize("size", [16 * 1024 + 1, MEGABYTE, 3 * MEGABYTE])
def test_a_large_body_is_413_however_large(serve: Serve, size: int) -> None:
    """The sender hears the refusal instead of a broken connection, on every path alike."""
    server = serve()
    for path in ("eth", "nobody"):
        response = requests.post(f"{server.url}/hook/{path}", data=b"x" * size, timeout=10)
        assert response.status_code == 413
        assert "larger than 16384 bytes" in response.json()["error"]


@pytest.mark.parametrize("size", [16 * 1024 + 1, MEGABYTE])
def test_a_large_body_without_a_length_is_413(serve: Serve, size: int) -> None:
    """Chunks are counted as they come."""
    server = serve()
    chunks = (b"x" * min(8192, size - start) for start in range(0, size, 8192))
    response = requests.post(f"{server.url}/hook/eth", data=chunks, timeout=10)
    assert response.status_code == 413


def test_a_small_body_without_a_length_is_read(serve: Serve) -> None:
    """A chunked alert is an alert."""
    text = json.dumps({"secret": SECRET}).encode()
    chunks = iter([text[:5], text[5:]])
    response = requests.post(f"{serve().url}/hook/eth", data=chunks, timeout=10)
    assert response.status_code == 200


def test_a_sender_that_asks_first_need_not_send_a_large_body(serve: Serve) -> None:
    """`Expect: 100-continue` is answered by 413 at once."""
    head = b"POST /hook/eth HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
    head += b"Content-Length: 99999\r\n\r\n"
    assert raw(serve(), head).startswith(b"HTTP/1.1 413 ")


def test_a_body_beyond_all_measure_is_cut_off(serve: Serve) -> None:
    """Above 4 MiB nothing is read on; a declared length is refused at once."""
    head = b"POST /hook/eth HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (MAX_DISCARDED + 1)
    server = serve()
    assert raw(server, head).startswith(b"HTTP/1.1 413 ")
    chunk = b"%x\r\n%b\r\n" % (MEGABYTE, b"x" * MEGABYTE)
    chunked = b"POST /hook/eth HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    with closing(socket.create_connection(server.address, timeout=10)) as connection:
        connection.sendall(chunked)
        # reset or broken pipe, as the kernel likes
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            connection.sendall(chunk * 100)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"POST /hook/eth HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"400"),
        (LARGE_HEAD + b"x" * (16 * 1024 - len(LARGE_HEAD) - 4) + b"\r\n\r\n", b"431"),
        (b"POST /hook/eth HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", b"501"),
        (
            b"POST /hook/eth HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
            b"400",
        ),
    ],
)
def test_what_is_not_http_is_refused_in_json(serve: Serve, data: bytes, status: bytes) -> None:
    """The same shape of answer as from the app."""
    head, _, text = raw(serve(), data).partition(b"\r\n\r\n")
    assert head.split()[1] == status
    assert json.loads(text)["error"]


def test_the_app_answers_over_the_socket_without_naming_its_make(serve: Serve) -> None:
    """GET on a hook is 405, livez is 200, and no header tells the server's name."""
    server = serve()
    assert requests.get(f"{server.url}/hook/eth", timeout=10).status_code == 405
    response = requests.get(f"{server.url}/livez", timeout=10)
    assert response.status_code == 200
    assert "Server" not in response.headers
    assert server.alive


def test_alerts_that_wait_for_their_commit_do_not_hold_up_others(serve: Serve) -> None:
    """Eight alerts wait, and readiness is answered all the same."""
    gate = threading.Event()
    waiting = threading.Semaphore(0)

    def submit(alert: Alert) -> AlertAnswer:
        waiting.release()
        assert gate.wait(10)
        return fired(alert)

    server = serve(submit)
    with ThreadPoolExecutor(8) as pool:
        posts = [
            pool.submit(requests.post, f"{server.url}/hook/eth/{SECRET}", data=b"{}", timeout=10)
            for _ in range(8)
        ]
        assert all(waiting.acquire(timeout=10) for _ in posts)
        assert requests.get(f"{server.url}/readyz", timeout=10).status_code == 200
        gate.set()
        assert {post.result().status_code for post in posts} == {200}


def test_a_stop_lets_a_waiting_alert_be_answered_and_takes_no_new_ones(serve: Serve) -> None:
    """The one that waits for its commit gets its 200, a new connection is refused."""
    gate, waiting = threading.Event(), threading.Event()

    def submit(alert: Alert) -> AlertAnswer:
        waiting.set()
        assert gate.wait(10)
        return fired(alert)

    server = serve(submit)
    with ThreadPoolExecutor(2) as pool:
        url = f"{server.url}/hook/eth/{SECRET}"
        post = pool.submit(requests.post, url, data=b"{}", timeout=10)
        assert waiting.wait(10)
        stop = pool.submit(server.stop, 10)
        eventually(lambda: refused(server.address))
        assert not stop.done()
        gate.set()
        assert post.result().status_code == 200
        stop.result(timeout=10)
    assert not server.alive


def refused(address: tuple[str, int]) -> bool:
    """Return whether nobody listens there."""
    try:
        socket.create_connection(address, timeout=1).close()
    except OSError:
        return True
    return False


def test_a_stop_does_not_wait_longer_than_it_was_told(serve: Serve) -> None:
    """An alert whose commit never comes is cut off: its sender sends it again."""
    gate, waiting = threading.Event(), threading.Event()

    def submit(alert: Alert) -> AlertAnswer:
        waiting.set()
        gate.wait(10)
        return fired(alert)

    server = serve(submit)
    with ThreadPoolExecutor(1) as pool:
        url = f"{server.url}/hook/eth/{SECRET}"
        post = pool.submit(requests.post, url, data=b"{}", timeout=10)
        assert waiting.wait(10)
        server.stop(0.05)
        assert not server.alive
        with pytest.raises(requests.ConnectionError):
            post.result()
        gate.set()


def test_an_idle_connection_does_not_hold_up_a_stop(serve: Serve) -> None:
    """A proxy keeps connections open; a stop closes them at once."""
    server = serve()
    with requests.Session() as session:
        assert session.get(f"{server.url}/livez", timeout=10).status_code == 200
        server.stop(60)
    assert not server.alive


def test_a_wake_up_after_the_last_one_writes_into_no_other_file(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker may wake the loop just before the stop does: the stop's own byte comes late."""
    server = serve()
    pull = trigger._physical_pull

    def late(self: trigger) -> None:
        pull(self)
        server._thread.join(0.2)
        pull(self)

    monkeypatch.setattr(trigger, "_physical_pull", late)
    server.stop()
    assert not server.alive


def test_a_port_in_use_says_what_to_do() -> None:
    """Before anything starts, with the address and both ways to change it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=rf"127.0.0.1:{port}: .*--hook HOST:PORT"):
            HookServer(
                create_app(dict, fired, lambda: Readiness(True), lambda: 1), "127.0.0.1", port
            )


def test_an_address_that_is_none_says_what_to_do() -> None:
    """An address that this machine does not have is a matter of configuration too."""
    with pytest.raises(ConfigurationError, match="choose another address"):
        HookServer(create_app(dict, fired, lambda: Readiness(True), lambda: 1), "192.0.2.1", 0)


def test_a_name_that_nobody_knows_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """The look-up's own words, and the way to another address."""

    def look_up(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(ConfigurationError, match=r"on nowhere:80: Name or service not known\."):
        HookServer(create_app(dict, fired, lambda: Readiness(True), lambda: 1), "nowhere", 80)


def test_a_server_that_never_started_can_be_stopped() -> None:
    """Its port is free again."""
    app = create_app(dict, fired, lambda: Readiness(True), lambda: 1)
    first = HookServer(app, "127.0.0.1", 0)
    first.stop()
    second = HookServer(app, *first.address)
    second.stop()
    assert second.address == first.address


def test_an_ipv6_address_is_written_in_brackets() -> None:
    """So that it can be pasted after curl."""
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    try:
        server = HookServer(create_app(dict, fired, lambda: Readiness(True), lambda: 1), "::1", 0)
    except ConfigurationError as error:
        pytest.skip(f"no IPv6 here: {error}")
    server.stop()
    assert server.url == f"http://[::1]:{server.address[1]}"
