"""What a person or a rule has switched: paused, killed, rules on and off; who, when and why."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from runner.core.decision import Reason, RuleMemory
from runner.core.rules import Rule
from runner.core.state import Work
from runner.core.values import dataclass, replace

SWITCHES: Final = ":switches"
"""The rule id (no rule can have it) under which what concerns the whole runner is remembered."""

PAUSED, KILLED, AWAY, STOPPED = "paused", "killed", "away", "stopped"
SWITCH = "switch"
"""Under this name a rule's memory keeps who switched it."""

EXITING = frozenset({"cancel", "close", "target", "modify", "trail"})
ENTERING = frozenset({"bracket", "ladder"})


@dataclass(frozen=True, slots=True)
class Latch:
    """Who switched something, when (ms) and why."""

    who: str
    at: int
    why: str = ""

    @property
    def text(self) -> str:
        """`by ann since 2026-03-01 03:14:22 UTC (why)`."""
        why = f" ({self.why})" if self.why else ""
        return f"by {self.who} since {clock(self.at)} UTC{why}"


def clock(at: int) -> str:
    """An instant (ms) as a person reads it, in UTC."""
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M:%S}"


def latch(memories: Mapping[tuple[str, str], RuleMemory], name: str) -> Latch | None:
    """The latch of this name (paused, killed), None when it is open."""
    memory = memories.get((SWITCHES, ""))
    return _latch(memory.triggers.get(name) if memory is not None else None)


def _latch(kept: Mapping[str, Any] | None) -> Latch | None:
    return None if not kept else Latch(kept["who"], kept["at"], kept["why"])


def set_latch(work: Work, name: str, value: Latch | None) -> None:
    """Close a latch, or open it (None)."""
    keep(work, name, None if value is None else _written(value))


def keep(work: Work, name: str, value: Mapping[str, Any] | None) -> None:
    """Remember something of the whole runner, or forget it (None)."""
    memory = work.memory(SWITCHES, "")
    triggers = {key: own for key, own in memory.triggers.items() if key != name}
    if value is not None:
        triggers[name] = value
    work.put_memory(SWITCHES, "", replace(memory, triggers=triggers))


def kept(work: Work, name: str) -> Mapping[str, Any]:
    """What is remembered of the whole runner under this name; empty for nothing."""
    return work.memory(SWITCHES, "").triggers.get(name, {})


def _written(value: Latch) -> Mapping[str, Any]:
    return {"who": value.who, "at": value.at, "why": value.why}


def switch_rule(work: Work, rule_id: str, on: bool, by: Latch) -> bool:
    """Switch a rule on every symbol (the empty one stands for all); False when it was so."""
    memory = work.memory(rule_id, "")
    if memory.enabled is on:
        return False
    triggers = {**memory.triggers, SWITCH: _written(by)}
    work.put_memory(rule_id, "", replace(memory, enabled=on, triggers=triggers))
    return True


def switched(memory: RuleMemory | None) -> Latch | None:
    """Who switched a rule last; of `memory` under (rule id, no symbol)."""
    return None if memory is None else _latch(memory.triggers.get(SWITCH))


def no_entries(work: Work) -> tuple[Reason, str] | None:
    """Why nothing may be opened now, with the cure; None when it may."""
    memories = {(SWITCHES, ""): work.memory(SWITCHES, "")}
    killed = latch(memories, KILLED)
    if killed is not None:
        return Reason.KILLED, f"killed {killed.text}: runner unlock --reason TEXT"
    if work.state.disarming:
        return Reason.PAUSED, "the runner is stopping"
    paused = latch(memories, PAUSED)
    if paused is not None:
        return Reason.PAUSED, f"paused {paused.text}: runner resume"
    return None


def only_enters(rule: Rule) -> bool:
    """True when all the orders that the rule gives may open or add to a position."""
    kinds = {action.kind for action in rule.actions}
    if kinds & EXITING:
        return False
    placed = [action for action in rule.actions if action.kind == "place"]
    orders = [order for action in placed for order in getattr(action, "orders", ())]
    if any(o.reduce_only or o.close_position or o.position_side != "BOTH" for o in orders):
        return False  # in hedge mode a sale may be an exit: the order itself tells
    return bool(orders) or bool(kinds & ENTERING)
