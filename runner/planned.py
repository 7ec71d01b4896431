"""Which planned instants of schedules have come, reckoned from the journal's watermarks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from runner.core.engine import Engine
from runner.core.events import Due
from runner.core.rules import RuleSet
from runner.core.triggers.schedule import ScheduleTrigger
from runner.sources.schedule import next_occurrence, occurrences

MISSED_AT_MOST = 1_000


@dataclass(slots=True)
class Planned:
    """A schedule of one rule and symbol, with the next instant at which it is due."""

    rule_id: str
    symbol: str
    trigger: ScheduleTrigger
    watermark: int
    next_at: int | None


@dataclass(slots=True)
class Schedules:
    """Which planned instants have come, reckoned from the journal's watermarks."""

    planned: list[Planned] = field(default_factory=list)
    rules: RuleSet | None = None

    def load(self, engine: Engine) -> None:
        """Take the schedules and watermarks of the rules that run."""
        self.rules = engine.world.rules
        self.planned = [
            Planned(rule.id, symbol, trigger, watermark, next_occurrence(trigger, watermark))
            for rule, symbol, trigger, watermark in engine.schedules()
        ]

    def next_at(self) -> int | None:
        """The next planned instant of all."""
        return min((p.next_at for p in self.planned if p.next_at is not None), default=None)

    def due(self, now: int) -> Iterable[Due]:
        """The instants that have come, oldest first; of missed ones what the rule asks for."""
        for planned in self.planned:
            if planned.next_at is None or planned.next_at > now:
                continue
            for instant in self._chosen(planned, now):
                yield Due(planned.rule_id, planned.trigger.name, planned.symbol, instant)
            planned.watermark = now
            planned.next_at = next_occurrence(planned.trigger, now)

    @staticmethod
    def _chosen(planned: Planned, now: int) -> list[int]:
        trigger = planned.trigger
        if trigger.missed == "all":
            return occurrences(trigger, planned.watermark, now, MISSED_AT_MOST)
        start = max(planned.watermark, now - max(trigger.grace, 86_400_000))
        found = occurrences(trigger, start, now, 100_000) or [planned.next_at or now]
        fresh = [instant for instant in found if now - instant <= trigger.grace]
        return fresh if fresh and trigger.missed == "skip" else found[-1:]
