"""When schedules come due, as UTC instants, and an alarm clock that wakes whoever looks."""

from __future__ import annotations

import difflib
import heapq
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from runner.core.cron import Cron, read_cron

LATEST = 253_370_764_800_000  # 9999-01-01, where the calendar of the reckoning ends
CLOCK_CHECK_SECONDS = 10
"""A clock that was set, or a machine that slept, is noticed within this time."""

_TIME_OF_DAY = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


class ScheduleSpec(Protocol):
    """What is asked of a schedule trigger: exactly one of cron, every (ms) and at."""

    @property
    def cron(self) -> str | None:
        """Five fields, in the time zone."""

    @property
    def every(self) -> int | None:
        """Ms between instants, counted from 1970-01-01T00:00Z."""

    @property
    def at(self) -> str | None:
        """HH:MM each day, or one ISO 8601 instant (a date is its midnight), in the time zone."""

    @property
    def timezone(self) -> str:
        """An IANA name."""


def occurrences(spec: ScheduleSpec, after: int, until: int, limit: int) -> list[int]:
    """Return the first `limit` planned instants in (after, until], UTC ms, ascending.

    When clocks are changed: a time that does not exist comes as much later as the clock jumped
    (02:30 at 03:30), one that exists twice comes the first time only; but where the hour is
    written with `*`, real time counts: nothing is moved, and the repeated hour repeats too.
    Raises ValueError where `problem` finds one.
    """
    due = takewhile(lambda instant: instant <= min(until, LATEST), _instants(spec, after))
    return list(islice(due, max(limit, 0)))


def next_occurrence(spec: ScheduleSpec, after: int) -> int | None:
    """Return the first planned instant after `after` (UTC ms), None when none comes any more."""
    return next(iter(occurrences(spec, after, LATEST, 1)), None)


def problem(spec: ScheduleSpec) -> str | None:
    """Return what is wrong with a schedule and how to mend it, None when it can run."""
    try:
        zone = _zone(spec.timezone)
        if spec.cron is not None:
            read_cron(spec.cron)
        elif spec.at is not None:
            _at(spec.at, zone)
        elif not spec.every or spec.every < 0:
            return "every must be a length of time above zero, as in 15m"
    except ValueError as error:
        return str(error)
    return None


class AlarmClock:
    """Calls `wake` at each of the instants set, in a thread of its own; decides nothing.

    APScheduler keeps the jobs in memory; what is due is reckoned by whoever is woken.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(1)},
            # an alarm that comes late (a slow or sleeping machine) is still an alarm
            job_defaults={"misfire_grace_time": None, "coalesce": True},
        )

    def set(self, instants: Iterable[int]) -> None:
        """Forget what was set and ring at these instants (UTC ms); what is past rings at once."""
        self._scheduler.remove_all_jobs()
        self._scheduler.add_job(
            _look_at_the_clock, "interval", seconds=CLOCK_CHECK_SECONDS, id="clock check"
        )
        for instant in sorted(set(instants)):
            moment = _EPOCH + timedelta(milliseconds=instant)
            self._scheduler.add_job(self._wake, "date", run_date=moment, id=str(instant))

    @property
    def alive(self) -> bool:
        """True while its thread runs; whoever started it watches this."""
        thread = getattr(self._scheduler, "_thread", None)
        return thread is not None and thread.is_alive()

    def start(self) -> None:
        """Begin to ring."""
        self._scheduler.start()

    def stop(self) -> None:
        """Ring no more. A wake that is under way ends first."""
        # an alarm that rings just now would be looked for among those of a stopped scheduler
        self._scheduler.remove_all_jobs()
        if self._scheduler.running:
            self._scheduler.shutdown()


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _look_at_the_clock() -> None:
    """Do nothing: that the scheduler wakes makes it compare its alarms with the clock."""


def _instants(spec: ScheduleSpec, after: int) -> Iterator[int]:
    """Yield every planned instant after `after`, ascending, perhaps without end."""
    zone = _zone(spec.timezone)
    if spec.cron is not None:
        return _cron_instants(read_cron(spec.cron), zone, after)
    if spec.at is not None:
        planned = _at(spec.at, zone)
        if isinstance(planned, int):
            return iter([planned] if planned > after else [])
        return _cron_instants(planned, zone, after)
    every = spec.every or 0
    if every <= 0:
        raise ValueError("every must be a length of time above zero, as in 15m")
    return iter(range((after // every + 1) * every, LATEST + 1, every))


def _at(text: str, zone: ZoneInfo) -> Cron | int:
    """Read HH:MM as a daily cron line, and ISO 8601 as one instant (UTC ms)."""
    found = _TIME_OF_DAY.fullmatch(text.strip())
    if found:
        return read_cron(f"{int(found[2])} {int(found[1])} * * *")
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        moment = None
    if moment is None:
        raise ValueError(
            f'at "{text}" is no time: write a time of day, 08:30, or one instant, '
            "2026-12-24T18:00:00Z"
        )
    return _ms(moment if moment.tzinfo else moment.replace(tzinfo=zone))


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        near = difflib.get_close_matches(name, sorted(available_timezones()), n=1)
        cure = f"did you mean {near[0]}?" if near else "write it like Europe/Berlin"
        raise ValueError(f'the time zone "{name}" is not known: {cure}') from None


def _cron_instants(cron: Cron, zone: ZoneInfo, after: int) -> Iterator[int]:
    """Yield a cron line's instants after `after`: wall times, put on the real time line.

    Around a clock change wall order and real order differ, so instants wait in a heap until no
    later wall time can come before them.
    """
    moment = _EPOCH + timedelta(milliseconds=after)
    waiting: list[int] = []
    last = after
    for wall in cron.walls(_start(moment, zone)):
        first, second = (_ms(wall.replace(tzinfo=zone, fold=fold)) for fold in (0, 1))
        while waiting and waiting[0] < min(first, second):
            instant = heapq.heappop(waiting)
            if instant > last:
                yield (last := instant)
        for instant in _real(first, second, cron.every_hour):
            heapq.heappush(waiting, instant)


def _start(moment: datetime, zone: ZoneInfo) -> datetime:
    """The wall time from which on later instants can stand: earlier only by a clock change."""
    here = moment.astimezone(zone)
    day = timedelta(days=1)
    offsets = [(moment + shift).astimezone(zone).utcoffset() for shift in (-day, 0 * day, day)]
    known = [offset for offset in offsets if offset is not None]
    wall = here.replace(tzinfo=UTC, second=0, microsecond=0, fold=0)
    return wall - (max(known) - min(known))


def _real(first: int, second: int, every_hour: bool) -> list[int]:
    """The instants of one wall time, whose two readings (PEP 495) are `first` and `second`."""
    if first == second or not every_hour:
        return [first]
    return [first, second] if first < second else []


def _ms(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)
