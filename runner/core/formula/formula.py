"""Compiles the text of a formula once, to be evaluated often and explained when asked."""

from __future__ import annotations

from dataclasses import field

from runner.core.formula.checker import Checker, expected
from runner.core.formula.closures import Builder, Run
from runner.core.formula.parser import parse
from runner.core.formula.trace import trace
from runner.core.formula.tree import Node
from runner.core.formula.types import Scope, Type, Value, Values, shown
from runner.core.values import dataclass


@dataclass(frozen=True, slots=True)
class Formula:
    """A checked formula: its text, the type of its value, and the dotted names it uses.

    Two formulas are equal if these three are.
    """

    text: str
    type: Type
    names: frozenset[str]
    _order: tuple[str, ...] = field(repr=False, compare=False)
    _tree: Node = field(repr=False, compare=False)
    _builder: Builder = field(repr=False, compare=False)
    _run: Run = field(repr=False, compare=False)

    def evaluate(self, values: Values) -> Value:
        """Return the value of the formula.

        Raises EvaluationError, and nothing else, if a name that is needed has no data or the
        arithmetic fails. `and`, `or` and `if` look no further than they need.
        """
        value: Value = self._run(values)
        return value

    def operands(self, values: Values) -> dict[str, Value]:
        """Return the value of every name in the order of the text, without those that have none."""
        found = ((name, values.get(name)) for name in self._order)
        return {name: value for name, value in found if value is not None}

    def trace(self, values: Values) -> str:
        """Return the formula with the values it compares filled in: 499.99 >= 500.

        What has no value shows its reason in brackets instead; nothing is raised.
        """
        return trace(self._builder, self._tree, values)


def compile_formula(
    text: str, scope: Scope, expect: Type | None = None, *, constant_ok: bool = True
) -> Formula:
    """Return the formula this text stands for, with every name and type checked.

    `expect` is the type its place needs (BOOLEAN for a condition). With `constant_ok=False` a
    formula without any name is refused, since its value never changes. Raises FormulaError.
    """
    tree = parse(text)
    checker = Checker(text, scope)
    found = checker.type_of(tree)
    expected(checker, tree, found, expect)
    builder = Builder(text, checker.names)
    built = builder.build(tree)
    if built.constant is not None and not constant_ok:
        message = f"this is always {shown(built.constant)}"
        raise checker.error(tree, message, "compare a name with a value, such as mark > 70000")
    order = tuple(checker.names)
    return Formula(text, found, frozenset(order), order, tree, builder, built.run)
