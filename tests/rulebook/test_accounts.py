"""Rules of several accounts: whose they are, and what they cannot do to each other."""

from __future__ import annotations

from pathlib import Path

from runner.rulebook.accounts import Accounts, named_by, share
from runner.rulebook.load import Loaded, load
from tests.rulebook.exchange import BTCUSDT

KNOWN = Accounts(("main", "hedge"), "main")
RULE = """\
  - id: {id}
    symbol: BTCUSDT
{more}    when:
      - price: {{crosses_above: 70000}}
    do:
      - {do}
"""
PLACE = "place: {side: sell, type: market, quantity: 0.002}"


def rule(rule_id: str, account: str = "", do: str = PLACE) -> str:
    """One rule as it is written."""
    return RULE.format(id=rule_id, more=f"    account: {account}\n" if account else "", do=do)


def loaded(folder: Path, *files: str, known: Accounts | None = KNOWN) -> Loaded:
    """What came of files, each written without its first line."""
    for number, text in enumerate(files):
        (folder / f"f{number}.yaml").write_text(f"version: 1\n{text}")
    return load(folder, known=known)


def test_a_rule_belongs_to_the_account_that_it_its_file_or_nobody_names(tmp_path: Path) -> None:
    """In this order; where nobody names one it is the default account."""
    found = loaded(
        tmp_path,
        f"rules:\n{rule('aa')}{rule('bb', 'hedge')}",
        f"account: hedge\nrules:\n{rule('cc')}{rule('dd', 'main')}",
    )
    assert found.rules is not None
    shares = {name: share(found.rules, found.dead_men, KNOWN, name) for name in KNOWN.names}
    assert {name: set(one.rules) for name, one in shares.items()} == {
        "main": {"aa", "dd"},
        "hedge": {"bb", "cc"},
    }
    assert {one.revision for one in shares.values()} == {found.rules.revision}
    assert named_by(found.rules, found.dead_men, KNOWN) == {"main", "hedge"}


def test_an_account_that_is_not_there_is_told_with_its_place(tmp_path: Path) -> None:
    """With what was probably meant; a folder without runner.yaml is not asked about it."""
    text = f"account: hegde\nrules:\n{rule('aa', 'x')}"
    found = [(each.code, each.line, each.cure) for each in loaded(tmp_path, text).diagnostics]
    assert found == [
        ("unknown-account", 2, "did you mean hedge?"),
        ("unknown-account", 6, "the accounts: main, hedge"),
    ]
    assert loaded(tmp_path, text, known=None).rules is not None


def test_a_rule_reaches_only_the_rules_of_its_account(tmp_path: Path) -> None:
    """Each account decides by itself; within one it may switch others as ever."""
    text = f"rules:\n{rule('aa')}{rule('bb', 'hedge')}{rule('cc', do='disable: bb')}"
    (found,) = loaded(tmp_path, text).errors
    assert (found.code, found.message) == (
        "other-account",
        "bb belongs to the account hedge, this rule to main",
    )
    assert loaded(tmp_path, text.replace("disable: bb", "disable: aa")).rules is not None


def test_each_account_has_a_countdown_of_its_own(tmp_path: Path) -> None:
    """For the same symbol; two files of one account still have to agree."""
    switch = "dead_man: {{symbols: [BTCUSDT], countdown: {}, refresh: 30s}}\n"
    main = switch.format("2m") + f"rules:\n{rule('aa')}"
    hedge = "account: hedge\n" + switch.format("3m") + f"rules:\n{rule('bb')}"
    found = loaded(tmp_path, main, hedge)
    assert found.rules is not None
    lengths = {
        name: share(found.rules, found.dead_men, KNOWN, name).dead_men["BTCUSDT"].countdown
        for name in KNOWN.names
    }
    assert lengths == {"main": 120_000, "hedge": 180_000}
    clash = loaded(tmp_path, main, hedge.replace("hedge", "main"))
    assert [each.code for each in clash.errors] == ["dead-man"]


def test_symbols_are_checked_on_the_exchange_of_the_account(tmp_path: Path) -> None:
    """Demo and live do not trade the same; an exchange that was not asked refuses nothing."""
    text = f"rules:\n{rule('aa')}{rule('bb', 'hedge')}".replace("BTCUSDT", "ETHUSDT")
    asked = Accounts(KNOWN.names, "main", {"hedge": {"BTCUSDT": BTCUSDT}})
    found = loaded(tmp_path, text, known=asked).errors
    assert [(each.code, each.line) for each in found] == [("unknown-symbol", 10)]
