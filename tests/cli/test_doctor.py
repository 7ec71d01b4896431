"""`runner doctor`, and what `run --live` refuses by the same checks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.venues.paper.server import PaperServer
from tests.cli.calling import ALERTED, Process, answer, call, demo_folder

SETTINGS = """
version: 1
accounts:
  practice:
    venue: binance_usdm
    address: {{rest: '{rest}', streams: '{streams}', ws_api: '{ws_api}'}}
    api_key: practice_key
    api_secret: practice_secret
    {more}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A runner's folder with rules and secrets."""
    folder = demo_folder(tmp_path / "my")
    for name, text in (("practice_key", "K"), ("practice_secret", "S")):
        secret = folder / "secrets" / name
        secret.touch(mode=0o600)
        secret.write_text(text)
    return folder


@pytest.fixture
def paper() -> Iterator[PaperServer]:
    """A paper exchange on a free port."""
    with PaperServer(keys={"K": "S"}) as server:
        yield server


def account(folder: Path, paper: PaperServer, more: str = "") -> None:
    """Name the paper exchange's addresses in runner.yaml."""
    text = SETTINGS.format(**paper.addresses, more=more)
    (folder / "runner.yaml").write_text(text)


def test_everything_is_fine_on_paper(folder: Path) -> None:
    """Each check is a line; exit code 0; JSON holds the same."""
    told = answer("doctor", "--paper", "--dir", folder)
    assert told["fit"] is True
    assert {one["verdict"] for one in told["checks"]} <= {"ok", "warning"}
    names = [one["check"] for one in told["checks"]]
    assert names[:4] == ["settings", "rules", "journal", "secrets"]
    assert names[-2:] == ["market stream", "user stream"]


def test_an_account_as_declared(folder: Path, paper: PaperServer) -> None:
    """An account of runner.yaml over real HTTP and WebSockets; text output."""
    account(folder, paper, "leverage: 20")
    result = call("doctor", "--dir", folder)
    assert result.exit_code in (0, 1), result.output
    assert "ok      key: the exchange accepts key and signature" in result.stdout
    assert "leverage" in result.stdout
    assert result.stdout.splitlines()[-1].split(" ", 1)[1].startswith("checks")


def test_every_finding_has_its_cure(folder: Path, paper: PaperServer) -> None:
    """A wrong position mode, broken rules: exit code 1, the cure under the line."""
    account(folder, paper, "position_mode: hedge")
    (folder / "rules" / "bad.yaml").write_text("version: 1\nrules: [{id: x}]\n")
    result = call("doctor", "--dir", folder)
    assert result.exit_code == 1
    assert "WRONG   position mode: the account is in one_way mode" in result.stdout
    assert "-> write position_mode: one_way" in result.stdout
    assert "WRONG   rules:" in result.stdout
    assert "runner check --dir" in result.stdout


def test_what_cannot_be_read_is_told_as_a_finding(folder: Path) -> None:
    """Settings with a mistake, a secret that is missing, a journal that is none."""
    (folder / "runner.yaml").write_text("version: 2\n")
    result = call("doctor", "--dir", folder, "--json")
    assert result.exit_code == 1
    assert [one["check"] for one in json.loads(result.stdout)["checks"]] == ["settings"]
    (folder / "runner.yaml").write_text(
        "version: 1\naccounts: {a: {venue: binance_usdm, address: demo, api_key: no_key, "
        "api_secret: no_key}}\n"
    )
    (folder / "journal.db").write_text("this is no journal, whatever its name says" * 50)
    result = call("doctor", "--dir", folder, "--json")
    found = {one["check"]: one for one in json.loads(result.stdout)["checks"]}
    assert "no_key" in found["account"]["text"]
    assert found["journal"]["verdict"] == "wrong"


def test_a_probe_places_and_cancels_one_order(folder: Path, paper: PaperServer) -> None:
    """Each step is told; afterwards nothing is open, and a start misses no order of its own."""
    account(folder, paper)
    result = call("doctor", "--probe", "--symbol", "ETHUSDT", "--dir", folder)
    assert result.exit_code == 0, result.output
    told = [line.split(": ")[0].split()[-1] for line in result.stdout.splitlines()]
    assert told[:6] == ["account", "order", "placed", "seen", "id", "cancelled"]
    assert "post only: id tryout-" in result.stdout
    assert "a second one is refused (-4116)" in result.stdout
    assert "nothing filled" in result.stdout
    with Process("run", "--hook", "127.0.0.1:0", "--dir", folder) as process:
        assert process.line().startswith("READY")


def test_a_probe_that_cannot_be_placed_says_why(folder: Path, paper: PaperServer) -> None:
    """A symbol that is not there, or an exchange that is away."""
    account(folder, paper)
    result = call("doctor", "--probe", "--symbol", "NOUSDT", "--dir", folder)
    assert result.exit_code == 1
    assert "NOUSDT is not traded there now" in result.stdout
    paper.stop()
    result = call("doctor", "--probe", "--symbol", "ETHUSDT", "--dir", folder)
    assert result.exit_code == 1
    assert "WRONG   account" in result.stdout


def test_a_probe_needs_no_account(folder: Path) -> None:
    """The paper exchange inside the runner will do."""
    told = answer("doctor", "--probe", "--paper", "--dir", folder)
    assert told["fit"] is True
    assert [one["check"] for one in told["checks"]][-1] == "cancelled"


def test_a_probe_of_real_money_needs_the_word(folder: Path) -> None:
    """Nothing is asked of the exchange."""
    (folder / "runner.yaml").write_text(
        "version: 1\naccounts: {a: {venue: binance_usdm, address: live, api_key: practice_key, "
        "api_secret: practice_secret}}\n"
    )
    result = call("doctor", "--probe", "--dir", folder)
    assert result.exit_code == 2
    assert "trades with real money" in result.stderr


def test_a_live_account_needs_the_word(folder: Path) -> None:
    """Without --live nothing is even asked of the exchange."""
    (folder / "runner.yaml").write_text(
        "version: 1\naccounts: {a: {venue: binance_usdm, address: live, api_key: practice_key, "
        "api_secret: practice_secret}}\n"
    )
    result = call("run", "--dir", folder)
    assert result.exit_code == 78
    assert "start with --live" in result.stderr


def test_a_live_start_is_refused_by_the_same_checks(folder: Path, paper: PaperServer) -> None:
    """The position mode is not as declared: named with its cure, and not started."""
    account(folder, paper, "position_mode: hedge")
    result = call("run", "--live", "--dir", folder)
    assert result.exit_code == 78
    assert "not fit to trade live" in result.stderr
    assert "-> write position_mode: one_way" in result.stderr


def test_a_live_key_does_not_come_from_the_environment(folder: Path, paper: PaperServer) -> None:
    """Other programs inherit it: refused before anything is asked, unless it is accepted."""
    account(folder, paper, "position_mode: hedge")
    settings = folder / "runner.yaml"
    settings.write_text(f"{settings.read_text()}secrets: {{practice_key: {{env: PRACTICE}}}}\n")
    refused = call("run", "--live", "--dir", folder, env={"PRACTICE": "K"})
    assert refused.exit_code == 78
    assert "practice_key would come from the environment" in refused.stderr
    words = ("run", "--live", "--accept-env-secrets", "--dir", folder)
    taken = call(*words, env={"PRACTICE": "K"})
    assert "would come from the environment" not in taken.stderr
    assert taken.exit_code == 78  # the position mode, as declared above


RULE = ALERTED + "guards: {max_order_notional: 1000, max_position_notional: 2000}\n"


def only(folder: Path, text: str) -> None:
    """These are the only rules."""
    for path in (folder / "rules").iterdir():
        path.unlink()
    (folder / "rules" / "one.yaml").write_text(text)


def test_rules_go_live_once_they_fired_elsewhere(folder: Path, paper: PaperServer) -> None:
    """Never fired: refused with every way out; fired once without --live: taken, until it changes.

    A reload of a live runner is held to the same.
    """
    account(folder, paper)
    only(folder, RULE)
    live = ("run", "--live", "--hook", "127.0.0.1:0", "--dir", folder)
    alert = ("alert", "tv-eth", "--dir", folder, "--send", "--field", "action=buy")
    refused = call(*live)
    assert refused.exit_code == 78
    assert "the rule tv-eth as written now never fired" in refused.stderr
    assert "--accept-unexercised REASON" in refused.stderr
    with Process("run", "--hook", "127.0.0.1:0", "--dir", folder) as process:
        assert process.line().startswith("READY")
        assert call(*alert).exit_code == 0
        process.send()
        assert process.end(60)[0] == 0
    with Process(*live) as process:
        assert process.line().startswith("READY")
        only(folder, RULE.replace("0.1", "0.2"))
        reloaded = call("reload", "--dir", folder)
        assert reloaded.exit_code == 1
        assert "never fired" in reloaded.output
        process.send()
        assert process.end(60)[0] == 0
    assert call(*live).exit_code == 78


def test_rules_may_have_fired_for_the_runner_of_another_folder(
    folder: Path, paper: PaperServer, tmp_path: Path
) -> None:
    """A demo in a folder of its own leads to a live runner whose journal is new."""
    account(folder, paper)
    only(folder, RULE)
    trial = demo_folder(tmp_path / "trial")
    only(trial, RULE)
    alert = ("alert", "tv-eth", "--dir", trial, "--send", "--field", "action=buy")
    with Process("run", "--paper", "--hook", "127.0.0.1:0", "--dir", trial) as process:
        assert process.line().startswith("READY")
        assert call(*alert).exit_code == 0
        process.send()
        assert process.end(60)[0] == 0
    live = ("run", "--live", "--hook", "127.0.0.1:0", "--dir", folder)
    assert call(*live).exit_code == 78
    with Process(*live, "--exercised-in", trial) as process:
        assert process.line().startswith("READY")
        process.send()
        assert process.end(60)[0] == 0


def test_who_accepts_rules_that_never_fired_says_why(folder: Path, paper: PaperServer) -> None:
    """The journal keeps the reason."""
    account(folder, paper)
    only(folder, RULE)
    words = ("--accept-unexercised", "tried by hand")
    with Process("run", "--live", *words, "--hook", "127.0.0.1:0", "--dir", folder) as process:
        assert process.line().startswith("READY")
        process.send()
        assert process.end(60)[0] == 0
    started = answer("journal", "--kind", "started", "--dir", folder)[-1]
    assert started["data"]["accept_unexercised"] == "tried by hand"
    assert "tried by hand" in started["text"]


def test_an_exchange_that_is_away_is_no_mistake_of_the_settings(
    folder: Path, paper: PaperServer
) -> None:
    """Exit code 1: the next start may go well."""
    account(folder, paper)
    paper.stop()
    result = call("run", "--live", "--dir", folder)
    assert result.exit_code == 1
    assert "does not answer" in result.stderr
