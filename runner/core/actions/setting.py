"""Action `set`: leverage, margin type, position mode and isolated margin on the exchange."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from runner.core.actions.order import FAILURES, PROPERTIES
from runner.core.actions.size import NotPossible, number
from runner.core.decision import FAILED, Reason
from runner.core.document import Node, Term
from runner.core.formula import Formula
from runner.core.orders import Setting, SettingIntent
from runner.core.rules import ActionContext, ActionKind, Planned, Progress, Step
from runner.core.values import dataclass
from runner.core.wording import told_words

MOST_LEVERAGE = 125


@dataclass(frozen=True, slots=True)
class Set:
    """One setting after the other; what is so already counts as done. Legs: the settings' names."""

    kind: ClassVar[str] = "set"

    values: Mapping[Setting, Term]
    position_side: str = "BOTH"

    def formulas(self) -> tuple[Formula, ...]:
        """Every formula in it."""
        return tuple(term.formula for term in self.values.values() if term.formula)

    def step(self, context: ActionContext) -> Step:
        """The next setting once the one before is done."""
        for setting in Setting:
            if setting not in self.values:
                continue
            leg = context.leg(setting.value)
            if leg is None:
                return self._plan(context, setting)
            if leg.open:
                return Step(Progress.WAITING)
            if leg.state in FAILED:
                detail = told_words(leg.name, leg.state, leg.message)
                return Step(Progress.FAILED, reason=FAILURES[leg.state], detail=detail)
        return Step(Progress.DONE)

    def _plan(self, context: ActionContext, setting: Setting) -> Step:
        try:
            value = self._value(context, setting)
        except NotPossible as problem:
            return Step(Progress.FAILED, reason=Reason.NOT_POSSIBLE, detail=str(problem))
        side = self.position_side if setting is Setting.ISOLATED_MARGIN else "BOTH"
        part = setting.value
        intent = SettingIntent(context.client_order_id(part), context.symbol, setting, value, side)
        return Step(
            Progress.WAITING, (Planned(context.leg_name(part), intent, context.deadline()),)
        )

    def _value(self, context: ActionContext, setting: Setting) -> str:
        term = self.values[setting]
        if setting in (Setting.MARGIN_TYPE, Setting.POSITION_MODE):
            return str(term.value(context.names))
        value = term.number(context.names)
        if setting is Setting.LEVERAGE and (value % 1 or not 1 <= value <= MOST_LEVERAGE):
            raise NotPossible(f"a leverage of {value:f} is no whole number from 1 to 125")
        if not value:
            raise NotPossible("isolated_margin is 0: there is nothing to move")
        return f"{value.normalize():f}"


SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "description": "Settings of the symbol on the exchange; what is so already is left as it is. "
    "Example: {leverage: 5, margin_type: isolated}",
    "additionalProperties": False,
    "minProperties": 1,
    "properties": {
        "leverage": number("The symbol's leverage, a whole number: 5"),
        "margin_type": {
            "enum": ["isolated", "crossed"],
            "description": "Whether a position has margin of its own or shares the account's.",
        },
        "position_mode": {
            "enum": ["one_way", "hedge"],
            "description": "Of the whole account: one position a symbol, or long and short beside "
            "each other. The exchange refuses it while anything is open.",
        },
        "isolated_margin": number(
            "How much margin to add to an isolated position, in USDT; below zero it is taken "
            "out: 100"
        ),
        "position_side": PROPERTIES["position_side"],
    },
}


def build(node: Node) -> Set | None:
    """Read a `set:` block; notes problems and returns None when it is not usable."""
    before = len(node.problems)
    values = {}
    for setting in Setting:
        words = setting in (Setting.MARGIN_TYPE, Setting.POSITION_MODE)
        if words and node.has(setting.value):
            values[setting] = Term(constant=node.text(setting.value))
        elif not words:
            term = node.term(setting.value)
            if term is not None:
                values[setting] = term
    if not values and len(node.problems) == before:
        node.problem("missing-key", "there is nothing to set", "write leverage: 5")
    _check(node)
    if len(node.problems) > before:
        return None
    return Set(values, node.text("position_side", "both").upper())


def _check(node: Node) -> None:
    leverage = node.child("leverage")
    value = leverage.value if not isinstance(leverage.value, str) else None
    if value is not None and (value % 1 or not 1 <= value <= MOST_LEVERAGE):
        leverage.problem("range", "leverage must be a whole number from 1 to 125")
    if node.has("position_side") and not node.has("isolated_margin"):
        node.child("position_side").problem(
            "unknown-key", "only isolated_margin has a position_side", at_key=True
        )


SET = ActionKind("set", SCHEMA, build, "- set: {leverage: 5, margin_type: isolated}")
