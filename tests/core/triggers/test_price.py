"""Trigger `price`, one tick at a time: its notes, its memory as plain data, and its problems.

Whole series, bands and dispatchers are in tests/core/test_engine_ticks.py.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from runner.core.decision import Reason
from runner.core.document import Node
from runner.core.events import Tick, Value
from runner.core.formula import EvaluationError
from runner.core.rules import Hit, Match, Memory, Miss, Quiet, Waits
from runner.core.triggers.price import build
from runner.core.view import scope
from tests.core.trigger_factories import STALE_AFTER, START, names, price, tick
from tests.core.trigger_factories import build as build_trigger


def after(trigger: Any, *ticks: Tick, memory: Memory | None = None) -> Match:
    """What the last of these ticks led to; the memory goes through text each time."""
    found: Match = Quiet(memory or {})
    for each in ticks:
        kept = json.loads(json.dumps(dict(found.memory)))
        found = trigger.match(each, kept, names(each.received_at))
    return found


@pytest.mark.parametrize(
    ("key", "value", "fires"),
    [
        ("crosses_above", 101, True),
        ("crosses_above", 100, False),
        ("crosses_above", 99, False),
        ("crosses_below", 99, True),
        ("crosses_below", 100, False),
        ("crosses_below", 101, False),
    ],
)
def test_equal_is_not_past(key: str, value: int, fires: bool) -> None:
    """From exactly on the level, a step off it fires; standing on it does not."""
    found = after(build_trigger("price", {key: Decimal(100)}), tick(100), tick(value))
    assert isinstance(found, Hit) == fires


def test_the_first_price_only_sets_the_side() -> None:
    """Already past is no cross; it fires after it was back."""
    trigger = price(crosses_above=100)
    assert after(trigger, tick(105)).memory == {"side": "past", "armed": True}
    assert isinstance(after(trigger, tick(105), tick(106)), Quiet)
    assert isinstance(after(trigger, tick(105), tick(100), tick(106)), Hit)


def test_a_hit_says_what_fired_it() -> None:
    """Price, level and source are `trigger.*`; the generation is the key."""
    found = after(price(crosses_above=100, source="bid"), tick(99), tick("100.50", source="bid"))
    memory = {"side": "past", "armed": False, "generation": 1}
    fields: dict[str, Value] = {"price": Decimal("100.50"), "level": Decimal(100), "source": "bid"}
    assert found == Hit("1", fields, memory, "bid 100.5 > 100")
    assert set(price(crosses_above=100).fields) == set(fields)
    below = after(price(crosses_below=100), tick(100), tick(99), tick(101), tick(98))
    assert isinstance(below, Hit)
    assert (below.event_key, below.detail) == ("2", "mark 98 < 100")


def test_rearm_needs_a_price_beyond_its_border() -> None:
    """On the border is not beyond; without `rearm` not past is enough."""
    trigger = price(crosses_above=100, rearm=95)
    fired = after(trigger, tick(99), tick(101))
    missed = after(trigger, tick(95), tick(101), memory=fired.memory)
    assert isinstance(missed, Miss)
    assert missed.reason is Reason.NOT_ARMED
    assert missed.detail.startswith("mark 101 > 100, but it was not back")
    again = after(trigger, tick(99), tick(101), memory=missed.memory)
    assert isinstance(again, Quiet), "said once"
    armed = after(trigger, tick("94.9"), memory=fired.memory)
    assert armed == Quiet({**fired.memory, "side": "not past", "armed": True}, armed_note("94.9"))
    assert isinstance(after(trigger, tick("94.9"), tick(101), memory=fired.memory), Hit)
    mirrored = price(crosses_below=100, rearm=105)
    fired = after(mirrored, tick(101), tick(99))
    assert isinstance(after(mirrored, tick(105), tick(99), memory=fired.memory), Miss)
    assert isinstance(after(mirrored, tick(106), tick(99), memory=fired.memory), Hit)


def armed_note(value: str) -> tuple[str, str]:
    """How the journal tells that a trigger is armed again."""
    return ("armed", f"mark {value}, waits for 100")


def test_a_wait_begins_with_the_cross_and_ends_at_the_first_tick_when_it_is_due() -> None:
    """`for` runs from the receipt of the crossing price."""
    trigger = price(crosses_above=100, hold="15s")
    crossed = after(trigger, tick(99), tick(101, START))
    assert crossed.memory["crossed_at"] == START
    assert isinstance(crossed, Quiet)
    assert crossed.note == ("crossed", "mark 101 > 100, waiting 15 s")
    waiting = after(trigger, tick(102, START + 14_999), memory=crossed.memory)
    assert waiting == Quiet(crossed.memory)
    done = after(trigger, tick(103, START + 15_000), memory=crossed.memory)
    assert isinstance(done, Hit)
    assert "crossed_at" not in done.memory


def test_a_price_back_over_the_level_ends_the_wait() -> None:
    """Exactly on the level is back; the next cross begins anew and needs no rearming."""
    trigger = price(crosses_above=100, hold="15s", rearm=90)
    back = after(trigger, tick(99), tick(101), tick(100, START + 5))
    assert isinstance(back, Quiet)
    assert back.note is not None
    assert back.note[0] == "reset"
    assert back.memory == {"side": "not past", "armed": True}
    again = after(trigger, tick(101, START + 9), memory=back.memory)
    assert again.memory["crossed_at"] == START + 9


def test_what_was_crossed_unseen_follows_after_gap() -> None:
    """`wait` records it; `fire` fires, or begins its `for`; not past only arms."""
    fresh = tick(101, START + 1, fresh_start=True)
    found = after(price(crosses_above=100), tick(99), fresh)
    detail = "mark 101 > 100 while prices were missing"
    memory = {"side": "past", "armed": True}
    assert found == Miss(Reason.CROSSED_WHILE_AWAY, detail, memory)
    assert isinstance(after(price(crosses_above=100, after_gap="fire"), tick(99), fresh), Hit)
    patient = price(crosses_above=100, after_gap="fire", hold="15s")
    assert after(patient, tick(99), fresh).memory["crossed_at"] == START + 1
    fired = after(price(crosses_above=100), tick(99), tick(101))
    armed = after(price(crosses_above=100), tick(98, fresh_start=True), memory=fired.memory)
    assert armed.memory["armed"]
    assert armed.memory["side"] == "not past"


@pytest.mark.parametrize(
    ("previous", "starts_over"),
    [(START, False), (START - 1, True), (None, True)],
)
def test_a_silent_feed_starts_a_wait_over(previous: int | None, starts_over: bool) -> None:
    """Longer than the limit, or nobody knows how long; a quick reconnect lets it run on."""
    trigger = price(crosses_above=100, hold="1s")
    crossed = after(trigger, tick(99), tick(101, START))
    at = START + STALE_AFTER
    fresh = tick(102, at, fresh_start=True, previous_at=previous)
    found = after(trigger, fresh, memory=crossed.memory)
    assert isinstance(found, Quiet)
    assert found.memory["crossed_at"] == (at if starts_over else START)
    assert (found.note is not None) == starts_over


def test_a_fresh_start_that_shows_nothing_new_changes_nothing() -> None:
    """Past before and after, with no wait running."""
    fired = after(price(crosses_above=100), tick(99), tick(101))
    found = after(price(crosses_above=100), tick(102, fresh_start=True), memory=fired.memory)
    assert found == Quiet(fired.memory)


def test_it_waits_for_its_levels_and_its_timer() -> None:
    """Awake until the first price; the level while it is armed; the end of a running `for`."""
    trigger = price(crosses_above=100, rearm=95, hold="15s", source="ask")
    levels = (Decimal(100),)
    assert trigger.waits({}, names()) == Waits("ask", levels, awake=True)
    waiting = {"side": "past", "armed": True, "crossed_at": START}
    assert trigger.waits(waiting, names()) == Waits("ask", levels, wake_at=START + 15_000)
    assert price(crosses_above=100).waits({"side": "past"}, names()) == Waits(
        "mark", (Decimal(100),)
    )
    assert trigger.interest == ("price", "ask")


@pytest.mark.parametrize(
    ("way", "level", "rearm", "told", "waits"),
    [
        ("crosses_above", 100, 95, False, (100, 95)),
        ("crosses_above", 100, 95, True, (95,)),
        ("crosses_above", 100, 100, True, (100,)),
        ("crosses_above", 100, 105, True, (100, 105)),
        ("crosses_below", 100, 105, False, (100, 105)),
        ("crosses_below", 100, 105, True, (105,)),
        ("crosses_below", 100, 95, True, (100, 95)),
    ],
)
def test_once_it_fired_it_waits_for_what_arms_it(
    way: str, level: int, rearm: int, told: bool, waits: tuple[int, ...]
) -> None:
    """And for its level, until it said that it is not armed or where `rearm` is past the level."""
    # a formula: no file is read with a constant on the wrong side
    trigger = build_trigger("price", {way: Decimal(level), "rearm": f"={rearm}"})
    memory = {"side": "past", "armed": False, **({"told": True} if told else {})}
    assert trigger.waits(memory, names()).levels == tuple(Decimal(each) for each in waits)
    # without `rearm` the level arms it
    plain = build_trigger("price", {way: Decimal(level)})
    assert plain.waits(memory, names()).levels == (Decimal(level),)


def test_a_level_without_a_value_raises_and_decides_nothing() -> None:
    """`=position.entry_price` while the position is not known."""
    trigger = price(crosses_above="=position.entry_price * 1.02")
    assert trigger.moving
    assert not price(crosses_above=100, rearm=99).moving
    assert price(crosses_above=100, rearm="=position.entry_price").moving
    with pytest.raises(EvaluationError):
        trigger.match(tick(100), {}, names())
    with pytest.raises(EvaluationError):
        trigger.waits({}, names())


def test_only_what_changes_the_crossing_makes_it_another_trigger() -> None:
    """Side, level, source and rearm; `for` and `after_gap` may change while it waits."""
    one = price(crosses_above=100).fingerprint
    others = [
        price(crosses_below=100),
        price(crosses_above=101),
        price(crosses_above=100, source="last"),
        price(crosses_above=100, rearm=99),
    ]
    assert one not in {other.fingerprint for other in others}
    assert price(crosses_above=100, hold="5s", after_gap="fire").fingerprint == one


ONE_WAY = (
    "price needs exactly one of crosses_above, crosses_below, moves, trails, closes_above and "
    "closes_below"
)


@pytest.mark.parametrize(
    ("value", "path", "text"),
    [
        (
            {},
            (),
            ONE_WAY,
        ),
        (
            {"crosses_above": Decimal(2), "crosses_below": Decimal(1)},
            (),
            ONE_WAY,
        ),
        (
            {"crosses_above": Decimal(2), "rearm": Decimal(3)},
            ("rearm",),
            "rearm must be below the level it arms again",
        ),
        (
            {"crosses_below": Decimal(2), "rearm": Decimal(1)},
            ("rearm",),
            "rearm must be above the level it arms again",
        ),
        (
            {"crosses_above": Decimal(2), "for": "soon"},
            ("for",),
            "for must be a length of time such as 15s, 4h or 1h30m",
        ),
        (
            {"crosses_above": "=index * 1.01"},
            ("crosses_above",),
            "a level cannot follow index: only position.… and account.… move a level",
        ),
        (
            {"crosses_above": Decimal(2), "rearm": "=mark - 1"},
            ("rearm",),
            "a level cannot follow mark: only position.… and account.… move a level",
        ),
    ],
)
def test_what_cannot_be_watched_is_a_problem(
    value: dict[str, Any], path: tuple[str, ...], text: str
) -> None:
    """One message, at the key that is wrong."""
    node = Node(value, scope=scope())
    build(node, "price")
    assert [(problem.path, problem.message) for problem in node.problems] == [(path, text)]


def test_a_level_that_is_no_formula_and_no_number_is_left_out() -> None:
    """The formula's own problem is told, once."""
    node = Node({"crosses_above": "=nonsense"}, scope=scope())
    assert build(node, "price") is None
    assert len(node.problems) == 1
