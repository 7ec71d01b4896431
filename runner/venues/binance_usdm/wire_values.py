"""Reads JSON and its values tolerantly: Binance writes numbers as text, and now and then not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any


def parse(body: bytes | str) -> Any:
    """The JSON value with exact decimals, or None when it is no JSON (a 403 page is HTML)."""
    try:
        return json.loads(body, parse_float=Decimal)
    except (ValueError, RecursionError):
        return None


def mapping(value: Any) -> Mapping[str, Any]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


LARGEST_EXPONENT = 40
"""No price, size or time is longer; arithmetic on more could overflow."""


def decimal(value: Any) -> Decimal | None:
    """A finite number given as text or number, else None (`""`, `"None"`, absent)."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    usable = number.is_finite() and abs(number.adjusted()) <= LARGEST_EXPONENT
    return number if usable else None


def integer(value: Any) -> int | None:
    """A whole number given as number or text (`"code":"200"`), else None."""
    number = decimal(value)
    if number is None or number != int(number):
        return None
    return int(number)


def label(value: Any) -> str | None:
    """Text, or a number as text (order ids are both); None for anything else and for ""."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value) or None
