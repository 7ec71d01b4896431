"""`runner status` and the switches: who, since when, why, and the verb that ends it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from runner.cli.status_switches import SETTLED, idle_exits
from runner.core import commands
from runner.core.events import Command
from runner.core.prices import PriceBoard
from runner.core.running import World
from runner.core.state import Work
from runner.core.view import View
from runner.journal import JournalReader
from runner.remembering import remembered
from runner.rulebook.load import load
from tests.cli.calling import call, demo_folder
from tests.journal.building import open_journal


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The demo's folder with an empty journal."""
    folder = demo_folder(tmp_path / "my")
    open_journal(folder).close()
    return folder


def say(verb: str, *words: object) -> str:
    """A verb that must go well while no daemon runs."""
    result = call(verb, *words)
    assert result.exit_code == 0, result.output
    return result.output


def problems(folder: Path) -> list[dict[str, str]]:
    """What status finds about switches."""
    told = json.loads(call("status", "--dir", folder, "--json").stdout)["problems"]
    return [each for each in told if each["what"].startswith(("paused", "killed", "rule "))]


def test_a_pause_is_shown_until_it_is_resumed(folder: Path) -> None:
    """Also while nobody runs; with the cure."""
    assert "it holds from the next start" in say("pause", "--reason", "news", "--dir", folder)
    [problem] = problems(folder)
    assert problem["what"].startswith("paused by ")
    assert "(news)" in problem["what"]
    assert problem["cure"] == f"runner resume --dir {folder}"
    say("resume", "--dir", folder)
    assert problems(folder) == []


def test_a_kill_without_a_daemon_says_that_nothing_was_sent(folder: Path) -> None:
    """The next start begins killed; unlock ends it."""
    text = say("kill", "--yes", "--reason", "boo", "--dir", folder)
    assert "nothing could be sent to the exchange" in text
    [problem] = [each for each in problems(folder) if each["what"].startswith("killed")]
    assert problem["cure"] == f"runner unlock --reason TEXT --dir {folder}"
    say("unlock", "--reason", "seen", "--dir", folder)
    assert not [each for each in problems(folder) if each["what"].startswith("killed")]


def test_a_disabled_rule_is_named_with_its_cure_and_is_no_problem(folder: Path) -> None:
    """Somebody wanted it."""
    say("disable", "tv-eth", "--reason", "wrong", "--dir", folder)
    shown = call("status", "--dir", folder).stdout
    assert "disabled: tv-eth by " in shown
    assert "(wrong); runner enable tv-eth ends it" in shown
    assert problems(folder) == []
    say("enable", "tv-eth", "--dir", folder)
    assert "disabled:" not in call("status", "--dir", folder).stdout


@pytest.mark.parametrize(
    "words",
    [
        ("cancel",),
        ("flatten", "--yes"),
        ("fire", "tv-eth", "--event-key", "1"),
        ("flatten",),
        ("kill",),
    ],
)
def test_what_needs_a_daemon_or_a_yes_is_refused_plainly(
    folder: Path, words: tuple[str, ...]
) -> None:
    """Exit 2 and what to do; nothing is left behind for a later start."""
    result = call(*words, "--dir", folder)
    assert result.exit_code == 2
    assert "runner run --dir" in result.stderr or "--yes" in result.stderr
    assert not list(folder.glob("journal.db.inbox/*"))


def test_a_wrong_rule_is_refused(folder: Path) -> None:
    """Exit 1, with those there are."""
    result = call("disable", "tv-et", "--dir", folder)
    assert result.exit_code == 1
    assert "tv-eth" in result.output


def after(folder: Path, event: Command) -> None:
    """A command that the runner of this folder was given."""
    journal = open_journal(folder)
    rules = load(folder / "rules").rules
    assert rules is not None
    state = remembered(journal)
    world = World(rules, View(PriceBoard(30_000), {}), "main", "paper", journal.seen)
    work = Work(state, 1_800_000_000_000)
    commands.command(work, world, event)
    journal.commit([work.apply(state.revisions)])
    journal.close()


def test_json_tells_who_when_and_why(folder: Path) -> None:
    """`paused`, `killed`, `disabled`."""
    for verb, more in (("pause", ""), ("disable", "tv-eth")):
        event = Command(verb, f"{verb}-1", "ann", 1_800_000_000_000, "why", rule_id=more)
        after(folder, event)
    told = json.loads(call("status", "--dir", folder, "--json").stdout)
    by = {"who": "ann", "at": 1_800_000_000_000, "why": "why"}
    assert (told["paused"], told["killed"], told["disabled"]) == (by, None, {"tv-eth": by})


class Positions:
    """A journal that knows the newest line of each symbol's position, and counts the questions."""

    def __init__(self, texts: Mapping[str, str], at: int) -> None:
        self._texts = texts
        self._at = at
        self.asked: list[str] = []

    def records(self, *, kinds: tuple[str], symbol: str, limit: int) -> list[dict[str, Any]]:
        """The newest record of a position."""
        assert (kinds, limit) == (("position",), 1)
        self.asked.append(symbol)
        found = self._texts.get(symbol)
        return [] if found is None else [{"text": found, "at": self._at}]


def open_exit(symbol: str, **changes: Any) -> dict[str, Any]:
    """An exit on the book, as the journal tells it."""
    usual = {"kind": "order", "reduce_only": True, "position_side": "BOTH", "planned_at": 1_000}
    return {**usual, "symbol": symbol, "rule_id": f"of-{symbol}", "run_id": "r", **changes}


def test_exits_of_a_closed_position_are_named_with_one_question_a_symbol(tmp_path: Path) -> None:
    """Thousands of open orders must not take thousands of looks at the journal."""
    journal = Positions({"A": "flat", "B": "0.5 @ 70000", "D": "flat"}, at=2_000)
    orders = [open_exit(symbol) for symbol in ("A", "B", "C") for _ in range(50)]
    orders += [open_exit("D", planned_at=3_000), open_exit("E", reduce_only=False)]
    orders += [open_exit("F", position_side="LONG"), open_exit("G", kind="cancel")]
    told = {"open_orders": orders, "started_at": 500}
    found = idle_exits(tmp_path, told, cast("JournalReader", journal), 2_000 + SETTLED + 1)
    assert [each["what"] for each in found] == [
        "A is flat, and an exit of of-A stays on the book (run r)"
    ]
    assert sorted(journal.asked) == ["A", "B", "C", "D"]
    assert not idle_exits(tmp_path, told, cast("JournalReader", journal), 2_000 + SETTLED)
    late = {**told, "started_at": 2_001}
    assert not idle_exits(tmp_path, late, cast("JournalReader", journal), 2_000 + SETTLED + 1)
