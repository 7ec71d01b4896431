"""The words that the schemas of answers are written in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Schema = dict[str, Any]

TEXT: Final[Schema] = {"type": "string"}
FLAG: Final[Schema] = {"type": "boolean"}
COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
NUMBER: Final[Schema] = {"type": "number"}
INTEGER: Final[Schema] = {"type": "integer"}
ANYTHING: Final[Schema] = {"type": "object"}
AMOUNT: Final[Schema] = {
    "type": "string",
    "pattern": r"^-?[0-9]+(\.[0-9]+)?$",
    "description": "An exact decimal.",
}
AT: Final[Schema] = {"type": "integer", "description": "UTC ms by the runner's clock."}
TIME: Final[Schema] = {"type": "integer", "description": "UTC ms by the exchange's clock."}
SPAN: Final[Schema] = {"type": "integer", "minimum": 0, "description": "A length of time in ms."}


def said(schema: Schema, text: str) -> Schema:
    """The same value, explained."""
    return {**schema, "description": text}


def maybe(schema: Schema) -> Schema:
    """The value, or null."""
    kinds = schema["type"]
    found = {**schema, "type": [*([kinds] if isinstance(kinds, str) else kinds), "null"]}
    return {**found, "enum": [*schema["enum"], None]} if "enum" in schema else found


def one_of(*values: str) -> Schema:
    """One of these words."""
    return {"type": "string", "enum": list(values)}


def items(schema: Schema, text: str = "") -> Schema:
    """A list of these."""
    found: Schema = {"type": "array", "items": schema}
    return said(found, text) if text else found


def by(name: str, schema: Schema) -> Schema:
    """An object whose keys are of the reader's making, of `name`."""
    return {"type": "object", "additionalProperties": schema, "description": f"By {name}."}


def record(
    properties: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None
) -> Schema:
    """An object that has all of these keys, and may have the optional ones."""
    return {
        "type": "object",
        "properties": {**properties, **(optional or {})},
        "required": list(properties),
    }
