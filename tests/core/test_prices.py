"""The price board: what a band holds back, and what it must let through."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core.events import Tick
from runner.core.prices import Band, Key, Price, PriceBoard
from tests.core.trigger_factories import STALE_AFTER, START, SYMBOL

D = Decimal
KEY: Key = (SYMBOL, "mark")


def board(band: Band | None = None, alive_at: int | None = None) -> PriceBoard:
    """A board that saw 100 at START and has this band of the mark."""
    one = PriceBoard(STALE_AFTER, alive_at)
    one.offer(SYMBOL, "mark", D(100), START, START)
    if band is not None:
        one.publish({(SYMBOL, "mark"): band})
    return one


def offer(one: PriceBoard, value: int | str, at: int = START + 1) -> Tick | None:
    """Offer a mark price."""
    return one.offer(SYMBOL, "mark", D(value), at - 7, at)


PROBES = [0, 98, 99, 100, 101, 102, 10**9]


@pytest.mark.parametrize(
    ("band", "held"),
    [
        (Band(), PROBES),
        (Band(D(99), D(101)), [100]),
        (Band(None, D(101)), [0, 98, 99, 100]),
        (Band(D(99), None), [100, 101, 102, 10**9]),
        (Band(D(100), D(100)), []),
        (Band(wide_awake=True), []),
    ],
)
def test_a_band_holds_only_what_is_strictly_inside(band: Band, held: list[int]) -> None:
    """Its ends pass, since equal may end a step; None is open."""
    assert [value for value in PROBES if band.holds(D(value), START)] == held


def test_a_band_holds_nothing_once_a_timer_is_due() -> None:
    """From `wake_at` on every price passes: the first at or after it completes a `for:`."""
    band = Band(wake_at=START + 10)
    assert band.holds(D(1), START + 9)
    assert not band.holds(D(1), START + 10)


def test_before_bands_are_published_prices_are_only_remembered() -> None:
    """Nobody waits for the symbol: nothing is posted, the last price can be read."""
    one = board()
    assert offer(one, 5) is None
    assert one.last(SYMBOL, "mark") == Price(D(5), START - 6, START + 1)
    assert one.last(SYMBOL, "last") is None


def test_a_price_inside_the_band_is_held_back_and_remembered() -> None:
    """The common case: one comparison, one assignment."""
    one = board(Band(D(99), D(101), version=3))
    assert offer(one, "100.5") is None
    assert one.last(SYMBOL, "mark") == Price(D("100.5"), START - 6, START + 1)


def test_a_price_that_leaves_the_band_is_a_tick_with_all_its_times() -> None:
    """The tick says which bands were in force, its number, and when the one before came."""
    one = board(Band(D(99), D(101), version=3))
    tick = offer(one, 101)
    assert tick == Tick(
        SYMBOL, "mark", D(101), START - 6, START + 1, version=3, number=1, previous_at=START
    )


def test_after_a_tick_everything_passes_until_a_band_reckons_with_it() -> None:
    """A band made before the last tick was heard holds nothing back; the one made after does."""
    one = board(Band(D(99), D(101), version=1))
    first, second = offer(one, 102), offer(one, 100)
    assert first is not None
    assert second is not None
    assert (first.number, second.number) == (1, 2)
    one.publish({KEY: Band(D(99), D(101), version=2, heard=1)})
    third = offer(one, 100)
    assert third is not None
    one.publish({KEY: Band(D(99), D(101), version=3, heard=2)})
    assert offer(one, 100) is not None
    one.publish({KEY: Band(D(99), D(101), version=4, heard=4)})
    assert offer(one, 100) is None


def test_symbols_and_sources_have_bands_of_their_own() -> None:
    """A tick of the mark does not open the band of the last price."""
    one = board(Band(D(99), D(101)))
    one.offer(SYMBOL, "last", D(100), START, START)
    one.publish({(SYMBOL, "last"): Band(D(99), D(101))})
    assert offer(one, 102) is not None
    assert one.offer(SYMBOL, "last", D(100), START, START + 1) is None
    assert one.offer("ETHUSDT", "mark", D(102), START, START) is None


@pytest.mark.parametrize(("silence", "fresh"), [(STALE_AFTER, False), (STALE_AFTER + 1, True)])
def test_the_first_price_after_a_silence_is_a_fresh_start(silence: int, fresh: bool) -> None:
    """It passes its band, marked; exactly the limit is no silence yet."""
    one = board(Band())
    tick = offer(one, 100, START + silence)
    assert (tick is not None) == fresh
    if tick is not None:
        assert tick.fresh_start
        assert tick.previous_at == START


def test_the_first_price_after_a_reconnect_is_a_fresh_start() -> None:
    """However short the gap; when the price before came is still known, also after two gaps."""
    one = board(Band())
    one.offer("ETHUSDT", "mark", D(5), START, START)
    one.forget(frozenset({("ETHUSDT", "mark")}))
    assert offer(one, 100) is None
    one.forget(frozenset({(SYMBOL, "mark")}))
    one.forget()
    assert one.last(SYMBOL, "mark") is None
    tick = offer(one, 100, START + 2)
    assert tick is not None
    assert tick.fresh_start
    assert tick.previous_at == START + 1


def test_the_first_price_of_a_process_knows_when_the_earlier_one_was_alive() -> None:
    """None when there was no earlier process."""
    for alive_at in (None, START - 500):
        one = PriceBoard(STALE_AFTER, alive_at)
        one.publish({(SYMBOL, "mark"): Band()})
        tick = offer(one, 100)
        assert tick is not None
        assert tick.fresh_start
        assert tick.previous_at == alive_at


def test_versions_only_grow() -> None:
    """Each is greater than every earlier one, and the newest can be read."""
    one = PriceBoard(STALE_AFTER)
    assert [one.version, one.next_version(), one.next_version(), one.version] == [0, 1, 2, 2]


BANDS = st.builds(
    Band,
    low=st.none() | st.sampled_from([D(-1), D(0), D(98), D(100)]),
    high=st.none() | st.sampled_from([D(100), D(101), D(200)]),
    wide_awake=st.integers(0, 9).map(lambda one: one == 0),
    wake_at=st.none() | st.integers(START, START + 3 * STALE_AFTER),
    heard=st.integers(0, 3),
    fall=st.none() | st.just(D("0.01")),
    rise=st.none() | st.just(D("0.01")),
)
MOVED: Key = (SYMBOL, "mark/5000")
STEPS = st.lists(
    st.sampled_from(["97", "99.5", "100", "100.0", "101", "0.1"])
    | st.tuples(st.sampled_from([KEY, MOVED]), BANDS, st.booleans())
    | st.integers(0, STALE_AFTER + 1)
    | st.none(),
    max_size=30,
)


@given(STEPS)
def test_what_is_kept_at_a_glance_is_what_nobody_hears_of(steps: list[Any]) -> None:
    """The short way for nearly every price leaves the board as the long way would have.

    Prices, bands of prices and of how far they moved, time that passes, and streams that break.
    """
    short, long = PriceBoard(STALE_AFTER), PriceBoard(STALE_AFTER)
    at = START
    for step in steps:
        if isinstance(step, int):
            at += step
        elif isinstance(step, str):
            expected = long.seen(*KEY, D(step), at - 7, at)
            kept = short.series(*KEY).keeps(step, at - 7, at)
            assert ([] if kept else list(short.seen(*KEY, D(step), at - 7, at))) == list(expected)
        else:
            for one in (short, long):
                if step is None:
                    one.forget(frozenset({KEY}))
                else:
                    key, band, caught_up = step
                    heard = one.series(*key).passed if caught_up else band.heard
                    one.publish({key: replace(band, heard=heard)})
        for key in (KEY, MOVED):
            assert short.last(*key) == long.last(*key)
            assert short.band(*key) == long.band(*key)
            assert short.seen_at(*key) == long.seen_at(*key)


def test_most_prices_are_kept_at_a_glance() -> None:
    """Within the band, the same text again too; on its ends and beyond it they are not."""
    one = board(Band(D(99), D(101)))
    series = one.series(*KEY)
    assert [series.keeps(text, 1, START) for text in ("100.5", "100.5", "99", "101", "98")] == [
        True,
        True,
        False,
        False,
        False,
    ]
    assert one.last(*KEY) == Price(D("100.5"), 1, START)


@pytest.mark.parametrize("text", ["", "0", "-1", "NaN", "sNaN", "Infinity", None, 100, 100.0, [1]])
def test_what_may_be_no_price_is_never_kept_at_a_glance(text: object) -> None:
    """Also where nobody waits for anything: whoever reads the frame looks closer."""
    one = board()
    assert not one.series(*KEY).keeps(text, 1, START)
    assert one.last(*KEY) == Price(D(100), START, START)
