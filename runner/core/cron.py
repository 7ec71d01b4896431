"""Cron lines as people know them, read strictly: explicit sets, and trader's words for mistakes.

Fields, ranges, names and the rule of the two day fields follow crontab(5) of Vixie cron.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import MAXYEAR, UTC, datetime, timedelta

from runner.core.values import dataclass

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_LONGEST_MONTH = (0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

_ITEM = re.compile(r"(?:\*|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>[0-9]{1,4}))?")
_DAY = timedelta(days=1)


class CronError(ValueError):
    """A cron line that cannot be read or never comes.

    `column` (from 1) and `length` mark the part of the line that is wrong; `str()` is the whole
    sentence for the user, the cure included.
    """

    def __init__(self, message: str, cure: str, column: int, length: int) -> None:
        super().__init__(f"{message}: {cure}")
        self.message = message
        self.cure = cure
        self.column = column
        self.length = length


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    also: str = ""

    @property
    def top(self) -> int:
        """Where an open range ends: Sunday is 0 and 7, but only one day."""
        return 6 if self.high == 7 else self.high

    @property
    def cure(self) -> str:
        """What may stand in it."""
        return f"the {self.name} is {self.low} to {self.high}{self.also}: *, 5, 1-5, */15 or 7,15"


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day", 1, 31),
    _Field("month", 1, 12, ("", *_MONTHS), ", or jan to dec"),
    _Field("weekday", 0, 7, (*_WEEKDAYS, "sun"), " (0 and 7 are Sunday), or mon to sun"),
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
        """Yield the matching minutes from `start` on; wall-clock time, tagged UTC.

        It ends with the last year of the calendar.
        """
        hours, minutes = sorted(self.hours), sorted(self.minutes)
        first = start.replace(tzinfo=UTC, fold=0)
        for day in self._days_from(first):
            for hour in hours:
                for minute in minutes:
                    wall = day.replace(hour=hour, minute=minute)
                    if wall >= first:
                        yield wall

    def _days_from(self, start: datetime) -> Iterator[datetime]:
        day = start.replace(hour=0, minute=0, second=0, microsecond=0)
        while day.year < MAXYEAR:
            if day.month not in self.months:
                day = (day.replace(day=28) + 4 * _DAY).replace(day=1)
                continue
            if self._has_day(day):
                yield day
            day += _DAY

    def _has_day(self, day: datetime) -> bool:
        by_date, by_weekday = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return (by_date or by_weekday) if self.either_day else (by_date and by_weekday)


def read_cron(text: str) -> Cron:
    """Return the cron line of five fields. Raises CronError with what is wrong and the cure."""
    parts = list(re.finditer(r"\S+", text))
    if len(parts) != len(_FIELDS):
        message = f"a cron line has 5 fields, here are {len(parts)}"
        cure = 'write minute, hour, day, month, weekday: "55 7,15,23 * * *"'
        raise CronError(message, cure, 1, max(1, len(text)))
    minutes, hours, days, months, weekdays = map(_values, parts, _FIELDS)
    weekdays = frozenset(day % 7 for day in weekdays)
    # as in Vixie cron, a day field that begins with * leaves the choice to the other one
    either_day = not any(parts[index].group().startswith("*") for index in (2, 4))
    if not either_day and not any(min(days) <= _LONGEST_MONTH[month] for month in months):
        cure = f"no month in it has a day {min(days)}"
        raise CronError("this time never comes", cure, 1, max(1, len(text)))
    every_hour = parts[1].group().startswith("*")
    return Cron(minutes, hours, days, months, weekdays, either_day, every_hour)


def _values(part: re.Match[str], field: _Field) -> frozenset[int]:
    """The values that a field stands for. Raises CronError with the place of the field."""
    found: set[int] = set()
    for item in part.group().split(","):
        values = _item(item, field)
        if isinstance(values, range):
            found |= set(values)
        else:
            message, cure = values
            raise CronError(message, cure, part.start() + 1, len(part.group()))
    return frozenset(found)


def _item(text: str, field: _Field) -> range | tuple[str, str]:
    """Read `*`, `5`, `1-5`, `mon-fri`, each with an optional `/step`; or (message, cure)."""
    found = _ITEM.fullmatch(text)
    if found is None:
        return f"{text or 'an empty part'} is no {field.name}", field.cure
    step = int(found["step"] or 1)
    if step == 0:
        return f"{text} has a step of 0", "write at least /1, or leave the step out"
    if found["first"] is None:
        return range(field.low, field.top + 1, step)
    words = (found["first"], found["last"] or found["first"])
    first, last = (_one(word, field) for word in words)
    if first is None or last is None:
        return f"{words[first is not None]} is no {field.name}", field.cure
    if found["step"] and not found["last"]:
        last = max(first, field.top)  # 5/15 is 5-59/15
    if field.high == 7 and found["last"] and last == 0 < first:
        last = 7  # fri-sun
    if last < first:
        cure = f"write two ranges: {words[0]}-{field.top},{field.low}-{words[1]}"
        return f"{text} runs backwards", cure
    return range(first, last + 1, step)


def _one(word: str, field: _Field) -> int | None:
    if word.lower() in field.names:
        return field.names.index(word.lower())
    if word.isascii() and word.isdigit() and len(word) <= 2:
        return int(word) if field.low <= int(word) <= field.high else None
    return None
