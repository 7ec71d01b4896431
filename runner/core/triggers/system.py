"""Trigger `system`: the runner started, a stream was silent for too long, or journal trouble."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

from runner.core.document import Node, Scope
from runner.core.events import Due, Event, JournalTrouble, Started, StreamState, Value
from runner.core.formula import NUMBER, TEXT
from runner.core.rules import Hit, Interest, Match, Memory, Quiet, Trigger, TriggerKind
from runner.core.values import dataclass, replace
from runner.core.view import Names

WORDS = ("started", "journal")
Fields = dict[str, Value]


@dataclass(frozen=True, slots=True)
class SystemTrigger:
    """`started`: the runner runs and knows its account; `journal`: the journal has a problem.

    The start's time, or what the trouble is called, is the event key.
    """

    kind: ClassVar[str] = "system"

    name: str
    what: str
    fingerprint: str = "system"

    @property
    def fields(self) -> Scope:
        """What happened; the trouble in words; how many seconds the runner was away."""
        return {"what": TEXT, "detail": TEXT, "away": NUMBER}

    @property
    def interest(self) -> Interest:
        """Starts, or the journal."""
        return ("system", self.what)

    def match(self, event: Event, memory: Memory, names: Names) -> Match:
        """One start or one trouble."""
        del names
        if isinstance(event, Started) and event.ready and self.what == "started":
            away = Decimal(event.away) / 1000
            fields: Fields = {"what": self.what, "detail": "", "away": away}
            return Hit(f"started@{event.at}", fields, memory, "the runner started")
        if isinstance(event, JournalTrouble) and self.what == "journal":
            fields = {"what": self.what, "detail": event.detail, "away": Decimal(0)}
            return Hit(f"journal@{event.key}", fields, memory, f"journal: {event.detail}")
        return Quiet(memory)


@dataclass(frozen=True, slots=True)
class StreamGapTrigger:
    """A stream has been broken off for longer than `longest` ms; once for each break.

    Memory: `broken`, the streams that are away with the moment (ms) they were last alive, and
    `told`, those of them that fired. The stream and that moment are the event key.
    """

    kind: ClassVar[str] = "system"

    name: str
    longest: int
    fingerprint: str = "stream_gap"

    @property
    def fields(self) -> Scope:
        """Which stream it is and how many seconds it is silent."""
        return {"what": TEXT, "detail": TEXT, "away": NUMBER}

    @property
    def interest(self) -> Interest:
        """Streams that come and go."""
        return ("system", "stream_gap")

    def due_at(self, memory: Memory) -> int | None:
        """When the first break that was not told of is too long."""
        waiting = self._waiting(memory)
        return min(waiting.values()) + self.longest if waiting else None

    def match(self, event: Event, memory: Memory, names: Names) -> Match:
        """A stream came or went, a wait is over, or a start: then every stream connects anew."""
        if isinstance(event, Started):
            return Quiet(memory if event.ready else _without(memory, *memory.get("broken", {})))
        if isinstance(event, StreamState):
            return self._changed(event, memory)
        assert isinstance(event, Due)
        for stream, since in self._waiting(memory).items():
            if names.now - since >= self.longest:
                return self._hit(stream, since, names.now, memory)
        return Quiet(memory)

    def _changed(self, event: StreamState, memory: Memory) -> Match:
        broken = memory.get("broken", {})
        if not event.connected:
            since = event.at if event.gap_from is None else event.gap_from
            return Quiet({**memory, "broken": {event.stream: since, **broken}})
        gap_from = broken.get(event.stream, event.gap_from)
        told = event.stream in memory.get("told", [])
        after = _without(memory, event.stream)
        if gap_from is None or told or event.at - gap_from < self.longest:
            return Quiet(after)
        # nobody woke in time, or the break was noticed by its end only
        return replace(self._hit(event.stream, gap_from, event.at, memory), memory=after)

    def _hit(self, stream: str, since: int, now: int, memory: Memory) -> Hit:
        away = Decimal(now - since) / 1000
        fields: Fields = {"what": "stream_gap", "detail": stream, "away": away}
        after = {**memory, "told": [*memory.get("told", []), stream]}
        return Hit(f"{stream}@{since}", fields, after, f"{stream} is silent for {away:.0f} s")

    @staticmethod
    def _waiting(memory: Memory) -> dict[str, int]:
        told = memory.get("told", [])
        return {name: at for name, at in memory.get("broken", {}).items() if name not in told}


def _without(memory: Memory, *streams: str) -> Memory:
    """These streams are alive."""
    broken = {name: at for name, at in memory.get("broken", {}).items() if name not in streams}
    told = [name for name in memory.get("told", []) if name not in streams]
    return {**memory, "broken": broken, "told": told}


SCHEMA: Mapping[str, Any] = {
    "type": ["string", "object"],
    "description": "started: the runner started and knows its account. journal: its journal has a "
    "problem, such as little room. Or a stream that is silent for too long: {stream_gap: 30s}",
    "additionalProperties": False,
    "required": ["stream_gap"],
    "properties": {
        "stream_gap": {
            "type": "string",
            "description": "Fires when a stream of prices or of the account is broken off for "
            "longer than this: 30s",
        },
    },
}


def build(node: Node, name: str) -> Trigger | None:
    """Read `system: started`, `system: journal` or `system: {stream_gap: 30s}`."""
    if isinstance(node.value, Mapping):
        longest = node.duration("stream_gap")
        return None if longest is None else StreamGapTrigger(name, longest)
    if node.value not in WORDS:
        cure = "write started, journal or {stream_gap: 30s}"
        node.problem("enum", f"system cannot be {node.value}", cure)
        return None
    return SystemTrigger(name, str(node.value), str(node.value))


SYSTEM = TriggerKind("system", SCHEMA, build, "- system: started")
