"""Finds the names of a formula in its scope, and says which name was probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from runner.core.formula.arithmetic import FUNCTIONS
from runner.core.formula.errors import FormulaError
from runner.core.formula.types import OBJECT, Kind, Scope, Type

# Comparing words costs their lengths multiplied; nobody mistypes a name of this length.
_LONGEST = 40
_LISTED = 8


def look_up(scope: Scope, name: str, start: int) -> Type:
    """Return the type of a dotted name that stands at this offset, or raise FormulaError."""
    found = scope.get(name)
    if found is not None:
        return found
    if is_known(scope, name):
        return OBJECT
    raise _unknown(scope, name, start)


def is_known(scope: Scope, name: str) -> bool:
    """Return whether this is a name of the scope or an object that has fields there."""
    prefix = f"{name}."
    return name in scope or any(other.startswith(prefix) for other in scope)


def example_field(scope: Scope, name: str) -> str | None:
    """Return the first dotted name that is a field of this object."""
    return next((other for other in scope if other.startswith(f"{name}.")), None)


def closest(word: str, choices: Iterable[str]) -> str | None:
    """Return the choice that looks most like the word, if one does."""
    if len(word) > _LONGEST:
        return None
    by_lower = {choice.lower(): choice for choice in choices}
    matches = get_close_matches(word.lower(), by_lower, n=1)
    return by_lower[matches[0]] if matches else None


def unknown_function(name: str, start: int) -> FormulaError:
    """Return the error that there is no such function."""
    meant = closest(name, FUNCTIONS)
    cure = f"did you mean {meant}?" if meant else f"the functions: {', '.join(FUNCTIONS)}"
    return FormulaError(f"unknown function {name}", start + 1, len(name), cure)


def _unknown(scope: Scope, name: str, start: int) -> FormulaError:
    owner, part = _first_unknown(scope, name)
    column = start + 1 + (len(owner) + 1 if owner else 0)
    if not owner:
        cure = _name_cure(scope, part)
        return FormulaError(f"unknown name {part}", column, len(part), cure)
    kind = scope.get(owner, OBJECT).kind
    if kind is not Kind.OBJECT:
        return FormulaError(f"{owner} is {kind.value}, it has no fields", column, len(part))
    fields = _next_parts(scope, f"{owner}.")
    cure = _choice_cure(part, fields, f"the fields of {owner}:")
    return FormulaError(f"{owner} has no field {part}", column, len(part), cure)


def _first_unknown(scope: Scope, name: str) -> tuple[str, str]:
    """Return the part of a dotted name that is unknown, after the known parts before it."""
    parts = name.split(".")
    ends = range(1, len(parts) + 1)
    end = next(end for end in ends if not is_known(scope, ".".join(parts[:end])))
    return ".".join(parts[: end - 1]), parts[end - 1]


def _name_cure(scope: Scope, part: str) -> str | None:
    if part in FUNCTIONS:
        return f"{part} is a function, write {FUNCTIONS[part].usage}"
    by_field = {name.rpartition(".")[2]: name for name in scope}
    if part in by_field:
        return f"did you mean {by_field[part]}?"
    names = _next_parts(scope, "")
    if closest(part, names) is None and (field := closest(part, by_field)):
        return f"did you mean {by_field[field]}?"
    return _choice_cure(part, names, "the names:")


def _next_parts(scope: Scope, prefix: str) -> list[str]:
    found = (name[len(prefix) :] for name in scope if name.startswith(prefix))
    return list(dict.fromkeys(name.partition(".")[0] for name in found))


def _choice_cure(part: str, choices: list[str], introduction: str) -> str | None:
    meant = closest(part, choices)
    if meant:
        return f"did you mean {meant}?"
    if not choices:
        return None
    more = ", …" if len(choices) > _LISTED else ""
    return f"{introduction} {', '.join(choices[:_LISTED])}{more}"
