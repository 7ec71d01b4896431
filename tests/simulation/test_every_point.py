"""A crash at every point of every scripted scenario, and at pairs of points: nothing is lost."""

from __future__ import annotations

import os
import random

import pytest

from runner.failpoints import POINTS
from tests import figures
from tests.simulation.history import rule_set
from tests.simulation.scripts import SCRIPTS, enact

PAIRS = int(os.environ.get("RUNNER_PAIRS", "480"))
PARTS = 4
RULES = rule_set()


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_crash_at_each_point_loses_and_doubles_nothing(
    request: pytest.FixtureRequest, name: str
) -> None:
    """Each commit, send, answer and message of the scenario, one after the other."""
    outcome, reached = enact(SCRIPTS[name], (), RULES)
    assert not outcome.wrong
    for number, point in enumerate(reached, 1):
        outcome, _ = enact(SCRIPTS[name], (number,), RULES)
        assert not outcome.wrong, f"killed at {number}. ({point}): {outcome.wrong}"
    assert set(reached) >= set(POINTS)
    figures.report(request, "crash points", {"single crashes": len(reached)})


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("name", SCRIPTS)
def test_a_crash_after_a_crash_loses_and_doubles_nothing(
    request: pytest.FixtureRequest, base_seed: int, name: str, part: int
) -> None:
    """The restarted process dies again, anywhere on its way: pairs drawn anew in each run."""
    dice = random.Random(f"{base_seed} {name} {part}")
    _, reached = enact(SCRIPTS[name], (), RULES)
    count = -(-PAIRS // (len(SCRIPTS) * PARTS))
    for _ in range(count):
        pair = (dice.randint(1, len(reached)), dice.randint(1, len(reached)))
        outcome, _ = enact(SCRIPTS[name], pair, RULES)
        assert not outcome.wrong, f"killed at {pair}: {outcome.wrong}"
    figures.report(request, "crash points", {"pairs": count})
