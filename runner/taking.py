"""What other processes left in the journal's inbox, as events: alerts, and a person's commands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from runner.core.commands import VERBS
from runner.core.decision import Decision, Received, Record
from runner.core.engine import Engine
from runner.core.events import (
    AccountUpdate,
    Alert,
    CallDone,
    CallFailed,
    Command,
    DeadManReport,
    Event,
    ExecutionReport,
    OpenOrders,
    Positions,
    PositionUpdate,
    Resolve,
    StreamState,
)
from runner.journal import Journal

EVERY: Final = 500
"""Ms between two looks into the inbox."""

ALERT, RESOLVE, PRUNE = "alert", "resolve", "prune"

OUTCOMES = (
    AccountUpdate,
    CallDone,
    CallFailed,
    DeadManReport,
    ExecutionReport,
    OpenOrders,
    Positions,
    PositionUpdate,
    StreamState,
)
"""What the exchange tells: recorded also while nothing may begin."""


class Inbox:
    """The leader's look into the inbox; on the dispatcher's thread."""

    def __init__(self, journal: Journal) -> None:
        """Nothing was looked at yet."""
        self._journal = journal
        self._looked_at: int | None = None
        self._emptied = False
        self._done: list[Received] = []

    def items(self, engine: Engine, now: int, ready: bool) -> Iterator[tuple[Received, Event]]:
        """What shall be decided now; alerts wait until the runner is `ready` for them."""
        if self._looked_at is not None and abs(now - self._looked_at) < EVERY:
            return
        self._looked_at = now
        # what is left by an earlier process is gone: what comes from now on is new
        live, waiting = self._emptied, self._journal.waiting()
        self._emptied = live or not waiting
        for item in waiting:
            if item.kind == ALERT and ready:
                yield item, Alert(**{**item.data, "stored": True})
            elif item.kind == RESOLVE:
                self._recall(engine, item.data)
                yield item, Resolve(**item.data, command=item.key)
            elif item.kind in VERBS and (ready or item.kind != "fire"):
                yield item, Command(item.kind, item.key, **{**item.data, "live": live})
            elif item.kind == PRUNE and self._journal.prune(item.data["before"]) == 0:
                self._done.append(item)

    def _recall(self, engine: Engine, data: Mapping[str, Any]) -> None:
        """A parked order is long forgotten by the engine: the journal has it."""
        leg = self._journal.leg(data["client_order_id"])
        if leg is not None and engine.state.find(leg.client_order_id) is None:
            engine.state.recent[leg.client_order_id] = leg
            for run in self._journal.runs([leg.run_id]):
                engine.state.rule_ids[run.run_id] = run.identity.rule_id

    def chores(self, now: int) -> Decision:
        """What was not decided but done since the last call: old records are gone."""
        done, self._done = self._done, []
        text = "old records and alerts are gone"
        told = [
            Record(now, "command", text, data={"command": item.key, "done": True}) for item in done
        ]
        return Decision(told, taken=done)
