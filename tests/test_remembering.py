"""What a start takes from the journal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runner.core.decision import RunStatus
from runner.core.orders import OrderIntent, OrderState
from runner.core.state import MINUTE
from runner.journal import Journal
from runner.remembering import remembered
from tests.journal.building import firing, leg_of


class Clock:
    """Our time, which a test sets."""

    now = 1_790_000_000_000

    def __call__(self) -> int:
        """UTC ms."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock of the test's own."""
    return Clock()


@pytest.fixture
def journal(tmp_path: Path, clock: Clock) -> Iterator[Journal]:
    """A journal on that clock."""
    found = Journal.open(tmp_path / "journal.db", "main", clock)
    yield found
    found.close()


def planned(journal: Journal, key: str, at: int, count: int = 1, *, exits: bool = False) -> None:
    """A run whose orders were planned then, and which is long over."""
    decision, run, _ = firing(key, 0)
    decision.runs[run.run_id] = replace(run, status=RunStatus.DONE)
    for number in range(count):
        leg = leg_of(run, f"0.{number}", planned_at=at, state=OrderState.FILLED)
        assert isinstance(leg.intent, OrderIntent)
        intent = replace(leg.intent, reduce_only=exits)
        decision.change_leg(None, replace(leg, intent=intent))
    journal.commit([decision])


def test_orders_of_finished_runs_count_for_the_last_minute(journal: Journal, clock: Clock) -> None:
    """A restart is no fresh allowance: filled or not, forgotten run or not; exits never count."""
    planned(journal, "old", clock.now - MINUTE)
    planned(journal, "young", clock.now - MINUTE + 1, 2)
    planned(journal, "exit", clock.now, exits=True)
    planned(journal, "now", clock.now)
    state = remembered(journal)
    times = [entry.at for entry in state.entries]
    assert times == [clock.now - MINUTE + 1] * 2 + [clock.now]
    assert not state.legs
    assert state.count_entries(clock.now) == 3
    clock.now += MINUTE
    assert not remembered(journal).entries


def test_more_orders_than_one_look_brings_are_counted(journal: Journal, clock: Clock) -> None:
    """Page by page back to the first that is too old."""
    planned(journal, "before", clock.now - MINUTE, 3)
    planned(journal, "many", clock.now - 10, 1_001)
    assert len(remembered(journal).entries) == 1_001
