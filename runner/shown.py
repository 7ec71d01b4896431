"""What the daemon shows of what it does: one line for each firing, and what else matters."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from runner.core.decision import Decision, Record, Run, RunStatus
from runner.core.orders import OrderIntent, OrderState

log = logging.getLogger(__name__)
firings = logging.getLogger("runner.firing")

MOST_RUNS: Final = 10_000
"""Firings whose orders are counted at the same time; the oldest is forgotten first."""

TOLD: Final = frozenset({"started", "stopped", "reload", "command", "stream", "dead_man", "notify"})
"""Records that are lines of their own at level info; a firing's are in its one line."""

LOOKS: Final = frozenset({"look", "account"})
"""Commands that only ask what the runner sees: an open dashboard gives many."""


@dataclass(slots=True)
class _Orders:
    """A run's orders so far."""

    made: int = 0
    filled: int = 0
    refused: int = 0


class Shown:
    """Observer of the dispatcher; a firing is told when its actions are done or stopped."""

    def __init__(self, now: Callable[[], int], account: str = "") -> None:
        """`now` gives ms; `account` stands in every line, where there are several."""
        self._now = now
        self._more = {"account": account} if account else {}
        self._orders: dict[str, _Orders] = {}

    def __call__(self, decisions: Sequence[Decision]) -> None:
        """Log what was committed."""
        for decision in decisions:
            for record in decision.records:
                _told(record, self._more)
            self._count(decision)
            begun = {run.run_id: run for run in decision.new_runs}
            for run in (begun | decision.runs).values():
                if run.status is not RunStatus.RUNNING:
                    self._over(run)
        while len(self._orders) > MOST_RUNS:
            self._orders.pop(next(iter(self._orders)))

    def _count(self, decision: Decision) -> None:
        for change in decision.legs.values():
            leg, before = change.after, change.before
            if not isinstance(leg.intent, OrderIntent):
                continue
            counts = self._orders.setdefault(leg.run_id, _Orders())
            counts.made += before is None
            if before is None or before.state is not leg.state:
                counts.filled += leg.state is OrderState.FILLED
                counts.refused += leg.state is OrderState.REJECTED

    def _over(self, run: Run) -> None:
        counts = self._orders.pop(run.run_id, _Orders())
        fields = {
            "rule_id": run.identity.rule_id,
            "symbol": run.identity.symbol,
            "run_id": run.run_id,
            "status": run.status.value,
            "orders": counts.made,
            "filled": counts.filled,
            "refused": counts.refused,
            "duration": max(self._now() - run.fired_at, 0),
            **self._more,
        }
        if run.reason:
            fields["reason"] = run.reason
        level = logging.INFO if run.status is RunStatus.DONE else logging.WARNING
        firings.log(level, "firing", extra=fields)


def _told(record: Record, more: Mapping[str, str]) -> None:
    names = ("rule_id", "symbol", "run_id", "reason")
    fields = {name: getattr(record, name) for name in names if getattr(record, name)}
    fields.update(more)
    log.log(_level(record), "%s: %s", record.kind, record.text, extra=fields)


def _level(record: Record) -> int:
    if record.kind == "error" or (record.kind == "notify" and record.reason):
        return logging.ERROR
    if record.data.get("verb") in LOOKS:
        return logging.DEBUG
    return logging.INFO if record.kind in TOLD else logging.DEBUG
