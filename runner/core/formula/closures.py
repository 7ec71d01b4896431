"""Turns a checked tree into closures that calculate it; parts without names are calculated once."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from decimal import Decimal, DecimalException
from typing import Any, NamedTuple, TypeAlias

from runner.core.formula.arithmetic import ARITHMETIC, CONTEXT, FUNCTIONS, failure
from runner.core.formula.errors import EvaluationError, FormulaError
from runner.core.formula.tree import (
    Arithmetic,
    Call,
    Choice,
    Compare,
    Literal,
    Logic,
    Name,
    Node,
    Unary,
)
from runner.core.formula.types import Kind, Type, Value, Values

# Any: the checker has proved what each closure returns, and looking again would cost time.
Run: TypeAlias = Callable[[Values], Any]
Operation: TypeAlias = Unary | Arithmetic | Compare | Logic | Choice | Call

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_CLASSES: dict[Kind, type[bool] | type[str]] = {Kind.BOOLEAN: bool, Kind.TEXT: str}


class Built(NamedTuple):
    """What calculates a node, and its value if that is always the same."""

    run: Run
    constant: Value | None


class Builder:
    """Builds the closures of one formula."""

    __slots__ = ("names", "text")

    def __init__(self, text: str, names: Mapping[str, Type]) -> None:
        self.text = text
        self.names = names

    def build(self, node: Node) -> Built:
        """Return what calculates this node.

        Raises FormulaError if it has no names and cannot be calculated, such as 1 / 0.
        """
        if isinstance(node, Literal):
            return _constant(node.value)
        if isinstance(node, Name):
            return Built(_load(node.name, self.names[node.name].kind), None)
        children = [self.build(child) for child in _children(node)]
        if isinstance(node, Arithmetic) and node.operator == "/" and children[1].constant == 0:
            raise self._error(node.right, f"division by zero in {self._quote(node)}")
        run = self._operation(node, children)
        if any(child.constant is None for child in children):
            return Built(run, None)
        try:
            return _constant(run({}))
        except EvaluationError as error:
            raise self._error(node, error.reason) from None

    def _operation(self, node: Operation, children: list[Built]) -> Run:
        runs = [child.run for child in children]
        match node:
            case Arithmetic():
                return _calculate(ARITHMETIC[node.operator], children, self._quote(node))
            case Compare():
                return _compare(_COMPARE[node.operator], children)
            case Logic():
                return _logic(runs, decisive=node.operator == "or")
            case Choice():
                return _choice(*runs)
            case Call():
                return _calculate(FUNCTIONS[node.function].apply, children, self._quote(node))
            case Unary(operator="-"):
                return _calculate(CONTEXT.minus, children, self._quote(node))
            case _:
                return _not(runs[0])

    def _error(self, node: Node, message: str) -> FormulaError:
        start, end = node.span
        return FormulaError(message, start + 1, end - start)

    def _quote(self, node: Node) -> str:
        return self.text[node.span.start : node.span.end]


def _children(node: Operation) -> tuple[Node, ...]:
    match node:
        case Arithmetic() | Compare():
            return (node.left, node.right)
        case Logic():
            return node.parts
        case Choice():
            return (node.condition, node.then, node.otherwise)
        case Call():
            return node.arguments
        case _:
            return (node.operand,)


def _constant(value: Value) -> Built:
    return Built(lambda _: value, value)


def _load(name: str, kind: Kind) -> Run:
    if kind is Kind.NUMBER:
        return _load_number(name)
    wanted = _CLASSES[kind]

    def load(values: Values) -> Value:
        try:
            value = values[name]
        except KeyError:
            value = None
        if isinstance(value, wanted):
            return value
        raise _unusable(name, value, kind)

    return load


def _load_number(name: str) -> Run:
    def load(values: Values) -> Decimal:
        try:
            value = values[name]
        except KeyError:
            value = None
        if isinstance(value, Decimal) and value.is_finite():
            return value
        raise _unusable(name, value, Kind.NUMBER)

    return load


def _unusable(name: str, value: object, kind: Kind) -> EvaluationError:
    if value is None:
        return EvaluationError(f"no data for {name}", name)
    return EvaluationError(f"{name} is not {kind.value} now", name)


def _compare(compare: Callable[[Any, Any], bool], operands: list[Built]) -> Run:
    (left, _), (right, constant) = operands
    if constant is not None:
        return lambda values: compare(left(values), constant)
    return lambda values: compare(left(values), right(values))


def _calculate(function: Callable[..., Decimal], operands: list[Built], text: str) -> Run:
    """Return what applies a function of the decimal arithmetic and explains its failures."""
    if len(operands) != 2:
        return _apply(function, [operand.run for operand in operands], text)
    (left, _), (right, constant) = operands
    if constant is not None:
        return _apply_constant(function, left, constant, text)

    def run(values: Values) -> Decimal:
        try:
            return function(left(values), right(values))
        except DecimalException as error:
            raise failure(error, text) from None

    return run


def _apply_constant(function: Callable[..., Decimal], left: Run, right: Value, text: str) -> Run:
    def run(values: Values) -> Decimal:
        try:
            return function(left(values), right)
        except DecimalException as error:
            raise failure(error, text) from None

    return run


def _apply(function: Callable[..., Decimal], operands: list[Run], text: str) -> Run:
    def run(values: Values) -> Decimal:
        try:
            return function(*[operand(values) for operand in operands])
        except DecimalException as error:
            raise failure(error, text) from None

    return run


def _not(operand: Run) -> Run:
    return lambda values: not operand(values)


def _logic(runs: list[Run], decisive: bool) -> Run:
    def run(values: Values) -> bool:
        for part in runs:
            holds: bool = part(values)
            if holds is decisive:
                return decisive
        return not decisive

    return run


def _choice(condition: Run, then: Run, otherwise: Run) -> Run:
    return lambda values: then(values) if condition(values) else otherwise(values)
