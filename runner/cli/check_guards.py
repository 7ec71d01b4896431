"""What `runner check` says of a live account on which rules may place orders of any size."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import ConfigurationError
from runner.rulebook.diagnostics import Diagnostic
from runner.settings import FILE_NAME, Account, load

if TYPE_CHECKING:
    from runner.core.rules import Rule, RuleSet

OPENING = frozenset({"place", "bracket", "ladder", "target"})
SIZES = ("max_order_notional", "max_position_notional")


def guard_findings(folder: Path, rules: RuleSet | None) -> list[Diagnostic]:
    """A warning for each live account and each limit on sizes that some of its rules lack."""
    try:
        settings = load(folder)
    except ConfigurationError:
        return []  # said with the secrets
    if rules is None or not settings.accounts:
        return []
    found = []
    for account in settings.accounts.values():
        chosen = [r for r in rules.rules.values() if settings.account(r.account) is account]
        free = [rule.id for rule in chosen if account.address == "live" and _free(rule, account)]
        if free:
            found.append(_finding(str(folder / FILE_NAME), account.name, free))
    return found


def _free(rule: Rule, account: Account) -> bool:
    """True when it opens something, and either size has no limit on any of its symbols."""
    if not any(action.kind in OPENING for action in rule.actions):
        return False
    blocks = (rule.limits, rule.own_limits, account.limits)
    return any(
        all(
            getattr(block, name) is None
            and getattr(block.symbols.get(symbol, block), name, None) is None
            for block in blocks
        )
        for name in SIZES
        for symbol in rule.symbols
    )


def _finding(path: str, account: str, rules: list[str]) -> Diagnostic:
    listed = ", ".join(rules[:3]) + (f" and {len(rules) - 3} more" if len(rules) > 3 else "")
    message = f"on the live account {account} nothing limits the size of what {listed} may open"
    cure = f"write guards: {{{SIZES[0]}: 1000, {SIZES[1]}: 5000}} under {account}"
    return Diagnostic(path, 0, 0, 1, "warning", "guard", message, cure)
