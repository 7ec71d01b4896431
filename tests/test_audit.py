"""Journal and exchange side by side: every difference is named, and only differences are."""

from __future__ import annotations

import pytest

from runner.audit import differences

KEY = "r1-main-a"


def row(state: str, status: str | None = None) -> dict[str, str | None]:
    """An order of the journal."""
    return {"client_order_id": KEY, "state": state, "order_status": status}


@pytest.mark.parametrize(
    ("order", "accepted"),
    [
        (row("FILLED", "FILLED"), [KEY]),
        (row("LIVE", "NEW"), [KEY, "x-other", "r1-else-a"]),
        (row("REJECTED"), []),
        (row("REJECTED", "REJECTED"), [KEY]),
        (row("LAPSED"), []),
        (row("PARKED"), [KEY]),
        (row("PARKED"), []),
    ],
)
def test_what_agrees_is_not_named(order: dict[str, str], accepted: list[str]) -> None:
    """A conditional order that was refused at its trigger was accepted before."""
    assert differences([order], accepted, "main") == []


def test_what_a_restored_journal_was_told_of_is_known() -> None:
    """It is on the exchange only, and a person was told; doubled it is named all the same."""
    assert differences([], [KEY], "main", {KEY}) == []
    assert differences([], [KEY, KEY], "main", {KEY}) == [f"{KEY} was accepted 2 times"]


@pytest.mark.parametrize(
    ("order", "accepted", "said"),
    [
        (row("FILLED", "FILLED"), [KEY, KEY], "was accepted 2 times"),
        (row("LIVE", "NEW"), [], "the exchange never accepted it"),
        (row("REJECTED"), [KEY], "the exchange accepted it"),
        (row("LAPSED"), [KEY], "the exchange accepted it"),
        (row("UNKNOWN"), [KEY], "is still UNKNOWN"),
        (row("LIVE", "NEW"), [KEY, "r1-main-b"], "r1-main-b is on the exchange"),
    ],
)
def test_a_difference_is_named(order: dict[str, str], accepted: list[str], said: str) -> None:
    """Doubled, lost, unexplained or never decided: one sentence each."""
    (found,) = differences([order], accepted, "main")
    assert said in found
