"""A rule file's plain tree as builders read it: typed reading, with every problem kept by place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from decimal import Decimal
from typing import Any

from runner.core.events import Value
from runner.core.formula import BOOLEAN, NUMBER, Formula, FormulaError, Type, compile_formula
from runner.core.values import dataclass

Path = tuple[str | int, ...]
Scope = Mapping[str, Type]

_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?", re.ASCII)
_UNITS = (86_400_000, 3_600_000, 60_000, 1_000, 1)


def duration(text: str) -> int | None:
    """Milliseconds of a length of time such as `15s`, `1h30m`, `250ms`; None if it is none."""
    found = _DURATION.fullmatch(text)
    if not text or found is None:
        return None
    return sum(int(part or 0) * unit for part, unit in zip(found.groups(), _UNITS, strict=True))


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a rule file.

    `path` leads to the value (to the key itself when `at_key`); `column` and `length` are
    inside the value's text, from 1, when the mistake is a part of it (a formula).
    """

    path: Path
    code: str
    message: str
    cure: str | None = None
    at_key: bool = False
    column: int | None = None
    length: int = 1
    severity: str = "error"


@dataclass(frozen=True, slots=True)
class Term:
    """A value written down or a formula; what stands behind `price:` or `quantity:`."""

    constant: Value | None = None
    formula: Formula | None = None

    def value(self, names: Mapping[str, Value]) -> Value:
        """The value now. Raises EvaluationError when the formula has no answer."""
        if self.formula is not None:
            return self.formula.evaluate(names)
        assert self.constant is not None
        return self.constant

    def number(self, names: Mapping[str, Value]) -> Decimal:
        """The value as a number; the type was checked when the rule was loaded."""
        value = self.value(names)
        assert isinstance(value, Decimal)
        return value


@dataclass(frozen=True, slots=True)
class Node:
    """One place of the tree: its plain value, the way to it, and the shared list of problems."""

    value: Any
    path: Path = ()
    scope: Scope = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def child(self, key: str | int) -> Node:
        """The place below `key`; its value is None when it is not written."""
        value, below = self.value, None
        if isinstance(value, dict):
            below = value.get(key)
        elif isinstance(value, list) and isinstance(key, int) and key < len(value):
            below = value[key]
        return Node(below, (*self.path, key), self.scope, self.problems)

    def items(self) -> Iterator[Node]:
        """The places of a list, or the place itself when one value stands for a list of one."""
        if self.value is None:
            return
        if not isinstance(self.value, list):
            yield self
            return
        for index in range(len(self.value)):
            yield self.child(index)

    def with_scope(self, scope: Scope) -> Node:
        """The same place, with other names that formulas may use."""
        return Node(self.value, self.path, scope, self.problems)

    def has(self, key: str) -> bool:
        """True when the key is written here."""
        return isinstance(self.value, dict) and key in self.value

    def problem(self, code: str, message: str, cure: str | None = None, **place: Any) -> None:
        """Note a mistake at this place."""
        self.problems.append(Problem(self.path, code, message, cure, **place))

    def text(self, key: str, default: str = "") -> str:
        """The text below `key`, or the default."""
        value = self.child(key).value
        return default if value is None else str(value)

    def flag(self, key: str, default: bool = False) -> bool:
        """The true or false below `key`, or the default."""
        value = self.child(key).value
        return default if value is None else bool(value)

    def integer(self, key: str) -> int | None:
        """The whole number below `key`; None when it is not written."""
        value = self.child(key).value
        return int(value) if isinstance(value, (int, Decimal)) else None

    def decimal(self, key: str) -> Decimal | None:
        """The number below `key`, exact; None when it is not written."""
        value = self.child(key).value
        return Decimal(value) if isinstance(value, (int, Decimal)) else None

    def duration(self, key: str) -> int | None:
        """The length of time below `key` in ms; notes a problem when it is not one."""
        node = self.child(key)
        if node.value is None:
            return None
        length = duration(node.value) if isinstance(node.value, str) else None
        if length is None:
            node.problem("wrong-type", f"{key} must be a length of time such as 15s, 4h or 1h30m")
        return length

    def formula(self, expect: Type, offset: int = 0) -> Formula | None:
        """This place's text compiled; notes a problem with its column when it is wrong."""
        text = str(self.value)[offset:]
        try:
            return compile_formula(text, self.scope, expect, constant_ok=expect is not BOOLEAN)
        except FormulaError as error:
            self.problem(
                "formula",
                error.message,
                error.cure,
                column=error.column + offset,
                length=error.length,
            )
            return None

    def term(self, key: str, expect: Type = NUMBER) -> Term | None:
        """The value or `=formula` below `key`; None when absent or wrong (the problem is noted)."""
        node = self.child(key)
        value = node.value
        if value is None:
            return None
        if isinstance(value, str) and value.startswith("="):
            formula = node.formula(expect, offset=1)
            return None if formula is None else Term(formula=formula)
        if expect is NUMBER:
            return Term(constant=Decimal(value)) if isinstance(value, (int, Decimal)) else None
        return Term(constant=value)

    def positive(self, key: str) -> Term | None:
        """As `term`, of a number that must be more than 0: a price or a size."""
        term = self.term(key)
        if term is None or term.constant is None or Decimal(str(term.constant)) > 0:
            return term
        self.child(key).problem("range", f"{key} must be more than 0, this is {term.constant}")
        return None
