"""The words in which diagnostics speak of values, types and what was probably meant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from difflib import get_close_matches
from typing import Any

from runner.core.document import duration

LONGEST_WORD = 60

SYNONYMS: Mapping[str, str] = {
    "on": "when",
    "trigger": "when",
    "triggers": "when",
    "condition": "if",
    "conditions": "if",
    "then": "do",
    "action": "do",
    "actions": "do",
    "alias": "name",
    "description": "name",
    "disabled": "enabled",
    "pair": "symbol",
    "ticker": "symbol",
    "market": "symbol",
    "amount": "quantity",
    "qty": "quantity",
    "size": "quantity",
    "stop_price": "trigger_price",
    "stop_loss": "stop",
    "take_profit": "target",
    "tif": "time_in_force",
    "order_type": "type",
    "above": "crosses_above",
    "below": "crosses_below",
    "tz": "timezone",
    "interval": "every",
    "time": "at",
    "url": "path",
    "buy": "place",
    "sell": "place",
    "order": "place",
    "orders": "place",
    "alert": "webhook",
    "message": "notify",
    "cron": "schedule",
    "timer": "schedule",
    "deadman": "dead_man",
    "long": "buy",
    "short": "sell",
}
"""What people of other programs write, and what it is called here."""

UNITS: Mapping[str, str] = {
    **dict.fromkeys(("d", "day", "days"), "d"),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), "m"),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("ms", "msec", "millisecond", "milliseconds"), "ms"),
}
"""Words for units of time, and how they are written here."""

TYPES: Mapping[str, str] = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "nothing",
    "number": "a number",
    "object": "a block of keys",
    "string": "text",
}


def kind_of(value: Any) -> str:
    """What a value is, in a user's words."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true/false"
    if isinstance(value, (int, Decimal)):
        return "a number"
    if isinstance(value, str):
        return "text"
    return "a list" if isinstance(value, list) else "a block of keys"


def either(words: Iterable[str]) -> str:
    """`a, b or c`."""
    listed = list(words)
    if len(listed) < 2:
        return "".join(listed)
    return f"{', '.join(listed[:-1])} or {listed[-1]}"


def shown(value: Any) -> str:
    """A value as a message repeats it, shortened."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or isinstance(value, (dict, list)):
        return kind_of(value)
    text = f"{value:f}" if isinstance(value, Decimal) else " ".join(str(value).split())
    return text if len(text) <= LONGEST_WORD else f"{text[: LONGEST_WORD - 1]}…"


def meant(word: str, choices: Iterable[str]) -> str | None:
    """Which of the choices was probably meant, if one looks or means much the same."""
    known = list(choices)
    if len(word) > LONGEST_WORD:
        return None
    plain = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", word.strip()).lower().replace("-", "_")
    plain = re.sub(r"[^\w]", "", plain)
    by_form = {choice.lower().replace("-", "_"): choice for choice in known}
    if plain in by_form:
        return by_form[plain]
    synonym = SYNONYMS.get(plain)
    if synonym in known:
        return synonym
    longer = [form for form in by_form if len(plain) > 2 and form.startswith(f"{plain}_")]
    if len(longer) == 1:
        return by_form[longer[0]]
    close = get_close_matches(plain, by_form, n=1, cutoff=0.65)
    return by_form[close[0]] if close else None


def as_duration(text: str) -> str | None:
    """The length of time that a text was meant to be, as it is written here: 4 hours, 90 sec."""
    if re.fullmatch(r"\d{1,9}", text.strip()):
        return either(f"{text.strip()}{unit}" for unit in "smh")
    parts = re.findall(r"(\d{1,9})\s*([a-zA-Z]+)", text)
    if not parts or re.sub(r"\d+\s*[a-zA-Z]+|and|[\s,]", "", text):
        return None
    units = [UNITS.get(unit.lower()) for _, unit in parts]
    written = "".join(f"{count}{unit}" for (count, _), unit in zip(parts, units, strict=True))
    return written if duration(written) else None


def as_number(text: str) -> str | None:
    """The number that a text stands for when it is written as elsewhere: 0,02, 70k, "5"."""
    plain = text.strip().replace(" ", "").replace("_", "").removeprefix("$")
    plain = re.sub(r"(?i)(usdt|usdc|usd)$", "", plain)
    if re.fullmatch(r"[-+]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?", plain):
        return plain.replace(",", "")
    if re.fullmatch(r"[-+]?\d+,\d+", plain):
        return plain.replace(",", ".")
    if re.fullmatch(r"[-+]?\d{1,3}(\.\d{3})+,\d+", plain):
        return plain.replace(".", "").replace(",", ".")
    thousands = re.fullmatch(r"([-+]?\d+(?:\.\d+)?)[kK]", plain)
    if thousands:
        return f"{(Decimal(thousands[1]) * 1000).normalize():f}"
    return plain if re.fullmatch(r"[-+]?\d+(\.\d+)?", plain) else None
