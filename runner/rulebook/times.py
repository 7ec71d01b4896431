"""The times of a `schedule:` trigger, checked at load: cron fields, time zone, instant."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from runner.core.cron import CronError, read_cron
from runner.core.document import Node
from runner.rulebook.words import meant


def check_schedule(node: Node) -> None:
    """Note what is wrong with the cron line, the time zone or the instant of a `schedule:`."""
    for key, check in (("cron", _cron), ("timezone", _timezone), ("at", _at)):
        child = node.child(key)
        if isinstance(child.value, str):
            check(child)


def read_zone(node: Node) -> tzinfo:
    """The time zone that is written there; UTC when none is, or none that exists."""
    if not isinstance(node.value, str):
        return UTC
    before = len(node.problems)
    _timezone(node)
    return UTC if len(node.problems) > before else ZoneInfo(node.value)


def _timezone(node: Node) -> None:
    try:
        ZoneInfo(node.value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        cities = {name.rpartition("/")[2]: name for name in sorted(available_timezones())}
        guess = meant(node.value, available_timezones()) or cities.get(
            meant(node.value, cities) or ""
        )
        cure = f"did you mean {guess}?" if guess else "write a name such as Europe/Berlin or UTC"
        node.problem("timezone", f"there is no time zone {node.value}", cure)


def _at(node: Node) -> None:
    text = node.value
    try:
        if re.fullmatch(r"\d\d?:\d\d", text):
            time.fromisoformat(text.rjust(len(text) + (text[1] == ":"), "0"))
            return
        datetime.fromisoformat(text)
    except ValueError:
        cure = "write a time of day, 08:30, or an instant, 2026-12-24T18:00:00Z"
        node.problem("time", f"{text} is no time", cure)


def _cron(node: Node) -> None:
    try:
        read_cron(node.value)
    except CronError as error:
        node.problem("cron", error.message, error.cure, column=error.column, length=error.length)
