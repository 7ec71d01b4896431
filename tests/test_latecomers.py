"""Several accounts, one of whose exchanges is away when the others begin."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from runner import latecomers
from runner.app import App
from runner.connecting import PAPER_SECRET, Place
from runner.core.events import Alert, Fire
from runner.core.switches import KILLED, latch
from runner.errors import VenueError
from runner.journal import JournalReader
from runner.outside import Outside
from runner.settings import Account, Settings
from runner.sharing import remembered_accounts
from runner.venues.paper.market import Still
from runner.venues.paper.server import PaperServer
from tests.support import eventually, free_port
from tests.test_app_accounts import PATIENCE, SETTINGS, alert, fired, orders, place

__all__ = ["place"]


@pytest.fixture
def port() -> int:
    """Where the second account's exchange will answer some day."""
    return free_port()


@pytest.fixture
def settings(place: Place, port: int) -> Settings:
    """Both accounts on exchanges of their own; nobody answers for hedge."""
    for name in ("key", "secret"):
        path = place.folder / "secrets" / name
        path.touch(mode=0o600)
        path.write_text(f"paper-{name}")
    there = f"127.0.0.1:{port}"
    away = {"rest": f"http://{there}", "streams": f"ws://{there}", "ws_api": f"ws://{there}"}
    hedge = Account("hedge", "binance_usdm", away, "key", "secret")
    return replace(SETTINGS, accounts={**SETTINGS.accounts, "hedge": hedge})


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again at once, so that no test waits."""
    monkeypatch.setattr(latecomers, "LOOK_EVERY", 0.02)
    monkeypatch.setattr(latecomers, "FIRST_WAIT", 20)
    monkeypatch.setattr(latecomers, "LONGEST_WAIT", 100)


@pytest.fixture
def paper() -> Iterator[PaperServer]:
    """The exchange of the first account."""
    with PaperServer(keys={"paper-key": PAPER_SECRET}, market=Still()) as server:
        yield server


def there(port: int, secret: str = PAPER_SECRET) -> PaperServer:
    """The exchange of the second account, at last; it bears to be asked ten times a second."""
    return PaperServer(keys={"paper-key": secret}, market=Still(), port=port, limits=False)


@pytest.fixture
def app(place: Place, paper: PaperServer, settings: Settings) -> Iterator[App]:
    """Started, with the first account at work; stopped however the test ends."""
    app = App(place, settings, paper, only_paper=False)
    app.start()
    eventually(app.ready, PATIENCE)
    yield app
    app.stop()


def outcome(app: App, path: str, number: int = 1, **fields: str) -> str:
    """The word that an alert's sender is told."""
    answer = app.submit(alert(path, number, **fields))
    return "" if answer is None else answer.outcome


def test_an_exchange_that_is_away_keeps_no_other_account_from_its_start(
    app: App, place: Place
) -> None:
    """The others trade; readiness says of the one that waits why, for both together too."""
    assert fired(app, "main") == [("of-main", "fired")]
    state = app.readiness_of("hedge")
    assert state is not None
    assert not state.ready
    assert state.taking
    assert "cannot reach http://127.0.0.1" in state.reasons[0]
    assert "account hedge could not begin yet" in state.problems[0].what
    assert not app.readiness().ready
    assert app.readiness().reasons[0].startswith("account hedge: it could not begin yet")
    app.watch()
    eventually(lambda: remembered_accounts(place.folder, app.settings) == ("main", "hedge"))


def test_the_first_account_at_work_tells_people_of_it(
    place: Place, paper: PaperServer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has nobody of its own to tell them: notices come from there, what is ready does not."""
    looks: list[Any] = []
    attend = Outside.attend

    def noted(outside: Outside, loop: Any, problems: Any, turned_at: Any) -> None:
        looks.append(problems)
        attend(outside, loop, problems, turned_at)

    monkeypatch.setattr(Outside, "attend", noted)
    app = App(place, settings, paper, only_paper=False)
    app.start()
    try:
        (problems,) = looks
        told = [problem.what for problem in problems() if problem.link == "an account"]
        assert ["account hedge could not begin yet" in text for text in told] == [True]
        own = app.readiness_of("main")
        assert own is not None
        assert not [problem for problem in own.problems if problem.link == "an account"]
    finally:
        app.stop()


def test_nobody_asks_while_the_exchange_wants_silence(
    place: Place, paper: PaperServer, settings: Settings, port: int
) -> None:
    """Who asks during a ban is banned for longer: the next try is after it."""
    banned = VenueError("the exchange answered 418", silence=10**9)
    with there(port):
        app = App(place, settings, paper, only_paper=False, late={"hedge": banned})
        app.start()
        try:
            eventually(app.ready, PATIENCE)
            assert list(app.roster.late) == ["hedge"]
            assert app.roster.late["hedge"].why == "the exchange answered 418"
        finally:
            app.stop()


def test_its_alerts_are_kept_and_it_begins_by_itself(app: App, place: Place, port: int) -> None:
    """Once its exchange answers; what was kept is decided then, once, and it is ready."""
    assert outcome(app, "hedge", 1) == "stored"
    assert outcome(app, "hedge", 1) == "stored"
    assert outcome(app, "hedge", 2) == "stored"
    with there(port):
        eventually(lambda: app.readiness().ready, PATIENCE)
        eventually(lambda: orders(place, "journals/hedge.db") == ["ETHUSDT"] * 2, PATIENCE)
        assert list(app.cells) == ["main", "hedge"]
        assert fired(app, "hedge", 2) == [("of-hedge", "duplicate")]
        assert fired(app, "hedge", 3) == [("of-hedge", "fired")]
        app.watch()
        app.stop()


def test_an_alert_for_both_is_decided_by_one_and_kept_for_the_other(
    app: App, place: Place, port: int
) -> None:
    """The answer names both; sent again, the one that had it knows it."""
    answer = app.submit(alert("both"))
    assert answer is not None
    assert answer.outcome == "fired"
    assert [(each.rule_id, each.outcome) for each in answer.rules] == [
        ("", "stored"),
        ("of-both-main", "fired"),
    ]
    assert "account hedge could not begin yet" in answer.rules[0].detail
    assert outcome(app, "both") == "duplicate"


def test_a_kill_is_done_first_once_it_begins(app: App, port: int) -> None:
    """Those at work are killed at once; nothing that was kept is traded by the one that waits."""
    assert outcome(app, "hedge") == "stored"
    answer = app.submit(alert("panic"))
    assert answer is not None
    assert answer.outcome == "done"
    assert [each.outcome for each in answer.rules] == ["stored", "done"]
    assert outcome(app, "panic", 2, account="hedge") == "stored"
    with there(port):
        eventually(lambda: "hedge" in app.cells, PATIENCE)
        memories = app.cells["hedge"].engine.state.memories
        eventually(lambda: latch(memories, KILLED) is not None, PATIENCE)
        app.stop()


def test_a_key_that_is_refused_is_tried_again(app: App, port: int) -> None:
    """The reason is that of the newest try; a key that is right some day lets it begin."""
    with there(port, "another-secret"):
        eventually(lambda: "-1022" in app.roster.late["hedge"].why, PATIENCE)
        assert fired(app, "main") == [("of-main", "fired")]
    with there(port):
        eventually(lambda: app.readiness().ready, PATIENCE)
        app.stop()


def test_it_begins_with_the_rules_that_were_loaded_meanwhile(
    app: App, place: Place, port: int
) -> None:
    """A reload is taken by those at work, and holds for the one that waits."""
    file = place.rules / "rules.yaml"
    file.write_text(file.read_text().replace("of-hedge", "renamed"))
    app.reloader.ask()
    eventually(lambda: "renamed" in app.rules.rules, PATIENCE)
    with there(port):
        eventually(lambda: app.readiness().ready, PATIENCE)
        assert fired(app, "hedge") == [("renamed", "fired")]
        app.stop()


def test_rules_that_do_not_fit_its_exchange_let_it_wait(app: App, place: Place, port: int) -> None:
    """Nothing of it was asked at the start; the reason names the mistake, a reload mends it."""
    file = place.rules / "rules.yaml"
    right = file.read_text()
    file.write_text(right.replace("ETHUSDT", "ETHUSDX"))
    app.reloader.ask()
    eventually(lambda: "ETHUSDX" in app.roster.rules["hedge"].rules["of-hedge"].symbols, PATIENCE)
    with there(port):
        eventually(lambda: "ETHUSDX" in app.roster.late["hedge"].why, PATIENCE)
        file.write_text(right)
        app.reloader.ask()
        eventually(lambda: app.readiness().ready, PATIENCE)
        app.stop()


def test_an_account_that_is_not_admitted_waits_too(
    place: Place, paper: PaperServer, settings: Settings, port: int
) -> None:
    """A check-up of a live key that could not be had keeps it from trading, whoever answers."""
    refused = VenueError("the check-up could not be had")
    asked: list[str] = []

    def admit(name: str) -> None:
        asked.append(name)
        if len(asked) < 3:
            raise refused

    with there(port):
        app = App(place, settings, paper, only_paper=False, admit=admit, late={"hedge": refused})
        app.start()
        try:
            eventually(lambda: app.readiness().ready, PATIENCE)
            assert asked == ["hedge"] * 3
        finally:
            app.stop()


def test_with_no_exchange_at_all_nothing_starts(place: Place, settings: Settings) -> None:
    """As with one account: whoever started the process tries again."""
    away = settings.accounts["hedge"]
    both = {"main": replace(away, name="main", default=True), "hedge": away}
    with pytest.raises(VenueError, match="cannot reach"):
        App(place, replace(settings, accounts=both))


def test_what_waits_ends_with_the_process(app: App, place: Place) -> None:
    """A stop does not wait for the exchange, and gives the journal back; a Fire is refused."""
    answer = app.submit(Fire("of-hedge", "ETHUSDT", "x", 1_780_000_000_000))
    assert answer is not None
    assert answer.outcome == "refused"
    app.stop()
    with JournalReader.open(place.folder / "journals" / "hedge.db") as journal:
        assert "cannot begin yet" in journal.records(kinds=("started",))[0]["text"]


def test_a_journal_that_fails_ends_the_process(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it does for an account at work."""
    late = app.roster.late["hedge"]

    def broken() -> None:
        raise MemoryError("no more")

    monkeypatch.setattr(late, "_again", lambda _: broken())
    with pytest.raises(Exception, match="no more"):
        eventually(app.watch, PATIENCE)


def test_an_alert_is_only_a_promise_once_it_is_stored(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the inbox takes nothing the sender sends it again."""
    monkeypatch.setattr(app.roster.late["hedge"], "_inbox", lambda *_: False)
    assert app.submit(Alert("hedge", {}, "a" * 64, 1_780_000_000_000)) is None


def test_its_figures_say_that_it_is_not_ready(
    place: Place, paper: PaperServer, settings: Settings, port: int
) -> None:
    """So that who watches by metrics alone sees it; once it begins it has all of them."""
    app = App(place, replace(settings, metrics=("127.0.0.1", 0)), paper, only_paper=False)
    app.start()
    try:
        assert app.metrics is not None
        value = app.metrics.registry.get_sample_value
        hedge = {"account": "hedge"}
        assert (value("runner_ready", hedge), value("runner_taking_alerts", hedge)) == (0, 1)
        assert value("runner_rules_loaded", hedge) is None
        with there(port):
            eventually(lambda: value("runner_ready", hedge) == 1, PATIENCE)
            assert value("runner_rules_loaded", hedge) == 2
            app.stop()
    finally:
        app.stop()
