"""Trigger `dead_man`: one firing for each countdown that ran out or came late."""

from __future__ import annotations

from runner.core.events import DeadManAlarm
from runner.core.rules import Hit, Quiet
from tests.core.trigger_factories import START, SYMBOL, build, names


def alarm(what: str, confirmed: int = START) -> DeadManAlarm:
    """An alarm of the symbol's countdown, last confirmed at that server time."""
    return DeadManAlarm(SYMBOL, what, confirmed, START + 130_000)  # type: ignore[arg-type]


def test_each_countdown_fires_once_under_its_last_confirmation() -> None:
    """The key is what happened and when the countdown was last confirmed."""
    trigger = build("dead_man", "expired")
    found = trigger.match(alarm("expired"), {}, names())
    expected = Hit(f"expired@{START}", {"what": "expired"}, {}, "countdown expired")
    assert found == expected
    again = trigger.match(alarm("expired", START + 1), {}, names())
    assert again.event_key != found.event_key


def test_the_other_alarm_is_not_meant() -> None:
    """`late` does not fire on `expired`."""
    trigger = build("dead_man", "late")
    assert trigger.match(alarm("expired"), {"x": 1}, names()) == Quiet({"x": 1})
    assert trigger.interest == ("dead_man", "late")
    assert set(trigger.fields) == {"what"}
