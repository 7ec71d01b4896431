"""`dead_man: {heartbeat: …}`: an alert that should come again and again did not come."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

from runner.core.document import Node, Scope
from runner.core.events import Alert, Due, Event, Started
from runner.core.formula import NUMBER, TEXT
from runner.core.rules import Hit, Interest, Match, Memory, Quiet
from runner.core.values import dataclass
from runner.core.view import Names

SHORTEST = 5_000


@dataclass(frozen=True, slots=True)
class HeartbeatTrigger:
    """No authenticated alert on `path` for `every` ms, whatever its body.

    The time in which the runner did not run does not count, since it could hear nothing then.
    It fires once for each silence. Memory: `since` (ms), when the time that is counted began;
    `lost`, while the alert is missing; `generation`, the event key.
    """

    kind: ClassVar[str] = "dead_man"

    name: str
    path: str
    secret: str
    secret_field: str
    every: int
    fingerprint: str

    @property
    def fields(self) -> Scope:
        """`lost`, and how many seconds it was silent."""
        return {"what": TEXT, "silence": NUMBER}

    @property
    def interest(self) -> Interest:
        """Alerts on its path."""
        return ("webhook", self.path)

    def begin(self, memory: Memory, names: Names) -> Memory:
        """A new one counts from now on."""
        return memory if "since" in memory else {**memory, "since": names.now}

    def due_at(self, memory: Memory) -> int | None:
        """When the alert is missing, if none comes before."""
        if "since" not in memory or memory.get("lost"):
            return None
        return int(memory["since"]) + self.every

    def match(self, event: Event, memory: Memory, names: Names) -> Match:
        """An alert, the end of the wait, or a start."""
        if isinstance(event, Alert):
            note = ("state", f"heartbeat {self.path} is back") if memory.get("lost") else None
            return Quiet({**memory, "since": names.now, "lost": False}, note)
        due_at = self.due_at(memory)
        if isinstance(event, Started):
            if due_at is None or event.ready:
                return Quiet(memory)
            return Quiet({**memory, "since": memory["since"] + event.away})
        assert isinstance(event, Due)
        if due_at is None or names.now < due_at:
            return Quiet(memory)
        silences = memory.get("generation", 0) + 1
        silence = Decimal(names.now - memory["since"]) / 1000
        after = {**memory, "lost": True, "generation": silences}
        detail = f"no alert on {self.path} for {silence:.0f} s"
        return Hit(str(silences), {"what": "lost", "silence": silence}, after, detail)


SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "description": "Fires when an alert that should come again and again does not come. "
    "Example: {webhook: tv-beat, every: 5m, secret: tv}",
    "additionalProperties": False,
    "required": ["webhook", "every"],
    "properties": {
        "webhook": {
            "type": "string",
            "pattern": "^[a-z0-9][a-z0-9-]{0,63}$",
            "description": "The last part of the address that the alerts come to: tv-beat means "
            "POST /hook/tv-beat.",
        },
        "every": {
            "type": "string",
            "description": "After this long without an alert it is lost: 5m. Leave some room: for "
            "an alert each minute write 2m30s.",
        },
        "secret": {
            "type": "string",
            "pattern": "^[a-z][a-z0-9_]{0,63}$",
            "description": "The name of the secret that the alerts carry: tv. Left out: a webhook "
            "trigger on the same path has it.",
        },
        "secret_field": {
            "type": "string",
            "description": "The field of the body that carries the secret; secret when left out.",
        },
    },
}


def read(node: Node, name: str) -> HeartbeatTrigger | None:
    """Read the block below `heartbeat`; notes problems and returns None when it is not usable."""
    every = node.duration("every")
    if every is None:
        return None
    if every < SHORTEST:
        node.child("every").problem("range", "every must be at least 5s")
        return None
    path = node.text("webhook")
    return HeartbeatTrigger(
        name=name,
        path=path,
        secret=node.text("secret"),
        secret_field=node.text("secret_field", "secret"),
        every=every,
        # another `every` goes on counting from the same alert
        fingerprint=f"heartbeat {path}",
    )
