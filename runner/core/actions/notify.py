"""Action `notify`: tells the operator something, with values filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

from runner.core.document import Node
from runner.core.figures import figure
from runner.core.formula import EvaluationError, Formula, FormulaError, compile_formula
from runner.core.rules import ActionContext, ActionKind, Progress, Step
from runner.core.values import dataclass

_PLACE = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Notify:
    """A text with `{formula}` places."""

    kind: ClassVar[str] = "notify"

    text: str
    places: tuple[Formula, ...]

    def formulas(self) -> tuple[Formula, ...]:
        """The formulas of its places."""
        return self.places

    def step(self, context: ActionContext) -> Step:
        """Say it; a place without a value shows as `?`, for telling never stops a run."""
        values = iter(self.places)
        text = _PLACE.sub(lambda _: _shown(next(values), context), self.text)
        return Step(Progress.DONE, notes=(text,))


def _shown(formula: Formula, context: ActionContext) -> str:
    try:
        value = formula.evaluate(context.names)
    except EvaluationError:
        return "?"
    return figure(value) if isinstance(value, Decimal) else str(value)


SCHEMA: Mapping[str, Any] = {
    "type": "string",
    "minLength": 1,
    "description": "A message to the operator; {names} are filled in: "
    "Breakout bought at {trigger.price}",
}


def build(node: Node) -> Notify | None:
    """Read a `notify:` text; notes a problem for each wrong formula and each lone brace."""
    before = len(node.problems)
    text = str(node.value)
    places = []
    for found in _PLACE.finditer(text):
        try:
            places.append(compile_formula(found.group(1), node.scope))
        except FormulaError as error:
            column = found.start(1) + error.column
            node.problem("formula", error.message, error.cure, column=column, length=error.length)
    for column, brace in _lone_braces(text):
        message = "this { is not closed" if brace == "{" else "this } closes nothing"
        cure = "a value is written {trigger.price}, a message has no other braces"
        node.problem("formula", message, cure, column=column)
    return Notify(text, tuple(places)) if len(node.problems) == before else None


def _lone_braces(text: str) -> list[tuple[int, str]]:
    """Column (from 1) and brace, for each that does not belong to a `{formula}`."""
    rest = _PLACE.sub(lambda found: "_" * len(found.group()), text)
    return [(index, letter) for index, letter in enumerate(rest, 1) if letter in "{}"]


NOTIFY = ActionKind("notify", SCHEMA, build, "- notify: Breakout bought at {trigger.price}")
