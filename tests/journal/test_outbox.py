"""Notices that must reach a person wait in the journal until they did."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from runner.core.decision import Decision
from runner.core.notice import Notice, Outgoing, Settled
from tests.journal.building import NOW, count, open_journal

FIRST = Outgoing("1-1", "phone", Notice(NOW, "critical", "KILLED by anna", "look"))
SECOND = replace(FIRST, target="mail")


def test_what_is_not_settled_is_there_after_reopening(tmp_path: Path) -> None:
    """A target that took it needs it no more; the other's copy outlives the process."""
    journal = open_journal(tmp_path)
    journal.commit([Decision(outbox=[FIRST, SECOND])])
    assert journal.unsent() == [FIRST, SECOND]
    journal.commit([Decision(settled=[Settled("1-1", "phone", NOW)])])
    journal.close()
    journal = open_journal(tmp_path)
    assert journal.unsent() == [SECOND]
    journal.close()


def test_settled_ones_are_forgotten_with_time_unsettled_never(tmp_path: Path) -> None:
    """Retention deletes what was delivered long ago, but for the newest row."""
    journal = open_journal(tmp_path)
    third = replace(FIRST, key="1-2")
    journal.commit([Decision(outbox=[FIRST, SECOND, third])])
    journal.commit([Decision(settled=[Settled("1-1", "phone", NOW)])])
    journal.prune(NOW + 1)
    assert count(tmp_path, "outbox") == 2
    assert journal.unsent() == [SECOND, third]
    journal.close()


def test_a_settlement_of_nothing_changes_nothing(tmp_path: Path) -> None:
    """What was pruned or restored away may be settled late."""
    journal = open_journal(tmp_path)
    journal.commit([Decision(settled=[Settled("9-9", "phone", NOW, "gone")])])
    assert journal.unsent() == []
    journal.close()
