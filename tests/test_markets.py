"""The market reader takes up and gives back pairs as rules come and go."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import cast

import pytest

from runner.core.events import Event
from runner.core.prices import PriceBoard
from runner.markets import Markets, Wanted
from runner.venues import Venue

BTC = ("BTCUSDT", "mark")
ETH = ("ETHUSDT", "last")
MUTE = ("MUTEUSDT", "mark")
NOW = 1_700_000_000_000


class FakeReader:
    """Notes what it was told to do; brings one price of each pair at once, save the mute."""

    def __init__(self, wanted: Wanted, board: PriceBoard) -> None:
        self.wanted, self.board = wanted, board
        self.changes: list[Wanted] = []
        self.running = False
        self.alive = True

    def start(self) -> None:
        self.running = True
        self._speak(self.wanted)

    def stop(self) -> None:
        self.running = False

    def change(self, wanted: Wanted) -> None:
        if ("BTCUSDT", "colour") in wanted:
            raise KeyError("colour")
        self._speak(wanted - self.wanted)
        self.wanted = wanted
        self.changes.append(wanted)

    def _speak(self, pairs: Wanted) -> None:
        for symbol, source in pairs - {MUTE}:
            self.board.seen(symbol, source, Decimal(1), NOW, NOW)


class FakeVenue:
    """Makes readers and keeps them for the test to look at."""

    def __init__(self) -> None:
        self.readers: list[FakeReader] = []

    def market_stream(
        self, wanted: Wanted, board: PriceBoard, post: Callable[[Event], None]
    ) -> FakeReader:
        self.readers.append(FakeReader(wanted, board))
        return self.readers[-1]


def markets(*wanted: tuple[str, str]) -> tuple[Markets, FakeReader, PriceBoard]:
    """The markets of these pairs, started, with their reader and the board."""
    venue, board = FakeVenue(), PriceBoard(30_000)
    posted: list[Event] = []
    found = Markets(cast(Venue, venue), board, posted.append, frozenset(wanted))
    found.start()
    (reader,) = venue.readers
    return found, reader, board


def test_what_is_new_is_read_by_the_reader_that_is_there() -> None:
    """One change to all that is wanted now; what is read already is no change."""
    found, reader, board = markets(BTC)
    found.cover(frozenset({ETH}), 5)
    assert reader.changes == [{BTC, ETH}]
    assert board.last(*ETH) is not None
    found.cover(frozenset({BTC, ETH}), 5)
    assert reader.changes == [{BTC, ETH}]


def test_a_price_that_does_not_come_is_not_waited_for_for_ever() -> None:
    """A halted market: after the patience the rules are taken up without its price."""
    found, reader, board = markets(BTC)
    found.cover(frozenset({BTC, MUTE}), 0.05)
    assert board.last(*MUTE) is None
    assert reader.wanted == {BTC, MUTE}


def test_a_price_of_an_earlier_time_is_forgotten() -> None:
    """What was read long ago is no price to go on from: the next one counts."""
    found, _, board = markets(BTC)
    board.seen(*MUTE, Decimal(9), NOW - 1, NOW - 1)
    found.cover(frozenset({MUTE}), 0.05)
    assert board.last(*MUTE) is None


def test_what_nobody_needs_is_given_back() -> None:
    """Once, and only what is not wanted any more."""
    found, reader, _ = markets(BTC, ETH)
    found.release(frozenset({ETH, MUTE}))
    assert reader.changes == [{ETH}]
    found.release(frozenset({ETH}))
    assert reader.changes == [{ETH}]
    found.release(frozenset())
    assert reader.changes == [{ETH}, frozenset()]


def test_what_cannot_be_read_changes_nothing() -> None:
    """The next reload begins where this one did."""
    found, reader, _ = markets(BTC)
    with pytest.raises(KeyError):
        found.cover(frozenset({("BTCUSDT", "colour")}), 5)
    found.cover(frozenset({ETH}), 5)
    assert reader.wanted == {BTC, ETH}


def test_a_dead_reader_is_noticed_and_stopped() -> None:
    """A thread of it that died is told; `stop` ends it."""
    found, reader, _ = markets(BTC)
    assert [found.alive, reader.running] == [True, True]
    reader.alive = False
    found.stop()
    assert [found.alive, reader.running] == [False, False]
