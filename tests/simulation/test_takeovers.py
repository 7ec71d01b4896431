"""Two runners on one journal: one leads, whatever becomes of it; nothing is doubled or lost."""

from __future__ import annotations

import os
from unittest.mock import patch

import pytest

from runner.journal import Journal
from tests import figures
from tests.simulation import takeovers
from tests.simulation.history import Story, rule_set

TAKEOVERS = int(os.environ.get("RUNNER_TAKEOVERS", "80"))
CHUNKS = 8
RULES = rule_set()


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_no_takeover_doubles_or_loses_an_order(
    request: pytest.FixtureRequest, base_seed: int, chunk: int
) -> None:
    """Leaders are killed, stand still and wake up, clocks are set: the other leads within 15 s."""
    done, histories, seed = 0, 0, base_seed + chunk * 10_000
    while done < TAKEOVERS / CHUNKS:
        outcome, count = takeovers.play(Story(seed, rates=takeovers.rates(seed)), RULES)
        assert not outcome.wrong, f"seed {seed} (takeovers.play): {outcome.wrong}"
        done, histories, seed = done + count, histories + 1, seed + 1
    told = {"takeovers": done, "histories": histories}
    figures.report(request, "two runners", told)


def test_a_leader_that_was_replaced_notices_it_by_itself(request: pytest.FixtureRequest) -> None:
    """The mutant: without the renewal it idles for ever, and what the other began is stuck."""
    rules = rule_set(takeovers.QUIET)
    assert takeovers.deposed(rules).wrong == []
    with patch.object(Journal, "beat", lambda _: None):
        assert takeovers.deposed(rules).wrong
    figures.report(request, "mutants", {"caught": 1, "histories until caught": 1})
