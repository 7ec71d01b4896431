"""The canonical text of a rule: all that is needed to build it again, the same bytes every time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

# json.dumps would make an encoder for each value
_ascii: Final = json.JSONEncoder().encode
_plain: Final = json.JSONEncoder(ensure_ascii=False).encode


def dump(value: Any) -> str:
    """A plain tree as JSON: keys in order, numbers as exact decimals, no spaces."""
    if isinstance(value, str):
        return _plain(value)
    if isinstance(value, Mapping):
        pairs = (f"{_ascii(key)}:{dump(below)}" for key, below in sorted(value.items()))
        return f"{{{','.join(pairs)}}}"
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(dump, value))}]"
    if isinstance(value, Decimal):
        return f"{value:f}"
    return _plain(value)


def parse(text: str) -> Any:
    """The plain tree of a canonical text, its numbers exact. Raises ValueError."""
    return json.loads(text, parse_float=Decimal)


def digest(text: str) -> str:
    """What names a text: its SHA-256, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()
