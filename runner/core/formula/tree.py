"""The syntax tree of a formula: what the parser makes, the checker types and the builder runs."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple, TypeAlias

from runner.core.values import dataclass


class Span(NamedTuple):
    """A piece of the formula's text, as slice bounds counted from 0."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, a text or true/false written in the formula."""

    span: Span
    value: Decimal | bool | str


@dataclass(frozen=True, slots=True)
class Name:
    """A dotted name, such as position.size."""

    span: Span
    name: str


@dataclass(frozen=True, slots=True)
class Unary:
    """`-` or `not` before its operand."""

    span: Span
    operator: str
    operand: Node


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """One of + - * / between two numbers."""

    span: Span
    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Compare:
    """One of < <= > >= == != between two operands."""

    span: Span
    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Logic:
    """`and` or `or` between two or more parts, evaluated from the left as far as needed."""

    span: Span
    operator: str
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """`then if condition else otherwise`."""

    span: Span
    condition: Node
    then: Node
    otherwise: Node


@dataclass(frozen=True, slots=True)
class Call:
    """A function with its arguments; the name is the first thing in the span."""

    span: Span
    function: str
    arguments: tuple[Node, ...]


Node: TypeAlias = Literal | Name | Unary | Arithmetic | Compare | Logic | Choice | Call
