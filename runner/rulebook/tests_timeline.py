"""The time line of a test: when each step is, and the prices that it brings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from runner.core.document import Node, duration
from runner.rulebook.build import Sound
from runner.rulebook.tests_events import EVENTS
from runner.rulebook.tests_model import Prices, Step, spoken
from runner.rulebook.tests_schema import SOURCES
from runner.rulebook.words import as_duration, shown

NOON = 1_767_614_400_000
"""When a test begins that names no clock: Monday 2026-01-05, 12:00 UTC."""

LONGEST_SERIES = 10_000
LONGEST = 31 * 86_400_000
"""Ms that a test may last: longer ones only take long."""

_SERIES = re.compile(r"(\d+(?:\.\d+)?)(?:x(\d{1,5}))?", re.ASCII)


@dataclass(slots=True)
class _Line:
    """Where the time line has come to: ms from its start, and the start once a clock told it."""

    now: int = 0
    start: int | None = None


def read_steps(node: Node, symbol: str, sound: Sound) -> tuple[int, tuple[Step, ...]]:
    """(start, steps); a step's time is the one before unless it says otherwise."""
    line, steps = _Line(), []
    for item in node.items() if isinstance(node.value, list) else ():
        if not sound(item.path):
            continue
        at = _at(item, line)
        step = _step(item, at, symbol)
        line.now = step.until
        steps.append(step)
    return NOON if line.start is None else line.start, tuple(steps)


def _at(node: Node, line: _Line) -> int:
    written = _length(node, "at")
    at = line.now if written is None else written
    clock = _clock(node.child("clock"))
    if clock is not None and line.start is None:
        line.start = clock - at
    elif clock is not None and line.start is not None:
        at = clock - line.start
        if written is not None and written != at:
            message = f"clock and at disagree: at {shown(node.text('at'))} it is another time"
            node.child("clock").problem("time", message, "leave one of them out")
    if at - max(line.now, 0) > LONGEST:
        place = node.child("at" if written is not None else "clock")
        place.problem("time", "more than 31 days of a test", "set the clock in its first step")
        return line.now
    if at < line.now:
        place = node.child("at" if written is not None else "clock")
        message = "this step is earlier than the one before it"
        place.problem("time", message, f"the step before ends at {spoken(line.now)}")
        return line.now
    return at


def _length(node: Node, key: str) -> int | None:
    """A length of time in ms; notes a problem, with the cure, when it is none."""
    child = node.child(key)
    if child.value is None:
        return None
    length = duration(child.value) if isinstance(child.value, str) else None
    if length is None:
        text = as_duration(str(child.value))
        message = f"{key} must be a length of time with a unit, this is {shown(child.value)}"
        child.problem("wrong-type", message, f"write {text}" if text else "write 15s, 4h or 1h30m")
    return length


def _clock(node: Node) -> int | None:
    if node.value is None:
        return None
    try:
        moment = datetime.fromisoformat(str(node.value))
    except ValueError:
        message = f"clock must be a date and a time, this is {shown(node.value)}"
        node.problem("wrong-type", message, "write 2026-11-20T07:55:00Z")
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(moment.timestamp()) * 1000 + moment.microsecond // 1000


def _step(node: Node, at: int, symbol: str) -> Step:
    hook = node.child("webhook")
    restart = node.child("restart").value
    down = _length(node, "restart") if isinstance(restart, str) else 0 if restart else None
    return Step(
        path=node.path,
        at=at,
        prices=tuple(_prices(node, symbol)),
        hook=hook.text("path"),
        body=hook.child("body").value or {},
        fill=node.child("fill").value,
        reject=node.child("reject").value,
        dead_man=node.text("dead_man"),
        events={key: node.value[key] for key in EVENTS if node.has(key)},
        gap=_length(node, "gap") or 0,
        restart=down,
        stop=_length(node, "stop"),
        reload=node.text("reload"),
        expect=node.child("expect").value,
        because=" ".join(node.text("because").split()),
    )


def _prices(node: Node, symbol: str) -> Iterator[Prices]:
    """The prices of a step; a series takes one `every` so long."""
    every, before = _length(node, "every"), len(node.problems)
    series = {source: list(_series(node.child(source))) for source in SOURCES if node.has(source)}
    longest = max(map(len, series.values()), default=0)
    if longest > 1 and every is None:
        message = "a series of prices needs every: the time between two of them"
        node.problem("missing-key", message, "add every: 1s")
    if longest < 2 and every is not None and len(node.problems) == before:
        message = "every belongs to a series of prices, and here is none"
        node.child("every").problem("unknown-key", message, "write 69900 70010", at_key=True)
    for index in range(longest):
        values = {name: found[index] for name, found in series.items() if index < len(found)}
        yield Prices(index * (every or 0), node.text("symbol", symbol), values)


def _series(node: Node) -> Iterator[Decimal]:
    if isinstance(node.value, (int, Decimal)):
        yield Decimal(node.value)
        if node.value <= 0 and node.path[-1] != "funding_rate":
            node.problem("range", "a price must be more than 0")
        return
    count = 0
    for word in str(node.value).split():
        found = _SERIES.fullmatch(word)
        if found is None:
            message = f"{shown(word)} is no price of a series"
            node.problem("wrong-type", message, "write 69900 70010 70010x13")
            return
        times = int(found[2] or 1)
        count += times
        if count > LONGEST_SERIES:
            node.problem("range", f"a series has at most {LONGEST_SERIES} prices")
            return
        yield from [Decimal(found[1])] * times
