"""Seeded histories of the whole runner: storm and crashes, then calm; every promise is kept."""

from __future__ import annotations

import os
from collections import Counter

import pytest

from tests import figures
from tests.simulation.history import Outcome, Story, play, rule_set, shrunk

HISTORIES = int(os.environ.get("RUNNER_HISTORIES", "640"))
CHUNKS = 40
TWICE = int(os.environ.get("RUNNER_TWICE", "32"))
RULES = rule_set()


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_no_history_doubles_or_loses_an_order(
    request: pytest.FixtureRequest, base_seed: int, chunk: int
) -> None:
    """Whatever is lost, late, garbled or killed: each alert has its orders, each once."""
    each = -(-HISTORIES // CHUNKS)
    totals: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    for seed in range(base_seed + chunk * each, base_seed + (chunk + 1) * each):
        outcome = play(Story(seed), RULES)
        assert not outcome.wrong, explained(outcome)
        faults += outcome.faults
        totals += figures_of(outcome)
    figures.report(request, "histories", totals)
    figures.report(request, "faults", faults)


def figures_of(outcome: Outcome) -> Counter[str]:
    """What the suite tells of a history."""
    return Counter(
        {
            "histories": 1,
            "virtual hours": outcome.virtual_ms / 3_600_000,
            "faults": outcome.faults.total(),
            "crashes": outcome.crashes,
            "orders": outcome.orders,
        }
    )


def explained(outcome: Outcome) -> str:
    """The failure, and how to play it again, also in a smaller form."""
    small = shrunk(outcome, RULES)
    lines = [
        *outcome.wrong,
        f"play it again: RUNNER_SEED={outcome.story.seed} make test ARGS='-k test_no_history'",
        f"smaller: play({small.story}, rule_set()), which says:",
        *small.wrong,
    ]
    return "\n".join(lines)


@pytest.mark.parametrize("chunk", range(8))
def test_the_same_seed_tells_the_same_history(
    request: pytest.FixtureRequest, base_seed: int, chunk: int
) -> None:
    """Nothing but the seed decides: so a failure anywhere is a failure here."""
    seeds = range(base_seed + chunk, base_seed + TWICE, 8)
    for seed in seeds:
        first, second = play(Story(seed), RULES), play(Story(seed), RULES)
        assert first.trace == second.trace, f"seed {seed} is told in two ways"
    figures.report(request, "same seed twice", {"seeds": len(seeds)})
