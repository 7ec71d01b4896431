"""`dead_man: {heartbeat: …}`: an alert that does not come, also across restarts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runner.core.document import Node
from runner.core.triggers.dead_man import build
from runner.rulebook.load import load
from tests.core.trigger_factories import START, names
from tests.core.trigger_factories import build as build_trigger
from tests.core.triggers.playing import Play, text

BEAT = "beat | dead_man: {heartbeat: {webhook: tv-beat, every: 5m, secret: tv}}"
MINUTE = 60_000


def test_a_beat_that_does_not_come_fires_once(tmp_path: Path) -> None:
    """After five minutes, once; the next alert begins anew."""
    play = Play(tmp_path, BEAT)
    play.advance(4 * MINUTE)
    assert play.alert("tv-beat").outcome == "not fired"
    play.advance(4 * MINUTE)
    assert play.fired() == []
    play.advance(20 * MINUTE)
    (run,) = play.fired("beat")
    assert run["fields"]["what"] == "lost"
    assert 300 <= float(run["fields"]["silence"]) < 302
    play.alert("tv-beat")
    assert ("", "heartbeat tv-beat is back") in play.records("state")
    play.advance(6 * MINUTE)
    assert [each["event_key"] for each in play.fired()] == ["1", "2"]


def test_the_wait_survives_a_restart(tmp_path: Path) -> None:
    """What it waited before counts; the time in which nobody could hear does not."""
    play = Play(tmp_path, BEAT)
    play.alert("tv-beat")
    play.advance(3 * MINUTE)
    play.restart(away=30 * MINUTE)
    play.advance(MINUTE)
    assert play.fired() == []
    play.advance(MINUTE + 5_000)
    assert len(play.fired()) == 1
    play.restart(away=1_000)
    play.advance(10 * MINUTE)
    assert len(play.fired()) == 1


def test_any_authenticated_alert_is_a_beat(tmp_path: Path) -> None:
    """Also one that a rule on the same path takes, or that fits none."""
    play = Play(
        tmp_path,
        "beat | dead_man: {heartbeat: {webhook: go, every: 1m}}",
        "taker | webhook: {path: go, secret: tv, body: {n: number}}",
    )
    for number in range(4):
        play.advance(40_000)
        assert play.alert("go", n=number).outcome == "fired"
    play.advance(40_000)
    assert play.alert("go", n="x").outcome == "unfit"
    play.advance(40_000)
    assert play.fired("beat") == []
    play.advance(MINUTE)
    assert len(play.fired("beat")) == 1


def test_another_length_goes_on_from_the_same_alert() -> None:
    """`every` may be edited without starting over."""
    short, long = (
        build_trigger("dead_man", {"heartbeat": {"webhook": "b", "every": every}})
        for every in ("1m", "1h")
    )
    assert short.fingerprint == long.fingerprint
    memory = short.begin({}, names(START))
    assert long.begin(memory, names(START + 5)) == memory == {"since": START}
    assert (short.due_at(memory), long.due_at(memory)) == (START + MINUTE, START + 60 * MINUTE)


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ({"heartbeat": {"webhook": "b", "every": "1s"}}, "range"),
        ({"heartbeat": {"webhook": "b", "every": "often"}}, "wrong-type"),
        ("expire", "enum"),
    ],
)
def test_problems(value: Any, code: str) -> None:
    """Too short, no length of time, a word that is no alarm."""
    node = Node(value)
    assert build(node, "dead_man") is None
    assert [each.code for each in node.problems] == [code]


def test_a_path_without_a_secret_takes_no_alerts(tmp_path: Path) -> None:
    """A heartbeat that names no secret needs a webhook trigger on its path."""
    path = tmp_path / "rules.yaml"
    path.write_text(text("beat | dead_man: {heartbeat: {webhook: go, every: 1m}}"))
    (found,) = load(path).diagnostics
    assert found.message == "nothing takes alerts on go: no rule says their secret"
    path.write_text(
        text(
            "beat | dead_man: {heartbeat: {webhook: go, every: 1m, secret: other}}",
            "taker | webhook: {path: go, secret: tv}",
        )
    )
    (found,) = load(path).diagnostics
    assert found.code == "webhook-secret"
