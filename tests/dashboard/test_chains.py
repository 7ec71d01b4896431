"""An event and what followed from it, out of the journal's records."""

from __future__ import annotations

from typing import Any

from runner.dashboard.chains import chain_of


def record(seq: int, kind: str, text: str = "", reason: str = "") -> dict[str, Any]:
    """A record as the journal's reader gives it."""
    return {"seq": seq, "at": seq, "kind": kind, "text": text, "reason": reason, "data": {}}


def test_a_run_that_ended_well_is_good() -> None:
    """Its steps in order, without what came before it fired."""
    steps = [
        record(1, "armed"),
        record(2, "fired"),
        record(3, "planned", "buy"),
        record(4, "position", "0.1"),
        record(5, "fill", "0.1 filled"),
        record(6, "run", "done"),
    ]
    found = chain_of(steps[1], steps)
    assert [each.word for each in found.steps] == ["planned", "filled", "ended"]
    assert (found.end, found.good) == ("done", True)


def test_a_run_that_stopped_says_why() -> None:
    """The reason stands where it ends."""
    found = chain_of(record(1, "fired"), [record(2, "run", "stopped: x", "guard")])
    assert (found.end, found.good) == ("guard", False)


def test_a_run_that_goes_on_is_neither() -> None:
    """With its newest reason when there is one."""
    assert chain_of(record(1, "fired"), []).end == "goes on"
    found = chain_of(record(1, "fired"), [record(2, "state", "unknown", "rejected")])
    assert (found.end, found.good) == ("rejected", None)


def test_what_did_not_fire_ends_at_once() -> None:
    """A refusal and an error are not what was wanted; a plain event is nothing by itself."""
    assert chain_of(record(1, "refused", "3 h", "cooldown"), []).good is False
    assert chain_of(record(1, "error", "odd"), []).end == "error"
    assert chain_of(record(1, "event", "alert"), []).good is None
    assert chain_of(record(1, "event", "alert", "duplicate"), []).good is False
