"""Windows in which a rule may fire: weekdays, times of day, midnight, summer time."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from runner.core.active import Active, read
from runner.core.document import Node

BERLIN = ZoneInfo("Europe/Berlin")
OFFICE = {"days": "mon-fri", "from": "08:00", "to": "17:30"}


def active(value: Any) -> Active:
    """The windows of a rule in Berlin."""
    node = Node(value)
    found = read(node, BERLIN)
    assert node.problems == []
    assert found is not None
    return found


def at(text: str) -> int:
    """An instant on Berlin's clock as UTC ms."""
    return int(datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp() * 1000)


@pytest.mark.parametrize(
    ("value", "inside", "outside"),
    [
        # 2026-11-20 is a Friday
        (
            OFFICE,
            ["2026-11-20T08:00:00", "2026-11-20T17:29:59"],
            ["2026-11-20T07:59:59", "2026-11-20T17:30:00", "2026-11-21T10:00:00"],
        ),
        (
            {"days": ["fri"], "from": "22:00", "to": "06:00"},
            ["2026-11-20T22:00:00", "2026-11-21T05:59:59"],
            ["2026-11-20T05:00:00", "2026-11-21T06:00:00", "2026-11-21T23:00:00"],
        ),
        ({"days": "sat-mon"}, ["2026-11-21T00:00:00", "2026-11-23T23:59:59"], ["2026-11-20T12:00"]),
        ({"from": "9:00"}, ["2026-11-20T23:30:00"], ["2026-11-20T08:59:59"]),
        (
            [OFFICE, {"days": "sat", "to": "12:00"}],
            ["2026-11-20T09:00:00", "2026-11-21T11:59:00"],
            ["2026-11-21T12:00:00", "2026-11-22T09:00:00"],
        ),
        ({"from": "12:00", "to": "24:00"}, ["2026-11-20T23:59:59"], ["2026-11-20T11:59:59"]),
        ({"days": "MON-Sun"}, ["2026-11-22T09:00:00"], []),
    ],
)
def test_windows(value: Any, inside: list[str], outside: list[str]) -> None:
    """The end is not in it; over midnight the weekday is that of the beginning."""
    windows = active(value)
    assert [text for text in inside if not windows.holds(at(text))] == []
    assert [text for text in outside if windows.holds(at(text))] == []


def test_summer_time() -> None:
    """The clock on the wall counts: eight o'clock is another instant in winter and in summer."""
    windows = active({"from": "08:00", "to": "09:00"})
    summer, winter = at("2026-07-01T08:30:00"), at("2026-12-01T08:30:00")
    assert windows.holds(summer)
    assert windows.holds(winter)
    assert (summer - winter) % 86_400_000 != 0
    # the hour that comes twice in October is inside both times
    night = active({"from": "02:00", "to": "03:00"})
    first = at("2026-10-25T02:30:00")
    assert night.holds(first)
    assert night.holds(first + 3_600_000)


@pytest.mark.parametrize(
    ("value", "path", "code"),
    [
        ({"days": "monday"}, ("days",), "days"),
        ({"days": ["mon", "sunday"]}, ("days", 1), "days"),
        ({"from": "8 am"}, ("from",), "time"),
        ({"to": "24:30"}, ("to",), "time"),
        ({"from": "08:00", "to": "08:00"}, (), "time"),
    ],
)
def test_problems(value: Any, path: tuple[Any, ...], code: str) -> None:
    """What is no weekday, no time, or a window without any time in it."""
    node = Node(value)
    assert read(node, BERLIN) is None
    assert [(each.path, each.code) for each in node.problems] == [(path, code)]
