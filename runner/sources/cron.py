"""Cron lines as people know them, read strictly: explicit sets, and trader's words for mistakes.

Fields, ranges, names and the rule of the two day fields follow crontab(5) of Vixie cron.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from apscheduler.triggers.cron import CronTrigger

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_LONGEST_MONTH = (0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

_ITEM = re.compile(r"(?P<first>\*|\w+)(?:-(?P<last>\w+))?(?:/(?P<step>\d{1,4}))?")


class CronError(ValueError):
    """A cron line that cannot be read or never comes; `str()` is a sentence for the user."""


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()

    @property
    def top(self) -> int:
        """Where an open range ends: Sunday is 0 and 7, but only one day."""
        return 6 if self.high == 7 else self.high


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31),
    _Field("month", 1, 12, ("", *_MONTHS)),
    _Field("weekday", 0, 7, (*_WEEKDAYS, "sun")),
)


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron line as sets; weekdays count from Sunday = 0.

    `either_day`: both day fields are restricted, and either one suffices. `every_hour`: the hour
    field begins with `*`, so it follows real time when clocks are changed.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool
    every_hour: bool

    def walls(self, start: datetime) -> Iterator[datetime]:
        """Yield the matching minutes from `start` on, for ever; wall-clock time, tagged UTC.

        APScheduler's trigger does the reckoning; it is given explicit sets in a zone without
        clock changes, where its own reading of names, weekday 0 and summer time cannot interfere.
        """
        triggers = [self._trigger(days=True, weekdays=True)]
        if self.either_day:
            triggers = [
                self._trigger(days=True, weekdays=False),
                self._trigger(days=False, weekdays=True),
            ]
        heads = [trigger.get_next_fire_time(None, start) for trigger in triggers]
        while True:
            wall: datetime = min(heads)
            yield wall
            heads = [
                trigger.get_next_fire_time(head, head) if head == wall else head
                for trigger, head in zip(triggers, heads, strict=True)
            ]

    def _trigger(self, *, days: bool, weekdays: bool) -> CronTrigger:
        monday_first = frozenset((day - 1) % 7 for day in self.weekdays)
        return CronTrigger(
            minute=_listed(self.minutes, 60),
            hour=_listed(self.hours, 24),
            day=_listed(self.days, 31) if days else "*",
            month=_listed(self.months, 12),
            day_of_week=_listed(monday_first, 7) if weekdays else "*",
            timezone=UTC,
        )


def read_cron(text: str) -> Cron:
    """Return the cron line of five fields. Raises CronError with what is wrong and the cure."""
    words = text.split()
    if len(words) != len(_FIELDS):
        raise CronError(
            f"a cron line has five fields, this one has {len(words)}: write minute, hour, day of "
            'month, month and weekday, as in "55 7,15,23 * * *"'
        )
    minutes, hours, days, months, weekdays = map(_values, words, _FIELDS)
    weekdays = frozenset(day % 7 for day in weekdays)
    # as in Vixie cron, a day field that begins with * leaves the choice to the other one
    either_day = not words[2].startswith("*") and not words[4].startswith("*")
    if not either_day and not any(min(days) <= _LONGEST_MONTH[month] for month in months):
        raise CronError(
            f'"{text}" never comes: no month in it has a day {min(days)}. Write the last day '
            "that the month has"
        )
    return Cron(minutes, hours, days, months, weekdays, either_day, words[1].startswith("*"))


def _values(text: str, field: _Field) -> frozenset[int]:
    return frozenset(value for item in text.split(",") for value in _item(item, field))


def _item(text: str, field: _Field) -> range:
    """Read `*`, `5`, `1-5`, `mon-fri`, each with an optional `/step`."""
    found = _ITEM.fullmatch(text)
    if found is None or (found["first"] == "*" and found["last"]):
        raise CronError(
            f'the {field.name} "{text}" is not understood: write *, a number, a range like '
            f"{field.low}-{field.high}, or a list with commas"
        )
    step = int(found["step"] or 1)
    if step == 0:
        raise CronError(f'the {field.name} "{text}" has a step of 0: write at least /1')
    if found["first"] == "*":
        return range(field.low, field.top + 1, step)
    first = _one(found["first"], field)
    last = _one(found["last"], field) if found["last"] else first
    if found["step"] and not found["last"]:
        last = max(first, field.top)  # 5/15 is 5-59/15
    if field.high == 7 and found["last"] and last == 0 < first:
        last = 7  # fri-sun
    if last < first:
        raise CronError(
            f'the {field.name} "{text}" runs backwards: write two ranges with a comma, as in '
            f"{found['first']}-{field.high},{field.low}-{found['last']}"
        )
    return range(first, last + 1, step)


def _one(word: str, field: _Field) -> int:
    if word.lower() in field.names and word:
        return field.names.index(word.lower())
    if word.isascii() and word.isdigit() and len(word) <= 4:
        if field.low <= int(word) <= field.high:
            return int(word)
        raise CronError(
            f"the {field.name} {word} does not exist: it lies between {field.low} and {field.high}"
        )
    names = f" or a name such as {field.names[1]}" if field.names else ""
    raise CronError(f'the {field.name} "{word}" is not understood: write a number{names}')


def _listed(values: frozenset[int], all_of_them: int) -> str:
    return "*" if len(values) == all_of_them else ",".join(map(str, sorted(values)))
