"""A person's commands at any moment of a storm: nothing is doubled, lost or left undone."""

from __future__ import annotations

import os
from collections import Counter

import pytest

from runner.core.events import Command
from tests import figures
from tests.simulation import cheap
from tests.simulation.history import History, Outcome, Story, rule_set

HISTORIES = int(os.environ.get("RUNNER_COMMANDED", "24"))
RULES = rule_set()
VERBS = ("flatten", "cancel", "kill", "unlock", "pause", "resume", "disable", "enable")


class Commanded(History):
    """Between the steps of a history somebody cancels, flattens, kills, unlocks, switches."""

    said = 0

    def _step(self) -> None:
        super()._step()
        if self.dice.random() < 0.3:
            self._say(self.dice.choice(VERBS))

    def _say(self, verb: str) -> None:
        """One command; it may have waited in the inbox since before a restore."""
        runner = self.runner
        if runner is None:
            return
        self.said += 1
        symbol = self.dice.choice(("", "ETHUSDT", "BTCUSDT"))
        given = Command(
            verb,
            f"command-{self.said}",
            "ann",
            self.clock.wall(),
            "why not",
            rule_id=self.dice.choice(("batch", "bracket")) if verb.endswith("able") else "",
            symbol=symbol if verb in ("flatten", "cancel") else "",
            live=self.dice.random() < 0.7,
        )

        def say() -> None:
            runner.dispatcher.hand_in(given)
            runner.dispatcher.step()

        self._guarded(say)


def play(story: Story) -> tuple[Outcome, int]:
    """One such history, and how many commands were given."""
    with cheap.openings(), cheap.folder() as folder:
        world = Commanded(story, RULES, folder)
        return world.run(), world.said


def test_no_command_doubles_or_loses_an_order(
    request: pytest.FixtureRequest, base_seed: int
) -> None:
    """Whatever is lost, garbled, killed or restored, and whoever stops it in between."""
    totals: Counter[str] = Counter()
    for seed in range(base_seed, base_seed + HISTORIES):
        outcome, said = play(Story(seed, at_least=8))
        assert not outcome.wrong, f"{outcome.story}: {outcome.wrong}"
        totals += Counter({"histories": 1, "commands": said, "faults": outcome.faults.total()})
    figures.report(request, "commands", totals)
