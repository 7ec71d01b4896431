"""Webhook bodies: bytes -> flat, exact fields, or one error that names the place and the cure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from runner.core.events import Value
from runner.sources.malformed import BodyError, explain

MAX_BYTES = 16 * 1024
MAX_DEPTH = 8
MAX_FIELDS = 200
MAX_NAME = 100
MAX_DIGITS = 30

TIME_FIELDS = ("timenow", "timestamp", "time")
"""Where a body tells its own time; `{{timenow}}` before `{{time}}`, which is when the bar began."""

_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*")
_EARLIEST, _LATEST = 1_000_000_000, 4_102_444_800  # 2001-09-09 and 2100-01-01, in seconds

_NO_NUMBER, _TOO_LONG = object(), object()


def parse(data: bytes) -> dict[str, Value]:
    """Return the fields of a JSON object, flat: nested objects become dotted names.

    Numbers are Decimal, exact as written. A null counts as absent. A list is kept as its JSON
    text: formulas cannot look into it, but it is no reason to refuse an alert. Raises BodyError
    for anything that is not one JSON object (RFC 8259) of sane size, without duplicate names.
    """
    tree = _tree(text_of(data))
    fields: dict[str, Value] = {}
    _flatten(tree, "", 1, fields)
    return fields


def body_hash(fields: Mapping[str, Value]) -> str:
    """Return SHA-256 (hexadecimal) of the canonical JSON of the fields: names sorted, no blanks.

    The secret must be out already. Numbers count as they were written: 1.0 is not 1.
    """
    return hashlib.sha256(_canonical(fields).encode()).hexdigest()


def event_time(fields: Mapping[str, Value]) -> int | None:
    """Return the sender's own time in UTC ms, or None where no field tells it.

    Read from timenow, timestamp or time: ISO 8601 (UTC when no offset is written, as
    TradingView does), or seconds or milliseconds since 1970.
    """
    for name in TIME_FIELDS:
        found = _instant(fields.get(name))
        if found is not None:
            return found
    return None


def text_of(data: bytes) -> str:
    """Return the body's text. Raises BodyError when it is empty or not UTF-8."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BodyError(
            f"the body is not UTF-8 text: byte {error.start + 1} fits no character",
            "send the message as UTF-8",
        ) from None
    if not text.strip():
        raise BodyError("the body is empty", "put the alert's message there, as a JSON object")
    return text


def _tree(text: str) -> dict[str, Any]:
    try:
        tree = _JSON.decode(text)
    except json.JSONDecodeError as error:
        raise explain(text, error) from None
    except RecursionError:
        raise _too_deep() from None
    if isinstance(tree, dict):
        return tree
    kind = "a list" if isinstance(tree, list) else "a single value"
    raise BodyError(
        f"the body is {kind}, not an object", 'send one alert in one message: {"action": "buy"}'
    )


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise written_twice(name)
        found[name] = value
    return found


def _number(text: str) -> object:
    if len(text) > 2 * MAX_DIGITS:
        return _TOO_LONG
    try:
        number = Decimal(text)
    except InvalidOperation:
        return _TOO_LONG
    digits = len(number.as_tuple().digits)
    return number if digits <= MAX_DIGITS >= abs(number.adjusted()) else _TOO_LONG


def _flatten(tree: Mapping[str, Any], prefix: str, depth: int, fields: dict[str, Value]) -> None:
    for name, value in tree.items():
        whole = prefix + clean(name, "a field's name")
        if len(whole) > MAX_NAME:
            raise BodyError(
                f"a field's name is longer than {MAX_NAME} characters", "give it a shorter one"
            )
        if isinstance(value, dict):
            if depth == MAX_DEPTH:
                raise _too_deep()
            _flatten(value, f"{whole}.", depth + 1, fields)
        elif value is not None:
            _check(value, whole, depth)
            if whole in fields:
                raise written_twice(whole)
            fields[whole] = _canonical(value) if isinstance(value, list) else value
        if len(fields) > MAX_FIELDS:
            raise BodyError(f"the body has more than {MAX_FIELDS} fields", "send fewer")


def _check(value: Any, name: str, depth: int) -> None:
    """Raise BodyError when a value, or one below it in a list, is none the runner can hold."""
    if value is _NO_NUMBER:
        raise BodyError(
            f"{name} is NaN or infinite, which is no number",
            "send the alert only where the value exists, or leave the field out",
        )
    if value is _TOO_LONG:
        raise BodyError(
            f"the number in {name} is too long or too large",
            f"at most {MAX_DIGITS} digits; an identifier belongs in quotes",
        )
    if isinstance(value, str):
        clean(value, name)
    elif isinstance(value, (dict, list)):
        if depth == MAX_DEPTH:
            raise _too_deep()
        for below in [*value, *value.values()] if isinstance(value, dict) else value:
            _check(below, name, depth + 1)


def clean(text: str, name: str) -> str:
    """Return the text if every store and every answer can carry it; raise BodyError if not."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BodyError(
            f"{name} holds half a character (\\ud800 to \\udfff)", "remove it"
        ) from None
    if "\0" in text:
        raise BodyError(f"{name} holds a NUL character", "remove it")
    return text


def _canonical(value: Any) -> str:
    if isinstance(value, Mapping):
        inner = [f"{_text(name)}:{_canonical(value[name])}" for name in sorted(value)]
        return "{" + ",".join(inner) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_canonical, value)) + "]"
    if isinstance(value, Decimal):
        return str(value)
    return _text(value)


_text = json.JSONEncoder(ensure_ascii=False).encode


def _instant(value: Value | None) -> int | None:
    if isinstance(value, str):
        text = value.strip()
        if _INSTANT.fullmatch(text):
            return _from_iso(text)
        if not re.fullmatch(r"\d{10,13}(\.\d{1,9})?", text):
            return None
        value = Decimal(text)
    if value is None or isinstance(value, bool):
        return None
    if _EARLIEST <= value < _LATEST:
        return int(value * 1000)
    return int(value) if _EARLIEST <= value / 1000 < _LATEST else None


def _from_iso(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    seconds = Decimal(int(moment.timestamp())) + Decimal(moment.microsecond) / 1_000_000
    return int(seconds * 1000) if _EARLIEST <= seconds < _LATEST else None


_JSON = json.JSONDecoder(
    object_pairs_hook=_without_duplicates,
    parse_int=_number,
    parse_float=_number,
    parse_constant=lambda _: _NO_NUMBER,
)


def _too_deep() -> BodyError:
    return BodyError(f"the body is nested deeper than {MAX_DEPTH} levels", "send it flatter")


def written_twice(name: str) -> BodyError:
    """Return the error for a field that stands there twice."""
    shown = name[:MAX_NAME].encode("utf-8", "backslashreplace").decode()
    return BodyError(f"the field {shown} is written twice", "keep one of them")
