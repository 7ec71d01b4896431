"""Verbs where runner.yaml has several accounts: each in turn, or the one that is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runner.connecting import wall_ms
from runner.core.decision import Decision, Record
from runner.journal import Journal
from tests.cli.calling import answer, call

SETTINGS = """\
version: 1
accounts:
  main: {venue: binance_usdm, address: paper, default: true}
  hedge: {venue: binance_usdm, address: paper}
  idle: {venue: binance_usdm, address: paper}
"""
RULES = """\
version: 1
rules:
  - id: of-main
    symbol: BTCUSDT
    when: [{schedule: {every: 1h}}]
    do: [{notify: main}]
  - id: of-hedge
    account: hedge
    symbol: ETHUSDT
    when: [{schedule: {every: 1h}}]
    do: [{notify: hedge}]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder in which two of three accounts were traded with."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "journals").mkdir()
    (tmp_path / "rules" / "rules.yaml").write_text(RULES)
    (tmp_path / "runner.yaml").write_text(SETTINGS)
    for name, file in (("main", "journal.db"), ("hedge", "journals/hedge.db")):
        journal = Journal.open(tmp_path / file, "main", wall_ms)
        record = Record(wall_ms(), "started", f"runner of {name}", data={"account": name})
        journal.own()
        journal.commit([Decision([record])])
        journal.close()
    return tmp_path


def texts(told: list[dict[str, Any]]) -> list[str]:
    """What records say."""
    return [record["text"] for record in told]


def test_every_account_with_a_journal_is_shown(folder: Path) -> None:
    """Under its name; one document with --json. One that was never traded with has nothing."""
    told = answer("journal", "--dir", folder)["accounts"]
    assert {name: texts(one) for name, one in told.items()} == {
        "main": ["runner of main"],
        "hedge": ["runner of hedge"],
    }
    said = call("journal", "--dir", folder).stdout
    assert said.index("account main") < said.index("runner of main") < said.index("account hedge")


def test_the_named_account_is_shown_alone(folder: Path) -> None:
    """As if it were the only one."""
    assert texts(answer("journal", "--dir", folder, "--account", "hedge")) == ["runner of hedge"]


def test_an_unknown_account_is_told_with_the_known(folder: Path) -> None:
    """Exit code 2, as for every wrong word."""
    result = call("orders", "--dir", folder, "--account", "hegde")
    assert result.exit_code == 2
    assert "no account hegde in runner.yaml: there are main, hedge, idle" in result.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["db", "export"], "name one account with --account: there are main, hedge"),
        (["journal", "--follow"], "say which, --account of main, hedge"),
    ],
)
def test_what_needs_one_account_says_which_there_are(
    folder: Path, words: list[str], said: str
) -> None:
    """It neither guesses nor takes the first."""
    result = call(*words, "--dir", folder)
    assert result.exit_code == 2
    assert said in result.stderr


def test_switches_reach_every_account(folder: Path) -> None:
    """Also while no runner runs; then each journal has it."""
    told = answer("pause", "--reason", "news", "--dir", folder)["accounts"]
    assert {name: one["done"] for name, one in told.items()} == {"main": True, "hedge": True}
    paused = json.loads(call("status", "--json", "--dir", folder).stdout)["accounts"]
    assert [one["paused"]["why"] for one in paused.values()] == ["news", "news"]


def test_a_verb_about_a_rule_finds_its_account(folder: Path) -> None:
    """The command is in that account's journal, and in no other."""
    assert answer("disable", "of-hedge", "--dir", folder)["done"]
    told = answer("journal", "--dir", folder, "--kind", "command")["accounts"]
    assert {name: len(one) for name, one in told.items()} == {"main": 0, "hedge": 1}


def test_each_account_shows_its_own_rules(folder: Path) -> None:
    """And no other's."""
    told = answer("why", "--all", "--dir", folder)["accounts"]
    assert {name: [line["rule_id"] for line in one] for name, one in told.items()} == {
        "main": ["of-main"],
        "hedge": ["of-hedge"],
    }


def test_a_check_knows_the_accounts(folder: Path) -> None:
    """A rule of an account that is not there is a mistake, with its place."""
    file = folder / "rules" / "rules.yaml"
    file.write_text(RULES.replace("account: hedge", "account: hegde"))
    result = call("check", "--dir", folder)
    assert result.exit_code == 1
    assert "rules.yaml:8:14: error: there is no account hegde in runner.yaml" in result.output


def test_backups_are_one_file_an_account(folder: Path) -> None:
    """Named after it."""
    assert call("db", "backup", "--dir", folder).exit_code == 0
    found = sorted(path.name.split("-2")[0] for path in (folder / "backups").iterdir())
    assert found == ["journal-hedge", "journal-main"]
