"""Trigger `dead_man`: a countdown on the exchange ran out, or a refresh of it came late."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from runner.core.document import Node, Scope
from runner.core.events import DeadManAlarm, Event
from runner.core.formula import TEXT
from runner.core.rules import Hit, Interest, Match, Memory, Quiet, TriggerKind
from runner.core.view import Names


@dataclass(frozen=True, slots=True)
class DeadManTrigger:
    """`expired`: the exchange cancelled the symbol's open orders; `late`: a refresh was missed."""

    kind: ClassVar[str] = "dead_man"

    name: str
    what: str
    fingerprint: str = "dead_man"

    @property
    def fields(self) -> Scope:
        """What happened: expired or late."""
        return {"what": TEXT}

    @property
    def interest(self) -> Interest:
        """Alarms of the countdowns."""
        return ("dead_man", self.what)

    def match(self, event: Event, memory: Memory, names: Names) -> Match:
        """One alarm; the last confirmed refresh before it is its key."""
        del names
        assert isinstance(event, DeadManAlarm)
        if event.what != self.what:
            return Quiet(memory)
        key = f"{event.what}@{event.confirmed_time}"
        return Hit(key, {"what": event.what}, memory, f"countdown {event.what}")


SCHEMA: Mapping[str, Any] = {
    "enum": ["expired", "late"],
    "description": "expired: the countdown ran out and the exchange cancelled the symbol's open "
    "orders. late: a refresh is overdue.",
}


def build(node: Node, name: str) -> DeadManTrigger | None:
    """Read `dead_man: expired` or `dead_man: late`."""
    return DeadManTrigger(name, str(node.value))


DEAD_MAN = TriggerKind("dead_man", SCHEMA, build, "- dead_man: expired")
