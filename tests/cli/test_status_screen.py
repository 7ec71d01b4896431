"""`runner status` on a terminal: one screen, whatever there is to tell; all of it in a pipe."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.cli.status_screen import Section, fitted, show
from runner.core.decision import DeadManState, Decision, Record, RuleMemory
from tests.cli.calling import call, demo_folder
from tests.cli.terminal import on_terminal
from tests.journal.building import firing, open_journal

HOUR = 3_600_000
MANY = 30


def _rules() -> str:
    rules = [
        f"  - {{id: level-{number}, symbol: BTCUSDT, do: [{{notify: up}}], "
        f"when: [{{price: {{source: mark, crosses_above: {70_000 + number}}}}}]}}"
        for number in range(MANY)
    ]
    return "\n".join(["version: 1", "rules:", *rules, ""])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Thirty rules, orders, countdowns, problems; the daemon was killed an hour ago."""
    folder = demo_folder(tmp_path / "my")
    (folder / "rules" / "demo.yaml").write_text(_rules())
    (folder / "rules" / "demo.tests.yaml").unlink()
    at = time.time_ns() // 1_000_000 - HOUR
    data = {"account": "paper", "mode": "paper", "hook": "http://127.0.0.1:1"}
    journal = open_journal(folder)
    journal.commit([Decision([Record(at, "started", "runner", data=data)])])
    journal.commit([firing(str(number))[0] for number in range(7)])
    told = [Record(at + n, "error", f"something went wrong, number {n}") for n in range(12)]
    memories = {("level-3", ""): RuleMemory(enabled=False)}
    men = {s: DeadManState(s, 120_000, at) for s in ("BTCUSDT", "ETHUSDT", "SOLUSDT")}
    journal.commit([Decision(told, memories=memories, dead_men=men)])
    journal.close()
    return folder


@pytest.mark.parametrize(("rows", "columns"), [(24, 80), (24, 120), (40, 80), (24, 60)])
def test_one_screen_whatever_there_is(folder: Path, rows: int, columns: int) -> None:
    """Every line fits, the prompt too; what is left out is counted, with the verb that shows it."""
    code, shown = on_terminal("status", "--dir", folder, rows=rows, columns=columns)
    assert code == 3, shown
    lines = shown.splitlines()
    assert len(lines) < rows
    assert max(map(len, lines)) <= columns
    assert lines[0].startswith("not running: ")
    assert any(line.startswith("problems: ") for line in lines)
    assert "more: runner status --all" in shown
    assert "more: runner why --all" in shown
    assert "start it: runner run" in shown


def test_all_of_it_on_request_and_in_a_pipe(folder: Path) -> None:
    """Each rule with what it waits for, in lines that can be cut and searched."""
    piped = call("status", "--dir", folder).stdout
    _, shown = on_terminal("status", "--dir", folder, "--all", columns=200)
    for text in (piped, shown):
        for number in range(MANY):
            assert f"level-{number} " in text
        assert "something went wrong, number 11" in text
        assert " more: " not in text
    [line] = [line for line in piped.splitlines() if line.startswith("level-3 ")]
    assert line.split()[2] == "disabled"


def told(**changes: Any) -> dict[str, Any]:
    """A document of a runner that runs and has nothing to say."""
    usual: dict[str, Any] = {
        "account": "main",
        "mode": "live",
        "hook": "http://127.0.0.1:8080",
        "running": True,
        "ready": True,
        "started_at": 0,
        "revision": None,
        "streams": [
            {"stream": "market", "connected": True, "since": None},
            {"stream": "user", "connected": False, "since": 1_000},
        ],
        "limits": [
            {"limit": "weight", "every": 60_000, "used": 40, "most": 2_400},
            {"limit": "orders", "every": 10_000, "used": 2, "most": 300},
        ],
        "dead_men": [],
        "disabled": {},
        "open_orders": [],
        "rules": [],
        "events": [],
        "problems": [],
    }
    return usual | changes


def test_streams_and_limits_are_lines_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    """Request weight and orders, each in its window."""
    show(told(), 5_000, every=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "ready: account main (live), http://127.0.0.1:8080, started 5 s ago"
    assert lines[1:3] == [
        "streams: market stands, user is away since 1970-01-01 00:00:01 UTC",
        "limits: weight 40/2400 in 1 min, orders 2/300 in 10 s",
    ]


def test_a_section_counts_what_was_never_made() -> None:
    """Of thousands of orders only those are put into words that could fit."""
    lines = fitted([Section("orders: 18000", [["a"], ["b"], ["c"]], 1, "more", 18_000)], 3)
    assert lines == ["orders: 18000", "a", "  17999 more: more"]


SECTIONS = st.lists(
    st.tuples(st.lists(st.integers(1, 4), max_size=12), st.integers(0, 4)), min_size=1, max_size=4
)


@given(SECTIONS, st.integers(8, 60))
def test_sections_fill_the_room_and_no_more(shapes: list[tuple[list[int], int]], room: int) -> None:
    """Never more lines than there is room for; nothing is left out that would still fit."""
    sections = [
        Section(f"head {place}", [["line"] * size for size in sizes], least, "more")
        for place, (sizes, least) in enumerate(shapes)
    ]
    lines = fitted(sections, room)
    assert len(lines) <= room
    assert [line for line in lines if line.startswith("head")] == [s.heading for s in sections]
    whole = sum(1 + sum(sizes) for sizes, _ in shapes)
    assert (len(lines) == whole and not any("more" in each for each in lines)) or whole > room
