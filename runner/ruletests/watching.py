"""What a rule did while its test was played, as the decisions tell it: the facts of `expect`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from decimal import Decimal
from enum import Enum
from typing import Any

from runner.core.decision import Decision, Leg, Reason, Record
from runner.core.orders import CancelIntent, OrderIntent, OrderState
from runner.core.rules import Rule

_RULE = re.compile(r"(?P<what>\S+) (?P<how>enabled|disabled)")
_DEAD_MAN = re.compile(r"the dead man of (?P<what>\S+) is (?P<how>armed|disarmed)")
_VERBS = {"enabled": "enable", "disabled": "disable", "armed": "arm", "disarmed": "disarm"}


@dataclass(frozen=True, slots=True)
class Order:
    """An order (or another request) as it was planned; `number` counts orders from 1.

    `action` is the kind of the action that wanted it, `part` its name in there: entry, stop.
    """

    number: int
    action: str
    part: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Cause:
    """A recorded reason, and the words that came with it."""

    reason: str
    detail: str


@dataclass(slots=True)
class Done:
    """What happened since the expect before; times are ms from the start of the test.

    `cancelled` are numbers of orders, None for all of the symbol's. `switched` says how what was
    switched: (enable, a rule's id), (disarm, a symbol).
    """

    fired_at: list[int] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    cancelled: list[int | None] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    switched: list[tuple[str, str]] = field(default_factory=list)
    causes: list[Cause] = field(default_factory=list)

    @property
    def nothing(self) -> bool:
        """True when the rule did nothing at all."""
        return not any((self.fired_at, self.orders, self.cancelled, self.notes, self.switched))


class Watch:
    """Observes a runner for one rule: what it does, and its own log."""

    def __init__(self, rule: Rule, start: int, planned: Callable[[int, str], None]) -> None:
        """`planned(number, client_order_id)` hears of each order before it is sent."""
        self.rule = rule
        self.done = Done()
        self.log: list[tuple[int, Record]] = []
        self.legs: dict[int, Leg] = {}
        self._numbers: dict[str, int] = {}
        self._runs: dict[str, tuple[str, tuple[str, ...]]] = {}
        self._start = start
        self._planned = planned

    def take(self) -> Done:
        """What happened since the last call."""
        done, self.done = self.done, Done()
        return done

    def observe(self, decisions: Sequence[Decision]) -> None:
        """Take committed decisions in."""
        for decision in decisions:
            kinds = tuple(action.kind for action in self.rule.actions)
            for run in decision.new_runs:
                self._runs[run.run_id] = run.identity.rule_id, kinds
            for change in decision.legs.values():
                self._leg(change.before, change.after)
            for record in decision.records:
                if record.rule_id == self.rule.id or record.run_id in self._own():
                    self._record(record)

    def _own(self) -> set[str]:
        return {run for run, (rule_id, _) in self._runs.items() if rule_id == self.rule.id}

    def _leg(self, before: Leg | None, after: Leg) -> None:
        rule_id, kinds = self._runs.get(after.run_id, ("", ()))
        number = self._numbers.get(after.client_order_id)
        if number is not None:
            self.legs[number] = after
        if after.state is OrderState.REJECTED and rule_id == self.rule.id:
            detail = f"{after.code or ''} {after.message}".strip()
            self.done.causes.append(Cause(Reason.REJECTED.value, detail))
        if before is not None or rule_id != self.rule.id:
            return
        intent = after.intent
        if isinstance(intent, CancelIntent):
            self.done.cancelled.append(self._numbers.get(intent.target or ""))
            return
        index, _, part = after.name.partition(".")
        number = len(self._numbers) + 1
        if isinstance(intent, OrderIntent):
            self._numbers[after.client_order_id] = number
            self.legs[number] = after
            self._planned(number, after.client_order_id)
        kind = kinds[int(index)] if index.isdigit() and int(index) < len(kinds) else ""
        fields = written(intent)
        if "target" in fields:
            fields["order"] = Decimal(self._numbers.get(fields.pop("target"), 0))
        self.done.orders.append(Order(number, kind, part.partition("@")[0], fields))

    def _record(self, record: Record) -> None:
        self.log.append((record.at - self._start, record))
        done = self.done
        match record.kind:
            case "fired":
                done.fired_at.append(record.at - self._start)
            case "notify":
                done.notes.append(record.text)
            case "crossed":
                done.causes.append(Cause(Reason.WAITING.value, record.text))
            case "reset":
                done.causes.append(Cause(Reason.RESET.value, record.text))
            case "state" | "dead_man" if record.run_id in self._own():
                self._switched(record.text)
        if record.kind in ("refused", "run") and record.reason:
            done.causes.append(_cause(record))

    def _switched(self, text: str) -> None:
        for pattern in (_RULE, _DEAD_MAN):
            found = pattern.fullmatch(text)
            if found is not None:
                self.done.switched.append((_VERBS[found["how"]], found["what"]))


def _cause(record: Record) -> Cause:
    """A refusal carries its reason alone; a run that stopped, reason and words in one."""
    reason, colon, detail = record.reason.partition(": ")
    return Cause(reason, detail) if colon else Cause(reason, record.text)


def written(intent: Any) -> dict[str, Any]:
    """An intent's fields as a tests file writes them: lower case, exact numbers; None is absent."""
    assert is_dataclass(intent)
    told = ((each.name, getattr(intent, each.name)) for each in fields(intent))
    found = {name: _plain(value) for name, value in told if value is not None}
    if "setting" in found:
        found[found.pop("setting")] = found.pop("value")
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return str(value.value).lower()
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    return value.lower() if isinstance(value, str) and value.isupper() else value
