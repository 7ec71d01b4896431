"""A history ends at rest: what is under way at that moment is waited for, what is stuck is told."""

from __future__ import annotations

from unittest.mock import patch

from tests.simulation.faults import Rates
from tests.simulation.history import CALM_STEP, History, Story, play, rule_set

RULES = rule_set()
IN_STEP = 3_298_085_575
"""Its countdown is refreshed, and its sweep due, whole multiples of 30 s after the storm."""


def test_the_looks_of_the_calm_are_not_in_step_with_the_runner() -> None:
    """Else each look sees the same request under way, and the last a cancel planned just now."""
    assert not any(period % CALM_STEP == 0 for period in (30_000, 60_000, 180_000))
    assert not play(Story(IN_STEP), RULES).wrong


def test_a_runner_that_never_comes_to_rest_is_noticed() -> None:
    """An order or a question that stays open for ever is a finding, whatever kind it is of."""
    with patch.object(History, "_settled", lambda _: False):
        wrong = play(Story(1, rates=Rates()), RULES).wrong
    assert any("not at rest" in text for text in wrong), wrong
