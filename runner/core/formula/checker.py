"""Gives every part of a formula its type and refuses what could never make sense."""

from __future__ import annotations

from runner.core.formula.arithmetic import FUNCTIONS
from runner.core.formula.errors import FormulaError
from runner.core.formula.names import closest, example_field, is_known, look_up, unknown_function
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
from runner.core.formula.types import BOOLEAN, NUMBER, Kind, Scope, Type, one_of

_QUOTED = 40  # characters of the formula a message repeats


class Checker:
    """One walk over one tree; afterwards `names` has every name used, in the order of the text."""

    __slots__ = ("names", "scope", "text")

    def __init__(self, text: str, scope: Scope) -> None:
        self.text = text
        self.scope = scope
        self.names: dict[str, Type] = {}

    def type_of(self, node: Node) -> Type:
        """Return the type of a node, or raise FormulaError for the first mistake in it."""
        match node:
            case Literal():
                return _literal(node)
            case Name():
                return self._name(node)
            case Unary():
                return self._unary(node)
            case Arithmetic():
                self._need(Kind.NUMBER, node.left, f"{node.operator} needs numbers")
                self._need(Kind.NUMBER, node.right, f"{node.operator} needs numbers")
                return NUMBER
            case Compare():
                return self._compare(node)
            case Logic():
                return self._logic(node)
            case Choice():
                return self._choice(node)
            case _:
                return self._call(node)

    def quote(self, node: Node) -> str:
        """Return the text of a node as a message repeats it, shortened if it is long."""
        piece = self.text[node.span.start : node.span.end]
        return piece if len(piece) <= _QUOTED else f"{piece[: _QUOTED - 1]}…"

    def described(self, node: Node, kind: Kind) -> str:
        """Return how a message calls a node of this kind, objects with their name."""
        return f"{kind.value} ({self.quote(node)})" if kind is Kind.OBJECT else kind.value

    def error(self, node: Node, message: str, cure: str | None = None) -> FormulaError:
        """Return an error about this node."""
        start, end = node.span
        return FormulaError(message, start + 1, end - start, cure)

    def field_cure(self, node: Node) -> str | None:
        """Return the cure for an object where a value has to be."""
        if not isinstance(node, Name) or self.names[node.name].kind is not Kind.OBJECT:
            return None
        field = example_field(self.scope, node.name)
        return f"name one of its fields, such as {field}" if field else None

    def _name(self, node: Name) -> Type:
        found = look_up(self.scope, node.name, node.span.start)
        self.names[node.name] = found
        return found

    def _unary(self, node: Unary) -> Type:
        if node.operator == "-":
            self._need(Kind.NUMBER, node.operand, "- needs numbers")
            return NUMBER
        self._need(Kind.BOOLEAN, node.operand, "not needs true/false")
        return BOOLEAN

    def _need(self, kind: Kind, node: Node, need: str, cure: str | None = None) -> None:
        found = self.type_of(node).kind
        if found is not kind:
            is_what = f"{self.quote(node)} is {found.value}"
            raise self.error(node, f"{need}, {is_what}", cure or self.field_cure(node))

    def _logic(self, node: Logic) -> Type:
        before: Node | None = None
        for part in node.parts:
            cure = self._repeated(before, node.operator, part)
            self._need(Kind.BOOLEAN, part, f"{node.operator} needs true/false", cure)
            before = part
        return BOOLEAN

    def _repeated(self, before: Node | None, operator: str, part: Node) -> str | None:
        """Return the cure for `symbol == "a" or "b"`: the comparison has to be written again."""
        if not isinstance(before, Compare) or not isinstance(part, Literal):
            return None
        again = f"{self.quote(before.left)} {before.operator} {self.quote(part)}"
        return f"write {self.quote(before)} {operator} {again}"

    def _compare(self, node: Compare) -> Type:
        left = self.type_of(node.left)
        if left.kind is Kind.TEXT:
            self._quotes_forgotten(left, node.right)
        right = self.type_of(node.right)
        if left.kind is not right.kind or left.kind is Kind.OBJECT:
            first = self.described(node.left, left.kind)
            second = self.described(node.right, right.kind)
            cure = self.field_cure(node.left) or self.field_cure(node.right)
            raise self.error(node.right, f"cannot compare {first} with {second}", cure)
        if node.operator not in ("==", "!="):
            self._need(Kind.NUMBER, node.left, f"{node.operator} needs numbers")
        self._can_be_equal(node, left, right)
        return BOOLEAN

    def _quotes_forgotten(self, left: Type, right: Node) -> None:
        """Refuse position.side == long, where "long" was meant."""
        if not isinstance(right, Name) or is_known(self.scope, right.name.partition(".")[0]):
            return
        if left.values is None or right.name in left.values:
            message = f"unknown name {right.name}"
            raise self.error(right, message, f'text stands in quotes: "{right.name}"')

    def _can_be_equal(self, node: Compare, left: Type, right: Type) -> None:
        if left.values is None or right.values is None or set(left.values) & set(right.values):
            return
        literal, other, values = node.right, node.left, left.values
        if not isinstance(literal, Literal):
            literal, other, values = node.left, node.right, right.values
        if not isinstance(literal, Literal):
            message = f"{self.quote(node.left)} and {self.quote(node.right)} are never the same"
            raise self.error(node.right, message)
        message = f"{self.quote(other)} is never {self.quote(literal)}"
        raise self.error(literal, message, _value_cure(str(literal.value), values))

    def _choice(self, node: Choice) -> Type:
        then = self.type_of(node.then)
        self._need(Kind.BOOLEAN, node.condition, "if needs true/false")
        otherwise = self.type_of(node.otherwise)
        if then.kind is not otherwise.kind:
            first = self.described(node.then, then.kind)
            second = self.described(node.otherwise, otherwise.kind)
            message = f"if and else must give the same kind of value, not {first} and {second}"
            raise self.error(node.otherwise, message)
        if then.values is None or otherwise.values is None:
            return Type(then.kind)
        return one_of(*dict.fromkeys(then.values + otherwise.values))

    def _call(self, node: Call) -> Type:
        function = FUNCTIONS.get(node.function)
        if function is None:
            raise self._no_function(node)
        for argument in node.arguments:
            self._need(Kind.NUMBER, argument, f"{node.function} needs numbers")
        count = len(node.arguments)
        if count < function.least or (function.most is not None and count > function.most):
            more = " or more" if function.most is None else ""
            values = "value" if function.least == 1 and not more else "values"
            message = f"{node.function} takes {function.least}{more} {values}, here are {count}"
            raise self.error(node, message, f"write {function.usage}")
        return NUMBER

    def _no_function(self, node: Call) -> FormulaError:
        start = node.span.start
        if is_known(self.scope, node.function):
            length = len(node.function)
            return FormulaError(f"{node.function} is not a function", start + 1, length)
        return unknown_function(node.function, start)


def _literal(node: Literal) -> Type:
    if isinstance(node.value, bool):
        return BOOLEAN
    return one_of(node.value) if isinstance(node.value, str) else NUMBER


def _value_cure(wrong: str, values: tuple[str, ...]) -> str:
    meant = closest(wrong, values)
    if meant is not None:
        return f'did you mean "{meant}"?'
    return "it is " + " or ".join(f'"{value}"' for value in values)


def expected(checker: Checker, node: Node, found: Type, expect: Type | None) -> None:
    """Raise FormulaError unless a formula of this type gives what its place expects."""
    what = checker.described(node, found.kind)
    if expect is not None and found.kind is not expect.kind:
        need = _NEEDS[expect.kind]
        cure = checker.field_cure(node)
        if expect == BOOLEAN and found == NUMBER:
            cure = f"compare it with something, such as {checker.quote(node)} > 0"
        raise checker.error(node, f"{need}, this is {what}", cure)
    if found.kind is Kind.OBJECT:
        message = f"a formula must give a value, this is {what}"
        raise checker.error(node, message, checker.field_cure(node))
    if expect is None or expect.values is None or found.values is None:
        return
    for value in found.values:
        if value not in expect.values:
            cure = _value_cure(value, expect.values)
            raise checker.error(node, f'"{value}" is not possible here', cure)


_NEEDS = {
    Kind.NUMBER: "this must be a number",
    Kind.BOOLEAN: "a condition must be true or false",
    Kind.TEXT: "this must be text",
}
