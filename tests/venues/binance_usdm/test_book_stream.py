"""The local order book over real sockets, beside the paper exchange's own."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from runner.core.lifecycle import Timing
from runner.venues import RawAnswer
from runner.venues.binance_usdm import book_stream
from runner.venues.binance_usdm.adapter import BinanceUsdm
from runner.venues.binance_usdm.book_stream import BookStream
from runner.venues.binance_usdm.presets import reach
from runner.venues.binance_usdm.wire_answers import Reply, read
from runner.venues.paper.server import PaperServer
from tests.support import eventually


@pytest.fixture
def stream() -> Iterator[BookStream]:
    """A running book of BTCUSDT whose prices move by themselves."""
    with PaperServer(keys={"K": "S"}) as server:
        addresses = reach(server.addresses, "rest")
        venue = BinanceUsdm(
            addresses,
            "K",
            "S",
            Timing(),
            lambda: time.time_ns() // 1_000_000,
            lambda: time.monotonic_ns() // 1_000_000,
        )

        def ask(path: str, parameters: str) -> Reply:
            return venue.read(path, parameters, signed=False)

        made = BookStream(addresses, "BTCUSDT", ask)
        made.start()
        yield made
        made.stop()
        assert made.alive


def test_the_book_becomes_whole(stream: BookStream) -> None:
    """A snapshot and the changes since: bids below asks."""
    eventually(lambda: stream.book.ready, timeout=60)
    book = stream.book
    assert book.best_bid is not None
    assert book.best_ask is not None
    assert book.best_bid < book.best_ask


def _told(first: int, before: int) -> bytes:
    text = {"e": "depthUpdate", "U": first, "u": first, "pu": before, "b": [], "a": []}
    return json.dumps(text).encode()


def _snapshot(last: int) -> Reply:
    body = {"lastUpdateId": last, "bids": [["1", "1"]], "asks": []}
    return read(RawAnswer("ok", 200, json.dumps(body).encode()))


def _scripted(monkeypatch: pytest.MonkeyPatch, *answers: Reply) -> BookStream:
    """A book whose snapshots a test writes, asked for without a pause."""
    monkeypatch.setattr(book_stream, "ASK_EVERY", 0.0)
    left = [*answers]
    return BookStream(reach("live", "rest"), "BTCUSDT", lambda *_: left.pop(0))


def test_a_snapshot_that_is_refused_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The book stays empty meanwhile."""
    refused = read(RawAnswer("ok", 500, b""))
    stream = _scripted(monkeypatch, refused, _snapshot(1))
    assert stream.address() == "wss://fstream.binance.com/public/ws/btcusdt@depth@100ms"
    stream.message(_told(1, 0))
    assert [stream.book.ready, stream.snapshots] == [False, 1]
    stream.message(_told(2, 1))
    assert [stream.book.ready, stream.snapshots] == [True, 2]


def test_a_missed_change_starts_it_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new snapshot is asked for at once; so it is after a lost connection."""
    stream = _scripted(monkeypatch, _snapshot(1), _snapshot(5), _snapshot(9))
    stream.message(_told(1, 0))
    assert stream.book.ready
    stream.message(_told(5, 4))
    assert [stream.book.final, stream.snapshots] == [5, 2]
    stream.renewed()
    stream.message(_told(5, 4))
    assert [stream.book.final, stream.idle()] == [5, None]
    stream.lost("gone")
    stream.connected()
    stream.message(_told(9, 8))
    assert [stream.book.final, stream.snapshots] == [9, 3]
