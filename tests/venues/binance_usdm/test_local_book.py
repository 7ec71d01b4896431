"""The local order book: alignment, continuity, and starting over, on made and recorded frames."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.venues.binance_usdm.local_book import Change, LocalBook, change
from runner.venues.binance_usdm.wire_values import mapping, parse


def _change(first: int, final: int, before: int, bid: str = "10", quantity: str = "1") -> Change:
    return Change(first, final, before, ((Decimal(bid), Decimal(quantity)),), ())


def _snapshot(last: int) -> dict[str, Any]:
    return {"lastUpdateId": last, "bids": [["9", "5"], ["8", "1"]], "asks": [["11", "2"]]}


def _aligned() -> LocalBook:
    book = LocalBook()
    book.take(_change(90, 99, 89))
    book.take(_change(100, 110, 99))
    assert book.align(_snapshot(105))
    return book


def test_what_is_older_than_the_snapshot_is_dropped() -> None:
    """The first message that counts spans the snapshot."""
    book = _aligned()
    assert book.ready
    assert not book.needs_snapshot
    assert (book.final, book.best_bid, book.best_ask) == (110, Decimal(10), Decimal(11))


def test_before_a_snapshot_messages_wait() -> None:
    """Nothing is shown of a book that is not whole."""
    book = LocalBook()
    assert book.needs_snapshot
    assert book.take(_change(1, 2, 0)) == "waiting"
    assert (book.ready, book.best_bid, book.best_ask) == (False, None, None)


def test_each_message_follows_the_one_before() -> None:
    """`pu` is the `u` before; zero takes a level away, one that is not there too."""
    book = _aligned()
    assert book.take(_change(112, 115, 110, "9", "0")) == "applied"
    assert book.take(_change(116, 118, 115, "7", "0")) == "applied"
    assert book.bids == {Decimal(10): Decimal(1), Decimal(8): Decimal(1)}


def test_what_is_told_twice_is_left_out() -> None:
    """A connection that took over repeats what the old one said last."""
    book = _aligned()
    assert book.take(_change(100, 110, 99)) == "old"
    assert book.take(_change(111, 112, 110)) == "applied"


def test_a_missed_message_asks_for_a_new_snapshot() -> None:
    """The book is emptied, and what comes meanwhile is applied to the next snapshot."""
    book = _aligned()
    assert book.take(_change(120, 125, 119)) == "broken"
    assert book.needs_snapshot
    assert book.bids == {}
    assert book.take(_change(126, 130, 125, "9.5")) == "waiting"
    assert book.align(_snapshot(124))
    assert book.ready
    assert (book.final, book.best_bid, book.breaks) == (130, Decimal(10), 1)


def test_a_snapshot_older_than_what_waits_is_not_enough() -> None:
    """Then another one is needed; what came after the hole is kept for it."""
    book = LocalBook()
    book.take(_change(120, 125, 119))
    book.take(_change(126, 130, 125))
    assert not book.align(_snapshot(105))
    assert book.needs_snapshot
    assert book.align(_snapshot(127))
    assert book.final == 130


def test_a_snapshot_ahead_of_the_stream_waits_for_it() -> None:
    """Messages it already holds are old; the first after it counts, also when it only adjoins."""
    book = LocalBook()
    assert book.align(_snapshot(200))
    assert not book.ready
    assert book.take(_change(150, 160, 149)) == "old"
    assert book.take(_change(201, 210, 200)) == "applied"


@pytest.mark.parametrize(
    "snapshot", [{}, {"lastUpdateId": 1, "bids": [["1"]], "asks": []}, {"lastUpdateId": 1}]
)
def test_an_answer_that_is_no_book(snapshot: dict[str, Any]) -> None:
    """It is an error, not an empty book."""
    with pytest.raises(ValueError, match="no order book"):
        LocalBook().align(snapshot)


@pytest.mark.parametrize(
    "frame",
    [
        None,
        [],
        {"e": "aggTrade"},
        {"e": "depthUpdate", "U": 1, "u": 2, "b": [], "a": []},
        {"e": "depthUpdate", "U": 1, "u": 2, "pu": 0, "b": [["x", "1"]], "a": []},
        {"e": "depthUpdate", "U": 1, "u": 2, "pu": 0, "b": "text", "a": []},
    ],
)
def test_a_frame_that_is_no_change(frame: Any) -> None:
    """Other events, and what is broken, are left out."""
    assert change(frame) is None


@given(st.lists(st.integers(1, 50), min_size=2, max_size=30), st.data())
def test_a_gap_is_never_overlooked(lengths: list[int], data: st.DataObject) -> None:
    """Whichever message is lost, the next one shows it."""
    changes, at = [], 100
    for length in lengths:
        changes.append(_change(at + 1, at + length, at))
        at += length
    lost = data.draw(st.integers(0, len(changes) - 2))
    book = LocalBook()
    book.align(_snapshot(100))
    steps = [book.take(one) for number, one in enumerate(changes) if number != lost]
    assert steps[:lost] == ["applied"] * lost
    assert steps[lost] == "broken"


def _frames(recorded: Path) -> Iterator[Any]:
    with gzip.open(recorded / "frames-ethusdt-perp-2024-08-08.gz", "rt") as lines:
        for line in lines:
            if "depthUpdate" in line or "lastUpdateId" in line:
                yield parse(line.partition(" ")[2])


def test_the_recorded_frames_replay_without_a_break(recorded: Path) -> None:
    """345 s of a real book, from its recorded snapshot on, never crossed."""
    book, applied = LocalBook(), 0
    for frame in _frames(recorded):
        one = change(frame)
        if one is None:
            assert book.align(mapping(frame))
            continue
        applied += book.take(one) == "applied"
        if book.best_bid is not None and book.best_ask is not None and applied % 100 == 0:
            assert book.best_bid < book.best_ask
    assert book.breaks == 0
    assert book.ready
    assert applied > 6_500


def test_a_forced_gap_resynchronises(recorded: Path) -> None:
    """A recorded message left out: broken at once, and whole again with the next snapshot."""
    whole, holed = LocalBook(), LocalBook()
    for number, frame in enumerate(_frames(recorded)):
        one = change(frame)
        if one is None:
            assert whole.align(mapping(frame))
            assert holed.align(mapping(frame))
            continue
        whole.take(one)
        if number == 1_000:
            continue
        if holed.take(one) == "broken":
            assert number == 1_001
        if number == 1_050:
            assert holed.needs_snapshot
            assert holed.align(_shown(whole))
        if number == 3_000:
            break
    assert holed.breaks == 1
    assert (holed.bids, holed.asks, holed.final) == (whole.bids, whole.asks, whole.final)


def _shown(book: LocalBook) -> dict[str, Any]:
    """A snapshot of what is known, as the exchange would answer it."""
    rows = {
        name: [[str(price), str(quantity)] for price, quantity in side.items()]
        for name, side in (("bids", book.bids), ("asks", book.asks))
    }
    return {"lastUpdateId": book.final, **rows}
