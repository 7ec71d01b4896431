"""Tells once a day what it came to: what fired, what was traded and won, what needs a person."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from runner.core.notice import Notice
from runner.core.noticing import money
from runner.errors import JournalError
from runner.journal import Tally

DAY: Final = 86_400_000
MINUTE: Final = 60_000
LOOK_EVERY: Final = 5.0
"""Seconds between two looks at the clock, which may be set."""

KIND: Final = "summary"
MOST_LISTED: Final = 10


class Daily:
    """`look` does it all; what a stop made it miss is not told later."""

    def __init__(
        self,
        minute: int,
        count: Callable[[int, int], Tally],
        remarks: Callable[[], Sequence[str]],
        say: Callable[[Notice], None],
        now: Callable[[], int],
    ) -> None:
        """`minute` of the day, UTC; `count` adds up a stretch of time (ms); `remarks` are what
        else is to be told, such as open problems; `say` tells a notice, `now` gives ms.
        """
        self._minute = minute
        self._count = count
        self._remarks = remarks
        self._say = say
        self._now = now
        self._due_at = self._next(now())

    def look(self) -> None:
        """Tell the day that ended at the hour, once the hour has come."""
        now = self._now()
        if now < self._due_at:
            # not further off than a day, also where the clock was set back
            self._due_at = min(self._due_at, self._next(now))
            return
        until = self._next(now) - DAY
        self._due_at = until + DAY
        try:
            counted = self._count(until - DAY, until)
        except JournalError as error:
            self._say(Notice(now, KIND, "the day could not be added up", str(error)))
            return
        body = [*_details(counted), *self._remarks()]
        self._say(
            Notice(
                now, KIND, f"the day until {self._clock()} UTC: {_brief(counted)}", "\n".join(body)
            )
        )

    def _next(self, now: int) -> int:
        """The hour after this moment."""
        at = now - now % DAY + self._minute * MINUTE
        return at if at > now else at + DAY

    def _clock(self) -> str:
        return f"{self._minute // 60:02}:{self._minute % 60:02}"


def _brief(counted: Tally) -> str:
    """4 fires, 7 orders, 5 fills, +21.66 USDT before fees."""
    numbers = {
        "fire": sum(counted.fires.values()),
        "order": sum(counted.orders.values()),
        "fill": counted.fills,
    }
    parts = [f"{number} {name}{'' if number == 1 else 's'}" for name, number in numbers.items()]
    result = f"{counted.result:+,.2f} USDT before fees"
    return ", ".join([*parts, *([result] if counted.fills else [])])


def _details(counted: Tally) -> Iterator[str]:
    fees = ", ".join(f"{money(fee)} {asset}" for asset, fee in counted.fees.items() if fee)
    if fees:
        yield f"fees: {fees}"
    if counted.fires:
        yield f"fired: {_listed(counted.fires)}"
    if counted.orders:
        yield f"orders: {_listed({key.lower(): n for key, n in counted.orders.items()})}"
    if counted.critical:
        yield f"critical notices: {counted.critical}"


def _listed(numbers: Mapping[str, int]) -> str:
    """The most first."""
    ordered = sorted(numbers.items(), key=lambda pair: (-pair[1], pair[0]))
    more = f" and {len(ordered) - MOST_LISTED} more" if len(ordered) > MOST_LISTED else ""
    return ", ".join(f"{name} {number}" for name, number in ordered[:MOST_LISTED]) + more
