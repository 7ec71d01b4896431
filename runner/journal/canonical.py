"""Canonical JSON that gives back exactly what went in, Decimals included.

A Decimal is `{"d": "1.50"}`. A mapping whose only key is `d` or `m` is wrapped as `{"m": …}`, so
that it cannot be taken for one. Keys are sorted and the text is ASCII: equal values make equal
text, and text that UTF-8 refuses (a lone surrogate from a JSON escape) still goes through.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Any

import orjson

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)
_MARKS = ("d", "m")
_SIMPLE = (str, int, bool, type(None))


def encode(value: Any) -> str:
    """The text of a value made of mappings, lists, text, whole numbers, Decimals, booleans, None.

    Tuples become lists. Raises TypeError for anything else: a float has no exact place here.
    """
    return _ENCODER.encode(_pack(value, lenient=False))


def encode_leniently(value: Any) -> str:
    """As `encode`, but what has no exact form is kept as its text: for what is only shown."""
    return _ENCODER.encode(_pack(value, lenient=True))


def encode_dataclass(value: Any) -> str:
    """The text of a flat dataclass of text, whole numbers, Decimals, booleans and enumerations.

    `decode` reads it like the others; it is written four times as fast, in the fields' order.
    Raises TypeError for what JSON does not know.
    """
    return orjson.dumps(value, default=_mark).decode()


def decode(text: str) -> Any:
    """The value that `encode` was given. Raises ValueError for text that is not JSON."""
    return _unpack(json.loads(text))


def plain(value: Any) -> Any:
    """A decoded value for a JSON document that people and scripts read: Decimals as text."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def legible(text: str) -> str:
    """The text without what a database cannot store: lone surrogates and NUL."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _pack(value: Any, *, lenient: bool) -> Any:
    kind = type(value)
    if kind in _SIMPLE:
        return value
    if kind is Decimal:
        return {"d": str(value)}
    if isinstance(value, Mapping):
        return _pack_mapping(value, lenient=lenient)
    if isinstance(value, list | tuple):
        return [_pack(item, lenient=lenient) for item in value]
    if isinstance(value, StrEnum):
        return value.value
    if not lenient:
        raise TypeError(f"{kind.__name__} has no exact place in the journal: {value!r}")
    return value if kind is float and math.isfinite(value) else str(value)


def _mark(value: object) -> dict[str, str]:
    if isinstance(value, Decimal):
        return {"d": str(value)}
    raise TypeError(f"{type(value).__name__} has no exact place in the journal: {value!r}")


def _pack_mapping(value: Mapping[Any, Any], *, lenient: bool) -> dict[str, Any]:
    packed = {}
    for key, item in value.items():
        if not isinstance(key, str) and not lenient:
            raise TypeError(f"a key in the journal is text, not {key!r}")
        packed[str(key)] = _pack(item, lenient=lenient)
    return {"m": packed} if _marked(packed) else packed


def _unpack(value: Any) -> Any:
    if isinstance(value, list):
        return [_unpack(item) for item in value]
    if not isinstance(value, dict):
        return value
    if _marked(value):
        ((mark, inner),) = value.items()
        if mark == "d":
            return Decimal(inner)
        value = inner
    return {key: _unpack(item) for key, item in value.items()}


def _marked(value: Mapping[str, Any]) -> bool:
    return len(value) == 1 and next(iter(value)) in _MARKS
