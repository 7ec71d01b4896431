"""Price `closes_above` and `closes_below`: candles from the exchange to the run."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from runner.core.document import Node
from runner.core.events import KlineClosed
from runner.core.rules import Hit, Match, Memory, Miss, Quiet
from runner.core.triggers.price import build
from runner.core.view import scope
from tests.core.trigger_factories import STALE_AFTER, START, SYMBOL, names, price
from tests.core.triggers.playing import Play

MINUTE = 60_000


def closed(value: int, number: int = 0, late: int = 500) -> KlineClosed:
    """A one-minute candle; `number` counts minutes."""
    end = START + number * MINUTE
    at = end + late
    return KlineClosed(SYMBOL, "1m", Decimal(value), end, MINUTE, at, at)


def after(*klines: KlineClosed, memory: Memory | None = None, **changes: str) -> Match:
    """What the last of these candles led to."""
    trigger = price(closes_above=100, on="1m", **changes)
    found: Match = Quiet(memory or {})
    for each in klines:
        found = trigger.match(each, found.memory, names(each.received_at))
    return found


def test_it_fires_on_the_step_and_its_key_is_the_close_time() -> None:
    """The first candle only sets the side; the next close past the level fires."""
    found = after(closed(100), closed(101, 1))
    assert isinstance(found, Hit)
    assert found.event_key == str(START + MINUTE)
    assert found.fields == {"price": Decimal(101), "level": Decimal(100), "interval": "1m"}
    assert found.detail == "close 101 of 1m > 100"
    assert isinstance(after(closed(101), closed(102, 1)), Quiet)
    assert isinstance(after(closed(99), closed(101, 1), closed(102, 2)), Quiet)
    assert isinstance(after(closed(99), closed(101, 1), closed(99, 2), closed(103, 3)), Hit)


def test_a_candle_counts_once() -> None:
    """The same close, told again, changes nothing."""
    first = after(closed(99), closed(101, 1))
    assert after(closed(101, 1), memory=first.memory) == Quiet(first.memory)


@pytest.mark.parametrize("late", [500, STALE_AFTER + 1])
@pytest.mark.parametrize("number", [1, 2])
def test_what_a_missing_or_late_candle_hid_follows_after_gap(number: int, late: int) -> None:
    """With `wait` it is recorded, with `fire` it fires."""
    whole = number == 1 and late == 500
    found = after(closed(99), closed(101, number, late))
    assert isinstance(found, Hit if whole else Miss)
    assert isinstance(after(closed(99), closed(101, number, late), after_gap="fire"), Hit)


def test_rearm_is_a_close_on_the_other_side() -> None:
    """Without it not past the level is enough."""
    trigger = price(closes_below=100, on="5m", rearm=105)
    found: Match = Quiet({})
    for number, value in enumerate([101, 99, 104, 98, 106, 97]):
        found = trigger.match(closed(value, number), found.memory, names())
        assert isinstance(found, Hit) == (value in (99, 97))


@pytest.mark.parametrize(
    ("value", "path", "said"),
    [
        ({"closes_above": Decimal(1)}, (), "closes_above needs on"),
        ({"closes_above": Decimal(1), "on": "1m", "for": "5s"}, ("for",), "for does not go with"),
        ({"closes_above": Decimal(1), "on": "1m", "source": "mark"}, ("source",), "source does"),
        ({"crosses_above": Decimal(1), "on": "1m"}, ("on",), "on does not go with crosses_above"),
        ({"closes_above": "=mark", "on": "1m"}, ("closes_above",), "a level cannot follow mark"),
    ],
)
def test_what_does_not_fit_is_a_problem(
    value: dict[str, object], path: tuple[str, ...], said: str
) -> None:
    """Each key stands with the ways it belongs to."""
    node = Node(value, scope=scope())
    build(node, "price")
    assert [(each.path, each.message.startswith(said)) for each in node.problems] == [(path, True)]


def test_a_candle_of_the_exchange_fires(tmp_path: Path) -> None:
    """Through the kline stream: the close that is past the level, at the end of its minute."""
    play = Play(tmp_path, "rr | price: {closes_above: 70100, on: 1m}")
    play.advance(MINUTE)
    play.prices(70_200, 70_050)
    play.advance(MINUTE)
    assert play.fired() == []
    play.prices(70_050, 70_150)
    play.advance(MINUTE)
    (run,) = play.fired("rr")
    assert run["fields"] == {"price": "70150.00", "level": "70100", "interval": "1m"}
    assert (int(run["event_key"]) + 1) % MINUTE == 0
    assert 0 <= run["fired_at"] - int(run["event_key"]) < 1_000
    play.prices(70_300)
    play.advance(3 * MINUTE)
    assert len(play.fired()) == 1


def test_a_close_that_was_missed_while_away_is_recorded(tmp_path: Path) -> None:
    """After a restart a candle is missing: the step happened unseen."""
    play = Play(tmp_path, "rr | price: {closes_above: 70100, on: 1m}")
    play.prices(70_050)
    play.advance(2 * MINUTE)
    play.restart(away=3 * MINUTE)
    play.prices(70_150)
    play.advance(2 * MINUTE)
    assert play.fired() == []
    assert play.refused() == ["crossed while away"]
