"""Market streams: addresses by category, prices to the board, reconnects with a stated gap."""

from __future__ import annotations

import gzip
import json
import socket
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from runner.core.events import Event, StreamState, Tick
from runner.core.prices import Band, PriceBoard
from runner.venues.binance_usdm.allotment import PER_CONNECTION
from runner.venues.binance_usdm.link import LinkTiming
from runner.venues.binance_usdm.presets import Addresses
from runner.venues.binance_usdm.streams import MarketStream, plan
from tests.support import eventually
from tests.venues.binance_usdm.wires import RawServer, raw_server, text_frame, upgrade

NOWHERE = Addresses("http://127.0.0.1:1", "ws://127.0.0.1:1", "ws://127.0.0.1:1")
QUICK = LinkTiming(
    connect=2, socket_timeout=0.05, ping_every=0.1, stale_after=0.4, back_off=0.01, life=60
)
BAND = Band(Decimal(10), Decimal(20), 1)


def _clock() -> Callable[[], int]:
    """A wall clock that advances 1 ms with every look."""
    ticks = iter(range(1_000_000, 2_000_000))
    return lambda: next(ticks)


def _frame(price: str, time: int = 5) -> str:
    data = {"e": "aggTrade", "E": time, "s": "BTCUSDT", "p": price}
    return json.dumps({"stream": "btcusdt@aggTrade", "data": data})


def _fed(bands: dict[Any, Band]) -> tuple[MarketStream, PriceBoard, list[Event]]:
    board = PriceBoard(10_000)
    board.publish(bands)
    posted: list[Event] = []
    wanted = frozenset(bands)
    return MarketStream(NOWHERE, wanted, board, posted.append, _clock()), board, posted


def test_one_connection_is_one_category() -> None:
    """Trades and marks come from /market, bid and ask from /public, each with its own pairs."""
    wanted = {("BTCUSDT", source) for source in ("mark", "index", "funding", "last", "bid", "ask")}
    planned = plan("wss://x", frozenset(wanted | {("龙虾USDT", "bid")}))
    market = frozenset(("BTCUSDT", source) for source in ("mark", "index", "funding", "last"))
    public = frozenset({("BTCUSDT", "bid"), ("BTCUSDT", "ask"), ("龙虾USDT", "bid")})
    assert planned == [
        (
            "market",
            "wss://x/market/stream?streams=btcusdt@aggTrade/btcusdt@markPrice@1s",
            market,
        ),
        (
            "public",
            ("wss://x/public/stream?streams=btcusdt@bookTicker/%E9%BE%99%E8%99%BEusdt@bookTicker"),
            public,
        ),
    ]


def test_trades_alone_take_a_heartbeat_with_them() -> None:
    """A quiet symbol trades seldom: the mark price, each second, tells silence from nothing."""
    ((_, address, _),) = plan("wss://x", frozenset({("BTCUSDT", "last")}))
    assert address.endswith("streams=btcusdt@aggTrade/btcusdt@markPrice@1s")


def test_many_symbols_take_several_connections() -> None:
    """No address grows without bound."""
    wanted = frozenset((f"S{number:03}", "bid") for number in range(PER_CONNECTION + 1))
    planned = plan("wss://x", wanted)
    assert [name for name, _, _ in planned] == ["public", "public-2"]
    assert frozenset().union(*(pairs for _, _, pairs in planned)) == wanted


def test_a_source_that_no_stream_carries() -> None:
    """It is an error at once, not a stream that stays silent."""
    with pytest.raises(KeyError):
        plan("wss://x", frozenset({("BTCUSDT", "colour")}))


def test_a_price_inside_the_band_is_kept_and_told_nobody() -> None:
    """The board knows the last price; the dispatcher hears nothing of it."""
    stream, board, posted = _fed({("BTCUSDT", "last"): BAND})
    stream.feed(_frame("15"), 100)
    assert isinstance(posted.pop(), Tick)  # the first price after a silence only arms
    board.publish({("BTCUSDT", "last"): Band(Decimal(10), Decimal(20), 2, heard=1)})
    stream.feed(_frame("16").encode(), 101)
    assert posted == []
    last = board.last("BTCUSDT", "last")
    assert last is not None
    assert last.value == 16
    assert (last.event_time, last.received_at) == (5, 101)


def test_a_price_outside_the_band_is_posted() -> None:
    """With the exact text as Decimal, the exchange's time and ours."""
    stream, _, posted = _fed({("BTCUSDT", "last"): BAND})
    stream.feed(_frame("15"), 100)
    stream.feed(_frame("20.10", 7), 102)
    tick = posted[-1]
    assert isinstance(tick, Tick)
    assert (tick.symbol, tick.source, str(tick.price)) == ("BTCUSDT", "last", "20.10")
    assert (tick.event_time, tick.received_at, tick.fresh_start) == (7, 102, False)


def test_what_nobody_wants_does_not_reach_the_board() -> None:
    """A frame that carries more than was asked for (ask beside bid) costs no more."""
    stream, board, _ = _fed({("BTCUSDT", "bid"): BAND})
    book = {"e": "bookTicker", "E": 1, "s": "BTCUSDT", "b": "15", "a": "16"}
    stream.feed(json.dumps(book), 100)
    assert board.last("BTCUSDT", "bid") is not None
    assert board.last("BTCUSDT", "ask") is None


@pytest.mark.parametrize(
    "changes",
    [
        {"st": 2},
        {"E": "5"},
        {"E": None},
        {"e": "depthUpdate"},
        {"e": ["aggTrade"]},
        {"s": "ETHUSDT"},
        {"s": 7},
        {"p": 16},
        {"p": None},
        {"p": "0"},
        {"p": "NaN"},
        {"p": ""},
    ],
)
def test_a_frame_that_tells_no_price_of_ours_changes_none(changes: dict[str, Any]) -> None:
    """Another market's, another symbol's, or what is no price: also where all else is at rest."""
    stream, board, _ = _fed({("BTCUSDT", "last"): Band()})
    stream.feed(_frame("15"), 100)
    board.publish({("BTCUSDT", "last"): Band(heard=1)})
    data = {"e": "aggTrade", "E": 6, "s": "BTCUSDT", "p": "16", **changes}
    for frame in ({"stream": "x", "data": data}, data, [data], 7, {"data": [7]}):
        stream.feed(json.dumps(frame), 101)
    last = board.last("BTCUSDT", "last")
    assert last is not None
    assert (last.value, last.received_at) == (Decimal(15), 100)


def test_a_frame_of_two_prices_of_which_one_is_waited_for() -> None:
    """Both are remembered, one is told."""
    band = Band(Decimal(10), Decimal(20), heard=1)
    stream, board, posted = _fed({("BTCUSDT", "bid"): band, ("BTCUSDT", "ask"): band})
    for bid, ask in (("15", "16"), ("15", "20")):
        book = {"e": "bookTicker", "E": 1, "s": "BTCUSDT", "b": bid, "a": ask}
        stream.feed(json.dumps({"stream": "btcusdt@bookTicker", "data": book}), 100)
    told = [(tick.source, str(tick.price)) for tick in posted if isinstance(tick, Tick)]
    assert told == [("bid", "15"), ("ask", "16"), ("ask", "20")]
    newest = [board.last("BTCUSDT", source) for source in ("bid", "ask")]
    assert [price and str(price.value) for price in newest] == ["15", "20"]


def test_a_frame_that_is_no_json_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    """One bad frame ends nothing."""
    stream, _, posted = _fed({("BTCUSDT", "last"): BAND})
    stream.feed(b"\xff{", 100)
    stream.feed(_frame("15"), 100)
    assert len(posted) == 1
    assert "no JSON" in caplog.text


def test_the_recorded_market_through_the_reader(recorded: Path) -> None:
    """Recorded bytes make ticks exactly where an independent walk over them leaves the band."""
    keys: list[Any] = [("ETHUSDT", source) for source in ("last", "bid", "ask")]
    low, high = Decimal("2679"), Decimal("2685")
    board = PriceBoard(10_000)
    told: list[tuple[str, Decimal, int]] = []

    def post(tick: Any) -> None:
        told.append((tick.source, tick.price, tick.event_time))
        # the dispatcher's answer to a tick: bands that reckon with it
        board.publish({(tick.symbol, tick.source): Band(low, high, 1, heard=tick.number)})

    board.publish({key: Band(low, high, 1) for key in keys})
    stream = MarketStream(NOWHERE, frozenset(keys), board, post, _clock())
    named = {"bookTicker": (("bid", "b"), ("ask", "a")), "trade": (("last", "p"),)}
    expected: list[tuple[str, Decimal, int]] = []
    heard: dict[str, int] = {}
    with gzip.open(recorded / "frames-ethusdt-perp-2024-08-08.gz", "rt") as lines:
        for line in lines:
            text, received_at = line.split(" ", 1)[1], int(line[:13])
            stream.feed(text, received_at)
            data = json.loads(text).get("data", {})
            for source, field in named.get(data.get("e"), ()):
                price = Decimal(data[field])
                silent = received_at - heard.get(source, 0) > 10_000
                heard[source] = received_at
                if silent or not low < price < high:
                    expected.append((source, price, data["E"]))
    assert told == expected
    assert 3 < len(told) < 100_000


class Feed:
    """A WebSocket server that a test speaks through: one queue of steps per connection."""

    def __init__(self) -> None:
        self.paths: list[bytes] = []
        self.sockets: list[socket.socket] = []
        self.extra: SimpleQueue[bytes] = SimpleQueue()
        self.greeting = b""

    def serve(self, server: RawServer, connection: socket.socket, _: int) -> None:
        """Upgrade, greet, and keep reading what the client sends (pings)."""
        request = server.read(connection)
        self.paths.append(request.split(b" ")[1])
        connection.sendall(upgrade(request) + self.greeting)
        self.sockets.append(connection)
        while part := connection.recv(4_096):
            self.extra.put(part)


@pytest.fixture
def feed() -> Iterator[tuple[Feed, MarketStream, PriceBoard, list[Event]]]:
    """A connected reader of the last price of one symbol."""
    speaker = Feed()
    board = PriceBoard(10_000)
    posted: list[Event] = []
    with raw_server(speaker.serve) as server:
        root = f"ws://127.0.0.1:{server.port}"
        stream = MarketStream(
            Addresses("http://127.0.0.1:1", root, root),
            frozenset({("BTCUSDT", "last")}),
            board,
            posted.append,
            _clock(),
            QUICK,
        )
        stream.start()
        eventually(lambda: speaker.sockets)
        yield speaker, stream, board, posted
        stream.stop()
        assert all(not thread.name.startswith("market") for thread in threading.enumerate())


Running = tuple[Feed, MarketStream, PriceBoard, list[Event]]


def test_a_connection_delivers(feed: Running) -> None:
    """Bytes from a socket end on the board."""
    speaker, stream, board, posted = feed
    assert speaker.paths[0].startswith(b"/market/stream?streams=btcusdt@aggTrade/")
    speaker.sockets[0].sendall(text_frame(_frame("15")))
    eventually(lambda: board.last("BTCUSDT", "last"))
    assert posted[0] == StreamState("market", True, 1_000_000, None)
    assert stream.alive
    assert stream.links[0].generation == 1


def _states(posted: list[Event]) -> list[StreamState]:
    return [one for one in posted if isinstance(one, StreamState)]


def test_a_broken_connection_comes_back_with_its_gap(feed: Running) -> None:
    """Lost, connected again, with the last moment it was surely alive; old prices are forgotten."""
    speaker, stream, board, posted = feed
    speaker.sockets[0].sendall(text_frame(_frame("15")))
    alive_at = eventually(lambda: board.last("BTCUSDT", "last")).received_at  # type: ignore[union-attr]
    speaker.sockets[0].shutdown(socket.SHUT_RDWR)
    eventually(lambda: len(speaker.sockets) == 2 and len(_states(posted)) == 3)
    assert board.last("BTCUSDT", "last") is None
    _, lost, again = _states(posted)
    assert (lost.connected, lost.gap_from) == (False, alive_at)
    assert lost.detail
    assert (again.connected, again.gap_from) == (True, alive_at)
    assert stream.links[0].generation == 2


def test_a_silent_connection_is_not_trusted(feed: Running) -> None:
    """An address on the wrong path connects, answers pings and delivers nothing."""
    speaker, _, _, posted = feed
    eventually(lambda: len(speaker.sockets) >= 2)
    assert "silent" in next(one for one in _states(posted) if not one.connected).detail


def test_a_stall_inside_a_frame_is_noticed(feed: Running) -> None:
    """Half a frame and then nothing: no ping would tell."""
    speaker, _, board, _ = feed
    speaker.sockets[0].sendall(text_frame(_frame("15"))[:20])
    eventually(lambda: len(speaker.sockets) >= 2)
    assert board.last("BTCUSDT", "last") is None


def test_a_frame_in_pieces_arrives_whole(feed: Running) -> None:
    """A socket timeout in the middle of a frame loses nothing."""
    speaker, stream, board, _ = feed
    frame = text_frame(_frame("15"))
    speaker.sockets[0].sendall(frame[:20])
    eventually(lambda: speaker.extra.qsize() > 0)  # a ping: a socket timeout has passed
    speaker.sockets[0].sendall(frame[20:])
    eventually(lambda: board.last("BTCUSDT", "last"))
    assert stream.links[0].generation == 1


def test_a_close_frame_ends_the_connection(feed: Running) -> None:
    """The exchange says goodbye after 24 hours, or when it restarts."""
    speaker, _, _, posted = feed
    speaker.sockets[0].sendall(b"\x88\x02\x03\xe8")
    eventually(lambda: len(speaker.sockets) >= 2)
    lost = next(one for one in _states(posted) if not one.connected)
    assert lost.detail == "closed by the exchange"


def test_an_error_in_the_listener_is_loud() -> None:
    """A thread that dies is not alive any more: the process must go down."""
    speaker = Feed()
    speaker.greeting = text_frame(_frame("15"))

    def fail(event: Event) -> None:
        raise RuntimeError("the inbox is gone")

    with raw_server(speaker.serve) as server, pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading, "excepthook", lambda _: None)
        root = f"ws://127.0.0.1:{server.port}"
        stream = MarketStream(
            Addresses("", root, root),
            frozenset({("BTCUSDT", "last")}),
            PriceBoard(10_000),
            fail,
            _clock(),
            QUICK,
        )
        assert stream.alive
        stream.start()
        eventually(lambda: not stream.alive)
        stream.stop()


def test_an_exchange_that_is_down_is_tried_again() -> None:
    """Full-jitter back-off, one event that says it is away, and stop ends the wait."""
    posted: list[Event] = []
    stream = MarketStream(
        NOWHERE,
        frozenset({("BTCUSDT", "last")}),
        PriceBoard(10_000),
        posted.append,
        _clock(),
        QUICK,
    )
    stream.start()
    eventually(lambda: posted)
    stream.stop()
    [state] = _states(posted)
    assert not state.connected
    assert state.detail.startswith("cannot connect")
    assert stream.links[0].generation == 0


def test_a_connection_is_renewed_before_its_day_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one stands before the old one ends: no gap, and nothing is heard twice."""
    board, heard, posted = PriceBoard(10_000), [], list[Event]()
    seen = board.seen
    board.publish({("BTCUSDT", "last"): Band(wide_awake=True)})

    def note(*args: Any) -> Any:
        heard.append(args[3])
        return seen(*args)

    monkeypatch.setattr(board, "seen", note)
    old_open: list[bool] = []

    def serve(server: RawServer, connection: socket.socket, number: int) -> None:
        request = server.read(connection)
        if number == 0:
            connection.sendall(upgrade(request) + text_frame(_frame("15", 5)))
            old.append(connection)
        else:
            # the old one still speaks while the new one is being opened
            old[0].sendall(text_frame(_frame("16", 6)))
            old_open.append(old[0].fileno() >= 0)
            frames = b"".join(text_frame(_frame("17", time)) for time in (5, 6, 7))
            connection.sendall(upgrade(request) + frames)
        while connection.recv(4_096):
            pass

    old: list[socket.socket] = []
    with raw_server(serve) as server:
        root = f"ws://127.0.0.1:{server.port}"
        stream = MarketStream(
            Addresses("", root, root),
            frozenset({("BTCUSDT", "last")}),
            board,
            posted.append,
            _clock(),
            LinkTiming(socket_timeout=0.5, life=0.5, back_off=0.01, stale_after=60),
        )
        stream.start()
        eventually(lambda: 7 in heard, timeout=60)
        states = _states(posted)
        stream.stop()
    assert old_open
    assert heard[:3] == [5, 6, 7]
    assert states == [StreamState("market", True, 1_000_000, None)]


def test_a_connection_that_cannot_be_renewed_goes_on() -> None:
    """The old one is kept, and it is tried again later."""
    speaker, posted = Feed(), list[Event]()
    speaker.greeting = text_frame(_frame("15"))
    with raw_server(speaker.serve) as server:
        root = f"ws://127.0.0.1:{server.port}"
        stream = MarketStream(
            Addresses("", root, root),
            frozenset({("BTCUSDT", "last")}),
            PriceBoard(10_000),
            posted.append,
            _clock(),
            LinkTiming(socket_timeout=0.05, life=0.3, renew_every=0.1, stale_after=60),
        )
        stream.start()
        eventually(lambda: speaker.sockets)
        server.refuse()
        eventually(lambda: stream.links[0].renewals_failed >= 2, timeout=60)
        assert [one.connected for one in _states(posted)] == [True]
        assert stream.links[0].generation == 1
        stream.stop()
