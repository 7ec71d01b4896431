"""Two runners on one journal: one leads, whatever becomes of it; nothing is doubled or lost."""

from __future__ import annotations

import os
from unittest.mock import patch

import pytest

from runner.journal import Journal
from tests import figures
from tests.simulation import takeovers
from tests.simulation.history import Outcome, Story, rule_set, shrunk

TAKEOVERS = int(os.environ.get("RUNNER_TAKEOVERS", "80"))
CHUNKS = 8
LINES = 40
"""So much of what became of the runners is printed: the last of it."""

RULES = rule_set()


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_no_takeover_doubles_or_loses_an_order(
    request: pytest.FixtureRequest, base_seed: int, chunk: int
) -> None:
    """Leaders are killed, stand still and wake up, clocks are set: the other leads within 15 s."""
    done, histories, seed = 0, 0, base_seed + chunk * 10_000
    while done < TAKEOVERS / CHUNKS:
        outcome, count = takeovers.play(Story(seed, rates=takeovers.rates(seed)), RULES)
        assert not outcome.wrong, explained(outcome)
        done, histories, seed = done + count, histories + 1, seed + 1
    told = {"takeovers": done, "histories": histories}
    figures.report(request, "two runners", told)


def explained(outcome: Outcome) -> str:
    """The failure, how to play it again, and in its smallest form who led when."""
    small = shrunk(outcome, RULES, 40, lambda story, rules: takeovers.play(story, rules)[0])
    lines = [
        *outcome.wrong,
        f"play it again: RUNNER_SEED={outcome.story.seed} make test ARGS='-k test_no_takeover'",
        f"smaller: takeovers.play({small.story}, rule_set()), which says:",
        *small.wrong,
        f"its trace is {small.trace or 'not complete'}; its faults: {dict(small.faults)}",
        *small.told[-LINES:],
    ]
    return "\n".join(lines)


def test_a_failure_says_how_to_play_it_again() -> None:
    """The seed, a smaller history, and what became of both runners."""
    with patch.object(takeovers, "WITHIN", -1):
        outcome, _ = takeovers.play(Story(7, rates=takeovers.rates(7)), RULES)
        assert outcome.wrong
        text = explained(outcome)
    assert "RUNNER_SEED=7 make test" in text
    assert "smaller: takeovers.play(Story(seed=7" in text
    assert "leads, epoch" in text


def test_a_leader_that_was_replaced_notices_it_by_itself(request: pytest.FixtureRequest) -> None:
    """The mutant: without the renewal it idles for ever, and what the other began is stuck."""
    rules = rule_set(takeovers.QUIET)
    assert takeovers.deposed(rules).wrong == []
    with patch.object(Journal, "beat", lambda _: None):
        assert takeovers.deposed(rules).wrong
    figures.report(request, "mutants", {"caught": 1, "histories until caught": 1})
