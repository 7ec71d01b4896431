"""The journal: what a commit promises, and what it refuses."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from runner.core.decision import (
    AlertRow,
    AttemptOutcome,
    DeadManState,
    Decision,
    FillRow,
    LegChange,
    Record,
    RuleMemory,
    RunStatus,
)
from runner.core.events import Fill
from runner.core.orders import OrderState, Outcome
from runner.errors import CommitFailed, JournalError, JournalFull
from runner.journal import Journal, JournalReader
from tests.journal.building import (
    NOW,
    attempt_of,
    changing,
    firing,
    leg_of,
    open_journal,
    run_of,
    sending,
)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """An open journal in a folder of its own."""
    journal = open_journal(tmp_path)
    yield journal
    journal.close()


def count(folder: Path, table: str) -> int:
    """How many rows the file holds, by another connection."""
    connection = sqlite3.connect(folder / "journal.db")
    try:
        found: int = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 - our own word
        return found
    finally:
        connection.close()


def test_a_firing_is_there_after_reopening(tmp_path: Path) -> None:
    """Run, legs and attempts of a committed decision are found by the next life."""
    decision, run, legs = firing("k1", legs=3)
    decision.rule_texts["hash-1"] = "id: buy-dip"
    first = open_journal(tmp_path)
    first.commit([decision])
    first.close()
    again = open_journal(tmp_path)
    try:
        assert again.open_runs() == [run]
        assert again.runs([run.run_id, "unknown"]) == [run]
        assert again.legs_of([run.run_id]) == legs
        assert again.open_legs() == legs
        assert again.rule_text("hash-1") == "id: buy-dip"
        assert again.rule_text("hash-2") is None
    finally:
        again.close()


def test_a_seen_event_names_its_run(journal: Journal) -> None:
    """`seen` finds exactly the identity that fired."""
    decision, run, _ = firing("k1")
    journal.commit([decision])
    assert journal.seen("buy-dip", "0", "BTCUSDT", "k1") == run.run_id
    assert journal.seen("buy-dip", "0", "BTCUSDT", "k2") is None
    assert journal.seen("buy-dip", "1", "BTCUSDT", "k1") is None


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


def test_fifty_decisions_are_one_transaction(tmp_path: Path) -> None:
    """A group of decisions is committed by one COMMIT: all of it or nothing."""
    points: list[str] = []
    journal = open_journal(tmp_path, on_commit=points.append)
    journal.commit([firing(f"k{number}", legs=2)[0] for number in range(50)])
    assert points == ["before_commit", "after_commit"]
    assert len(journal.open_legs()) == 100
    with pytest.raises(JournalError):
        journal.commit([firing("new")[0], firing("k7")[0]])
    assert journal.seen("buy-dip", "0", "BTCUSDT", "new") is None
    journal.close()


def test_nothing_to_remember_is_no_transaction(tmp_path: Path) -> None:
    """Empty decisions cost no commit."""
    points: list[str] = []
    journal = open_journal(tmp_path, on_commit=points.append)
    journal.commit([])
    journal.commit([Decision()])
    assert points == []
    journal.close()


def test_a_leg_moves_on(journal: Journal) -> None:
    """A compare-and-set writes everything that is known of the leg."""
    decision, _, (leg,) = firing("k1")
    journal.commit([decision])
    live = replace(
        leg,
        state=OrderState.LIVE,
        order_id="283194212",
        order_status="PARTIALLY_FILLED",
        cumulative_quantity=Decimal("0.0040"),
        average_price=Decimal("69999.90"),
        updated_at=NOW + 5,
    )
    journal.commit([changing(leg, live)])
    assert journal.open_legs() == [live]
    done = replace(live, state=OrderState.FILLED)
    journal.commit([changing(live, done)])
    assert journal.open_legs() == []
    assert journal.legs_of([leg.run_id]) == [done]


def test_one_group_may_create_a_leg_and_move_it(journal: Journal) -> None:
    """Decisions of one group apply in their order, also to the same leg."""
    run = run_of("k1")
    planned = leg_of(run)
    sent = sending(planned)
    creating = Decision(new_runs=[run])
    creating.change_leg(None, planned)
    signing = Decision(attempts=[attempt_of(planned)])
    signing.change_leg(planned, sent)
    journal.commit([creating, signing])
    assert journal.open_legs() == [sent]


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


def test_an_outcome_completes_its_attempt(journal: Journal) -> None:
    """The answer is written into the attempt's row, here in the group that signed it."""
    decision, _, (leg,) = firing("k1")
    decision.outcomes.append(
        AttemptOutcome(leg.client_order_id, 1, Outcome.REJECTED, -2019, "Margin", NOW + 9)
    )
    journal.commit([decision])
    with JournalReader.open(journal.path) as reader:
        ((attempt,),) = [order["attempts"] for order in reader.orders()]
    assert attempt["outcome"] == "REJECTED"
    assert (attempt["code"], attempt["message"], attempt["answered_at"]) == (
        -2019,
        "Margin",
        NOW + 9,
    )
    assert attempt["payload_sha256"] == "ab" * 32


def test_a_fill_that_is_told_twice_is_one(journal: Journal) -> None:
    """The same trade of the same symbol is written once, the first telling stays."""
    decision, _, (leg,) = firing("k1")
    fill = Fill("77", Decimal("70000"), Decimal("0.01"), Decimal("0.28"), "USDT", Decimal(0), NOW)
    row = FillRow(leg.client_order_id, "BTCUSDT", fill)
    decision.fills += [row, row]
    journal.commit([decision])
    journal.commit([Decision(fills=[row, replace(row, symbol="ETHUSDT")])])
    assert count(journal.path.parent, "fills") == 2


def test_memories_and_countdowns_keep_the_last_word(journal: Journal) -> None:
    """What is kept by key is replaced, also within one group."""
    first = RuleMemory(fires=1, triggers={"0": {"armed": True, "generation": 1}})
    last = RuleMemory(last_fired_at=NOW, fires=2, fires_today=2, day=20_600, enabled=False)
    countdown = DeadManState("BTCUSDT", 120_000, NOW)
    journal.commit([Decision(memories={("a", "X"): first}, dead_men={"BTCUSDT": countdown})])
    assert journal.memories() == {("a", "X"): first}
    assert journal.dead_men() == {"BTCUSDT": countdown}
    expired = replace(countdown, expired=True)
    journal.commit(
        [
            Decision(memories={("a", "X"): first, ("a", "Y"): first}),
            Decision(memories={("a", "X"): last}, dead_men={"BTCUSDT": expired}),
        ]
    )
    assert journal.memories() == {("a", "X"): last, ("a", "Y"): first}
    assert journal.dead_men() == {"BTCUSDT": expired}


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


def test_the_last_room_on_the_disk_is_for_outcomes(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With little room nothing new begins, yet what is under way can be recorded."""
    decision, _, (leg,) = firing("k1")
    journal.commit([decision])
    _free_bytes(monkeypatch, 8 * 1024 * 1024)
    with pytest.raises(JournalFull, match="8192 KiB"):
        journal.commit([firing("k2")[0]])
    journal.commit([changing(leg, replace(leg, state=OrderState.LIVE))])
    _free_bytes(monkeypatch, 1024)
    with pytest.raises(JournalFull):
        journal.commit([Decision(records=[Record(NOW, "error", "x")])])


def _free_bytes(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    class Disk:
        f_bavail = size // 1024
        f_frsize = 1024

    monkeypatch.setattr("runner.journal.journal.os.statvfs", lambda _: Disk)


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


def test_the_journal_tells_how_long_the_runner_was_away(tmp_path: Path) -> None:
    """Commits and beats note the time, at most once a second; the next life reads it."""
    clock = [NOW]
    first = open_journal(tmp_path, now=lambda: clock[0])
    assert first.last_alive is None
    clock[0] = NOW + 999
    first.beat()
    assert _alive_at(tmp_path) == NOW
    clock[0] = NOW + 1000
    first.commit([firing("k1")[0]])
    assert _alive_at(tmp_path) == NOW + 1000
    clock[0] = NOW + 7000
    first.beat()
    first.close()
    again = open_journal(tmp_path, now=lambda: NOW + 60_000)
    assert again.last_alive == NOW + 7000
    assert again.epoch == first.epoch + 1
    again.close()


def _alive_at(folder: Path) -> int:
    with JournalReader.open(folder / "journal.db") as reader:
        found: int = reader.meta()["alive_at"]
        return found


def test_a_grown_wal_changes_nothing_else(tmp_path: Path) -> None:
    """Growing the WAL makes commits cheaper and leaves the content as it was."""
    journal = open_journal(tmp_path, wal_bytes=2_000_000)
    wal = tmp_path / "journal.db-wal"
    assert wal.stat().st_size >= 2_000_000
    journal.commit([firing("k1")[0]])
    assert len(journal.open_runs()) == 1
    assert count(tmp_path, "sqlite_master WHERE name = 'growing'") == 0
    journal.close()


def test_many_runs_are_looked_up_in_portions(journal: Journal) -> None:
    """A start with more runs than one statement takes parameters finds them all."""
    decisions = [firing(f"k{number}")[0] for number in range(1100)]
    journal.commit(decisions)
    wanted = [run.run_id for decision in decisions for run in decision.new_runs]
    assert len(journal.legs_of(wanted)) == 1100
    assert len(journal.runs(wanted)) == 1100
