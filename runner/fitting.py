"""Says quickly that a tree fits its JSON Schema; what does not is the validator's to explain.

Nearly every tree fits. To know that, a closure for each part of the schema is enough: the
validator, which finds what is wrong and where, takes ten times as long, and its import 50 ms.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

Fits = Callable[[Any], bool]

_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, Decimal),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}
_ABOUT: Final = frozenset({"$schema", "$id", "title", "description", "type"})
_CHOICES: Final = frozenset({"enum", "const"})
_OF: Final[Mapping[type, frozenset[str]]] = {
    dict: frozenset(
        {
            "properties",
            "additionalProperties",
            "propertyNames",
            "required",
            "minProperties",
            "maxProperties",
        }
    ),
    list: frozenset({"items", "minItems", "maxItems", "uniqueItems"}),
    str: frozenset({"pattern", "minLength", "maxLength"}),
    int: frozenset({"minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"}),
}
_KNOWN: Final = _ABOUT | _CHOICES | frozenset().union(*_OF.values())


def fitting(schema: Mapping[str, Any]) -> Fits:
    """What returns True only for a tree to which this schema (draft 7) has no objection.

    For some to which it has none it returns False, such as those with a float in them, and for all
    where the schema uses a keyword that is not known here: then ask the validator.
    """
    if not schema.keys() <= _KNOWN:
        return _never
    written = schema.get("type", list(_TYPES))
    names = [written] if isinstance(written, str) else written
    tests = {each: _test(each, schema) for name in names for each in _TYPES[name]}

    def fits(value: Any) -> bool:
        test = tests.get(type(value))
        return test is not None and test(value)

    return fits


def _never(value: Any) -> bool:
    del value
    return False


def _always(value: Any) -> bool:
    del value
    return True


def _test(kind: type, schema: Mapping[str, Any]) -> Fits:
    """The test of values that are exactly of this type."""
    chosen = [*schema.get("enum", ()), *([schema["const"]] if "const" in schema else ())]
    if schema.keys() & _CHOICES:
        if len(schema.keys() & _CHOICES) > 1 or kind not in (str, int):
            return _never
        choices = frozenset(each for each in chosen if type(each) is kind)
        rest = _plain(kind, schema)
        return lambda value: value in choices and rest(value)
    return _plain(kind, schema)


def _plain(kind: type, schema: Mapping[str, Any]) -> Fits:
    """The test without a list of choices."""
    of = _OF.get(int if kind is Decimal else kind, frozenset())
    if kind is not Decimal and not schema.keys() & of:
        return _always
    return _MAKERS[kind](schema)


def _object(schema: Mapping[str, Any]) -> Fits:
    known = {key: fitting(below) for key, below in schema.get("properties", {}).items()}
    other = _below(schema.get("additionalProperties", True))
    named = _below(schema.get("propertyNames", True))
    required = tuple(schema.get("required", ()))
    least, most = schema.get("minProperties", 0), schema.get("maxProperties")

    def fits(value: dict[str, Any]) -> bool:
        if len(value) < least or (most is not None and len(value) > most):
            return False
        for key in required:
            if key not in value:
                return False
        for key, below in value.items():
            if not known.get(key, other)(below):
                return False
        return named is _always or all(map(named, value))

    return fits


def _below(schema: Any) -> Fits:
    if isinstance(schema, bool):
        return _always if schema else _never
    return fitting(schema)


def _array(schema: Mapping[str, Any]) -> Fits:
    items = schema.get("items", True)
    item = _never if isinstance(items, list) else _below(items)
    least, most = schema.get("minItems", 0), schema.get("maxItems")
    unique = schema.get("uniqueItems", False)

    def fits(value: list[Any]) -> bool:
        if len(value) < least or (most is not None and len(value) > most):
            return False
        return all(map(item, value)) and not (unique and _repeats(value))

    return fits


def _repeats(values: list[Any]) -> bool:
    """True unless all of them are texts, each another."""
    return not all(type(each) is str for each in values) or len(set(values)) < len(values)


def _text(schema: Mapping[str, Any]) -> Fits:
    found = re.compile(schema.get("pattern", "")).search
    least, most = schema.get("minLength", 0), schema.get("maxLength")

    def fits(value: str) -> bool:
        if len(value) < least or (most is not None and len(value) > most):
            return False
        return found(value) is not None

    return fits


def _number(schema: Mapping[str, Any]) -> Fits:
    at_least, more_than = schema.get("minimum"), schema.get("exclusiveMinimum")
    at_most, less_than = schema.get("maximum"), schema.get("exclusiveMaximum")

    def fits(value: int | Decimal) -> bool:
        if type(value) is Decimal and not value.is_finite():
            return False
        low = (at_least is None or value >= at_least) and (more_than is None or value > more_than)
        return (
            low
            and (at_most is None or value <= at_most)
            and (less_than is None or value < less_than)
        )

    return fits


_MAKERS: Final[Mapping[type, Callable[[Mapping[str, Any]], Fits]]] = {
    dict: _object,
    list: _array,
    str: _text,
    int: _number,
    Decimal: _number,
}
