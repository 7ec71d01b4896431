"""Each rule of exactly once is needed: without it, the histories where only it protects fail."""

from __future__ import annotations

import pytest

from tests import figures
from tests.simulation.history import Outcome, Story, play, rule_set
from tests.simulation.mutants import MUTANTS, Mutant

RULES = rule_set()
CLEAN = 3
"""So many histories beyond those that the mutant needed are played with the rule in force."""


def story(mutant: Mutant, seed: int) -> Story:
    """A history in which only the mutant's rule protects."""
    return Story(
        seed,
        at_least=mutant.at_least,
        rates=mutant.rates,
        timing=mutant.timing,
        down=mutant.down,
        alerts=mutant.alerts,
    )


def caught(mutant: Mutant, base_seed: int) -> tuple[int, Outcome]:
    """After how many histories the missing rule was noticed, and the history."""
    for count in range(mutant.within):
        with mutant.removed():
            outcome = play(story(mutant, base_seed + count), RULES)
        if outcome.wrong:
            return count + 1, outcome
    pytest.fail(f"{mutant.name}: {mutant.within} histories from seed {base_seed} miss it")


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_missing_rule_is_noticed(
    request: pytest.FixtureRequest, base_seed: int, mutant: Mutant
) -> None:
    """Without the rule a promise breaks; with it the very same histories are clean."""
    count, _ = caught(mutant, base_seed)
    for seed in range(base_seed, base_seed + count + CLEAN):
        outcome = play(story(mutant, seed), RULES)
        assert not outcome.wrong, f"{outcome.story}: {outcome.wrong}"
    figures.report(request, "mutants", {"caught": 1, "histories until caught": count})
