"""After a restored journal a person closes at once: whatever was sent in the forgotten time."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

import pytest

from runner.core import recovery
from runner.core.events import Command
from tests.simulation import cheap
from tests.simulation.faults import Rates
from tests.simulation.history import History, Outcome, Story, rule_set
from tests.simulation.promises import fired

RULES = rule_set()
SECOND = 1_000
SOON = 3 * SECOND
"""Cancels, the close and the way there and back: far less than a proof of absence."""


class Restored(History):
    """Bought; closed by a command and bought again in a time that the journal then forgets."""

    def __init__(self, story: Story, folder: Path, verb: str, *, live: bool) -> None:
        """`verb` is what the person says after the restore, with the key used before it."""
        super().__init__(story, RULES, folder)
        self.verb, self.live = verb, live
        self.left: dict[str, object] = {}

    def run(self) -> Outcome:
        """The script, then what is held soon after the command, then calm."""
        try:
            self._script()
            self._calm()
            self._reckon()
        finally:
            self._end()
            self.exchange.close()
        return self.outcome

    def _script(self) -> None:
        self._restart_if_dead()
        self._pass(5 * SECOND)
        self._buy()
        copy = self.exchange.copy()
        self._say(self.verb, live=True)
        self._pass(5 * SECOND)
        self._say("unlock", live=True)
        self._buy()
        self._put_back(copy)
        self._restart_if_dead()
        self._pass(5 * SECOND)
        self._say(self.verb, live=self.live)
        self._pass(SOON)
        self.left = {key: size for key, size in self.exchange.positions().items() if size}

    def _buy(self) -> None:
        self.alerted("single")
        self._restart_if_dead()
        self._send_again_what_was_refused()
        self._pass(5 * SECOND)

    def _put_back(self, copy: bytes) -> None:
        self._die()
        self._stand_still(60 * SECOND)
        self.exchange.put_back(copy)
        self.restored = True
        known = fired(self.exchange)
        self.answered = {n: text for n, text in self.answered.items() if n in known}

    def _say(self, verb: str, *, live: bool) -> None:
        """The same key each time: only the restore tells the two commands apart."""
        told = Command(verb, "panic", "ann", self.clock.wall(), "it is over", live=live)

        def say() -> None:
            assert self.runner is not None
            self.runner.dispatcher.hand_in(told)
            self.runner.dispatcher.step()

        self._restart_if_dead()
        self._guarded(say)


def played(verb: str, *, live: bool = True, seed: int = 0, rates: Rates | None = None) -> Restored:
    """One such story."""
    story = Story(seed, rates=rates or Rates(rollback=1e-9))
    with cheap.openings(), cheap.folder() as folder:
        world = Restored(story, folder, verb, live=live)
        world.run()
        return world


@pytest.mark.parametrize("verb", ["flatten", "kill"])
def test_a_close_that_is_new_leaves_at_once(verb: str) -> None:
    """Within ten minutes of the restore, although an order of before may have the command's key."""
    world = played(verb)
    assert not world.outcome.wrong
    assert world.left == {}


@pytest.mark.parametrize("verb", ["flatten", "kill"])
def test_a_command_that_may_be_old_is_asked_for(verb: str) -> None:
    """It was found in the inbox: what it closed in the forgotten time is not closed again."""
    world = played(verb, live=False)
    assert not world.outcome.wrong
    assert world.left != {}


def test_with_the_old_id_a_close_at_once_would_double() -> None:
    """What the restore's time in the id is for."""
    with (
        patch.object(recovery, "stamped", lambda _, key: key),
        patch.object(recovery, "_stamped", lambda *_: True),
    ):
        assert any("2. time" in text for text in played("flatten").outcome.wrong)


@pytest.mark.parametrize("verb", ["flatten", "kill"])
def test_whatever_is_lost_nothing_is_doubled(verb: str, base_seed: int) -> None:
    """Lost, late and unanswered closes, crashes between them: each id is accepted once."""
    for seed in range(base_seed, base_seed + 12):
        rates = Rates(
            rollback=1e-9, unanswered=0.2, late_order=0.2, lost=0.1, silent=0.3, lag=0.2, crash=0.2
        )
        world = played(verb, seed=seed, rates=rates)
        assert not world.outcome.wrong, f"seed {seed}: {world.outcome.wrong}"
