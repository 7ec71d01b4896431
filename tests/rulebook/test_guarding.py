"""Guards of files, rules and symbols: how they are read, kept, and read again."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from runner.core.limits import Limits, Most
from runner.core.rules import Rule
from runner.rulebook.build import rebuild
from runner.rulebook.load import Loaded, load

RULES = """\
version: 1
lists: {majors: [BTCUSDT, ETHUSDT]}
guards: FILE
rules:
  - id: one
    symbols: majors
    when: [{price: {crosses_above: 70000}}]
    do: [{close: {type: market}}]
    guards: OWN
"""


def loaded(folder: Path, file: str, own: str) -> Loaded:
    """The rule with these guards in its file and in itself."""
    path = folder / "a.yaml"
    path.write_text(RULES.replace("FILE", file).replace("OWN", own), "utf-8")
    return load(path)


def rule_of(found: Loaded) -> Rule:
    """The only rule."""
    assert found.rules is not None, found.diagnostics
    return found.rules.rules["one"]


def test_every_guard_is_read(tmp_path: Path) -> None:
    """Lists become symbols; what stands beside a symbol goes before its list's."""
    rule = rule_of(
        loaded(
            tmp_path,
            "{max_price_distance: 2.5%, allowed_symbols: majors, max_daily_loss: 500, "
            "max_drawdown: 10%, max_leverage: 3, symbols: {majors: {max_open_orders: 3}, "
            "ETHUSDT: {max_open_orders: 2, max_order_notional: 100}}}",
            "{max_open_orders: 5}",
        )
    )
    assert rule.limits == Limits(
        max_price_distance=Decimal("0.025"),
        allowed_symbols=("BTCUSDT", "ETHUSDT"),
        max_daily_loss=Most(Decimal(500)),
        max_drawdown=Most(Decimal("0.1"), share=True),
        max_leverage=Decimal(3),
        symbols={
            "BTCUSDT": Limits(max_open_orders=3),
            "ETHUSDT": Limits(max_open_orders=2, max_order_notional=Decimal(100)),
        },
    )
    assert rule.own_limits == Limits(max_open_orders=5)


def test_the_kept_text_brings_the_same_guards_again(tmp_path: Path) -> None:
    """A run that began under an older revision is judged by its guards."""
    rule = rule_of(loaded(tmp_path, "{max_drawdown: 10%}", "{max_daily_loss: 2.5%}"))
    again = rebuild(rule.text)
    assert (again.limits, again.own_limits) == (rule.limits, rule.own_limits)
    assert again.text_hash == rule.text_hash


@pytest.mark.parametrize(
    ("file", "own", "message"),
    [
        ("{max_price_distance: 200%}", "{max_open_orders: 1}", "200% is no share"),
        ("{max_open_orders: 1}", "{max_price_distance: 0%}", "0% is no share"),
        ("{max_daily_loss: much}", "{max_open_orders: 1}", "much is no share"),
        ("{allowed_symbols: minors}", "{max_open_orders: 1}", "there is no list minors"),
        ("{symbols: {minors: {max_open_orders: 1}}}", "{max_open_orders: 1}", "no list minors"),
    ],
)
def test_what_is_no_limit_is_told_once_where_it_stands(
    tmp_path: Path, file: str, own: str, message: str
) -> None:
    """In the file's block or in the rule's."""
    found = loaded(tmp_path, file, own)
    [error] = found.errors
    assert message in error.message
    assert error.line == (3 if "max_open_orders: 1" in own else 9)
