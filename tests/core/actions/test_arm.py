"""`arm` and `disarm`: the countdown of symbols, kept across restarts and reloads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runner.core.orders import DeadManCall
from runner.core.rules import DeadMan, Progress
from tests.core.actions.stage import Stage
from tests.core.factories import (
    SYMBOL,
    Bench,
    built,
    context,
    problems,
    rule,
    rule_set,
)

RULES = """\
version: 1
dead_man: {symbols: [ETHUSDT], countdown: 2m, refresh: 30s}
rules:
  - id: arm
    symbol: BTCUSDT
    when: [{webhook: {path: arm, secret: tv, body: {n: number}}}]
    do: [{arm: {countdown: 3m, refresh: 1m}}]
  - id: disarm
    symbol: BTCUSDT
    when: [{webhook: {path: disarm, secret: tv, body: {n: number}}}]
    do: [{disarm: {symbols: [BTCUSDT, ETHUSDT]}}]
  - id: again
    symbol: BTCUSDT
    when: [{webhook: {path: again, secret: tv, body: {n: number}}}]
    do: [{arm: {symbols: [ETHUSDT]}}]
"""


@pytest.mark.parametrize(
    ("kind", "value", "wanted"),
    [
        ("arm", {"countdown": "2m", "refresh": "30s"}, {SYMBOL: DeadMan(SYMBOL, 120_000, 30_000)}),
        ("arm", {"symbols": ["A", "B"]}, {"A": "file", "B": "file"}),
        ("arm", {}, {SYMBOL: "file"}),
        ("disarm", {}, {SYMBOL: None}),
        ("disarm", {"symbols": "A"}, {"A": None}),
    ],
)
def test_what_it_says(kind: str, value: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Without symbols it is the rule's own; without times it is what the file says."""
    action = built(kind, value)
    step = action.step(context(action))
    assert (step.progress, step.arm) == (Progress.DONE, wanted)
    assert action.formulas() == ()


@pytest.mark.parametrize(
    ("block", "codes"),
    [
        ({"countdown": "2m"}, ["missing-key"]),
        ({"refresh": "2m"}, ["missing-key"]),
        ({"countdown": "1m", "refresh": "40s"}, ["dead-man"]),
        ({"countdown": "30s", "refresh": "10s"}, ["dead-man"]),
        ({"countdown": "30s", "refresh": "10ms"}, ["range"]),
        ({"countdown": "soon", "refresh": "10s"}, ["wrong-type"]),
    ],
)
def test_what_is_said_wrong(block: dict[str, Any], codes: list[str]) -> None:
    """As under the file's dead_man."""
    assert problems("arm", block) == codes


def test_arming_leaves_a_file_without_a_countdown_alone() -> None:
    """There is nothing to take up."""
    bench = Bench(rule_set(rule("one", built("arm", {}))))
    bench.fire("one")
    assert bench.calls(DeadManCall) == []


def test_saying_the_same_again_changes_nothing() -> None:
    """One line in the journal for one change."""
    bench = Bench(rule_set(rule("one", built("disarm", {}))))
    bench.fire("one", "1")
    bench.fire("one", "2")
    assert [r.text for r in bench.journal.records if r.kind == "dead_man"] == [
        "the dead man of BTCUSDT is disarmed"
    ]


def test_it_goes_before_the_file_until_it_is_said_otherwise(tmp_path: Path) -> None:
    """A symbol that leaves gets a countdown of 0; restarts keep what was said."""
    stage = Stage(RULES, tmp_path)
    (account,) = stage.engine.state.accounts.values()
    assert set(account.countdowns) == {"ETHUSDT"}
    stage.alert("arm", n=1)
    assert set(account.countdowns) == {"BTCUSDT", "ETHUSDT"}
    stage.advance(150_000)
    assert account.countdowns["BTCUSDT"] > stage.clock.now + 100_000
    stage.alert("disarm", n=1)
    assert not account.countdowns
    stage.restart()
    stage.advance(60_000)
    assert not account.countdowns
    stage.alert("again", n=1)
    stage.restart()
    stage.advance(60_000)
    assert set(account.countdowns) == {"ETHUSDT"}
