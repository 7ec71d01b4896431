"""Trigger `schedule`: fires at planned instants; which are due is reckoned from a watermark."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

from runner.core.decision import Reason
from runner.core.document import Node, Scope
from runner.core.events import Due, Event
from runner.core.formula import NUMBER
from runner.core.rules import Hit, Interest, Match, Memory, Miss, TriggerKind
from runner.core.values import dataclass
from runner.core.view import Names

DEFAULT_GRACE = 60_000


@dataclass(frozen=True, slots=True)
class ScheduleTrigger:
    """`cron`, `every` or `at`, in a time zone.

    Memory: `watermark`, the last planned instant (UTC ms) that was dealt with. The planned
    instant is the event key, so an instant never fires twice. An instant later than `grace`
    counts as missed: `skip` records it, `last` fires the newest, `all` fires each.
    """

    kind: ClassVar[str] = "schedule"

    name: str
    cron: str | None
    every: int | None
    at: str | None
    timezone: str
    missed: str
    grace: int
    fingerprint: str

    @property
    def fields(self) -> Scope:
        """How late it fired, in seconds."""
        return {"late": NUMBER}

    @property
    def interest(self) -> Interest:
        """Its own due instants."""
        return ("schedule", self.name)

    def begin(self, memory: Memory, names: Names) -> Memory:
        """A new schedule begins now: loading a rule never fires it."""
        return memory if "watermark" in memory else {**memory, "watermark": names.now}

    def match(self, event: Event, memory: Memory, names: Names) -> Match:
        """One planned instant that has come."""
        assert isinstance(event, Due)
        if event.planned_at <= memory.get("watermark", 0):
            return Miss(Reason.DUPLICATE, "this instant was dealt with", memory)
        after = {**memory, "watermark": event.planned_at}
        late = names.now - event.planned_at
        if late > self.grace and self.missed == "skip":
            return Miss(Reason.MISSED, f"{late / 1000:.0f} s late", after, str(event.planned_at))
        fields = {"late": Decimal(max(late, 0)) / 1000}
        return Hit(str(event.planned_at), fields, after, "due")


SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "description": "Fires at planned times. "
    'Example: {cron: "0 8 * * mon-fri", timezone: Europe/Berlin}',
    "additionalProperties": False,
    "properties": {
        "cron": {
            "type": "string",
            "description": "Minute, hour, day of month, month, weekday: 55 7,15,23 * * *",
        },
        "every": {"type": "string", "description": "A length of time between fires: 15m, 4h"},
        "at": {
            "type": "string",
            "description": "A time of day, 08:30, or one instant, 2026-12-24T18:00:00Z",
        },
        "timezone": {
            "type": "string",
            "description": "The time zone of cron and at: Europe/Berlin. UTC when left out.",
        },
        "missed": {
            "enum": ["skip", "last", "all"],
            "description": "What to do with times that passed while the runner was down: skip "
            "(default), last (fire the newest once), all (fire each).",
        },
        "grace": {
            "type": "string",
            "description": "How late is not yet missed: 60s when left out.",
        },
    },
}


def build(node: Node, name: str) -> ScheduleTrigger | None:
    """Read a `schedule:` block; notes problems and returns None when it is not usable."""
    written = [key for key in ("cron", "every", "at") if node.has(key)]
    if len(written) != 1:
        node.problem("missing-key", "schedule needs exactly one of cron, every and at")
        return None
    every = node.duration("every")
    if every is not None and every < 1_000:
        node.child("every").problem("range", "every must be at least 1s")
        return None
    timezone = node.text("timezone", "UTC")
    return ScheduleTrigger(
        name=name,
        cron=node.text("cron") or None,
        every=every,
        at=node.text("at") or None,
        timezone=timezone,
        missed=node.text("missed", "skip"),
        grace=DEFAULT_GRACE if node.duration("grace") is None else node.duration("grace") or 0,
        fingerprint=f"{written[0]} {node.value[written[0]]} {timezone}",
    )


SCHEDULE = TriggerKind(
    "schedule", SCHEMA, build, '- schedule: {cron: "0 8 * * mon-fri", timezone: Europe/Berlin}'
)
