"""The times of a `schedule:` trigger, checked at load: cron fields, time zone, instant."""

from __future__ import annotations

import re
from datetime import datetime, time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from runner.core.document import Node
from runner.rulebook.words import meant

FIELDS = (
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day", 1, 31),
    ("month", 1, 12),
    ("weekday", 0, 7),
)
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
MONTH_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def check_schedule(node: Node) -> None:
    """Note what is wrong with the cron line, the time zone or the instant of a `schedule:`."""
    for key, check in (("cron", _cron), ("timezone", _timezone), ("at", _at)):
        child = node.child(key)
        if isinstance(child.value, str):
            check(child)


def _timezone(node: Node) -> None:
    try:
        ZoneInfo(node.value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        cities = {name.rpartition("/")[2]: name for name in sorted(available_timezones())}
        guess = meant(node.value, available_timezones()) or cities.get(
            meant(node.value, cities) or ""
        )
        cure = f"did you mean {guess}?" if guess else "write a name such as Europe/Berlin or UTC"
        node.problem("timezone", f"there is no time zone {node.value}", cure)


def _at(node: Node) -> None:
    text = node.value
    try:
        if re.fullmatch(r"\d\d?:\d\d", text):
            time.fromisoformat(text.rjust(len(text) + (text[1] == ":"), "0"))
            return
        datetime.fromisoformat(text)
    except ValueError:
        cure = "write a time of day, 08:30, or an instant, 2026-12-24T18:00:00Z"
        node.problem("time", f"{text} is no time", cure)


def _cron(node: Node) -> None:
    parts = list(re.finditer(r"\S+", node.value))
    if len(parts) != len(FIELDS):
        cure = 'write minute, hour, day, month, weekday: "55 7,15,23 * * *"'
        node.problem("cron", f"a cron line has 5 fields, here are {len(parts)}", cure)
        return
    values: list[set[int]] = []
    for part, (name, low, high) in zip(parts, FIELDS, strict=True):
        found = _field(part.group(), name, low, high)
        if isinstance(found, str):
            place = {"column": part.start() + 1, "length": len(part.group())}
            node.problem("cron", found, _range(name, low, high), **place)
            return
        values.append(found)
    _, _, days, months, _ = values
    # as in Vixie cron: with both day fields restricted, either one suffices
    either = not any(parts[index].group().startswith("*") for index in (2, 4))
    if not either and not any(day <= MONTH_DAYS[month - 1] for day in days for month in months):
        cure = "no month named here has that day"
        node.problem("cron", "this time never comes", cure)


def _range(name: str, low: int, high: int) -> str:
    examples = {"month": ", or jan to dec", "weekday": " (0 and 7 are Sunday), or mon to sun"}
    return f"the {name} is {low} to {high}{examples.get(name, '')}: *, 5, 1-5, */15 or 7,15,23"


def _field(text: str, name: str, low: int, high: int) -> set[int] | str:
    """The values a field stands for, or what is wrong with it."""
    found: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"(?:\*|(\w+)(?:-(\w+))?)(?:/(\d{1,4}))?", part)
        if match is None:
            return f"{part or 'an empty part'} is no {name}"
        first, last, step = match.groups()
        start = low if first is None else _value(first, name, low, high)
        stop = high if first is None or (step and last is None) else start
        if last is not None:
            stop = _value(last, name, low, high)
            if stop == 0 and name == "weekday":
                stop = 7  # mon-sun: the week's other end is Sunday too
        if start is None or stop is None:
            return f"{first if start is None else last} is no {name}"
        if stop < start or step == "0":
            return f"{part} holds no {name}"
        found |= set(range(start, stop + 1, int(step or 1)))
    return found


def _value(text: str, name: str, low: int, high: int) -> int | None:
    names = {"month": (1, MONTHS), "weekday": (0, WEEKDAYS)}.get(name)
    if names is not None and text.lower() in names[1]:
        return names[0] + names[1].index(text.lower())
    if not text.isascii() or not text.isdigit() or len(text) > 2:
        return None
    return int(text) if low <= int(text) <= high else None
