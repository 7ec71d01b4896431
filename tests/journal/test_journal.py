"""The journal: what a commit promises."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from runner.core.decision import (
    AttemptOutcome,
    DeadManState,
    Decision,
    FillRow,
    RuleMemory,
)
from runner.core.events import Fill
from runner.core.orders import OrderState, Outcome
from runner.errors import JournalError
from runner.journal import Journal, JournalReader
from tests.journal.building import (
    NOW,
    attempt_of,
    changing,
    count,
    firing,
    leg_of,
    open_journal,
    run_of,
    sending,
)


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


def test_the_journal_tells_how_long_the_runner_was_away(tmp_path: Path) -> None:
    """Commits and beats note the time, at most once a second; the next life reads it."""
    clock = [NOW]
    first = open_journal(tmp_path, now=lambda: clock[0])
    assert first.last_alive is None
    assert _alive_at(tmp_path) is None
    first.beat()
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


def test_a_start_that_writes_nothing_is_no_sign_of_life(tmp_path: Path) -> None:
    """A start that was refused, however often: the next one must look as far back as the first."""
    open_journal(tmp_path).close()
    never = open_journal(tmp_path, now=lambda: NOW + 60_000)
    assert never.last_alive is None
    never.beat()
    never.close()
    open_journal(tmp_path, now=lambda: NOW + 3_600_000).close()
    again = open_journal(tmp_path, now=lambda: NOW + 7_200_000)
    assert again.last_alive == NOW + 60_000
    again.close()


def _alive_at(folder: Path) -> int | None:
    with JournalReader.open(folder / "journal.db") as reader:
        found: int | None = reader.meta()["alive_at"]
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
