"""The composition root: what it refuses, when it is ready, and that no thread dies in silence."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runner.app import App
from runner.connecting import PAPER, Place, embedded_paper, wall_ms
from runner.core.decision import AlertAnswer
from runner.core.events import Alert
from runner.errors import ConfigurationError, JournalBusy, RunnerError
from runner.hooking import hook_table
from runner.journal import JournalReader
from runner.ops.secrets import Secrets
from runner.settings import Account, Settings
from runner.sharing import RulesRefused, read_rules
from runner.venues.paper.market import Still
from runner.venues.paper.server import PaperServer
from tests.cli.calling import demo_folder
from tests.support import eventually

SETTINGS = replace(Settings(), hook=("127.0.0.1", 0))
KEYS = {"paper-key": "paper-secret"}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A runner's folder with the demo's rules."""
    return Place(demo_folder(tmp_path / "my"))


@pytest.fixture
def paper() -> Iterator[PaperServer]:
    """A paper exchange on which no price moves."""
    with PaperServer(keys=KEYS, market=Still()) as server:
        yield server


@pytest.fixture
def app(place: Place, paper: PaperServer) -> Iterator[App]:
    """A started app; stopped however the test ends."""
    app = App(place, SETTINGS, paper)
    app.start()
    yield app
    app.stop()


ALERT = Alert("eth-signal", {"action": "buy"}, "ab" * 32, 1_780_000_000_000)
"""An alert without its price, as the hook server would hand it in."""


def test_it_is_ready_once_account_and_prices_are_known(app: App) -> None:
    """Ready says so without reasons; then an alert is decided and committed."""
    eventually(lambda: app.readiness().ready)
    assert app.readiness().reasons == ()
    answer = app.submit(ALERT)
    assert answer is not None
    assert answer.outcome == "unfit"
    app.watch()


def test_once_alerts_are_taken_nothing_waits_for_an_answer(app: App) -> None:
    """The first is asked about; from then on an alert is handed in, and its commit tells."""
    eventually(lambda: app.readiness().ready)
    assert app.hand_in(ALERT) is None
    assert app.submit(ALERT) is not None
    reply = app.hand_in(ALERT)
    assert reply is not None
    answer = reply.result(60)
    assert answer is not None
    assert answer.outcome == "unfit"
    app._stop.set()
    assert app.hand_in(ALERT) is None


def test_the_day_can_be_added_up_while_it_runs(app: App) -> None:
    """By a reader of its own; the exchange inside the process has no key that grows old."""
    eventually(lambda: app.readiness().ready)
    counted = app.cell._counted(wall_ms() - 86_400_000, wall_ms())
    assert (counted.fires, counted.fills) == ({}, 0)
    assert app.cell._key_age() == ""


def test_nothing_is_taken_before_it_is_ready(place: Place, paper: PaperServer) -> None:
    """Built and not started: an alert gets no answer, and the reasons are told."""
    app = App(place, SETTINGS, paper)
    assert app.submit(ALERT) is None
    reasons = "; ".join(app.readiness().reasons)
    assert "positions and balances are not read yet" in reasons
    assert "no price yet: BTCUSDT mark" in reasons
    app.cell.journal.close()
    app.hook_server.stop()


def test_an_alert_that_comes_during_the_start_waits_for_it(
    place: Place, paper: PaperServer
) -> None:
    """As one does that systemd held back over a restart: it is decided, not sent away."""
    app = App(place, SETTINGS, paper)
    answers: list[AlertAnswer | None] = []
    sender = threading.Thread(target=lambda: answers.append(app.submit(ALERT)))
    sender.start()
    app.start()
    sender.join()
    if answers == [None]:  # a slow machine: its sender sends it again
        eventually(lambda: app.readiness().ready, 60)
        answers = [app.submit(ALERT)]
    assert [answer.outcome for answer in answers if answer is not None] == ["unfit"]
    app.stop()


def test_a_start_and_a_stop_are_in_the_journal(place: Place, paper: PaperServer) -> None:
    """Other processes find the hook's address, the mode and the exchange there."""
    app = App(place, SETTINGS, paper)
    app.start()
    eventually(lambda: app.readiness().ready)
    app.stop()
    with JournalReader.open(place.folder / "journal.db") as journal:
        records = journal.records(kinds=("started", "stopped"))
    assert [record["kind"] for record in records] == ["started", "stopped"]
    told = records[0]["data"]
    assert (told["account"], told["mode"], told["hook"]) == (PAPER, PAPER, app.hook_server.url)
    assert told["exchange"] == paper.addresses


def test_while_stopping_nothing_is_taken(app: App) -> None:
    """After stop an alert gets no answer: its sender sends it again."""
    eventually(lambda: app.readiness().ready)
    app.stop()
    assert app.submit(ALERT) is None
    assert "stopping" in app.readiness().reasons


def test_a_dead_dispatcher_is_told(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """What kills the dispatcher ends the wait with an error, and alerts are refused."""
    eventually(lambda: app.readiness().ready)

    def broken(*_: object) -> None:
        raise MemoryError("no more")

    monkeypatch.setattr(app.cell.dispatcher, "turn", broken)
    with pytest.raises(RunnerError, match="no more"):
        eventually(app.watch)
    assert app.submit(ALERT) is None


def test_a_dead_lane_is_told(app: App) -> None:
    """A gateway lane that died ends the process."""
    app.cell.gateway.failure = OSError("lane")
    with pytest.raises(RunnerError, match="lane"):
        app.watch()


def test_a_dead_hook_server_is_told(app: App) -> None:
    """Without its door the runner must not go on."""
    eventually(lambda: app.readiness().ready)
    app.hook_server.stop()
    with pytest.raises(RunnerError, match="hook server"):
        app.watch()


def test_no_thread_is_left(place: Place, paper: PaperServer) -> None:
    """After a stop every thread of the runner is gone."""
    before = set(threading.enumerate())
    app = App(place, SETTINGS, paper)
    app.start()
    eventually(lambda: app.readiness().ready)
    app.stop()
    ours = ("dispatcher", "gateway", "market", "user", "hook-server", "schedule")
    eventually(
        lambda: (
            not [
                thread.name
                for thread in set(threading.enumerate()) - before
                if thread.name.startswith(ours)
            ]
        )
    )


def test_a_refusal_gives_the_journal_back(place: Place, paper: PaperServer) -> None:
    """A start that fails leaves no lock: after the cure the next one begins."""
    secret = place.folder / "secrets" / "tv_eth"
    text = secret.read_text()
    secret.write_text("")
    with pytest.raises(ConfigurationError, match="tv_eth is empty"):
        App(place, SETTINGS, paper)
    secret.write_text(text)
    app = App(place, SETTINGS, paper)
    with pytest.raises(JournalBusy):
        App(place, SETTINGS, paper)
    app.cell.journal.close()
    app.hook_server.stop()


def test_rules_with_mistakes_are_refused_whole(place: Place) -> None:
    """The error's text is the diagnostics."""
    (place.rules / "b.yaml").write_text("version: 1\nrules:\n  - id: a-b\n")
    with pytest.raises(RulesRefused, match=r"b\.yaml:3:\d+: error: "):
        read_rules(place, None)


def test_an_off_tick_price_is_refused_where_the_exchange_is_known(
    place: Place, paper: PaperServer
) -> None:
    """The venue's filters are asked before anything runs."""
    path = place.rules / "demo.yaml"
    path.write_text(path.read_text().replace("75000.10", "75000.123"))
    with pytest.raises(RulesRefused, match="tick"):
        App(place, SETTINGS, paper)


def test_hooks_carry_the_secret_and_its_field(place: Place) -> None:
    """The table that the hook server asks."""
    rules = read_rules(place, None)
    table = hook_table(rules, Secrets({}, place.folder), Settings())
    assert set(table) == {"eth-signal"}
    assert table["eth-signal"].admits("tok-123")
    assert not table["eth-signal"].admits("tok-124")


def test_the_paper_state_survives(place: Place) -> None:
    """The embedded exchange keeps its file in the runner's folder."""
    server = embedded_paper(place, SETTINGS)
    server.stop()
    assert place.paper_state(SETTINGS) == place.folder / "paper.json"
    (place.folder / "paper.json").write_text('{"a": 1}\n')
    with pytest.raises(ConfigurationError, match=r"paper\.json"):
        embedded_paper(place, SETTINGS)


def test_an_account_on_paper_needs_the_embedded_exchange(place: Place) -> None:
    """`address: paper` has no network address of its own."""
    account = Account("main", "binance_usdm", PAPER, "key", "secret")
    settings = replace(SETTINGS, accounts={"main": account})
    with pytest.raises(ConfigurationError, match="--paper"):
        App(place, settings)
