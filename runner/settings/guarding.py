"""The guards of an account: the same keys as in rule files, for every rule that trades with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from runner.core import limits
from runner.core.document import Node
from runner.core.limits import Limits
from runner.settings.reading import Mistake

GUARDS: Mapping[str, Any] = limits.schema(
    "Limits on every order of the account, besides those in the rule files; the tightest holds. "
    "Exits always pass. Example: {max_order_notional: 5000, max_daily_loss: 5%}"
)


def limits_of(account: Mapping[str, Any]) -> Limits:
    """The limits that an account's block sets."""
    return limits.read(Node(account.get("guards")))


def mistakes(tree: Mapping[str, Any]) -> Iterator[Mistake]:
    """What is no share, in the guards of every account."""
    for name, account in tree.get("accounts", {}).items():
        node = Node(account.get("guards"), ("accounts", name, "guards"))
        limits.read(node)
        for problem in node.problems:
            yield Mistake(problem.path, "guard", problem.message, problem.cure or "")
