"""Market readers come and go with the rules, and what is read already is left alone."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, cast

from runner.core.events import Event, StreamState
from runner.core.prices import PriceBoard
from runner.markets import Markets, Wanted
from runner.venues import Venue

BTC: tuple[str, Any] = ("BTCUSDT", "mark")
ETH: tuple[str, Any] = ("ETHUSDT", "last")
NOW = 1_700_000_000_000


class FakeStream:
    """Says what it was told to do; brings one price of each pair as soon as it starts."""

    def __init__(self, wanted: Wanted, board: PriceBoard, post: Callable[[Event], None]) -> None:
        self.wanted, self.board, self.post = wanted, board, post
        self.started = self.stopped = False
        self.alive = True

    def start(self) -> None:
        self.started = True
        self.post(StreamState("market", True, NOW))
        for symbol, source in self.wanted:
            if symbol != "MUTEUSDT":
                self.board.seen(symbol, source, Decimal(1), NOW, NOW)

    def stop(self) -> None:
        self.stopped = True


class FakeVenue:
    """Makes streams and keeps them for the test to look at."""

    def __init__(self) -> None:
        self.streams: list[FakeStream] = []

    def market_stream(
        self, wanted: Wanted, board: PriceBoard, post: Callable[[Event], None]
    ) -> FakeStream:
        self.streams.append(FakeStream(wanted, board, post))
        return self.streams[-1]


def markets(*wanted: tuple[str, Any]) -> tuple[Markets, list[FakeStream], PriceBoard, list[Event]]:
    """Readers of these pairs, started, with their streams, the board and what was posted."""
    venue, board, posted = FakeVenue(), PriceBoard(30_000), cast("list[Event]", [])
    found = Markets(cast(Venue, venue), board, posted.append, frozenset(wanted))
    found.start()
    return found, venue.streams, board, posted


def test_only_what_is_new_is_read_besides() -> None:
    """A stream for the new pair alone; the first one goes on untouched, names tell them apart."""
    found, streams, board, posted = markets(BTC)
    found.cover(frozenset({BTC, ETH}), 5)
    first, second = streams
    assert (first.wanted, second.wanted) == (frozenset({BTC}), frozenset({ETH}))
    assert not first.stopped
    assert board.last(*ETH) is not None
    names = [event.stream for event in posted if isinstance(event, StreamState)]
    assert names == ["market", "market+2"]
    found.cover(frozenset({ETH}), 5)
    assert len(streams) == 2


def test_a_price_that_does_not_come_is_not_waited_for_for_ever() -> None:
    """A halted market: after the patience the rules are taken up without its price."""
    found, _, board, _ = markets(BTC)
    found.cover(frozenset({BTC, ("MUTEUSDT", "mark")}), 0.05)
    assert board.last("MUTEUSDT", "mark") is None


def test_a_price_of_an_earlier_reader_is_forgotten() -> None:
    """What was read long ago is no price to go on from: the new reader's first one counts."""
    found, _, board, _ = markets(BTC)
    board.seen("MUTEUSDT", "mark", Decimal(9), NOW - 1, NOW - 1)
    found.cover(frozenset({("MUTEUSDT", cast(Any, "mark"))}), 0.05)
    assert board.last("MUTEUSDT", "mark") is None


def test_readers_that_nobody_needs_end() -> None:
    """A reader ends when nothing of what it brings is wanted any more, and not before."""
    found, (first,), _, _ = markets(BTC, ETH)
    found.release(frozenset({ETH}))
    assert [first.stopped] == [False]
    found.release(frozenset())
    assert [first.stopped, found.alive] == [True, True]


def test_a_dead_reader_is_noticed_and_all_are_stopped() -> None:
    """One dead thread is enough; `stop` ends every reader."""
    found, streams, _, _ = markets(BTC)
    found.cover(frozenset({ETH}), 5)
    assert [found.alive] == [True]
    streams[1].alive = False
    assert [found.alive] == [False]
    found.stop()
    assert all(stream.stopped for stream in streams)
