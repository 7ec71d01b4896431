"""A thread that looks until it is stopped."""

from __future__ import annotations

from runner.notifications.rounds import Rounds
from tests.support import eventually

PATIENCE = 60


def test_it_looks_again_and_again_until_it_is_stopped() -> None:
    """It lives from its start to its stop."""
    looks: list[int] = []
    rounds = Rounds("rounds", 0.001, lambda: looks.append(1))
    rounds.start()
    eventually(lambda: rounds.alive and len(looks) > 2, PATIENCE)
    rounds.stop()
    eventually(lambda: not rounds.alive, PATIENCE)
