"""Why a rule does not fire right now: what stands in its way, and what each trigger waits for."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from runner.core import losses
from runner.core.decision import Reason
from runner.core.events import PriceSource
from runner.core.figures import figure, span
from runner.core.firing import blocked, trigger_memory
from runner.core.formula import EvaluationError
from runner.core.guards import cure
from runner.core.judging import OF_ACCOUNT, blocks_of
from runner.core.prices import PriceBoard
from runner.core.rules import Memory, Rule, RuleSet, Trigger, WaitsForPrice
from runner.core.running import World
from runner.core.state import State, Work
from runner.core.switches import only_enters
from runner.core.triggers.crossing import PAST
from runner.core.triggers.dead_man import DeadManTrigger
from runner.core.triggers.heartbeat import HeartbeatTrigger
from runner.core.triggers.price_closes import CloseTrigger
from runner.core.triggers.price_cross import PriceTrigger
from runner.core.triggers.price_trails import TrailTrigger
from runner.core.triggers.schedule import ScheduleTrigger
from runner.core.triggers.webhook import WebhookTrigger
from runner.core.values import dataclass
from runner.core.view import Names, View

ARMED = ""
"""The reason of a trigger that only waits for its event."""


@dataclass(frozen=True, slots=True)
class Line:
    """A trigger or a condition: what it is, the reason (or whether it holds), and the values."""

    name: str
    reason: str
    text: str


@dataclass(frozen=True, slots=True)
class Standing:
    """One rule on one symbol, now. `reason` is empty when only the event is missing."""

    symbol: str
    reason: str
    text: str
    triggers: tuple[Line, ...]
    conditions: tuple[Line, ...]

    def plain(self) -> dict[str, Any]:
        """The same for the journal and for JSON."""
        lines = {"triggers": self.triggers, "conditions": self.conditions}
        told = {key: [_plain(line) for line in found] for key, found in lines.items()}
        return {"symbol": self.symbol, "reason": self.reason, "text": self.text, **told}


def _plain(line: Line) -> dict[str, str]:
    return {"name": line.name, "reason": line.reason, "text": line.text}


def standing(work: Work, world: World, rule: Rule, symbol: str) -> Standing:
    """What keeps it from firing, in the order in which a fire would meet it."""
    memory = work.memory(rule.id, symbol)
    names = world.names_before(work, rule, symbol)
    triggers = tuple(
        _trigger(trigger, trigger_memory(memory, trigger), names) for trigger in rule.triggers
    )
    conditions = tuple(_conditions(rule, names))
    shut = blocked(work, rule, symbol) or _curbed(work, world, rule)
    if shut is not None:
        return Standing(symbol, shut[0].value, shut[1], triggers, conditions)
    waiting = next((line for line in triggers if line.reason == ARMED), None)
    first = waiting or triggers[0]
    return Standing(symbol, first.reason, first.text, triggers, conditions)


def _curbed(work: Work, world: World, rule: Rule) -> tuple[Reason, str] | None:
    """A limit on losses is reached that binds a rule which only enters: nothing of it may leave."""
    reached = losses.closed(work.state.memories)
    if not reached or not only_enters(rule):
        return None
    binding = {where for where, _, _ in blocks_of(rule, world.rules, world.account, world.limits)}
    for key, text in reached.items():
        place = key.partition(", ")[2]
        # the journal alone does not know the account's name; its guards bind every rule
        if place in binding or place.startswith(OF_ACCOUNT):
            return Reason.GUARD, f"{text}; {cure(text)}"
    return None


def remembered(rules: RuleSet, state: State, now: int) -> tuple[Work, World]:
    """What the journal alone knows, for `standing` without prices."""
    world = World(rules, View(PriceBoard(0), {}), "", "", lambda *_: None)
    return Work(state, now), world


def _conditions(rule: Rule, names: Names) -> list[Line]:
    """Each line of `if` as it is now; those about the event cannot be told before it."""
    found = []
    for formula in rule.conditions:
        try:
            holds = formula.evaluate(names) is True
            found.append(Line(formula.text, "" if holds else Reason.IF.value, formula.trace(names)))
        except EvaluationError as error:
            unknown = any(name.startswith("trigger.") for name in formula.names)
            text = "depends on the event" if unknown else error.reason
            found.append(Line(formula.text, Reason.NO_DATA.value, text))
    return found


def _trigger(trigger: Trigger, memory: Memory, names: Names) -> Line:
    match trigger:
        case PriceTrigger(source=source, above=above, level=level):
            way = "above" if above else "below"
            seen, fresh = _price(names, source)
            try:
                border = figure(level.number(names))
            except EvaluationError as error:
                return _line(trigger, Reason.NO_DATA, error.reason)
            line = _crossing(trigger, memory, names, seen, f"{way} {border}")
            return line if fresh else _stale(trigger, line, source, names)
        case CloseTrigger(interval=interval, above=above):
            way = "above" if above else "below"
            what = f"the close of {interval}"
            return _crossing(trigger, memory, names, what, f"{way} its level")
        case TrailTrigger(source=source):
            if "extreme" not in memory:
                return _line(trigger, Reason.NO_DATA, f"no {source} price came yet")
            at = figure(Decimal(memory["extreme"]))
            return _line(trigger, None, f"{_price(names, source)[0]}, trails from {at}")
        case ScheduleTrigger():
            since = memory.get("watermark")
            more = f", dealt with until {_clock(since)}" if since else ""
            return _line(trigger, None, f"waits for its next time{more}")
        case DeadManTrigger(what=what):
            return _line(trigger, None, f"waits for a countdown that is {what.replace('_', ' ')}")
        case HeartbeatTrigger(path=path):
            if memory.get("lost"):
                return _line(trigger, Reason.NOT_ARMED, f"{path} is silent, and it said so")
            return _line(trigger, None, f"last alert on {path} {_ago(memory.get('since'), names)}")
        case WebhookTrigger(path=path):
            kept = len(memory.get("recent", {}))
            words = f", {kept} alert{'s' * (kept != 1)} remembered against repetition"
            return _line(trigger, None, f"waits for an alert on {path}{words if kept else ''}")
    if isinstance(trigger, WaitsForPrice):
        return _crossing(trigger, memory, names, "it", "past its level")
    return _line(trigger, None, f"waits for {trigger.kind.replace('_', ' ')}")


def _crossing(trigger: Trigger, memory: Memory, names: Names, what: str, goal: str) -> Line:
    """What `crosses` and its kin wait for: `what` is the value now, `goal` the level."""
    if "side" not in memory:
        return _line(trigger, Reason.NO_DATA, f"no price came yet to compare: {what}, {goal}")
    if memory.get("crossed_at") is not None:
        hold = span(int(getattr(trigger, "hold", 0)))
        ago = _ago(memory["crossed_at"], names)
        return _line(trigger, Reason.WAITING, f"{what} went {goal} {ago}, must stay for {hold}")
    if not memory.get("armed"):
        rearm = _rearm(trigger, names, goal)
        text = f"{what} must be {rearm} first: it fired, and was not back since"
        return _line(trigger, Reason.NOT_ARMED, text)
    if memory["side"] == PAST:
        text = f"{what} is past {goal} already: it fires on the next step from the other side"
        return _line(trigger, None, text)
    return _line(trigger, None, f"{what} has not crossed {goal}")


def _rearm(trigger: Trigger, names: Names, goal: str) -> str:
    """Where the value must be before it fires again: back on the other side, or where it says."""
    term, above = getattr(trigger, "rearm", None), getattr(trigger, "above", True)
    if term is None:
        way, _, level = goal.partition(" ")
        return f"{'below' if way == 'above' else 'above'} {level}"
    value = term if isinstance(term, Decimal) else term.value(names)
    return f"{'below' if above else 'above'} {figure(Decimal(value))}"


def _price(names: Names, source: PriceSource) -> tuple[str, bool]:
    """The price now with how old it is, and whether it is fresh; just its name when unknown."""
    board = names.view.board
    last, at = board.last(names.symbol, source), board.seen_at(names.symbol, source)
    fresh = at is None or names.now - at <= board.stale_after
    if last is None:
        return source, fresh
    return f"{source} {figure(last.value)}", fresh


def _stale(trigger: Trigger, line: Line, source: PriceSource, names: Names) -> Line:
    at = names.view.board.seen_at(names.symbol, source)
    since = "" if at is None else f" since {_clock(at)}, {_ago(at, names)}"
    why = f"no {source} price{since}: blind until the next one, which only arms"
    return _line(trigger, Reason.STALE_DATA, f"{line.text} ({why})")


def _line(trigger: Trigger, reason: Reason | None, text: str) -> Line:
    return Line(trigger.name, ARMED if reason is None else reason.value, text)


def _ago(at: Any, names: Names) -> str:
    return "never" if not isinstance(at, int) else f"{span(max(names.now - at, 0))} ago"


def _clock(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
