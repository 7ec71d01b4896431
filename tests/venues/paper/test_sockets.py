"""One WebSocket connection: slow clients, silent ones, and those that vanish."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
import websocket

from runner.venues.paper import sockets
from runner.venues.paper.market import Still
from runner.venues.paper.server import PaperServer
from runner.venues.paper.sockets import Peer
from tests.support import eventually


class Pair:
    """A peer and the client's end of its connection, past the handshake."""

    def __init__(self, ping_every: float) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        self.client = websocket.WebSocket()
        self.heard: list[str] = []
        ready = threading.Event()

        def serve() -> None:
            connection, _ = listener.accept()
            head = b""
            while b"\r\n\r\n" not in head:
                head += connection.recv(4096)
            lines = head.decode().split("\r\n")[1:-2]
            pairs = [
                (name, text.strip()) for name, _, text in (one.partition(":") for one in lines)
            ]
            self.peer = Peer(connection, pairs, "/ws", ping_every=ping_every)
            self.accepted = self.peer.accept()
            ready.set()
            self.peer.serve(self.heard.append)
            connection.close()

        self.thread = threading.Thread(target=serve, daemon=True)
        self.thread.start()
        address = f"ws://127.0.0.1:{listener.getsockname()[1]}/ws"
        self.client.connect(address, timeout=5)  # type: ignore[no-untyped-call]  # no stubs
        assert ready.wait(5)
        listener.close()


@pytest.fixture
def pair() -> Iterator[Pair]:
    """A connected pair that pings every 50 ms."""
    both = Pair(0.05)
    yield both
    both.peer.drop()
    both.client.shutdown()  # type: ignore[no-untyped-call]  # its stubs do not tell
    both.thread.join(5)


def test_the_server_pings_and_hears_the_pong(pair: Pair) -> None:
    """With a payload, again and again, also while it sends."""
    pings = 0
    while pings < 3:
        pair.peer.send("still here")
        opcode, data = pair.client.recv_data(control_frame=True)
        if opcode == websocket.ABNF.OPCODE_PING:
            assert data
            pings += 1


def test_a_client_that_never_answers_is_cut_off(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No sign of life for too long ends the connection."""
    monkeypatch.setattr(sockets, "PONG_WITHIN_SECONDS", 0.1)
    eventually(lambda: pair.peer.closed)
    pair.thread.join(5)
    assert not pair.thread.is_alive()


def test_a_client_that_does_not_read_is_cut_off(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backlog beyond the limit ends the connection instead of filling the memory."""
    monkeypatch.setattr(sockets, "MAX_BACKLOG", 50)
    text = "x" * 100_000

    def sent() -> bool:
        for _ in range(20):
            pair.peer.send(text)
        return pair.peer.closed

    eventually(sent)
    pair.peer.send("nobody hears this")


def test_a_client_that_vanishes_ends_the_thread(pair: Pair) -> None:
    """Without a goodbye."""
    pair.client.shutdown()  # type: ignore[no-untyped-call]  # its stubs do not tell
    pair.thread.join(5)
    assert not pair.thread.is_alive()
    pair.peer.drop()


def test_fragments_and_bytes_are_put_together(pair: Pair) -> None:
    """A message in two frames, and one sent as bytes."""
    frame = websocket.ABNF
    pair.client.send_frame(frame(0, 0, 0, 0, frame.OPCODE_TEXT, 1, "two "))
    pair.client.send_frame(frame(1, 0, 0, 0, frame.OPCODE_CONT, 1, "parts"))
    pair.client.send_binary(b"bytes")
    eventually(lambda: pair.heard == ["two parts", "bytes"])


def test_what_is_no_websocket_is_refused() -> None:
    """A handshake without a key gets a 400 and the end."""
    with PaperServer(market=Still()) as server:
        host, _, port = server.addresses["rest"].removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.sendall(
                b"GET /market/ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n"
            )
            answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")
