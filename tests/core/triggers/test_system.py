"""Trigger `system`: starts, streams that are silent, and journal trouble."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runner.core.document import Node
from runner.core.events import JournalTrouble, StreamState
from runner.core.triggers.system import build
from tests.core.trigger_factories import START, Bench, fired, moment, rule
from tests.core.trigger_factories import build as build_trigger
from tests.core.triggers.playing import Play


def test_a_start_fires_once_all_is_known(tmp_path: Path) -> None:
    """At each start of the process, after account and prices were read; no reload, no turn."""
    play = Play(tmp_path, "hello | system: started | if: [mark > 1, account.available > 1]")
    assert len(play.fired("hello")) == 1
    play.advance(60_000)
    assert len(play.fired("hello")) == 1
    play.restart(away=5_000)
    play.advance(1_000)
    first, second = play.fired("hello")
    assert first["event_key"] != second["event_key"]
    assert 5 <= float(second["fields"]["away"]) < 7


def test_a_start_does_not_wait_for_ever_for_a_price(tmp_path: Path) -> None:
    """A symbol that says nothing holds it up for 15 seconds."""
    play = Play(tmp_path, "hello | system: started | symbols: [BTCUSDT, ETHUSDT]")
    play.advance(20_000)
    assert len(play.fired("hello")) == 2


def test_loading_a_rule_is_no_start() -> None:
    """A rule that comes with a reload waits for the next start."""
    bench = Bench()
    bench.engine.recover(moment(START))
    bench.load(rule("r", build_trigger("system", "started")), now=START + 1)
    assert fired(bench.engine.wake(moment(START + 60_000))) == []


def stream(
    connected: bool, at: int, gap_from: int | None = None, name: str = "user"
) -> StreamState:
    """A stream came or went."""
    return StreamState(name, connected, START + at, None if gap_from is None else START + gap_from)


def gap_bench() -> Bench:
    """A rule on gaps of more than 30 s."""
    bench = Bench(rule("r", build_trigger("system", {"stream_gap": "30s"})))
    bench.engine.recover(moment(START))
    return bench


def wake(bench: Bench, at: int) -> list[str]:
    """The clock's turn."""
    return fired(bench.engine.wake(moment(START + at)))


def test_a_broken_stream_fires_while_it_is_away() -> None:
    """30 s after it was last alive, once; the next break is another event."""
    bench = gap_bench()
    bench.process(stream(False, 5_000, 1_000), START + 5_000)
    assert bench.engine.next_at(moment(START + 6_000)) <= START + 31_000
    assert wake(bench, 30_999) == []
    assert wake(bench, 31_000) == ["r"]
    assert wake(bench, 90_000) == []
    assert fired(bench.process(stream(True, 90_001, 1_000), START + 90_001)) == []
    bench.process(stream(False, 100_000, 99_000), START + 100_000)
    assert wake(bench, 129_000) == ["r"]


def test_a_short_break_is_none() -> None:
    """Back in time: nothing, and nothing later."""
    bench = gap_bench()
    bench.process(stream(False, 5_000, 1_000), START + 5_000)
    assert fired(bench.process(stream(True, 20_000, 1_000), START + 20_000)) == []
    assert wake(bench, 90_000) == []


def test_a_gap_that_shows_only_at_its_end_fires_then() -> None:
    """Nobody told of the break, or nobody woke."""
    bench = gap_bench()
    assert fired(bench.process(stream(True, 50_000, 1_000), START + 50_000)) == ["r"]
    assert fired(bench.process(stream(True, 60_000), START + 60_000)) == []


def test_two_streams_are_two_breaks() -> None:
    """Each with its own clock."""
    bench = gap_bench()
    for name, at in (("user", 1_000), ("market", 9_000)):
        bench.process(stream(False, at, at, name), START + at)
    assert wake(bench, 31_000) == ["r"]
    assert wake(bench, 39_000) == ["r"]


def test_a_start_forgets_breaks_of_the_last_life() -> None:
    """Every stream connects anew."""
    bench = gap_bench()
    bench.process(stream(False, 5_000, 1_000), START + 5_000)
    again = Bench(
        rule("r", build_trigger("system", {"stream_gap": "30s"})),
        state=bench.state,
        now=START + 600_000,
    )
    again.engine.recover(moment(START + 600_000))
    assert wake(again, 700_000) == []


def test_journal_trouble_fires_once_for_each_case() -> None:
    """Its key tells cases apart."""
    bench = Bench(rule("r", build_trigger("system", "journal")))
    trouble = JournalTrouble("room-1", "only 900 KiB are left", START)
    decision = bench.process(trouble, START)
    assert fired(decision) == ["r"]
    assert decision.new_runs[0].fields["detail"] == "only 900 KiB are left"
    assert fired(bench.process(trouble, START + 1)) == []


@pytest.mark.parametrize(
    ("value", "code"), [("start", "enum"), ({"stream_gap": "soon"}, "wrong-type")]
)
def test_problems(value: Any, code: str) -> None:
    """A word that is none, a length that is none."""
    node = Node(value)
    assert build(node, "system") is None
    assert [each.code for each in node.problems] == [code]
