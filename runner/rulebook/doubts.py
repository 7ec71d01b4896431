"""Numbers and times that are sound and hardly meant: ten times the account, a day long over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from runner.core.document import Node, Path, Problem
from runner.core.figures import figure
from runner.rulebook.diagnostics import Diagnostic
from runner.rulebook.times import read_zone
from runner.rulebook.together import Part

ALL = 100
"""Percent of the account."""


def doubt(parts: Sequence[Part], now: int | None) -> Iterator[Diagnostic]:
    """Warnings about what is written; about times only when `now` (ms) is known."""
    for part in parts:
        for path, _ in part.rules:
            tree = part.source.value(path)
            problems = list(_oversized(tree["do"], (*path, "do")))
            if now is not None:
                problems += _over(tree["when"], (*path, "when"), now)
            yield from (part.source.locate(problem) for problem in problems)


def _oversized(value: Any, path: Path) -> Iterator[Problem]:
    """Sizes that are worth more than all that is free."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _oversized(item, (*path, index))
    if not isinstance(value, Mapping):
        return
    for key, below in value.items():
        share = below if key == "percent_of_available" else None
        if isinstance(share, (int, Decimal)) and share > ALL:
            times = figure(Decimal(share) / ALL)
            message = f"{share}% of what is free is {times} times as much as the account has free"
            cure = f"only leverage makes it possible; for a tenth of it all write {key}: 10"
            yield Problem((*path, key), "oversized", message, cure, severity="warning")
        else:
            yield from _oversized(below, (*path, key))


def _over(triggers: Sequence[Mapping[str, Any]], path: Path, now: int) -> Iterator[Problem]:
    """Instants that have passed."""
    for index, entry in enumerate(triggers):
        schedule = entry.get("schedule")
        if not isinstance(schedule, Mapping) or not isinstance(schedule.get("at"), str):
            continue
        at = _instant(schedule)
        if at is not None and at.timestamp() * 1000 < now:
            message = f"{schedule['at']} is over: nothing fires for it any more"
            cure = "write an instant to come, or a time of day for every day: 08:30"
            place = (*path, index, "schedule", "at")
            yield Problem(place, "time", message, cure, severity="warning")


def _instant(schedule: Mapping[str, Any]) -> datetime | None:
    """The one instant that is written; None for a time of day, which comes every day."""
    text = str(schedule["at"])
    if "-" not in text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None  # told as a mistake where times are checked
    if at.tzinfo is not None:
        return at
    return at.replace(tzinfo=read_zone(Node(schedule.get("timezone"))))
