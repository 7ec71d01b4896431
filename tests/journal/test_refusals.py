"""What the journal refuses to commit, and when it stops for good."""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runner.core.decision import (
    AlertRow,
    AttemptOutcome,
    Decision,
    LegChange,
    Record,
    RuleMemory,
    RunStatus,
)
from runner.core.orders import OrderState, Outcome
from runner.errors import CommitFailed, JournalError, JournalFull
from runner.journal import Journal, JournalReader
from tests.journal.building import (
    NOW,
    changing,
    count,
    firing,
    open_journal,
    run_of,
)


def test_the_same_event_cannot_fire_twice(journal: Journal) -> None:
    """A second run of one identity is refused, and nothing of its decision is written."""
    decision, _, _ = firing("k1")
    journal.commit([decision])
    twice = Decision(
        records=[Record(NOW, "fired", "again")],
        new_runs=[replace(run_of("k1"), run_id="other")],
    )
    with pytest.raises(JournalError, match="UNIQUE"):
        journal.commit([twice])
    assert len(journal.open_runs()) == 1
    assert count(journal.path.parent, "records") == 1


def test_a_refused_commit_lets_the_next_one_through(journal: Journal) -> None:
    """An error before COMMIT rolls back and the journal goes on."""
    decision, run, _ = firing("k1")
    journal.commit([decision])
    with pytest.raises(JournalError):
        journal.commit([decision])
    journal.commit([Decision(runs={run.run_id: replace(run, status=RunStatus.DONE)})])
    assert journal.open_runs() == []


@pytest.mark.parametrize(
    "stale",
    [
        {"state": OrderState.UNKNOWN},
        {"attempt": 2},
    ],
)
def test_a_leg_that_is_not_as_decided_on_stops_the_journal(
    journal: Journal, stale: dict[str, Any]
) -> None:
    """A compare-and-set without a match writes nothing, and no later commit is taken."""
    decision, _, (leg,) = firing("k1")
    journal.commit([decision])
    after = replace(leg, state=OrderState.LIVE)
    with pytest.raises(CommitFailed, match=leg.client_order_id):
        journal.commit([changing(replace(leg, **stale), after)])
    assert journal.open_legs() == [leg]
    with pytest.raises(CommitFailed, match="any more"):
        journal.commit([changing(leg, after)])


def test_one_stale_leg_undoes_the_whole_group(journal: Journal) -> None:
    """Of two legs changed together, one of them stale, neither changes."""
    decision, _, (first, second) = firing("k1", legs=2)
    journal.commit([decision])
    change = changing(first, replace(first, state=OrderState.LIVE))
    lost = replace(second, attempt=7)
    change.legs[second.client_order_id] = LegChange(lost, replace(lost, state=OrderState.LIVE))
    with pytest.raises(CommitFailed):
        journal.commit([change])
    assert journal.open_legs() == [first, second]


def test_a_taken_over_journal_takes_no_commit(journal: Journal) -> None:
    """When the lease has another epoch, the runner that was paused must stop."""
    thief = sqlite3.connect(journal.path)
    thief.execute("UPDATE lease SET epoch = epoch + 1")
    thief.commit()
    thief.close()
    with pytest.raises(CommitFailed, match="taken this journal over"):
        journal.commit([firing("k1")[0]])
    assert journal.open_runs() == []


def test_a_run_or_attempt_that_is_missing_stops_the_journal(tmp_path: Path) -> None:
    """Changing what was never written means that memory and journal differ."""
    for number, decision in enumerate(
        (
            Decision(runs={"x": run_of("k1")}),
            Decision(outcomes=[AttemptOutcome("x", 1, Outcome.ACCEPTED, None, "", NOW)]),
        )
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        journal = open_journal(folder)
        with pytest.raises(CommitFailed, match="start it again"):
            journal.commit([decision])
        journal.close()


def test_text_that_no_database_takes_is_no_poison(journal: Journal) -> None:
    """A lone surrogate or NUL in an alert or message does not stop the journal."""
    alert = AlertRow("tv", "h", {"note": "\ud800\0"}, NOW, None, "unfit: \ud800")
    journal.commit([Decision(alerts=[alert], records=[Record(NOW, "error", "bad \udfff\0")])])
    with JournalReader.open(journal.path) as reader:
        assert reader.alerts()[0]["fields"] == {"note": "\ud800\0"}
        assert reader.records()[0]["text"] == "bad ?\ufffd"


def test_a_number_too_large_is_refused_whole(journal: Journal) -> None:
    """What the database cannot hold raises JournalError, and the journal goes on."""
    with pytest.raises(JournalError, match="cannot be written"):
        journal.commit([Decision(records=[Record(2**70, "error", "late")])])
    journal.commit([Decision(records=[Record(NOW, "error", "on time")])])
    assert count(journal.path.parent, "records") == 1


def test_a_memory_without_an_exact_form_is_refused(journal: Journal) -> None:
    """A float in a trigger's memory would not come back the same: JournalError."""
    with pytest.raises(JournalError, match="float"):
        journal.commit([Decision(memories={("a", "X"): RuleMemory(triggers={"0": {"p": 1.5}})})])


def test_a_full_database_writes_nothing_and_goes_on_later(journal: Journal) -> None:
    """SQLITE_FULL before COMMIT is JournalFull; with room the same commit succeeds."""
    connection = journal._connection
    used = connection.exec_driver_sql("PRAGMA page_count").scalar()
    connection.exec_driver_sql(f"PRAGMA max_page_count={used}")
    big = Decision(records=[Record(NOW, "event", "x" * 5000) for _ in range(50)])
    with pytest.raises(JournalFull, match="free space"):
        journal.commit([big])
    assert count(journal.path.parent, "records") == 0
    connection.exec_driver_sql("PRAGMA max_page_count=100000")
    journal.commit([big])
    assert count(journal.path.parent, "records") == 50


def test_an_error_from_commit_stops_the_journal(journal: Journal) -> None:
    """A COMMIT that does not end well is CommitFailed, and nothing follows it."""
    # a violation that is only found at COMMIT, where a real disk error would show as well
    connection = journal._connection
    connection.exec_driver_sql(
        "CREATE TABLE late (x TEXT REFERENCES meta(key) DEFERRABLE INITIALLY DEFERRED)"
    )

    def violate(name: str) -> None:
        if name == "before_commit":
            connection.exec_driver_sql("INSERT INTO late VALUES ('nothing')")

    journal._on_commit = violate
    with pytest.raises(CommitFailed, match="not known whether it is durable"):
        journal.commit([firing("k1")[0]])
    journal._on_commit = None
    with pytest.raises(CommitFailed, match="any more"):
        journal.commit([firing("k2")[0]])


def test_a_failpoint_before_the_commit_leaves_nothing(tmp_path: Path) -> None:
    """What a crash point raises goes through unchanged and the transaction is undone."""

    class Crash(BaseException):
        pass

    def crash(name: str) -> None:
        if name == "before_commit":
            raise Crash

    journal = open_journal(tmp_path, on_commit=crash)
    with pytest.raises(Crash):
        journal.commit([firing("k1")[0]])
    assert journal.open_runs() == []
    journal.close()


def test_only_one_thread_commits(journal: Journal) -> None:
    """A commit from another thread is a mistake in the program; `own` hands the journal over."""
    journal.commit([firing("k1")[0]])
    errors: list[BaseException] = []

    def elsewhere() -> None:
        try:
            journal.commit([firing("k2")[0]])
        except AssertionError as error:
            errors.append(error)
        journal.own()
        journal.commit([firing("k3")[0]])

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert len(errors) == 1
    assert len(journal.open_runs()) == 2
    with pytest.raises(AssertionError):
        journal.commit([firing("k4")[0]])


def test_a_journal_whose_file_is_gone_takes_no_commit(tmp_path: Path) -> None:
    """A file that was removed or replaced would take commits and lose them: stop instead."""
    journal = open_journal(tmp_path)
    journal.commit([firing("k1")[0]])
    (tmp_path / "journal.db").rename(tmp_path / "moved.db")
    with pytest.raises(CommitFailed, match="moved, removed or replaced"):
        journal.commit([firing("k2")[0]])
    journal.close()
