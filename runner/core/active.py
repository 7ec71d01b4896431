"""When a rule may fire: windows of weekdays and times of day, in the rule's time zone."""

from __future__ import annotations

import re
from datetime import datetime, tzinfo

from runner.core.document import Node
from runner.core.values import dataclass

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MIDNIGHT = 24 * 60
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)|(24):(00)", re.ASCII)
_CURE = "write mon-fri, sat, or [mon, wed, fri]"


@dataclass(frozen=True, slots=True)
class Window:
    """From one minute of the day up to, and without, another; on days that begin it (0: Monday).

    One that ends before it begins goes over midnight into the next day.
    """

    days: frozenset[int]
    start: int
    end: int

    def holds(self, day: int, minute: int) -> bool:
        """True when this minute of this weekday is in it."""
        if self.start < self.end:
            return day in self.days and self.start <= minute < self.end
        began_today = day in self.days and minute >= self.start
        return began_today or ((day - 1) % 7 in self.days and minute < self.end)


@dataclass(frozen=True, slots=True)
class Active:
    """The windows of one rule."""

    windows: tuple[Window, ...]
    zone: tzinfo

    def holds(self, now: int) -> bool:
        """True when this instant (UTC ms) is in one of the windows."""
        local = self.local(now)
        minute = local.hour * 60 + local.minute
        return any(window.holds(local.weekday(), minute) for window in self.windows)

    def local(self, now: int) -> datetime:
        """The instant on the rule's clock."""
        return datetime.fromtimestamp(now // 1000, self.zone)


def read(node: Node, zone: tzinfo) -> Active | None:
    """The windows below `active`; notes problems, and returns None when none is usable."""
    windows = [_window(item) for item in node.items()]
    found = tuple(window for window in windows if window is not None)
    return Active(found, zone) if found else None


def _window(node: Node) -> Window | None:
    days = _days(node.child("days"))
    start, end = _minute(node.child("from"), 0), _minute(node.child("to"), MIDNIGHT)
    if days is None or start is None or end is None:
        return None
    if start == end:
        cure = "leave out both for the whole day"
        node.problem("time", "a window that begins and ends at the same time is empty", cure)
        return None
    return Window(days, start, end)


def _days(node: Node) -> frozenset[int] | None:
    if node.value is None:
        return frozenset(range(7))
    found: set[int] = set()
    for item in node.items():
        first, dash, last = str(item.value).lower().partition("-")
        if first not in DAYS or (dash and last not in DAYS):
            item.problem("days", f"{item.value} is no weekday", _CURE)
            return None
        start, length = DAYS.index(first), 0
        if dash:
            length = (DAYS.index(last) - start) % 7
        found |= {(start + number) % 7 for number in range(length + 1)}
    return frozenset(found)


def _minute(node: Node, default: int) -> int | None:
    if node.value is None:
        return default
    found = _TIME.fullmatch(str(node.value))
    if found is None:
        node.problem("time", f"{node.value} is no time of day", 'write "08:00", up to "24:00"')
        return None
    hour, minute = (int(part) for part in found.groups() if part is not None)
    return hour * 60 + minute
