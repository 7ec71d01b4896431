"""The dispatcher's loop by itself, on a clock that jumps."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.core.rules import RuleSet
from runner.venues.paper.exchange import Exchange
from runner.venues.paper.symbols import built_in
from runner.virtual import VirtualClock, VirtualExchange, VirtualRunner

START = 1_780_000_000_000


def test_a_machine_that_stands_still_between_two_looks_at_the_clock_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was due in a moment is due by now: the loop turns on, however long the pause was."""
    clock = VirtualClock(START)
    exchange = VirtualExchange(Exchange(built_in(), accounts=(), now=START), clock)
    runner = VirtualRunner(tmp_path / "journal.db", RuleSet({}), exchange, clock)
    looks = 0

    def later() -> int:
        nonlocal looks
        looks += 1
        clock.now += 600_000
        if looks == 50:
            runner.dispatcher.stop()
        return clock.now

    monkeypatch.setattr(runner.dispatcher, "_now", later)
    runner.dispatcher.run()
    assert looks >= 50
    runner.crash()
