"""Reload: only files at rest, all or nothing, and whatever happens the old rules go on."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runner import reloading
from runner.app import App
from runner.connecting import Place
from runner.core.decision import AlertAnswer, Record
from runner.core.loading import Reload
from runner.core.rules import RuleSet
from runner.core.state import State
from runner.errors import ConfigurationError
from runner.reloading import Candidate, Loop, Reloader, Reloading
from runner.rulebook.diagnostics import render
from runner.rulebook.load import load
from runner.rulebook.watch import Watch
from runner.settings import Settings
from runner.venues.paper.server import PaperServer
from runner.venues.paper.streams import Streams, Subscriber
from tests.cli.calling import demo_folder
from tests.support import eventually

NOW = 1_700_000_000_000
RULES = """\
version: 1
rules:
  - id: tv-eth
    symbol: ETHUSDT
    when: [{webhook: {path: eth, secret: tv_eth, body: {price: number}}}]
    do: [{place: {side: buy, type: market, quantity: 0.1}}]
"""


class Scene:
    """A folder, a reloader over it, and an engine of which only the records are kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "a.yaml"
        self.file.write_text(RULES)
        self.running = self.loaded()
        self.records: list[Record] = []
        self.taken: list[RuleSet] = []
        self.log: list[str] = []
        self.answer: AlertAnswer | None = AlertAnswer("recorded", ())
        self.full = False
        self.while_reading: Callable[[], None] = lambda: None
        work = Reloading(self.read, self.prepare, self.loops(), self.take, self.over)
        self.reloader = Reloader(Watch(folder), 0, work)

    def loops(self) -> dict[str, Loop]:
        return {"main": Loop(self.hand_in, lambda: self.running)}

    def loaded(self) -> RuleSet:
        found = load(self.folder)
        if found.rules is None:
            raise ConfigurationError(render(found.diagnostics))
        return found.rules

    def read(self) -> Candidate:
        found = self.loaded()
        self.while_reading()
        return Candidate(found, {})

    def prepare(self, candidate: Candidate) -> None:
        self.log.append("prepare")

    def hand_in(self, event: Reload) -> Future[AlertAnswer | None] | None:
        if self.full:
            return None
        reply: Future[AlertAnswer | None] = Future()
        self.records.append(event.told(self.running, State(), NOW))
        if event.rules is not None and self.answer is not None:
            self.running = event.rules
        reply.set_result(self.answer)
        return reply

    def take(self, candidate: Candidate) -> None:
        self.log.append("taken")
        self.taken.append(candidate.rules)

    def over(self) -> None:
        self.log.append("over")

    def write(self, text: str) -> None:
        self.file.write_text(text)

    def looks(self, count: int = 3) -> None:
        for _ in range(count):
            self.reloader.look()


class Both:
    """Two accounts whose loops take a reload, or do not."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.rules = dict.fromkeys(("main", "hedge"), scene.running)
        self.refuses = ""
        self.told: list[tuple[str, str]] = []

    def loop(self, name: str) -> Loop:
        def hand_in(event: Reload) -> Future[AlertAnswer | None]:
            reply: Future[AlertAnswer | None] = Future()
            if event.rules is not None and self.refuses == name:
                reply.set_result(None)
                return reply
            self.told.append((name, event.told(self.rules[name], State(), NOW).reason))
            self.rules[name] = event.rules or self.rules[name]
            reply.set_result(AlertAnswer("recorded", ()))
            return reply

        return Loop(hand_in, lambda: self.rules[name])

    def reload(self) -> None:
        """Reload a change of the files."""
        scene = self.scene
        loops = {name: self.loop(name) for name in self.rules}
        work = Reloading(scene.read, scene.prepare, loops, scene.take, scene.over)
        scene.write(RULES.replace("0.1", "0.2"))
        Reloader(Watch(scene.folder), 0, work).reload()


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A scene whose files come to rest at once."""
    monkeypatch.setattr(reloading, "SETTLE", 0.001)
    return Scene(tmp_path)


def test_a_change_is_taken_up_at_the_second_equal_look(scene: Scene) -> None:
    """One look finds it, the next one that nobody writes any more; then once and never again."""
    scene.write(RULES.replace("0.1", "0.2"))
    scene.reloader.look()
    assert scene.records == []
    scene.reloader.look()
    (record,) = scene.records
    assert (record.kind, record.reason) == ("reload", "")
    assert record.text.startswith("1 changed, 0 unchanged, revision ")
    assert record.data["plan"][1] == "  ~ tv-eth  quantity 0.1 -> 0.2  state kept"
    assert record.data["revision"] == scene.running.revision
    assert scene.log == ["prepare", "taken", "over"]
    scene.looks()
    assert len(scene.records) == 1


def test_what_is_still_being_written_is_not_read(scene: Scene) -> None:
    """As long as each look finds something else, nothing is loaded and nothing is refused."""
    text = RULES.replace("0.1", "0.2")
    for end in range(10, len(text), 40):
        scene.write(text[:end])
        scene.reloader.look()
    assert scene.records == []
    scene.write(text)
    scene.looks()
    assert [record.reason for record in scene.records] == [""]


def test_files_that_change_while_they_are_read_are_read_again(scene: Scene) -> None:
    """What was read may be half of two versions: it is dropped, also when it looked sound."""
    scene.write(RULES.replace("0.1", "0.2"))
    scene.while_reading = lambda: scene.write(RULES.replace("0.1", "0.3"))
    scene.looks(2)
    assert scene.records == []
    scene.while_reading = lambda: None
    scene.looks(2)
    assert [record.data["plan"][1][-26:] for record in scene.records] == [
        "ity 0.1 -> 0.3  state kept"
    ]


def test_a_refusal_names_the_error_not_a_warning_before_it(scene: Scene) -> None:
    """Whoever reads one line must read what refused the rules."""
    warned = "dead_man: {symbols: [BTCUSDT], countdown: 30s, refresh: 10s}\n"
    scene.write(RULES.replace("rules:", f"{warned}rules:").replace("quantity", "quantty"))
    scene.looks(5)
    (record,) = scene.records
    assert ": warning: " in record.data["refused"].splitlines()[0]
    assert record.text.startswith(f"not reloaded: {scene.file}:7:")
    assert ": error: " in record.text


def test_mistakes_are_refused_once_and_the_old_rules_go_on(scene: Scene) -> None:
    """One record with the diagnostics; the next looks say nothing more until it changes."""
    before = scene.running
    scene.write(RULES.replace("quantity", "quantty"))
    scene.looks(5)
    (record,) = scene.records
    assert (record.kind, record.reason) == ("reload", "error")
    assert record.text.startswith(f"not reloaded: {scene.file}:6:")
    assert "Nothing was loaded." in record.data["refused"]
    assert record.data["revision"] == before.revision
    assert scene.running is before
    assert scene.log == []
    scene.write(RULES)
    scene.looks()
    assert [record.reason for record in scene.records] == ["error", ""]
    assert scene.records[-1].text.startswith("1 unchanged")


def test_an_error_of_ours_is_a_refusal(scene: Scene) -> None:
    """A reader that fails in a way nobody thought of leaves the rules as they are."""

    def fail() -> None:
        raise ZeroDivisionError

    scene.while_reading = fail
    scene.reloader.reload()
    (record,) = scene.records
    assert record.data["refused"] == (
        "the rule files could not be read (ZeroDivisionError): see the log"
    )


def test_asked_for_it_reloads_what_did_not_change(scene: Scene) -> None:
    """Whoever asks gets an answer: nothing changed, and since when it was asked."""
    asked = time.monotonic_ns() // 1_000_000
    scene.reloader.reload()
    (record,) = scene.records
    assert record.data["plan"] == [str(scene.file), "  = 1 unchanged"]
    assert record.data["asked_monotonic"] >= asked


def test_asked_for_while_files_change_all_the_time_it_is_refused(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They never come to rest: after the patience nothing was loaded, and that is said."""
    monkeypatch.setattr(reloading, "PATIENCE", 0.05)
    texts = iter(range(1_000_000))
    scene.while_reading = lambda: scene.write(f"{RULES}# {next(texts)}\n")
    scene.reloader.reload()
    (record,) = scene.records
    assert record.data["refused"] == reloading.RESTLESS


@pytest.mark.parametrize("full", [True, False])
def test_a_journal_that_does_not_take_it_is_tried_again(scene: Scene, full: bool) -> None:
    """Not committed: the hooks stay as they were, and some looks later it is tried again."""
    scene.write(RULES.replace("0.1", "0.2"))
    scene.full, scene.answer = full, None
    scene.looks(2)
    assert scene.taken == []
    scene.looks(reloading.RETRY_LOOKS)
    assert scene.log == ["prepare", "over"]
    scene.full, scene.answer = False, AlertAnswer("recorded", ())
    scene.looks(2)
    assert len(scene.taken) == 1
    assert scene.taken[0] is scene.running


def test_an_answer_that_does_not_come_is_not_waited_for_for_ever(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dispatcher says nothing: it counts as not taken."""
    monkeypatch.setattr(reloading, "COMMITTED_WITHIN", 0.01)
    monkeypatch.setattr(
        scene.reloader,
        "_work",
        Reloading(
            scene.read,
            scene.prepare,
            {"main": Loop(lambda _: Future(), lambda: scene.running)},
            scene.take,
            scene.over,
        ),
    )
    scene.reloader.reload()
    assert scene.log == ["prepare", "over"]


def test_the_thread_asks_and_ends(scene: Scene) -> None:
    """Asked from another thread, it reloads; stopped, it is gone and was never dead."""
    scene.reloader.start()
    scene.reloader.ask()
    eventually(lambda: scene.records)
    assert scene.reloader.alive
    scene.reloader.stop()
    assert scene.reloader.alive


def test_the_thread_looks_by_itself(tmp_path: Path) -> None:
    """With a time between two looks a changed file needs nobody to ask."""
    scene = Scene(tmp_path)
    work = Reloading(scene.read, scene.prepare, scene.loops(), scene.take, scene.over)
    reloader = Reloader(Watch(tmp_path), 0.01, work)
    reloader.start()
    scene.write(RULES.replace("0.1", "0.2"))
    eventually(lambda: scene.taken)
    reloader.stop()


PRICED = """\
version: 1
rules:
  - id: cross
    symbol: BTCUSDT
    when: [{price: {crosses_above: 9000000}}]
    do: [{notify: crossed}]
"""


def test_new_symbols_are_subscribed_on_the_connection_that_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reload to another symbol at a whole runner: one connection, no break, the old given up."""
    opened: list[Subscriber] = []
    connect = Streams.connect

    def noted(streams: Streams, peer: Any, path: str, query: str) -> Subscriber | None:
        found = connect(streams, peer, path, query)
        if found is not None and found.room == "market":
            opened.append(found)
        return found

    monkeypatch.setattr(Streams, "connect", noted)
    place = Place(demo_folder(tmp_path / "my"))
    for path in place.rules.iterdir():
        path.unlink()
    file = place.rules / "a.yaml"
    file.write_text(PRICED)
    with PaperServer(keys={"paper-key": "paper-secret"}) as paper:
        app = App(place, replace(Settings(), hook=("127.0.0.1", 0), reload_poll=0), paper)
        app.start()
        try:
            eventually(lambda: app.cell.board.last("BTCUSDT", "mark"), 60)
            (market,) = opened
            assert "btcusdt@markPrice@1s" in market.names
            file.write_text(PRICED.replace("BTCUSDT", "ETHUSDT"))
            app.reloader.ask()
            eventually(lambda: all(name.startswith("ethusdt@") for name in market.names), 60)
            assert "ethusdt@markPrice@1s" in market.names
            eventually(lambda: app.cell.board.last("ETHUSDT", "mark"), 60)
            assert len(opened) == 1
            assert app.cell.markets.alive
        finally:
            app.stop()


def test_several_accounts_take_new_rules_together(scene: Scene) -> None:
    """Each loop takes them, and only the last commit makes them those that run."""
    both = Both(scene)
    both.reload()
    assert both.told == [("main", ""), ("hedge", "")]
    assert scene.taken == [both.rules["main"]] == [both.rules["hedge"]]


@pytest.mark.parametrize("refuses", ["main", "hedge"])
def test_rules_that_one_account_does_not_take_are_taken_by_none(scene: Scene, refuses: str) -> None:
    """Who had taken them goes back to what ran, and every journal tells of the refusal."""
    both = Both(scene)
    both.refuses = refuses
    both.reload()
    other = "hedge" if refuses == "main" else "main"
    assert list(both.rules.values()) == [scene.running, scene.running]
    assert both.told == [(other, ""), (other, ""), ("main", "error"), ("hedge", "error")]
    assert scene.taken == []
    assert scene.log == ["prepare", "over"]
