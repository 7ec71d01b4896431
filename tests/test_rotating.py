"""Renewing the API key while orders leave: none is lost, and no unfit key is ever used."""

from __future__ import annotations

import io
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from runner.app import App
from runner.connecting import Place, wall_ms
from runner.core.events import Alert
from runner.errors import RunnerError
from runner.journal import JournalReader
from runner.ops.key_lock import claim, fingerprint
from runner.ops.secret_files import write
from runner.rotating import DAY, KeyRotation, address_of, age, age_words, ask
from runner.settings import load
from runner.venues.paper.auth import Credential
from runner.venues.paper.market import Still
from runner.venues.paper.server import PaperServer
from runner.venues.registry import Adapter
from tests.cli.calling import call
from tests.support import eventually

PATIENCE = 90
OLD, NEW, OTHER = "key-old-000", "key-new-111", "key-other-222"
KEYS = {
    OLD: Credential("main", "secret-old"),
    NEW: Credential("main", "secret-new"),
    OTHER: Credential("other", "secret-other"),
}
RULES = """\
version: 1
rules:
  - id: trade
    symbol: BTCUSDT
    mode: queued
    when:
      - webhook: {path: signal, secret: tv, body: {n: number}, dedupe: [n]}
    do:
      - place: {side: '="buy" if trigger.n < 1000 else "sell"', type: market, quantity: 0.01}
"""
SETTINGS = """\
version: 1
hook: 127.0.0.1:0
accounts:
  main:
    venue: binance_usdm
    address: {{rest: "{rest}", streams: "{streams}", ws_api: "{ws_api}"}}
    api_key: demo_key
    api_secret: demo_secret
"""


@pytest.fixture
def paper() -> Iterator[PaperServer]:
    """An exchange with two keys of one account, and one of another."""
    with PaperServer(keys=KEYS, market=Still()) as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path, paper: PaperServer) -> Path:
    """A runner's folder on that exchange, with the old key in use."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "rules.yaml").write_text(RULES)
    (tmp_path / "runner.yaml").write_text(SETTINGS.format(**paper.addresses))
    put(tmp_path, tv="tv-secret-1234567", demo_key=OLD, demo_secret="secret-old")
    return tmp_path


def put(folder: Path, **values: str) -> None:
    """Write secrets."""
    for name, value in values.items():
        write(folder / "secrets" / name, value)


def next_key(folder: Path, key: str = NEW, secret: str = "secret-new") -> None:
    """Fill the next slot."""
    put(folder, demo_key_next=key, demo_secret_next=secret)


@pytest.fixture
def app(folder: Path) -> Iterator[App]:
    """A running runner whose key can be changed."""
    settings = load(folder)
    app = App(Place(folder), settings)
    app.start()
    rotation = KeyRotation(folder, settings, app.secrets, cast("Adapter", app.cell.venue))
    rotation.start()
    eventually(lambda: app.readiness().ready, PATIENCE)
    yield app
    rotation.stop()
    app.stop()


def fire(app: App, number: int) -> None:
    """An alert that becomes one market order."""
    alert = Alert("signal", {"n": number}, f"{number:064x}", time.time_ns() // 1_000_000)  # type: ignore[dict-item]  # an int is as good here
    # on a slow machine it is sent again, as TradingView does
    answer = eventually(lambda: app.submit(alert), PATIENCE)
    assert answer is not None
    assert answer.outcome in ("fired", "duplicate")


def states(folder: Path) -> Counter[str]:
    """The journal's orders by state."""
    with JournalReader.open(folder / "journal.db") as journal:
        return Counter(order["state"] for order in journal.orders() if order["kind"] == "order")


def filled(folder: Path, least: int) -> bool:
    """At least so many orders are filled."""
    return states(folder)["FILLED"] >= least


def test_no_order_is_lost_while_the_key_changes(app: App, folder: Path) -> None:
    """Orders leave before, during and after; each is filled once, none refused or unknown."""
    next_key(folder)
    told: list[dict[str, Any]] = []
    changing = threading.Thread(target=lambda: told.append(ask(folder, PATIENCE)))
    for number in range(60):
        # no more than ten may wait behind one another
        eventually(partial(filled, folder, number - 5), PATIENCE)
        fire(app, number)
        if number == 10:
            changing.start()
    changing.join(PATIENCE)
    assert told[0]["ok"], told[0]["text"]
    for number in range(60, 80):
        eventually(partial(filled, folder, number - 5), PATIENCE)
        fire(app, number)
    eventually(lambda: states(folder) == {"FILLED": 80}, PATIENCE)
    assert fingerprint(NEW) in told[0]["text"]
    assert "revoke the old one, which ends in …-000" in told[0]["text"]
    assert NEW not in told[0]["text"]
    kept = {path.name: path.read_text().strip() for path in (folder / "secrets").iterdir()}
    assert kept == {
        "tv": "tv-secret-1234567",
        "demo_key": NEW,
        "demo_secret": "secret-new",
    }


@pytest.mark.parametrize(
    ("key", "secret", "said"),
    [
        ("key-unknown", "secret-new", "answered code -2015"),
        (NEW, "secret-wrong", "answered code -1022"),
        (OTHER, "secret-other", "opens another account than main"),
        (OLD, "secret-old", "holds the key that is in use"),
    ],
)
def test_a_next_key_that_does_not_do_is_not_used(
    app: App, folder: Path, key: str, secret: str, said: str
) -> None:
    """Nothing is changed, and orders go on leaving with the old key."""
    next_key(folder, key, secret)
    told = ask(folder, PATIENCE)
    assert not told["ok"]
    assert said in told["text"]
    assert secret not in told["text"]
    fire(app, 1)
    eventually(lambda: states(folder) == {"FILLED": 1}, PATIENCE)
    assert (folder / "secrets" / "demo_key").read_text().strip() == OLD


def test_a_next_key_of_another_runner_is_not_taken(app: App, folder: Path) -> None:
    """It is claimed by somebody on this machine."""
    next_key(folder)
    with claim(address_of(load(folder).account()), NEW, "elsewhere"):
        told = ask(folder, PATIENCE)
    assert not told["ok"]
    assert f"(process {os.getpid()})" in told["text"]
    assert app.readiness().ready


def test_nobody_answers_where_no_runner_looks(folder: Path) -> None:
    """The request does not stay behind."""
    with pytest.raises(RunnerError, match="did not answer within"):
        ask(folder, 0.2)
    assert not (folder / "rotate.request").exists()


def test_the_command_rotates_without_a_runner(folder: Path) -> None:
    """With the same checks; a second time there is nothing to change to."""
    next_key(folder)
    done = call("secrets", "rotate", "--dir", folder)
    assert done.exit_code == 0, done.output
    assert "revoke the old one" in done.output
    assert (folder / "secrets" / "demo_key").read_text().strip() == NEW
    again = call("secrets", "rotate", "--dir", folder)
    assert again.exit_code == 1
    assert "demo_key_next is nowhere to be found" in again.output


def test_a_slot_that_is_no_file_must_be_moved_by_its_owner(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old key would be read again at the next start: that is said."""
    monkeypatch.setenv("KEY_NOW", OLD)
    settings = (folder / "runner.yaml").read_text()
    (folder / "runner.yaml").write_text(settings + "secrets: {demo_key: {env: KEY_NOW}}\n")
    next_key(folder)
    done = call("secrets", "rotate", "--dir", folder)
    assert done.exit_code == 0, done.output
    assert "Put the new key where demo_key and demo_secret are kept" in done.output


def test_set_writes_what_was_given_and_shows_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From standard input; what could not be used is refused before it is written."""
    monkeypatch.setattr("sys.stdin", io.StringIO("Geheimnis-17\n"))
    from click.testing import CliRunner

    from runner.cli import main

    words = ["secrets", "set", "demo_key", "--dir", str(tmp_path)]
    done = CliRunner().invoke(main, words, input="Geheimnis-17\n")
    assert done.exit_code == 0, done.output
    assert "Geheimnis" not in done.output
    path = tmp_path / "secrets" / "demo_key"
    assert path.read_text() == "Geheimnis-17\n"
    assert path.stat().st_mode & 0o777 == 0o600
    for wrong in ("", "two words\n"):
        assert CliRunner().invoke(main, words, input=wrong).exit_code == 1
    assert path.read_text() == "Geheimnis-17\n"
    words[2] = "NotAName"
    assert "made of a-z, 0-9 and _" in CliRunner().invoke(main, words, input="x").output


def test_check_reads_every_secret_and_asks_the_exchange(folder: Path) -> None:
    """What is missing is named; with all there, the exchange says whether it takes the key."""
    fine = call("secrets", "check", "--dir", folder)
    assert fine.exit_code == 0, fine.output
    assert "main (the exchange takes it): fine" in fine.output
    put(folder, demo_secret="wrong")
    refused = call("secrets", "check", "--dir", folder)
    assert refused.exit_code == 1
    assert "-1022" in refused.output
    assert call("secrets", "check", "--dir", folder, "--offline").exit_code == 0
    (folder / "secrets" / "tv").unlink()
    missing = call("secrets", "check", "--dir", folder, "--json")
    assert missing.exit_code == 1
    assert "the secret tv is nowhere to be found" in missing.output
    assert OLD not in fine.output + refused.output + missing.output


@pytest.mark.parametrize(("days", "code"), [(1, 0), (75, 0), (76, 1), (91, 1)])
def test_age_counts_from_the_file_where_the_exchange_does_not_tell(
    folder: Path, days: int, code: int
) -> None:
    """Exit 1 from 76 days on, with what to do."""
    path = folder / "secrets" / "demo_key"
    then = time.time() - days * DAY / 1000 - 60
    os.utime(path, (then, then))
    told = call("secrets", "age", "--dir", folder)
    assert told.exit_code == code, told.output
    assert f"main: {days} day" in told.output
    assert ("make a new one" in told.output) == bool(code)


def test_a_running_runner_warns_of_an_old_key(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """By its own clock, once a day; a key whose age nobody knows is not warned of."""
    settings = load(folder)
    rotation = KeyRotation(folder, settings, cast("Any", None), cast("Any", None))
    rotation.look_at_age()
    assert caplog.text == ""
    path = folder / "secrets" / "demo_key"
    then = time.time() - 84 * DAY / 1000
    os.utime(path, (then, then))
    rotation.look_at_age()
    assert "the API key of main is 84 days old, 6 days left of 90" in caplog.text
    told = age_words(folder, settings, cast("Any", None), wall_ms())
    assert told == "API key: 84 days old, 6 days left of 90: make a new one this week"
    path.unlink()
    assert age(folder, settings, settings.account(), None, 0) is None
    assert age_words(folder, settings, cast("Any", None), wall_ms()) == ""
