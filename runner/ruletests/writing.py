"""Writes values and steps as a tests file has them: one line a step, quotes only where needed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from runner.core.figures import figure

WIDEST = 100

_PLAIN = re.compile(r"[A-Za-z][\w .:/()-]*[\w)]|[A-Za-z]|(?:\d+(?:ms|[dhms]))+")
_NOT_TEXT = frozenset({"true", "false", "null", "yes", "no", "on", "off", "nan", "inf"})


def value(given: Any) -> str:
    """One value in flow style."""
    if isinstance(given, Mapping):
        return (
            "{" + ", ".join(f"{scalar(key)}: {value(below)}" for key, below in given.items()) + "}"
        )
    if isinstance(given, (list, tuple)):
        return "[" + ", ".join(map(value, given)) + "]"
    return scalar(given)


def scalar(given: Any) -> str:
    """A number, true or false, or a text, in quotes where it would be read as something else."""
    if isinstance(given, bool):
        return "true" if given else "false"
    if isinstance(given, Decimal):
        return figure(given)
    if isinstance(given, int):
        return str(given)
    text = str(given)
    if _PLAIN.fullmatch(text) and ": " not in text and text.lower() not in _NOT_TEXT:
        return text
    return json.dumps(text, ensure_ascii=False)


def step(keys: Mapping[str, Any], indent: str) -> str:
    """One step: on one line where it fits, else `expect` opened up."""
    line = f"{indent}- {value(keys)}"
    if len(line) <= WIDEST or "expect" not in keys or not isinstance(keys["expect"], Mapping):
        return line
    head = {key: below for key, below in keys.items() if key != "expect"}
    lines = [f"{indent}  {key}: {value(below)}" for key, below in head.items()]
    lines.append(f"{indent}  expect:")
    for key, below in keys["expect"].items():
        lines += _opened(key, below, f"{indent}    ")
    lines[0] = f"{indent}- {lines[0][len(indent) + 2 :]}"
    return "\n".join(lines)


def _opened(key: str, below: Any, indent: str) -> Sequence[str]:
    if isinstance(below, list) and any(isinstance(one, Mapping) for one in below):
        return [f"{indent}{key}:", *(f"{indent}  - {value(one)}" for one in below)]
    return [f"{indent}{key}: {value(below)}"]
