"""A schedule that loads can run, and one that cannot is told apart with the place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core.document import Node
from runner.core.triggers.schedule import ScheduleTrigger, build
from runner.rulebook.times import check_schedule
from runner.sources.schedule import problem


def said(**written: str) -> list[str]:
    """The messages about a schedule with these keys."""
    node = Node(written)
    check_schedule(node)
    return [each.message for each in node.problems]


@pytest.mark.parametrize(
    "cron",
    [
        "0 8 * * mon-fri",
        "55 7,15,23 * * *",
        "*/15 * * * *",
        "0 0 1 jan,JUL *",
        "5/20 0-6/2 * * 0,7",
        "0 0 29 2 *",
        "0 0 * * mon-sun",
        "0 0 30 2 mon",
        " 0  0 * * 5 ",
    ],
)
def test_good_cron_lines_pass(cron: str) -> None:
    """What crontab(5) allows, names in any case, Sunday as 0 and 7."""
    assert said(cron=cron) == []


@pytest.mark.parametrize(
    ("cron", "message"),
    [
        ("0 8 * *", "a cron line has 5 fields, here are 4"),
        ("", "a cron line has 5 fields, here are 0"),
        ("60 8 * * *", "60 is no minute"),
        ("0 24 * * *", "24 is no hour"),
        ("0 0 0 * *", "0 is no day"),
        ("0 0 * 13 *", "13 is no month"),
        ("0 0 * * 8", "8 is no weekday"),
        ("0 0 * * mo", "mo is no weekday"),
        ("0 0 * * mon-xyz", "xyz is no weekday"),
        ("5-1 0 * * *", "5-1 runs backwards"),
        ("*/0 0 * * *", "*/0 has a step of 0"),
        ("*/00 0 * * *", "*/00 has a step of 0"),
        ("0 1/0000 * * *", "1/0000 has a step of 0"),
        ("1,,2 0 * * *", "an empty part is no minute"),
        ("@daily 0 * * *", "@daily is no minute"),
        ("0 0 31 2,4 *", "this time never comes"),
        ("² 0 * * *", "² is no minute"),
        ("0000 0 * * *", "0000 is no minute"),
    ],
)
def test_bad_cron_lines_are_explained(cron: str, message: str) -> None:
    """The first field that is wrong is named."""
    assert said(cron=cron) == [message]


def test_the_wrong_field_is_underlined() -> None:
    """Column and length inside the cron line."""
    node = Node({"cron": "0 25 * * *"})
    check_schedule(node)
    assert [(each.column, each.length) for each in node.problems] == [(3, 2)]


@pytest.mark.parametrize(
    ("zone", "cure"),
    [
        ("Europe/Berln", "did you mean Europe/Berlin?"),
        ("Berlin", "did you mean Europe/Berlin?"),
        ("europe/berlin", "did you mean Europe/Berlin?"),
        ("../etc/passwd", "write a name such as Europe/Berlin or UTC"),
        ("", "write a name such as Europe/Berlin or UTC"),
        ("x" * 300, "write a name such as Europe/Berlin or UTC"),
    ],
)
def test_unknown_time_zones_are_met_with_a_name(zone: str, cure: str) -> None:
    """A city alone, another case or a slip of the finger are understood."""
    node = Node({"timezone": zone})
    check_schedule(node)
    assert [each.cure for each in node.problems] == [cure]


@pytest.mark.parametrize("at", ["08:30", "8:30", "2026-12-24T18:00:00Z", "2026-12-24T18:00+01:00"])
def test_good_instants_pass(at: str) -> None:
    """A time of day, or one instant."""
    assert said(at=at) == []


@pytest.mark.parametrize("at", ["25:00", "8", "noon", "08:60", "08:30:00", "2026-13-01T00:00Z"])
def test_bad_instants_are_explained(at: str) -> None:
    """Neither a time of day nor an instant."""
    assert said(at=at) == [f"{at} is no time"]


numbers = st.integers(0, 70).map(str)
values = numbers | st.sampled_from(["*", "mon", "sun", "jan", "dec", "feb", "x", "07"])
ranges = st.tuples(values, values).map("-".join)
steps = st.tuples(values | ranges, numbers | st.sampled_from(["00", "000", "01"])).map("/".join)
parts = st.lists(values | ranges | steps, min_size=1, max_size=2).map(",".join)


@given(st.lists(st.just("*") | parts, min_size=5, max_size=5).map(" ".join))
def test_both_readers_of_cron_lines_agree(cron: str) -> None:
    """What passes here can be run by the schedule, and the other way round."""
    trigger = build(Node({"cron": cron}), "schedule")
    assert isinstance(trigger, ScheduleTrigger)
    assert bool(said(cron=cron)) == bool(problem(trigger))
