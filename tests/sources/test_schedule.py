"""Planned instants against a minute-by-minute walk, over clock changes and leap days."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.core.cron import CronError, read_cron
from runner.core.document import Node
from runner.rulebook.times import check_schedule
from runner.sources.schedule import (
    LATEST,
    AlarmClock,
    next_occurrence,
    occurrences,
    problem,
)

BERLIN = "Europe/Berlin"
NEW_YORK = "America/New_York"
MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR


@dataclass(frozen=True, slots=True)
class Spec:
    """A schedule as a rule writes it."""

    cron: str | None = None
    every: int | None = None
    at: str | None = None
    timezone: str = "UTC"


def ms(text: str, timezone: str = "UTC") -> int:
    """Return UTC ms of an ISO time, in the time zone unless it has an offset."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(timezone))
    return int(moment.timestamp() * 1000)


def local(instants: list[int], timezone: str) -> list[str]:
    """Return instants as a clock on the wall shows them, with the offset's hours."""
    return [
        datetime.fromtimestamp(instant / 1000, ZoneInfo(timezone)).strftime("%m-%d %H:%M %z")[:15]
        for instant in instants
    ]


@pytest.mark.parametrize(
    ("cron", "timezone", "after", "expected"),
    [
        # weekdays: 0 and 7 are Sunday, names and ranges too
        ("0 8 * * 0", "UTC", "2024-07-01", ["07-07 08:00 +00", "07-14 08:00 +00"]),
        ("0 8 * * 7", "UTC", "2024-07-01", ["07-07 08:00 +00", "07-14 08:00 +00"]),
        ("0 8 * * 1", "UTC", "2024-07-02", ["07-08 08:00 +00", "07-15 08:00 +00"]),
        ("0 8 * * fri-sun", "UTC", "2024-07-04", ["07-05 08:00 +00", "07-06 08:00 +00"]),
        ("0 8 * * MON-fri", "UTC", "2024-07-05T09:00", ["07-08 08:00 +00", "07-09 08:00 +00"]),
        # both day fields: either suffices
        ("0 0 13 * fri", "UTC", "2024-09-07", ["09-13 00:00 +00", "09-20 00:00 +00"]),
        ("0 0 14 * fri", "UTC", "2024-09-07", ["09-13 00:00 +00", "09-14 00:00 +00"]),
        # a day field that begins with * leaves it to the other
        ("0 0 */2 * fri", "UTC", "2024-09-07", ["09-13 00:00 +00", "09-27 00:00 +00"]),
        # leap day, months by name, steps
        ("0 0 29 2 *", "UTC", "2023-01-01", ["02-29 00:00 +00", "02-29 00:00 +00"]),
        ("30 6 1 jan,jul *", "UTC", "2024-01-01T12:00", ["07-01 06:30 +00", "01-01 06:30 +00"]),
        ("5/20 0 1 * *", "UTC", "2024-01-01", ["01-01 00:05 +00", "01-01 00:25 +00"]),
        # clocks go forward in Berlin: 02:30 is not, it comes at 03:30, once
        ("30 2 * * *", BERLIN, "2024-03-30T12:00", ["03-31 03:30 +02", "04-01 02:30 +02"]),
        ("30 2,3 * * *", BERLIN, "2024-03-30T12:00", ["03-31 03:30 +02", "04-01 02:30 +02"]),
        ("*/30 2 31 3 *", BERLIN, "2024-03-30T12:00", ["03-31 03:00 +02", "03-31 03:30 +02"]),
        ("30 * * * *", BERLIN, "2024-03-31T01:00", ["03-31 01:30 +01", "03-31 03:30 +02"]),
        # clocks go back: 02:30 comes the first time; every hour means every hour
        ("30 2 * * *", BERLIN, "2024-10-26T12:00", ["10-27 02:30 +02", "10-28 02:30 +01"]),
        ("30 * * * *", BERLIN, "2024-10-27T02:00", ["10-27 02:30 +02", "10-27 02:30 +01"]),
        # the same in New York
        ("30 2 * * *", NEW_YORK, "2024-03-09T12:00", ["03-10 03:30 -04", "03-11 02:30 -04"]),
        ("30 1 * * *", NEW_YORK, "2024-11-02T12:00", ["11-03 01:30 -04", "11-04 01:30 -05"]),
        ("0 8 * * *", NEW_YORK, "2024-03-09T09:00", ["03-10 08:00 -04", "03-11 08:00 -04"]),
        # half an hour's change, and a day that never was
        (
            "15 2 * * *",
            "Australia/Lord_Howe",
            "2024-10-05T12:00",
            ["10-06 02:45 +11", "10-07 02:15 +11"],
        ),
        ("0 0 * * *", "Pacific/Apia", "2011-12-28T12:00", ["12-29 00:00 -10", "12-31 00:00 +14"]),
    ],
)
def test_cron_means_what_cron_means(
    cron: str, timezone: str, after: str, expected: list[str]
) -> None:
    """Weekday numbers, either day, leap days and clock changes, as crontab(5) has them."""
    spec = Spec(cron=cron, timezone=timezone)
    assert local(occurrences(spec, ms(after, timezone), LATEST, 2), timezone) == expected


def matches(cron: str, wall: datetime) -> bool:
    """Compare a wall time with a cron line, without any of the code under test."""

    def fits(text: str, value: int, low: int, high: int) -> bool:
        for item in text.split(","):
            span, _, step = item.partition("/")
            first, _, last = span.partition("-")
            start = low if first == "*" else int(first)
            end = high if first == "*" or (step and not last) else int(last or first)
            if value in range(start, end + 1, int(step or 1)):
                return True
        return False

    minute, hour, day, month, weekday = cron.split()
    number = wall.isoweekday() % 7
    by_day = fits(day, wall.day, 1, 31)
    by_weekday = fits(weekday, number, 0, 6) or (number == 0 and fits(weekday, 7, 0, 7))
    either = day[0] != "*" and weekday[0] != "*"
    return (
        fits(minute, wall.minute, 0, 59)
        and fits(hour, wall.hour, 0, 23)
        and fits(month, wall.month, 1, 12)
        and ((by_day or by_weekday) if either else (by_day and by_weekday))
    )


def walk(cron: str, timezone: str, after: int, until: int) -> Iterator[int]:
    """Yield the instants of a cron line by looking at every minute."""
    zone = ZoneInfo(timezone)
    first = after // MINUTE * MINUTE + MINUTE
    for instant in range(first, until + 1, MINUTE):
        moment = datetime.fromtimestamp(instant / 1000, UTC)
        here = moment.astimezone(zone)
        if cron.split()[1][0] == "*":
            if matches(cron, here):
                yield instant
        elif (matches(cron, here) and not here.fold) or jumped_over(cron, moment, zone):
            yield instant


def jumped_over(cron: str, moment: datetime, zone: ZoneInfo) -> bool:
    """Return whether a clock that nobody had set forward in the last hours would show a match."""
    for hours in (1, 2):
        before = (moment - timedelta(hours=hours)).astimezone(zone).utcoffset()
        assert before is not None
        unset = (moment + before).replace(tzinfo=None)
        real = unset.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None)
        if real != unset and matches(cron, unset):
            return True
    return False


def field(low: int, high: int) -> st.SearchStrategy[str]:
    """Text of one cron field."""
    one = st.integers(low, high)
    ranges = st.tuples(one, one).map(lambda pair: f"{min(pair)}-{max(pair)}")
    step = st.tuples(ranges | st.just("*"), st.integers(1, 9)).map(lambda p: f"{p[0]}/{p[1]}")
    items = st.lists(one.map(str) | ranges | step, min_size=1, max_size=3).map(",".join)
    return st.just("*") | st.just("*") | items


@settings(max_examples=60)
@given(
    st.tuples(field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 7)).map(" ".join),
    st.sampled_from(
        [
            (BERLIN, "2024-03-30T22:17:30+00:00"),
            (BERLIN, "2024-10-26T22:30:00+00:00"),
            (NEW_YORK, "2024-03-10T05:00:00+00:00"),
            (NEW_YORK, "2024-11-03T04:59:59+00:00"),
            ("UTC", "2024-02-28T12:00:00+00:00"),
            ("Asia/Kolkata", "2023-12-31T12:00:00+00:00"),
        ]
    ),
    st.integers(0, 6 * HOUR),
)
def test_occurrences_agree_with_a_walk_over_every_minute(
    cron: str, place: tuple[str, str], later: int
) -> None:
    """Two days around a clock change or a leap day, from any starting point."""
    timezone, start = place
    after = ms(start) + later
    until = after + 2 * DAY
    try:
        found = occurrences(Spec(cron=cron, timezone=timezone), after, until, 10_000)
    except CronError as error:
        assert "never comes" in str(error)  # noqa: PT017  # the other errors are none of these
        found = []
    assert found == list(walk(cron, timezone, after, until))


@given(st.integers(0, 400 * DAY), st.integers(0, 30 * DAY), st.integers(0, 20))
def test_occurrences_are_a_window_on_one_sequence(shift: int, length: int, limit: int) -> None:
    """Ascending, inside (after, until], cut to the limit, and the same from wherever one looks."""
    spec = Spec(cron="*/20 1-4 * * *", timezone=BERLIN)
    after = ms("2024-01-01") + shift
    found = occurrences(spec, after, after + length, limit)
    assert len(found) <= limit
    assert found == sorted(set(found))
    assert all(after < instant <= after + length for instant in found)
    for earlier, instant in zip([after, *found], found, strict=False):
        assert next_occurrence(spec, earlier) == instant
        assert next_occurrence(spec, instant - 1) == instant


def test_every_counts_from_midnight_utc() -> None:
    """Every 4h is at 0, 4, 8 … UTC: a restart shifts nothing."""
    spec = Spec(every=4 * HOUR)
    start = ms("2024-07-01T03:00")
    assert occurrences(spec, start, start + DAY, 2) == [
        ms("2024-07-01T04:00"),
        ms("2024-07-01T08:00"),
    ]
    assert next_occurrence(spec, ms("2024-07-01T04:00")) == ms("2024-07-01T08:00")


def test_at_a_time_of_day_comes_daily_in_its_zone() -> None:
    """08:30 is 08:30 on the wall, in summer and in winter."""
    spec = Spec(at="08:30", timezone=NEW_YORK)
    found = occurrences(spec, ms("2024-03-09T12:00", NEW_YORK), LATEST, 1)
    assert local(found, NEW_YORK) == ["03-10 08:30 -04"]


def test_at_an_instant_comes_once() -> None:
    """In its own offset, or in the schedule's zone; afterwards never again."""
    evening = "2026-12-24T17:00"
    for at, utc in (
        ("2026-12-24T18:00:00+01:00", evening),
        ("2026-12-24 18:00", evening),
        ("2026-12-24T17:00Z", evening),
        ("2026-12-24", "2026-12-23T23:00"),
    ):
        spec = Spec(at=at, timezone=BERLIN)
        assert next_occurrence(spec, ms(utc) - 1) == ms(utc)
        assert next_occurrence(spec, ms(utc)) is None


def test_no_window_holds_nothing() -> None:
    """An end before the start, or a limit of zero."""
    spec = Spec(cron="* * * * *")
    assert occurrences(spec, 1_000_000_000, 0, 5) == []
    assert occurrences(spec, 0, DAY, 0) == []
    assert next_occurrence(spec, LATEST) is None


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (
            Spec(cron="0 8 * *"),
            "a cron line has 5 fields, here are 4: write minute, hour, day, month, weekday",
        ),
        (Spec(cron="0 0 31 2 *"), "this time never comes: no month in it has a day 31"),
        (Spec(cron="0 0 30,31 2 *"), "no month in it has a day 30"),
        (Spec(cron="0 0 31 4,6,9,11 *"), "never comes"),
        (Spec(cron="60 * * * *"), "60 is no minute: the minute is 0 to 59"),
        (Spec(cron="* 24 * * *"), "24 is no hour"),
        (Spec(cron="* * 0 * *"), "0 is no day"),
        (Spec(cron="* * * * 8"), "8 is no weekday"),
        (Spec(cron="* * * foo *"), "foo is no month: the month is 1 to 12, or jan to dec"),
        (Spec(cron="x * * * *"), "x is no minute"),
        (Spec(cron="٣ * * * *"), "is no minute"),
        (Spec(cron="* * ? * *"), "? is no day: the day is 1 to 31: *"),
        (Spec(cron="*-5 * * * *"), "*-5 is no minute"),
        (Spec(cron="1,,2 * * * *"), "an empty part is no minute"),
        (Spec(cron="*/0 * * * *"), "a step of 0"),
        (Spec(cron="*/00 * * * *"), "a step of 0"),
        (
            Spec(cron="30-10 * * * *"),
            "runs backwards: write two ranges: 30-59,0-10",
        ),
        (Spec(cron="* * * * *", timezone="Europe/Berln"), "did you mean Europe/Berlin?"),
        (Spec(cron="* * * * *", timezone="../../etc"), "write it like Europe/Berlin"),
        (Spec(every=1, timezone="Europe"), 'the time zone "Europe" is not known'),
        (Spec(at="25:00"), 'at "25:00" is no time'),
        (Spec(at="08:30:00"), 'at "08:30:00" is no time'),
        (Spec(at="noon:"), 'at "noon:" is no time'),
        (Spec(every=0), "above zero"),
        (Spec(every=-5), "above zero"),
    ],
)
def test_a_schedule_that_cannot_run_says_why(spec: Spec, text: str) -> None:
    """In a trader's words, with the cure; and reckoning with it raises the same sentence."""
    found = problem(spec)
    assert found is not None
    assert text in found
    with pytest.raises(ValueError, match=r".") as caught:
        occurrences(spec, 0, DAY, 1)
    assert str(caught.value) == found


@pytest.mark.parametrize(
    "spec",
    [
        Spec(cron="55 7,15,23 * * *"),
        Spec(cron="0 0 31 2 mon"),
        Spec(at="8:30", timezone=BERLIN),
        Spec(at="2020-01-01T00:00Z"),
        Spec(every=900_000),
    ],
)
def test_a_schedule_that_can_run_has_no_problem(spec: Spec) -> None:
    """Also where one of two day fields never comes, or the one instant is past."""
    assert problem(spec) is None


def test_sunday_is_one_day_in_an_open_range() -> None:
    """0 and 7 are the same; * and 5/1 do not count it twice."""
    assert read_cron("* * * * *").weekdays == frozenset(range(7))
    assert read_cron("* * * * 5/1").weekdays == frozenset({5, 6})
    assert read_cron("* * * * 5-7").weekdays == frozenset({5, 6, 0})
    assert read_cron("* * * * 7/2").weekdays == frozenset({0})


NUMBERS = [str(number) for number in (0, 1, 2, 5, 7, 12, 24, 29, 30, 31, 60, 100)]
WORDS = ["*", "?", "**", *NUMBERS, "mon", "SUN", "fri", "jan", "Feb", "dec", "mond", "L", "٣"]


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(WORDS),
            st.just("") | st.sampled_from(WORDS).map("-{}".format),
            st.just("") | st.sampled_from(WORDS).map("/{}".format),
        ).map("".join)
        | st.just("*"),
        min_size=5,
        max_size=5,
    ).map(" ".join)
)
def test_the_check_of_rule_files_and_the_reckoning_agree(cron: str) -> None:
    """What `runner check` lets through can be reckoned, and what it refuses cannot."""
    node = Node({"cron": cron, "timezone": "UTC"})
    check_schedule(node)
    refused = any(each.severity == "error" for each in node.problems)
    assert refused == (problem(Spec(cron=cron)) is not None)


@given(st.sampled_from(["08:30", "8:30", "24:00", "2026-12-24", "T10:00", "2026-W01-1T10:00"]))
def test_the_check_of_instants_and_the_reckoning_agree(at: str) -> None:
    """The same for `at`."""
    node = Node({"at": at})
    check_schedule(node)
    assert bool(node.problems) == (problem(Spec(at=at)) is not None)


def now() -> int:
    """Return UTC ms."""
    return time.time_ns() // 1_000_000


@pytest.fixture
def clock() -> Iterator[tuple[AlarmClock, threading.Semaphore]]:
    """A running alarm clock, and what counts its ringing."""
    rung = threading.Semaphore(0)
    alarm = AlarmClock(rung.release)
    alarm.start()
    yield alarm, rung
    alarm.stop()


def test_the_alarm_clock_rings_at_each_instant(
    clock: tuple[AlarmClock, threading.Semaphore],
) -> None:
    """What is past rings at once, what is to come in its time, the same instant once."""
    alarm, rung = clock
    started = now()
    alarm.set([started - 5_000, started + 300, started + 300])
    assert rung.acquire(timeout=10)
    assert rung.acquire(timeout=10)
    assert now() >= started + 300
    assert not rung.acquire(timeout=0.05)


def test_setting_again_forgets_what_was_set(
    clock: tuple[AlarmClock, threading.Semaphore],
) -> None:
    """A reload takes schedules away."""
    alarm, rung = clock
    alarm.set([now() + 60_000])
    alarm.set([now() + 100])
    assert rung.acquire(timeout=10)
    alarm.set([now() + 150])
    alarm.set([])
    assert not rung.acquire(timeout=0.3)


def test_the_alarm_clock_may_be_set_before_it_starts_and_stopped_twice() -> None:
    """The order of building and starting does not matter."""
    rung = threading.Event()
    alarm = AlarmClock(rung.set)
    alarm.set([now()])
    seen = [alarm.alive]
    alarm.start()
    assert rung.wait(10)
    seen.append(alarm.alive)
    alarm.stop()
    alarm.stop()
    assert [*seen, alarm.alive] == [False, True, False]


def test_setting_while_it_rings_keeps_it_alive(
    clock: tuple[AlarmClock, threading.Semaphore],
) -> None:
    """Whoever is woken sets the next instant at once, often while others come due."""
    alarm, rung = clock
    for _ in range(200):
        alarm.set([now(), now() + 1, now() + 2])
    assert rung.acquire(timeout=10)
    assert alarm.alive


def test_stopping_while_it_rings_ends_its_thread_in_peace() -> None:
    """No alarm that comes due at that moment is looked for in vain."""
    for _ in range(30):
        alarm = AlarmClock(lambda: None)
        alarm.start()
        alarm.set(range(now() - 20, now() + 5))
        alarm.stop()
        assert not alarm.alive
