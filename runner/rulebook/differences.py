"""Two rules as data: what is different, in the words of the rule file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

LONGEST = 24
"""Characters of a value that is still shown; of a longer one only that it changed."""

MOST = 3
"""How many differences are named; the others are counted."""

ENTRIES = {"when": "trigger", "if": "condition", "do": "action"}


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """`crosses_above 70000 -> 71000, cooldown 4h -> 2h`; empty when nothing is different."""
    found = list(dict.fromkeys(_of_maps("", old, new)))
    more = f" and {len(found) - MOST} more" if len(found) > MOST else ""
    return ", ".join(found[:MOST]) + more


def _of_maps(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    del name
    for key in [*new, *(key for key in old if key not in new)]:
        if key not in old:
            yield f"{key} {shown}" if (shown := _shown(new[key])) else f"{key} added"
        elif key not in new:
            yield f"{key} removed"
        else:
            yield from _of_values(key, old[key], new[key])


def _of_values(name: str, old: Any, new: Any) -> Iterator[str]:
    if old == new:
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        yield from _of_maps(name, old, new)
    elif isinstance(old, list) and isinstance(new, list):
        yield from _of_lists(name, old, new)
    else:
        before, after = _shown(old), _shown(new)
        yield f"{name} {before} -> {after}" if before and after else f"{name} changed"


def _of_lists(name: str, old: Sequence[Any], new: Sequence[Any]) -> Iterator[str]:
    if name in ENTRIES and len(old) != len(new):
        noun = ENTRIES[name]
        yield f"{len(old)} -> {len(new)} {noun}s"
    elif all(isinstance(each, str) for each in (*old, *new)) and name not in ENTRIES:
        signs = [f"+{each}" for each in new if each not in old]
        signs += [f"-{each}" for each in old if each not in new]
        yield f"{name} {' '.join(signs) or 'in another order'}"
    elif len(old) != len(new):
        yield f"{name} changed"
    else:
        for one, other in zip(old, new, strict=True):
            yield from _of_values(name, one, other)


def _shown(value: Any) -> str:
    """A value in one short word; empty when it has none."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value:f}"
    text = str(value) if isinstance(value, (int, str)) else ""
    return text if len(text) <= LONGEST and "\n" not in text else ""
