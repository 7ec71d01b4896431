"""Several accounts in one process: whose rule it is decides, and what they share reaches all."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runner.app import App
from runner.connecting import PAPER, PAPER_SECRET, Place, embedded_paper
from runner.core.events import Alert
from runner.core.switches import KILLED, latch
from runner.errors import ConfigurationError, RunnerError
from runner.journal import JournalReader
from runner.killing import leave_request
from runner.settings import Account, CommandHook, Settings
from runner.sharing import distinct, remembered_accounts, traded
from runner.venues.paper.market import Still
from runner.venues.paper.server import PaperServer
from tests.support import eventually

PATIENCE = 120
"""Seconds that anything may take on a busy machine."""

RULES = """\
version: 1
rules:
  - id: of-main
    symbol: BTCUSDT
    when: [{webhook: {path: main, secret: tv, body: {n: number}, dedupe: [n]}}]
    do: [{place: {side: buy, type: limit, price: =mark * 0.9, quantity: 0.01}}]
  - id: of-hedge
    account: hedge
    symbol: ETHUSDT
    when: [{webhook: {path: hedge, secret: tv, body: {n: number}, dedupe: [n]}}]
    do: [{place: {side: sell, type: limit, price: =mark * 1.1, quantity: 0.1}}]
  - id: of-both-main
    symbol: BTCUSDT
    when: [{webhook: {path: both, secret: tv, body: {n: number}, dedupe: [n]}}]
    do: [{notify: main heard}]
  - id: of-both-hedge
    account: hedge
    symbol: ETHUSDT
    when: [{webhook: {path: both, secret: tv, body: {n: number}, dedupe: [n]}}]
    do: [{notify: hedge heard}]
"""

_PARTS = RULES.split("  - id:")
OF_HEDGE = f"{_PARTS[0]}  - id:{_PARTS[2]}"
"""The second rule alone."""

SETTINGS = replace(
    Settings(),
    hook=("127.0.0.1", 0),
    reload_poll=0,
    accounts={
        "main": Account("main", "binance_usdm", PAPER, default=True),
        "hedge": Account("hedge", "binance_usdm", PAPER),
    },
    commands={"panic": CommandHook("panic", "kill", "panic")},
)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A runner's folder with rules of two accounts."""
    folder = tmp_path / "my"
    for name in ("rules", "secrets"):
        (folder / name).mkdir(parents=True)
    (folder / "rules" / "rules.yaml").write_text(RULES)
    for name in ("tv", "panic"):
        path = folder / "secrets" / name
        path.touch(mode=0o600)
        path.write_text(f"{name}-secret-0123456789")
    return Place(folder)


@pytest.fixture
def paper() -> Iterator[PaperServer]:
    """A paper exchange with an account for each, on which no price moves."""
    keys = dict.fromkeys(("paper-key", "paper-key-hedge"), PAPER_SECRET)
    with PaperServer(keys=keys, market=Still()) as server:
        yield server


@pytest.fixture
def app(place: Place, paper: PaperServer) -> Iterator[App]:
    """A started app that takes alerts; stopped however the test ends."""
    app = App(place, SETTINGS, paper, only_paper=False)
    app.start()
    eventually(lambda: app.readiness().ready, PATIENCE)
    yield app
    app.stop()


def alert(path: str, number: int = 1, **fields: str) -> Alert:
    """An alert as the hook server hands it in."""
    return Alert(path, {"n": number, **fields}, f"{number:064}", 1_780_000_000_000 + number)  # type: ignore[dict-item]


def fired(app: App, path: str, number: int = 1) -> list[tuple[str, str]]:
    """What rules made of an alert."""
    answer = app.submit(alert(path, number))
    assert answer is not None
    return [(each.rule_id, each.outcome) for each in answer.rules]


def orders(place: Place, journal: str) -> list[str]:
    """The symbols of the orders that a journal knows."""
    with JournalReader.open(place.folder / journal) as reader:
        return [row["symbol"] for row in reader.orders() if row["kind"] == "order"]


def test_an_alert_goes_to_the_account_of_its_rule(app: App, place: Place) -> None:
    """Its order is in that account's journal and in no other; the default one keeps its file."""
    assert fired(app, "main") == [("of-main", "fired")]
    assert fired(app, "hedge") == [("of-hedge", "fired")]
    eventually(lambda: orders(place, "journal.db") == ["BTCUSDT"], PATIENCE)
    eventually(lambda: orders(place, "journals/hedge.db") == ["ETHUSDT"], PATIENCE)
    assert {name: cell.name for name, cell in app.cells.items()} == {
        "main": "main",
        "hedge": "hedge",
    }


def test_rules_of_two_accounts_hear_the_same_alert(app: App) -> None:
    """Each decides, one answer tells of both; sent again it is known to both."""
    assert fired(app, "both") == [("of-both-main", "fired"), ("of-both-hedge", "fired")]
    again = app.submit(alert("both"))
    assert again is not None
    assert again.outcome == "duplicate"


def test_an_alert_that_one_account_could_not_commit_is_sent_again(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sender hears nothing of a half: who had it knows it then, and the other one fires."""
    with monkeypatch.context() as patch:
        patch.setattr(app.cells["hedge"].dispatcher, "hand_in", lambda _: None)
        assert app.submit(alert("both")) is None
    assert fired(app, "both") == [("of-both-main", "duplicate"), ("of-both-hedge", "fired")]


def test_an_account_that_takes_nothing_keeps_no_other_one_back(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its alerts are sent again; readiness says whose exchange it is."""
    venue = app.cells["hedge"].venue
    monkeypatch.setattr(venue, "clock_uncertainty", lambda: None)
    assert app.submit(alert("hedge")) is None
    assert fired(app, "main") == [("of-main", "fired")]
    state = app.readiness()
    assert state.reasons == ("account hedge: the exchange's clock is not known yet",)
    assert not state.ready
    own = {name: app.readiness_of(name) for name in ("main", "hedge")}
    assert {name: one.ready for name, one in own.items() if one} == {"main": True, "hedge": False}
    assert app.readiness_of("other") is None


@pytest.mark.parametrize("account", ["", "hedge"])
def test_a_kill_reaches_every_account_unless_one_is_named(app: App, account: str) -> None:
    """By a webhook; each account says what it did."""
    answer = app.submit(alert("panic", account=account) if account else alert("panic"))
    assert answer is not None
    assert answer.outcome == "done"
    reached = {"hedge"} if account else {"main", "hedge"}
    killed = {
        name
        for name, cell in app.cells.items()
        if latch(cell.engine.state.memories, KILLED) is not None
    }
    assert killed == reached
    if not account:
        assert [each.detail.partition(":")[0] for each in answer.rules] == [
            "account main",
            "account hedge",
        ]


def test_a_command_for_an_unknown_account_is_refused(app: App) -> None:
    """With the accounts that are there; nobody is killed by mistake."""
    answer = app.submit(alert("panic", account="hegde"))
    assert answer is not None
    assert answer.outcome == "refused"
    assert "the accounts are main, hedge" in answer.rules[0].detail
    assert latch(app.cell.engine.state.memories, KILLED) is None


def test_each_account_has_a_kill_request_of_its_own(app: App, place: Place) -> None:
    """Left by the command line, which leaves one for each account that it means."""
    told = {"who": "me", "at": 7, "reason": "", "flatten": False}
    leave_request(place.folder, "k1", told, "hedge")
    memories = app.cells["hedge"].engine.state.memories
    eventually(lambda: latch(memories, KILLED) is not None, PATIENCE)
    assert latch(app.cell.engine.state.memories, KILLED) is None


def test_new_rules_are_taken_by_every_account(app: App, place: Place) -> None:
    """One revision for all of them, each with its own rules."""
    file = place.rules / "rules.yaml"
    file.write_text(RULES.replace("of-hedge", "renamed"))
    app.reloader.ask()
    eventually(lambda: "renamed" in app.rules.rules, PATIENCE)
    assert set(app.cells["hedge"].rules.rules) == {"renamed", "of-both-hedge"}
    assert set(app.cell.rules.rules) == {"of-main", "of-both-main"}
    assert {cell.rules.revision for cell in app.cells.values()} == {app.rules.revision}
    assert fired(app, "hedge") == [("renamed", "fired")]


def test_a_dead_loop_of_one_account_ends_the_process(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with one account: systemd starts it anew, and recovery is the same walk."""

    def broken(*_: object) -> None:
        raise MemoryError("no more")

    monkeypatch.setattr(app.cells["hedge"].dispatcher, "turn", broken)
    with pytest.raises(RunnerError, match="no more"):
        eventually(app.watch, PATIENCE)
    assert app.submit(alert("main")) is None


def test_the_sign_of_life_is_that_of_the_slowest_loop(app: App) -> None:
    """A watchdog is fed only while each account's loop turns."""
    turned = min(cell.dispatcher.turned_at for cell in app.cells.values())
    assert app.turned_at() >= turned
    assert app.turned_at() <= max(cell.dispatcher.turned_at for cell in app.cells.values())


def test_no_thread_of_any_account_is_left(place: Place, paper: PaperServer) -> None:
    """After a stop all of them are gone, and both journals can be opened again."""
    before = set(threading.enumerate())
    for _ in range(2):
        app = App(place, SETTINGS, paper, only_paper=False)
        app.start()
        eventually(lambda app=app: app.readiness().ready, PATIENCE)  # type: ignore[misc]
        app.stop()
    ours = ("dispatcher", "gateway", "kill", "user", "schedule", "stop")
    eventually(
        lambda: (
            not [
                thread.name
                for thread in set(threading.enumerate()) - before
                if thread.name.startswith(ours)
            ]
        ),
        PATIENCE,
    )


def test_only_accounts_with_rules_or_a_journal_are_traded_with(place: Place) -> None:
    """Another one needs no key here, not even the default one."""
    spare = Account("spare", "binance_usdm", "live", "k", "s")
    settings = replace(SETTINGS, accounts={**SETTINGS.accounts, "spare": spare})
    assert traded(place, settings) == ("main", "hedge")
    (place.rules / "rules.yaml").write_text(OF_HEDGE)
    assert traded(place, settings) == ("hedge",)
    assert remembered_accounts(place.folder, settings) == ("main",)


def test_what_was_traded_with_is_looked_after_without_rules(app: App, place: Place) -> None:
    """It may have open orders: its journal is begun, so it goes on."""
    assert app.accounts == ("main", "hedge")
    (place.rules / "rules.yaml").write_text(OF_HEDGE)
    eventually(lambda: traded(place, SETTINGS) == ("main", "hedge"), PATIENCE)
    assert remembered_accounts(place.folder, SETTINGS) == ("main", "hedge")


def test_a_journal_does_not_change_its_account(app: App, place: Place, paper: PaperServer) -> None:
    """Another default account would take the first one's orders for its own."""
    eventually(lambda: traded(place, SETTINGS) == ("main", "hedge"), PATIENCE)
    app.stop()
    swapped = {
        name: replace(one, default=not one.default) for name, one in SETTINGS.accounts.items()
    }
    with pytest.raises(ConfigurationError, match=r"journal\.db is that of the account main"):
        App(place, replace(SETTINGS, accounts=swapped), paper, only_paper=False)


def test_two_keys_of_one_account_are_refused() -> None:
    """Each would take the other's orders for strangers'."""
    with pytest.raises(ConfigurationError, match="open the same account on the exchange"):
        distinct({"main": "abc", "hedge": "abc"})
    distinct({"main": "", "hedge": ""})


def test_the_embedded_exchange_knows_each_account(place: Place) -> None:
    """The default one by the key that it always had."""
    server = embedded_paper(place, SETTINGS, [SETTINGS.of("main"), SETTINGS.of("hedge")])
    try:
        assert set(server.exchange.state.accounts) == {"paper-key", "paper-key-hedge"}
    finally:
        server.stop()
