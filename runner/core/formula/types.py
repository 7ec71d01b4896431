"""The types of formulas, the values they stand for, and how both are shown to people."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from typing import TypeAlias

from runner.core.values import dataclass

Value: TypeAlias = Decimal | bool | str


class Kind(Enum):
    """The four kinds of type; the value is how a message calls something of that kind."""

    NUMBER = "a number"
    BOOLEAN = "true/false"
    TEXT = "text"
    OBJECT = "an object"


@dataclass(frozen=True, slots=True)
class Type:
    """A kind and, for text, the values that can occur (None: any text)."""

    kind: Kind
    values: tuple[str, ...] | None = None


NUMBER = Type(Kind.NUMBER)
BOOLEAN = Type(Kind.BOOLEAN)
TEXT = Type(Kind.TEXT)
OBJECT = Type(Kind.OBJECT)

Scope: TypeAlias = Mapping[str, Type]
"""Dotted names a formula may use; `position.size` makes `position` an object."""

Values: TypeAlias = Mapping[str, Value | None]
"""Dotted names to values; a name that is absent or None has no data now."""


def one_of(*values: str) -> Type:
    """Return the type of a text that is always one of these values."""
    return Type(Kind.TEXT, values)


def shown(value: Value) -> str:
    """Return a value as a formula would write it: 75000.10, true, "long"."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"'
    # Fixed notation of 1e99999 would be a hundred thousand zeros.
    return format(value, "f") if abs(value.adjusted()) <= 40 else str(value)
