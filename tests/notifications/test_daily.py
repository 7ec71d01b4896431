"""Once a day, at its hour: what the day came to, from the journal and from what is open now."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from runner.core.notice import Notice
from runner.errors import JournalError
from runner.journal import Tally
from runner.notifications.daily import DAY, Daily

NINE = 21 * 60
EVENING = 1_795_294_800_000
"""2026-11-21, 21:00 UTC."""

QUIET = Tally({}, {}, 0, Decimal(0), {}, 0)
BUSY = Tally(
    {"dip": 1, "btc-breakout": 3},
    {"FILLED": 5, "CANCELED": 2},
    6,
    Decimal("21.660"),
    {"USDT": Decimal("0.6100"), "BNB": Decimal(0)},
    2,
)


class Stage:
    """A clock, a journal that counts, and what is said."""

    def __init__(self, now: int, counted: Tally | None = BUSY, remarks: Sequence[str] = ()) -> None:
        self.now = now
        self.asked: list[tuple[int, int]] = []
        self.said: list[Notice] = []
        self._counted = counted
        self.daily = Daily(NINE, self.count, lambda: remarks, self.said.append, lambda: self.now)

    def count(self, since: int, until: int) -> Tally:
        """Add up."""
        self.asked.append((since, until))
        if self._counted is None:
            raise JournalError("the disk is gone")
        return self._counted

    def look(self, now: int) -> list[Notice]:
        """What is said by a look at this moment."""
        self.now = now
        self.said.clear()
        self.daily.look()
        return list(self.said)


def test_the_hour_comes_once_a_day() -> None:
    """Not before, once at it or a little later, and again a day later."""
    stage = Stage(EVENING - 1_000)
    assert stage.look(EVENING - 1) == []
    assert len(stage.look(EVENING + 4_000)) == 1
    assert stage.look(EVENING + 5_000) == []
    assert len(stage.look(EVENING + DAY)) == 1
    assert stage.asked == [(EVENING - DAY, EVENING), (EVENING, EVENING + DAY)]


def test_what_a_stop_or_a_sleep_passed_over_is_not_told_twice() -> None:
    """A start at the hour waits for the next; after days of sleep the last day is told."""
    stage = Stage(EVENING)
    assert stage.look(EVENING + 1) == []
    assert len(stage.look(EVENING + 3 * DAY + 7)) == 1
    assert stage.asked == [(EVENING + 2 * DAY, EVENING + 3 * DAY)]


def test_a_clock_that_is_set_back_does_not_silence_it() -> None:
    """The hour is never further off than a day."""
    stage = Stage(EVENING + 40 * DAY)
    assert stage.look(EVENING - 5_000) == []
    assert len(stage.look(EVENING)) == 1


def test_it_says_what_the_day_came_to() -> None:
    """The first line in numbers; below it by rule and state, the fees, what is open, the key."""
    remarks = ["open: REST is away", "API key: 84 days old"]
    [notice] = Stage(EVENING - 1, remarks=remarks).look(EVENING)
    assert notice.kind == "summary"
    assert notice.title == (
        "the day until 21:00 UTC: 4 fires, 7 orders, 6 fills, +21.66 USDT before fees"
    )
    assert notice.body.splitlines() == [
        "fees: 0.61 USDT",
        "fired: btc-breakout 3, dip 1",
        "orders: filled 5, canceled 2",
        "critical notices: 2",
        *remarks,
    ]


def test_a_day_without_anything_is_told_too() -> None:
    """Silence could also mean that nobody tells anything."""
    [notice] = Stage(EVENING - 1, QUIET).look(EVENING)
    assert notice.title == "the day until 21:00 UTC: 0 fires, 0 orders, 0 fills"
    assert notice.body == ""


def test_many_rules_are_counted_together() -> None:
    """A message has no room for hundreds."""
    many = Tally({f"r{n:02}": 1 for n in range(12)}, {}, 0, Decimal(0), {}, 0)
    [notice] = Stage(EVENING - 1, many).look(EVENING)
    assert notice.body.endswith("r09 1 and 2 more")


def test_a_journal_that_cannot_be_read_is_told() -> None:
    """Instead of nothing."""
    [notice] = Stage(EVENING - 1, None).look(EVENING)
    assert (notice.title, notice.body) == ("the day could not be added up", "the disk is gone")
