"""Mistakes in runner.yaml: what the schema objects to, said in plain words."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from typing import Any

from runner.fitting import Fits, fitting
from runner.settings.reading import Mistake, Path, is_secret
from runner.settings.schema import SCHEMA

_TYPES = {
    "object": "a block of keys",
    "array": "a list",
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
}


def schema_mistakes(tree: Any) -> Iterator[Mistake]:
    """Yield every objection of the schema, each once."""
    if _fits()(tree):
        return
    from jsonschema import Draft7Validator  # takes as long as all else here, and is seldom needed

    found = (
        each for error in Draft7Validator(SCHEMA).iter_errors(tree) for each in _translate(error)
    )
    yield from dict.fromkeys(found)


@cache
def _fits() -> Fits:
    return fitting(SCHEMA)


def _translate(error: Any) -> Iterator[Mistake]:
    path: Path = tuple(error.absolute_path)
    name = _name(path)
    cure = str(error.schema.get("description", ""))
    match error.validator:
        case "additionalProperties":
            yield from _unknown_keys(path, error.instance, error.schema["properties"])
        case "required":
            known = error.schema["properties"]
            for key in error.validator_value:
                if key not in error.instance:
                    text = f"{name} needs {key}"
                    yield Mistake(path, "missing-key", text, known[key]["description"])
        case "type":
            yield Mistake(path, "wrong-type", _wrong_type(name, error), cure)
        case "pattern" if tuple(error.absolute_schema_path)[-2:-1] == ("propertyNames",):
            whole = (*path, error.instance)
            text = f"this is not a name that can be used in {name}"
            yield Mistake(whole, "bad-name", text, _names_cure(path), at_key=True)
        case "minProperties" | "maxProperties":
            yield Mistake(path, "wrong-value", f"{name} needs exactly one source", cure)
        case _:
            text = f"{name} cannot be {_shown(path, error.instance)}"
            yield Mistake(path, "wrong-value", text, cure)


def _name(path: Path) -> str:
    if not path:
        return "the file"
    return str(path[-1]) if isinstance(path[-1], str) else f"an item of {path[-2]}"


def _shown(path: Path, value: Any) -> str:
    """The value as it may be repeated: never what stands where a secret might."""
    if is_secret(path) or isinstance(value, (dict, list)) or value == "":
        return "this"
    return str(value)[:60]


def _names_cure(path: Path) -> str:
    return str(SCHEMA["properties"][path[0]]["description"])


def _unknown_keys(
    path: Path, block: Mapping[str, Any], known: Mapping[str, Any]
) -> Iterator[Mistake]:
    where = f" in {path[-1]}" if path else ""
    for key in block:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            cure = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
            text = f"unknown key {key}{where}"
            yield Mistake((*path, key), "unknown-key", text, cure, at_key=True)


def _wrong_type(name: str, error: Any) -> str:
    wanted = error.validator_value
    words = " or ".join(_TYPES[each] for each in ([wanted] if isinstance(wanted, str) else wanted))
    if "pattern" in error.schema and str(error.schema["pattern"]).startswith("^(?=.)"):
        words = "a length of time with a unit"
    return f"{name} must be {words}, this is {_kind(error.instance)}"


def _kind(value: Any) -> str:
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, Decimal):
        return "a number with decimals"
    if isinstance(value, int):
        return "a number"
    if isinstance(value, str):
        return "text"
    return "a list" if isinstance(value, list) else "a block of keys"
