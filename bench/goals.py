"""The goals of speed as one table: what is measured, beside what, and how much of it is enough."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Goal:
    """One row. `ratio` and `ratio_p99` bind ours ÷ beside; `most` and `least` bind ours itself."""

    key: str
    what: str
    unit: str
    beside: str = ""
    ratio: float | None = None
    ratio_p99: float | None = None
    most: float | None = None
    most_p99: float | None = None
    least: float | None = None


GOALS = (
    Goal("busy", "alert → wire, back to back", "ms", "C floor", 2.2, 4),
    Goal("spaced", "alert → wire, 2 ms apart", "ms", "C floor", 2.2, 4),
    Goal("isolated", "alert → wire, 0.7 s apart", "ms", "C floor", 1.6, 4),
    Goal("busy-ws", "alert → wire over WebSocket, back to back", "ms", "C floor", 2.2, 4),
    Goal("spaced-ws", "alert → wire over WebSocket, 2 ms apart", "ms", "C floor", 2.2, 4),
    Goal("isolated-ws", "alert → wire over WebSocket, 0.7 s apart", "ms", "C floor", 1.6, 4),
    Goal("first", "first of five orders, back to back", "ms", "fastest peer", 0.7),
    Goal("last", "last of five orders, back to back", "ms", "fastest peer", 0.2),
    Goal("first-isolated", "first of five orders, 0.7 s apart", "ms", "fastest peer", 0.7),
    Goal("last-isolated", "last of five orders, 0.7 s apart", "ms", "fastest peer", 0.2),
    Goal("burst", "200 alerts at once, last answer", "ms", "C floor", most=250),
    Goal("burst-lost", "alerts of these not fired, or without orders", "", most=0),
    Goal("burst-syncs", "fsyncs for each alert of these", "", most=1),
    Goal("sustained", "alerts accepted and journaled", "/s", "C floor", least=1_500),
    Goal(
        "sustained-limits",
        "the same, the exchange's limits on orders on",
        "/s",
        "C floor",
        least=1_500,
    ),
    Goal("calls-before", "exchange calls before the first order", "", most=0),
    Goal("syncs-before", "fsyncs before the first order", "", most=1),
    Goal("tick-10", "a tick that crosses nothing, 10 rules", "µs", "receive + decode", 1.3),
    Goal("tick-1000", "the same, 1,000 rules", "µs", "receive + decode", 1.3),
    Goal("tick-100000", "the same, 100,000 rules", "µs", "receive + decode", 1.3),
    Goal("cross", "a tick that crosses → wire", "ms", "alert path", 1.2),
    Goal("crowded", "alert → wire beside 20,000 frames/s", "ms", "alert path", 1.5),
    Goal("stream-oldest", "oldest tick, 10,000 rules, 20,000 frames/s", "ms", most=50),
    Goal("stream-core", "cores that takes", "", most=1),
    Goal("memory", "memory, idle with 100 rules", "MB", most=90),
    Goal("start", "start to ready, 100 rules, 100,000 rows", "s", most=1.5),
    Goal("kill", "kill by webhook → cancel on the wire, under load", "ms", most_p99=50),
    Goal("kill-request", "kill by runner kill → the same", "ms", most_p99=50),
    Goal("replay", "replay of a month of minutes, ten rules", "s", most=3),
)


@dataclass(frozen=True, slots=True)
class Sample:
    """Median and 99th percentile; the latter None where there is one figure."""

    p50: float
    p99: float | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """Ours, and what stands beside it."""

    ours: Sample
    beside: Sample | None = None
    remark: str = ""


def sample(values: Sequence[float]) -> Sample:
    """Of at least two values."""
    return Sample(statistics.median(values), statistics.quantiles(values, n=100)[98])


def ratios(found: Measured) -> tuple[float | None, float | None]:
    """Ours ÷ beside, of the medians and of the 99th percentiles."""
    beside = found.beside
    if beside is None or not beside.p50:
        return None, None
    if found.ours.p99 is None or not beside.p99:
        return found.ours.p50 / beside.p50, None
    return found.ours.p50 / beside.p50, found.ours.p99 / beside.p99


def met(goal: Goal, found: Measured) -> bool:
    """Whether what was found is enough."""
    half, tail = ratios(found)
    pairs = (
        (half, goal.ratio),
        (tail, goal.ratio_p99),
        (found.ours.p50, goal.most),
        (found.ours.p99, goal.most_p99),
        (goal.least, found.ours.p50 if goal.least is not None else None),
    )
    return all(value <= most for value, most in pairs if value is not None and most is not None)


def wanted(goal: Goal) -> str:
    """The goal as a person reads it."""
    said = []
    if goal.ratio is not None:
        tail = f", p99 {goal.ratio_p99:g} ×" if goal.ratio_p99 is not None else ""
        said.append(f"≤ {goal.ratio:g} ×{tail}")
    if goal.most is not None:
        said.append(f"≤ {goal.most:g} {goal.unit}".rstrip())
    if goal.most_p99 is not None:
        said.append(f"p99 ≤ {goal.most_p99:g} {goal.unit}")
    if goal.least is not None:
        said.append(f"≥ {goal.least:,g} {goal.unit}")
    return "; ".join(said)
