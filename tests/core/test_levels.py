"""Levels: who must look at a tick, and the bands that follow from what everybody waits for."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from runner.core.levels import Levels, Owner
from runner.core.prices import Band, Key
from runner.core.rules import Waits
from tests.core.trigger_factories import START, SYMBOL, tick

KEY: Key = (SYMBOL, "mark")


def owner(name: str = "r") -> Owner:
    """An owner on the usual symbol."""
    return (name, SYMBOL, "price")


def waits(*levels: int, awake: bool = False, wake_at: int | None = None) -> Waits:
    """Levels of the mark price."""
    return Waits("mark", tuple(Decimal(level) for level in levels), awake, wake_at)


def settled(**levels: tuple[int, ...]) -> Levels:
    """Owners that have all seen the price 100."""
    one = Levels()
    for name, each in levels.items():
        one.set(owner(name), waits(*each), 0)
    one.affected(tick(100))
    return one


def names(found: list[Owner]) -> list[str]:
    """The rules among the owners."""
    return [name for name, _, _ in found]


def test_nobody_hears_of_what_nobody_waits_for() -> None:
    """An unknown symbol or source has no board, and no band."""
    one = settled(r=(90,))
    assert one.affected(tick(1, symbol="ETHUSDT")) == []
    assert one.affected(tick(1, source="last")) == []
    assert set(one.bands(1)) == {KEY}


def test_a_tick_is_for_whose_level_it_reached_or_passed() -> None:
    """Both ends of the move count: standing on a level may end a step, and begin one."""
    one = settled(a=(101,), b=(102, 95), c=(103,), d=(97,))
    assert names(one.affected(tick(102))) == ["a", "b"]
    assert names(one.affected(tick(102))) == ["b"]
    assert names(one.affected(tick(96))) == ["a", "b", "d"]
    assert one.affected(tick(96)) == []


def test_the_band_is_the_nearest_level_on_either_side() -> None:
    """Open where there is none; shut while the price stands on a level."""
    one = settled(a=(101, 90), b=(103,), c=(95,))
    assert one.bands(7) == {KEY: Band(Decimal(95), Decimal(101), 7)}
    one.affected(tick(104))
    assert one.bands(8) == {KEY: Band(Decimal(103), None, 8)}
    one.affected(tick(95))
    assert one.bands(9) == {KEY: Band(Decimal(95), Decimal(95), 9)}
    one.affected(tick(80))
    assert one.bands(10) == {KEY: Band(None, Decimal(90), 10)}


def test_bands_are_told_only_where_something_changed() -> None:
    """A second call without a tick or a change has nothing to publish."""
    one = settled(r=(101,))
    assert one.bands(1) != {}
    assert one.bands(2) == {}
    one.set(owner("r"), waits(101), 0)
    assert one.bands(3) == {}
    one.set(owner("r"), waits(102), 0)
    assert one.bands(4) != {}


def test_before_the_first_price_every_price_is_let_through() -> None:
    """Where the price stands is not known yet."""
    one = Levels()
    one.set(owner(), waits(101), 0)
    assert one.bands(1)[KEY].wide_awake


def test_a_band_says_the_last_tick_it_reckons_with() -> None:
    """So that the board knows whether others are still on their way."""
    one = settled(r=(101,))
    one.affected(tick(99, number=41))
    assert one.bands(1)[KEY].heard == 41


def test_a_new_or_moved_level_hears_the_next_tick_once() -> None:
    """On which side of it the price stands is not known before."""
    one = settled(a=(101,))
    one.set(owner("b"), waits(105), 0)
    assert one.bands(1)[KEY].wide_awake
    assert names(one.affected(tick(100))) == ["b"]
    assert not one.bands(2)[KEY].wide_awake
    one.set(owner("a"), waits(106), 0)
    assert names(one.affected(tick(100))) == ["a"]
    assert one.affected(tick(100)) == []


def test_who_looks_at_a_tick_knows_on_which_side_its_next_level_is() -> None:
    """It need not hear of the next one; but on another source, or awake, it is new."""
    one = settled(a=(101,))
    assert names(one.affected(tick(102))) == ["a"]
    one.set(owner("a"), waits(99), 9, looking=True)
    assert not one.bands(1)[KEY].wide_awake
    assert one.affected(tick(103)) == []
    assert names(one.affected(tick(98))) == ["a"]
    one.set(owner("a"), waits(97, awake=True), 0, looking=True)
    assert names(one.affected(tick(98))) == ["a"]
    one.set(owner("a"), Waits("last", (Decimal(97),)), 0, looking=True)
    one.affected(tick(98, source="last"))
    assert names(one.affected(tick(98, source="last"))) == []


def test_who_is_awake_hears_every_tick_until_it_sleeps() -> None:
    """A trigger without a side waits for its first price, whatever that is."""
    one = settled(a=(101,))
    one.set(owner("b"), waits(105, awake=True), 0)
    for _ in range(3):
        assert names(one.affected(tick(100))) == ["b"]
        assert one.bands(1)[KEY].wide_awake
    one.set(owner("b"), waits(105), 0)
    assert one.affected(tick(100)) == []


def test_a_level_hears_no_tick_from_before_its_publication() -> None:
    """Ticks seen under older bands are not for it: new, moved or awake."""
    one = settled(a=(101,))
    one.set(owner("b"), waits(105), 3)
    assert one.affected(tick(99, version=2)) == []
    assert names(one.affected(tick(99, version=3))) == ["b"]
    one.set(owner("b"), waits(104), 5)
    assert one.affected(tick(99, version=4)) == []
    assert names(one.affected(tick(99, version=5))) == ["b"]
    one.set(owner("b"), waits(104, awake=True), 8)
    assert one.affected(tick(99, version=7)) == []
    assert names(one.affected(tick(99, version=8))) == ["b"]


def test_a_timer_hears_every_tick_that_passes_and_opens_the_band_when_due() -> None:
    """The earliest of several is the band's; one that is over is none any more."""
    one = settled(a=(90,), b=(80,), c=(200,))
    one.set(owner("a"), waits(90, wake_at=START + 50), 0)
    one.set(owner("b"), waits(80, wake_at=START + 20), 0)
    assert one.bands(1)[KEY].wake_at == START + 20
    assert names(one.affected(tick(100))) == ["a", "b"]
    one.set(owner("b"), waits(80), 0)
    assert one.bands(2)[KEY].wake_at == START + 50
    one.drop(owner("a"))
    assert one.bands(3)[KEY].wake_at is None


def test_a_fresh_start_is_for_everybody() -> None:
    """After a silence each trigger must see where the price is now."""
    one = settled(a=(101,), b=(50,))
    assert names(one.affected(tick(100, fresh_start=True))) == ["a", "b"]


def test_a_tick_of_which_nothing_came_is_made_up_for_by_the_next() -> None:
    """Everybody looks, as before the first price."""
    one = settled(a=(101,), b=(50,))
    lost = tick(102)
    one.affected(lost)
    one.unheard(lost)
    one.unheard(tick(1, symbol="ETHUSDT"))
    assert one.bands(1)[KEY].wide_awake
    assert names(one.affected(tick(102))) == ["a", "b"]


def test_who_is_dropped_is_not_called_again() -> None:
    """Its levels leave the bands; dropping it twice, or a stranger, does nothing."""
    one = settled(a=(101, 102), b=(103,))
    one.drop(owner("a"))
    one.drop(owner("a"))
    one.drop(owner("stranger"))
    assert list(one.owners()) == [owner("b")]
    assert one.bands(1)[KEY].high == 103
    assert names(one.affected(tick(104))) == ["b"]


def test_an_owner_that_changes_its_source_leaves_the_old_one() -> None:
    """One trigger waits on one source."""
    one = settled(r=(101,))
    one.set(owner("r"), Waits("last", (Decimal(101),)), 0)
    assert one.affected(tick(102)) == []
    assert names(one.affected(tick(102, source="last"))) == ["r"]
    assert one.bands(1)[KEY] == Band(None, None, 1)


@given(
    st.lists(st.tuples(st.integers(0, 5), st.lists(st.integers(90, 110), max_size=3))),
    st.lists(st.integers(88, 112), min_size=1),
)
def test_levels_agree_with_a_plain_list(
    changes: list[tuple[int, list[int]]], values: list[int]
) -> None:
    """After any changes a tick finds whose levels lie on the way, and bands hold nobody off."""
    one, plain = Levels(), dict[str, list[int]]()
    for index, levels in changes:
        name = f"r{index}"
        if levels:
            plain[name] = levels
            one.set(owner(name), waits(*levels), 0)
        else:
            plain.pop(name, None)
            one.drop(owner(name))
    one.affected(tick(100))
    before = 100
    for value in values:
        low, high = sorted((before, value))
        reached = sorted(
            name for name, levels in plain.items() if any(low <= level <= high for level in levels)
        )
        band = one.bands(1).get(KEY, Band())
        if band.holds(Decimal(value), START):
            assert reached == []
        assert names(one.affected(tick(value))) == reached
        before = value
