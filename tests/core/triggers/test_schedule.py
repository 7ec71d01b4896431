"""Trigger `schedule`: each planned instant once, and what is late by more than the grace."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from runner.core.decision import Reason
from runner.core.document import Node
from runner.core.events import Due
from runner.core.rules import Hit, Match, Miss
from runner.core.triggers.schedule import DEFAULT_GRACE, build
from tests.core.trigger_factories import START, SYMBOL, Bench, fired, names, reasons, rule
from tests.core.trigger_factories import build as built


def schedule(**value: Any) -> Any:
    """A schedule, every five minutes if nothing else is said."""
    return built("schedule", value or {"every": "5m"})


def due(planned_at: int) -> Due:
    """A planned instant of the rule r."""
    return Due("r", "schedule", SYMBOL, planned_at)


def come(trigger: Any, planned_at: int, late: int = 0, watermark: int = 0) -> Match:
    """What the trigger makes of an instant that it learns of `late` ms after."""
    memory = {"watermark": watermark} if watermark else {}
    found: Match = trigger.match(due(planned_at), memory, names(planned_at + late))
    return found


def test_an_instant_fires_under_its_own_key() -> None:
    """The planned time is the key and the new watermark; how late it was can be asked."""
    found = come(schedule(), START, late=1_500, watermark=START - 1)
    expected = Hit(str(START), {"late": Decimal("1.5")}, {"watermark": START}, "due")
    assert found == expected
    early = come(schedule(), START, late=-300)
    assert isinstance(early, Hit)
    assert early.fields == {"late": Decimal(0)}


@pytest.mark.parametrize("before", [0, 1, 10**6])
def test_an_instant_at_or_before_the_watermark_was_dealt_with(before: int) -> None:
    """It is a duplicate, and the watermark stays."""
    found = come(schedule(), START - before, watermark=START)
    memory = {"watermark": START}
    assert found == Miss(Reason.DUPLICATE, "this instant was dealt with", memory)


@pytest.mark.parametrize("missed", ["skip", "last", "all"])
def test_only_skip_lets_a_late_instant_go(missed: str) -> None:
    """Up to the grace it is due; past it `skip` records it, and its time is over."""
    trigger = schedule(every="5m", grace="10s", missed=missed)
    assert isinstance(come(trigger, START, late=10_000), Hit)
    found = come(trigger, START, late=10_001)
    if missed != "skip":
        assert isinstance(found, Hit)
        return
    assert found == Miss(Reason.MISSED, "10 s late", {"watermark": START}, str(START))


def test_left_out_keys_have_their_defaults() -> None:
    """UTC, skip, and a minute of grace; `grace: 0s` is taken at its word."""
    trigger = schedule()
    assert (trigger.timezone, trigger.missed, trigger.grace) == ("UTC", "skip", DEFAULT_GRACE)
    assert schedule(every="5m", grace="0s").grace == 0
    assert trigger.interest == ("schedule", "schedule")
    assert set(trigger.fields) == {"late"}


def test_an_edit_of_the_times_is_another_schedule() -> None:
    """What comes due is in the fingerprint; grace and missed are not."""
    one = schedule(cron="0 8 * * *", timezone="UTC")
    assert one.fingerprint != schedule(cron="0 9 * * *", timezone="UTC").fingerprint
    assert one.fingerprint != schedule(cron="0 8 * * *", timezone="Asia/Tokyo").fingerprint
    assert one.fingerprint == schedule(cron="0 8 * * *", grace="5m", missed="all").fingerprint


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({}, "schedule needs exactly one of cron, every and at"),
        ({"every": "5m", "at": "08:30"}, "schedule needs exactly one of cron, every and at"),
        ({"every": "500ms"}, "every must be at least 1s"),
        ({"every": "0s"}, "every must be at least 1s"),
        ({"every": "5"}, "every must be a length of time such as 15s, 4h or 1h30m"),
        ({"every": "5m", "grace": 3}, "grace must be a length of time such as 15s, 4h or 1h30m"),
    ],
)
def test_what_cannot_be_planned_is_a_problem(value: dict[str, Any], text: str) -> None:
    """One message, at the key that is wrong."""
    node = Node(value)
    build(node, "schedule")
    assert [problem.message for problem in node.problems] == [text]


def test_loading_a_schedule_never_fires_it() -> None:
    """A new or edited schedule, or one that was away, begins now; an old one keeps its place."""

    def watermark() -> int:
        ((_, _, _, found),) = bench.engine.schedules()
        return found

    bench = Bench(rule("r", schedule()))
    assert watermark() == START
    assert fired(bench.process(due(START + 1_000), START + 1_000)) == ["r"]
    assert reasons(bench.process(due(START + 1_000), START + 1_000)) == ["duplicate"]
    bench.load(rule("r", schedule()), now=START + 9_000)
    assert watermark() == START + 1_000
    bench.load(rule("r", schedule(every="6m")), now=START + 9_500)
    assert watermark() == START + 9_500
    bench.load(now=START + 10_000)
    assert list(bench.engine.schedules()) == []
    bench.load(rule("r", schedule(every="6m")), now=START + 90_000)
    assert watermark() == START + 90_000


def test_an_instant_of_a_rule_that_is_gone_is_nothing() -> None:
    """A wake-up that crossed a reload finds no rule, or no such trigger."""
    bench = Bench(rule("r", schedule()))
    bench.load(now=START)
    assert bench.process(due(START + 1), START + 1).empty
    bench.load(rule("r", built("dead_man", "late")), now=START)
    assert bench.process(due(START + 1), START + 1).empty
