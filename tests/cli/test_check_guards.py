"""`runner check --dir` of a live account: what may be opened there in any size."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.cli.check_guards import guard_findings
from runner.rulebook.load import load

SETTINGS = """\
version: 1
accounts:
  main: {venue: binance_usdm, address: ADDRESS, api_key: k, api_secret: s, ACCOUNT}
"""
RULES = """\
version: 1
FILE
rules:
  - id: buyer
    symbol: BTCUSDT
    when: [{price: {crosses_above: 70000}}]
    do: [{place: {side: buy, type: market, quantity: 0.1}}]
    OWN
  - id: closer
    symbol: BTCUSDT
    when: [{price: {crosses_above: 70000}}]
    do: [{close: {type: market}}]
"""
BOTH = "guards: {max_order_notional: 10, max_position_notional: 20}"


def said(
    folder: Path, address: str = "live", account: str = "", file: str = "", own: str = ""
) -> str:
    """What is said of a folder with these guards."""
    text = SETTINGS.replace("ADDRESS", address).replace(", ACCOUNT", f", {account}" * bool(account))
    (folder / "runner.yaml").write_text(text, "utf-8")
    rules = folder / "rules.yaml"
    rules.write_text(RULES.replace("FILE", file).replace("OWN", own), "utf-8")
    loaded = load(rules)
    assert loaded.rules is not None, loaded.diagnostics
    return "".join(found.message for found in guard_findings(folder, loaded.rules))


def test_a_live_account_without_limits_on_sizes_is_named(tmp_path: Path) -> None:
    """With the rules that may open anything; who only closes is none of them."""
    text = said(tmp_path)
    assert text == "on the live account main nothing limits the size of what buyer may open"
    assert said(tmp_path, "demo") == ""


@pytest.mark.parametrize("where", ["account", "file", "own"])
def test_limits_count_wherever_they_stand(tmp_path: Path, where: str) -> None:
    """One of the two sizes is not enough."""
    assert said(tmp_path, **{where: BOTH}) == ""
    assert said(tmp_path, **{where: "guards: {max_order_notional: 10}"}) != ""
    by_symbol = "guards: {symbols: {BTCUSDT: {max_order_notional: 1, max_position_notional: 2}}}"
    assert said(tmp_path, **{where: by_symbol}) == ""
    other = by_symbol.replace("BTCUSDT", "ETHUSDT")
    assert said(tmp_path, **{where: other}) != ""


def test_a_folder_without_settings_or_with_mistakes_says_nothing_here(tmp_path: Path) -> None:
    """There is no live account, or the mistakes are told elsewhere."""
    assert guard_findings(tmp_path, None) == []
    (tmp_path / "runner.yaml").write_text("version: 2\n", "utf-8")
    assert guard_findings(tmp_path, None) == []
