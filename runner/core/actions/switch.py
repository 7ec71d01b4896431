"""Actions `enable` and `disable`: switch rules on and off, kept across restarts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from runner.core.document import Node
from runner.core.formula import Formula
from runner.core.rules import Action, ActionContext, ActionKind, Progress, Step
from runner.core.values import dataclass


@dataclass(frozen=True, slots=True)
class Switch:
    """Rules to switch, by id."""

    kind: ClassVar[str] = "switch"

    rules: tuple[str, ...]
    on: bool

    def formulas(self) -> tuple[Formula, ...]:
        """None."""
        return ()

    def step(self, context: ActionContext) -> Step:
        """Done at once: the switch is part of the same commit."""
        del context
        return Step(Progress.DONE, switch=dict.fromkeys(self.rules, self.on))


def _schema(verb: str, effect: str) -> Mapping[str, Any]:
    return {
        "type": ["array", "string"],
        "minItems": 1,
        "items": {"type": "string", "description": "The id of a rule: btc-breakout"},
        "description": f"Rules that {effect}: {verb}: [btc-breakout, tv-eth]",
    }


def _build(on: bool, node: Node) -> Action | None:
    return Switch(tuple(str(item.value) for item in node.items()), on)


ENABLE = ActionKind(
    "enable",
    _schema("enable", "fire again"),
    lambda node: _build(True, node),
    "- enable: [btc-breakout]",
)
DISABLE = ActionKind(
    "disable",
    _schema("disable", "do not fire any more until they are enabled"),
    lambda node: _build(False, node),
    "- disable: [btc-breakout]",
)
