"""Trigger `dead_man`: a countdown on the exchange ran out or was late, or a heartbeat is lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from runner.core.document import Node, Scope
from runner.core.events import DeadManAlarm, Event
from runner.core.formula import TEXT
from runner.core.rules import Hit, Interest, Match, Memory, Quiet, Trigger, TriggerKind
from runner.core.triggers import heartbeat
from runner.core.values import dataclass
from runner.core.view import Names


@dataclass(frozen=True, slots=True)
class DeadManTrigger:
    """`expired`: the exchange cancelled the symbol's open orders; `late`: a refresh was missed.

    `expired_while_stopped`: they were cancelled because somebody had stopped the runner.
    """

    kind: ClassVar[str] = "dead_man"

    name: str
    what: str
    fingerprint: str = "dead_man"

    @property
    def fields(self) -> Scope:
        """What happened: expired, late or expired_while_stopped."""
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
        detail = f"countdown {event.what.replace('_', ' ')}"
        return Hit(key, {"what": event.what}, memory, detail)


WORDS = ("expired", "late", "expired_while_stopped")

SCHEMA: Mapping[str, Any] = {
    "type": ["string", "object"],
    "description": "expired: the countdown ran out and the exchange cancelled the symbol's open "
    "orders. expired_while_stopped: the same, because the runner had been stopped on purpose for "
    "longer than the countdown. late: a refresh is overdue. Or an expected alert that does not "
    "come: {heartbeat: {webhook: tv-beat, every: 5m}}",
    "additionalProperties": False,
    "required": ["heartbeat"],
    "properties": {"heartbeat": heartbeat.SCHEMA},
}


def build(node: Node, name: str) -> Trigger | None:
    """Read `dead_man: expired`, `dead_man: late` or `dead_man: {heartbeat: …}`."""
    if isinstance(node.value, Mapping):
        return heartbeat.read(node.child("heartbeat"), name)
    if node.value not in WORDS:
        cure = "write expired, expired_while_stopped, late or {heartbeat: {webhook: tv-beat, …}}"
        node.problem("enum", f"dead_man cannot be {node.value}", cure)
        return None
    return DeadManTrigger(name, str(node.value))


DEAD_MAN = TriggerKind("dead_man", SCHEMA, build, "- dead_man: expired")
