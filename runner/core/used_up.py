"""A rule that fired as often as `max_fires` allows: said once, then it is quiet."""

from __future__ import annotations

from runner.core.decision import Reason
from runner.core.rules import Rule
from runner.core.state import Work
from runner.core.values import replace
from runner.core.view import DAY, fires_on

MEMORY = "max_fires"
"""The name, among those of the triggers, under which it is remembered that it was said."""

ASKED = frozenset({"webhook", "manual"})
"""Triggers of which every event is answered: each refusal is recorded."""


def used_up(work: Work, rule: Rule, symbol: str) -> tuple[Reason, str] | None:
    """Why it does not fire any more, or not today; None while it may."""
    memory = work.memory(rule.id, symbol)
    if rule.max_fires is not None and memory.fires >= rule.max_fires:
        text = f"it fired {times(memory.fires)}, max_fires is {rule.max_fires}: it is quiet now"
        return Reason.MAX_FIRES, text
    today = fires_on(memory, work.now)
    if rule.max_fires_per_day is not None and today >= rule.max_fires_per_day:
        most = f"max_fires is {rule.max_fires_per_day} a day"
        return Reason.MAX_FIRES, f"it fired {times(today)} today, {most}: it is quiet until 00:00"
    return None


def told_before(work: Work, rule: Rule, symbol: str, trigger: str) -> bool:
    """True when that was recorded already, and nobody waits for an answer."""
    if trigger.partition("#")[0] in ASKED:
        return False
    memory = work.memory(rule.id, symbol)
    day = 0 if rule.max_fires is not None and memory.fires >= rule.max_fires else work.now // DAY
    said = {"fires": memory.fires, "day": day}
    if memory.triggers.get(MEMORY) == said:
        return True
    triggers = {**memory.triggers, MEMORY: said}
    work.put_memory(rule.id, symbol, replace(memory, triggers=triggers))
    return False


def times(count: int) -> str:
    """Once, 2 times."""
    return "once" if count == 1 else f"{count} times"
