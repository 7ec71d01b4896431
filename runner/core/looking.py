"""What the runner sees right now, for who asks: how rules stand, their levels, the account."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from runner.core.figures import figure
from runner.core.firing import trigger_memory
from runner.core.formula import EvaluationError
from runner.core.rules import Rule, WaitsForPrice
from runner.core.running import World
from runner.core.standing import standing
from runner.core.state import Work
from runner.core.view import View

PRICES = frozenset({"mark", "last", "index"})
"""Sources that are prices; what moves, funding and the like is drawn nowhere."""


def seen_rules(work: Work, world: World, rules: Iterable[Rule]) -> Mapping[str, Any]:
    """How each stands on each of its symbols, and the `levels` at which its triggers fire."""
    rules = tuple(rules)
    return {
        "rules": {
            rule.id: [standing(work, world, rule, symbol).plain() for symbol in rule.symbols]
            for rule in rules
        },
        "levels": [
            level
            for rule in rules
            for symbol in rule.symbols
            for level in _levels(work, world, rule, symbol)
        ],
    }


def _levels(work: Work, world: World, rule: Rule, symbol: str) -> Iterable[Mapping[str, str]]:
    """Prices that one rule waits for on one symbol; none where a level has no value now."""
    memory = work.memory(rule.id, symbol)
    names = world.names_before(work, rule, symbol)
    for trigger in rule.triggers:
        if not isinstance(trigger, WaitsForPrice):
            continue
        try:
            waits = trigger.waits(trigger_memory(memory, trigger), names)
        except EvaluationError:
            continue
        if waits.source in PRICES:
            found = {"rule_id": rule.id, "symbol": symbol, "trigger": trigger.name}
            yield from ({**found, "price": figure(level)} for level in waits.levels)


def seen_account(view: View) -> Mapping[str, Any]:
    """Open positions, balances and the last price of every symbol; amounts as text, null where
    nothing is known yet. `known` is False before the first reading of the account.
    """
    account = view.account
    balances = ("wallet_balance", "available", "equity", "margin_ratio")
    return {
        "known": view.positions_known,
        "positions": [
            {
                "symbol": each.symbol,
                "position_side": each.position_side,
                "size": figure(each.size),
                "entry_price": figure(each.entry_price),
                "unrealised_pnl": figure(each.unrealised_pnl),
                "liquidation_price": _plain(each.liquidation_price),
                "leverage": _plain(each.leverage),
                "mark": _price(view, each.symbol),
            }
            for _, each in sorted(view.positions.items())
            if each.size
        ],
        "account": {
            name: None if account is None else _plain(getattr(account, name)) for name in balances
        },
    }


def _plain(value: Decimal | None) -> str | None:
    return None if value is None else figure(value)


def _price(view: View, symbol: str) -> str | None:
    last = view.board.last(symbol, "mark")
    return None if last is None else figure(last.value)
