"""Rows: every remembered thing comes back as it was."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from runner.core.decision import (
    AlertRow,
    Attempt,
    AttemptOutcome,
    DeadManState,
    FillRow,
    Leg,
    Record,
    RuleMemory,
    Run,
)
from runner.core.orders import CancelIntent, OrderIntent
from runner.journal import rows
from tests.journal import building


def same(left: Any, right: Any) -> bool:
    """Equal, and equal in every digit of every Decimal."""
    return bool(left == right) and repr_of(left) == repr_of(right)


def repr_of(value: Any) -> str:
    """The value's text, without the order of keys."""
    if isinstance(value, dict):
        return repr(sorted((key, repr_of(item)) for key, item in value.items()))
    if isinstance(value, list):
        return repr([repr_of(item) for item in value])
    slots = getattr(type(value), "__slots__", None)
    if slots and hasattr(value, "__dataclass_fields__"):
        return repr([(name, repr_of(getattr(value, name))) for name in slots])
    return repr(value)


@given(building.ORDER_INTENTS | building.CANCEL_INTENTS)
def test_an_intent_comes_back(intent: OrderIntent | CancelIntent) -> None:
    """Orders and cancels survive with their types and every digit."""
    assert same(rows.intent_of(rows.intent_text(intent)), intent)


@given(building.RUNS)
def test_a_run_comes_back(run: Run) -> None:
    """A run survives with its identity and the event's fields."""
    assert same(rows.run_of(rows.run_row(run)), run)


@given(building.LEGS)
def test_a_leg_comes_back(leg: Leg) -> None:
    """A leg survives whole."""
    assert same(rows.leg_of(rows.leg_row(leg)), leg)


@given(building.ATTEMPTS, st.none() | building.OUTCOMES)
def test_an_attempt_and_its_outcome_come_back(
    attempt: Attempt, outcome: AttemptOutcome | None
) -> None:
    """An attempt's row holds the signed request and, later, what the answer proved."""
    row = rows.attempt_row(attempt) | {"outcome": None}
    if outcome is not None:
        row |= rows.outcome_row(outcome)
    assert rows.outcome_of(row) == outcome
    if outcome is None:
        assert rows.attempt_of(row) == attempt


@given(building.FILLS)
def test_a_fill_comes_back(fill: FillRow) -> None:
    """A fill survives with every digit."""
    assert same(rows.fill_of(rows.fill_row(fill)), fill)


@given(building.ALERTS)
def test_an_alert_comes_back(alert: AlertRow) -> None:
    """An alert survives with its fields, whatever text they hold."""
    assert same(rows.alert_of(rows.alert_row(alert)), alert)


@given(st.tuples(building.WORDS, building.WORDS), building.MEMORIES)
def test_a_memory_comes_back(key: tuple[str, str], memory: RuleMemory) -> None:
    """A rule's memory survives with the triggers' own."""
    known, found = rows.memory_of(rows.memory_row(key, memory))
    assert known == key
    assert same(found, memory)


@given(building.DEAD_MEN)
def test_a_countdown_comes_back(state: DeadManState) -> None:
    """A symbol's countdown survives."""
    assert rows.dead_man_of(rows.dead_man_row(state)) == state


@given(building.RECORDS)
def test_a_record_comes_back(record: Record) -> None:
    """A line of the log survives with its data."""
    assert same(rows.record_of(rows.record_row(record)), record)
