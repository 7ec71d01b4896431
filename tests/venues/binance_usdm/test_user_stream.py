"""The user stream: listen key, events, keep-alive, and what ends a connection."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from runner.core.events import Event, ExecutionReport, StreamState
from runner.errors import VenueError
from runner.venues import RawAnswer
from runner.venues.binance_usdm.link import LinkTiming
from runner.venues.binance_usdm.liveness import Liveness
from runner.venues.binance_usdm.presets import PRESETS, Addresses
from runner.venues.binance_usdm.user_stream import KEEP_ALIVE, KEEP_ALIVE_RETRY, UserStream
from tests.support import eventually
from tests.venues.binance_usdm.wires import RawServer, raw_server, text_frame, upgrade

KEY = RawAnswer("ok", 200, b'{"listenKey":"k1"}')
REPORT = {
    "e": "ORDER_TRADE_UPDATE",
    "E": 7,
    "o": {"c": "r1-a", "s": "BTCUSDT", "X": "NEW", "x": "NEW", "i": 1, "z": "0"},
}


class Bench:
    """A user stream whose REST answers and clock a test sets."""

    def __init__(self, streams: str = "ws://127.0.0.1:1") -> None:
        self.now = 0
        self.answer = KEY
        self.asked: list[tuple[str, str, str]] = []
        self.posted: list[Event] = []
        self.liveness = Liveness(1_000)
        self.stream = UserStream(
            self.ask,
            Addresses("http://127.0.0.1:1", streams, "ws://127.0.0.1:1"),
            self.posted.append,
            lambda: 1_000 + self.now,
            lambda: self.now,
            self.liveness,
            LinkTiming(socket_timeout=0.05, ping_every=0.1, stale_after=2, back_off=0.01),
        )

    def ask(self, method: str, path: str, payload: str) -> RawAnswer:
        self.asked.append((method, path, payload))
        return self.answer


def test_the_private_address_is_a_template() -> None:
    """By default the routed form with the events named; a setting can say another."""
    live = PRESETS["live"].user("k1")
    assert live.startswith("wss://fstream.binance.com/private/ws?listenKey=k1&events=ORDER_TRADE_")
    assert "ALGO_UPDATE" in live
    other = Addresses("r", "wss://s", "w", private="{streams}/private/ws/{listen_key}")
    assert other.user("k1") == "wss://s/private/ws/k1"


def test_a_key_is_asked_for_before_each_connection() -> None:
    """Asking while one is valid returns the same and extends it."""
    bench = Bench()
    assert bench.stream.address().startswith("ws://127.0.0.1:1/private/ws?listenKey=k1&")
    assert bench.asked == [("POST", "/fapi/v1/listenKey", "")]


@pytest.mark.parametrize(
    "answer",
    [
        RawAnswer("not_sent", detail="refused"),
        RawAnswer("ok", 401, b'{"code":-2015,"msg":"refused"}'),
        RawAnswer("ok", 200, b"{}"),
    ],
)
def test_no_key_no_connection(answer: RawAnswer) -> None:
    """The error says what the exchange said; the link tries again later."""
    bench = Bench()
    bench.answer = answer
    with pytest.raises(VenueError, match="listen key"):
        bench.stream.address()


def test_the_key_is_kept_alive() -> None:
    """Every half hour; after a failure already a minute later."""
    bench = Bench()
    bench.stream.address()
    bench.now = KEEP_ALIVE - 1
    assert bench.stream.idle() is None
    assert len(bench.asked) == 1
    bench.now = KEEP_ALIVE
    bench.answer = RawAnswer("broken", detail="reset")
    assert bench.stream.idle() is None
    assert bench.asked[-1] == ("PUT", "/fapi/v1/listenKey", "")
    bench.now += KEEP_ALIVE_RETRY - 1
    bench.stream.idle()
    assert len(bench.asked) == 2
    bench.now += 1
    bench.answer = KEY
    bench.stream.idle()
    assert len(bench.asked) == 3
    bench.now += KEEP_ALIVE - 1
    bench.stream.idle()
    assert len(bench.asked) == 3


def test_an_invalid_key_is_replaced() -> None:
    """-1125 on the keep-alive ends the connection: the next one asks for a new key."""
    bench = Bench()
    bench.stream.address()
    bench.now = KEEP_ALIVE
    bench.answer = RawAnswer("ok", 400, b'{"code":-1125,"msg":"This listenKey does not exist."}')
    assert "not valid" in (bench.stream.idle() or "")


def test_an_expired_key_ends_the_connection() -> None:
    """After listenKeyExpired no event comes any more."""
    bench = Bench()
    assert "expired" in (bench.stream.feed('{"e":"listenKeyExpired","E":1}') or "")
    envelope = json.dumps({"stream": "k1", "data": {"e": "listenKeyExpired"}})
    assert "expired" in (bench.stream.message(envelope.encode()) or "")


def test_events_are_posted() -> None:
    """Reports as they come; what only people care about is logged; noise is tolerated."""
    bench = Bench()
    noise: list[Any] = [{"e": "MARGIN_CALL"}, {"e": "TRADE_LITE", "c": "x"}, {"e": "NEW"}, []]
    for message in [REPORT, *noise]:
        assert bench.stream.feed(json.dumps(message)) is None
    assert bench.stream.feed(b"\x00") is None
    (report,) = bench.posted
    assert isinstance(report, ExecutionReport)
    assert report.client_order_id == "r1-a"


def test_a_stream_that_keeps_an_order_to_itself_is_not_trusted() -> None:
    """An accepted order whose update does not come: connect again, and sweep the gap."""
    bench = Bench()
    bench.stream.address()
    bench.liveness.expect("r1-a", 0)
    bench.liveness.expect("r1-b", 0)
    bench.stream.feed(json.dumps(REPORT))
    bench.now = 1_001
    assert bench.stream.idle() == "1 accepted orders were not told of"


def test_states_carry_the_gap() -> None:
    """The first connection has none; a later one says since when events may be missing."""
    bench = Bench()
    bench.stream.connected()
    bench.now = 50
    bench.stream.message(json.dumps(REPORT).encode())
    bench.now = 90
    bench.stream.lost("why")
    bench.stream.connected()
    states = [one for one in bench.posted if isinstance(one, StreamState)]
    assert states == [
        StreamState("user", True, 1_000, None),
        StreamState("user", False, 1_090, 1_050, "why"),
        StreamState("user", True, 1_090, 1_050),
    ]


def test_a_quiet_account_is_alive_while_pings_are_answered() -> None:
    """A break is told since the last answer, not since the last event, which is hours ago."""

    def serve(server: RawServer, connection: socket.socket, number: int) -> None:
        request = server.read(connection)
        connection.sendall(upgrade(request))
        if number:
            return
        connection.recv(4_096)
        bench.now = 500
        connection.sendall(b"\x8a\x00" + text_frame('{"e":"listenKeyExpired","E":1}'))

    bench = Bench()
    with raw_server(serve) as server:
        bench = Bench(f"ws://127.0.0.1:{server.port}")
        bench.stream.message = bench.stream.feed  # type: ignore[method-assign, assignment]
        bench.stream.start()
        eventually(lambda: len(bench.posted) >= 2)
        bench.stream.stop()
    lost = bench.posted[1]
    assert isinstance(lost, StreamState)
    assert (lost.connected, lost.gap_from) == (False, 1_500)


def test_over_a_socket() -> None:
    """Connect, hear, lose the key, connect again with a new one."""
    sockets: list[socket.socket] = []
    paths: list[bytes] = []

    def serve(server: RawServer, connection: socket.socket, _: int) -> None:
        request = server.read(connection)
        paths.append(request.split(b" ")[1])
        connection.sendall(upgrade(request) + text_frame(json.dumps(REPORT)))
        sockets.append(connection)
        while connection.recv(4_096):
            connection.sendall(b"\x8a\x00")  # a pong, the only sign of life of a quiet account

    with raw_server(serve) as server:
        bench = Bench(f"ws://127.0.0.1:{server.port}")
        stream: Any = bench.stream
        stream.start()
        eventually(lambda: len(bench.posted) >= 2)
        assert stream.alive
        bench.answer = RawAnswer("ok", 200, b'{"listenKey":"k2"}')
        sockets[0].sendall(text_frame('{"e":"listenKeyExpired","E":1}'))
        eventually(lambda: len(paths) == 2)
        stream.stop()
    assert paths[0].startswith(b"/private/ws?listenKey=k1&events=")
    assert paths[1].startswith(b"/private/ws?listenKey=k2&events=")


def test_a_stream_that_never_stood_is_told_once() -> None:
    """A runner that hears nothing from its start on must know that, too."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        bench = Bench(f"ws://127.0.0.1:{closed.getsockname()[1]}")
        stream: Any = bench.stream
        stream.start()
        eventually(lambda: len(bench.asked) >= 3)
        stream.stop()
    [state] = bench.posted
    assert isinstance(state, StreamState)
    assert (state.stream, state.connected, state.gap_from) == ("user", False, None)
    assert state.detail.startswith("cannot connect")
