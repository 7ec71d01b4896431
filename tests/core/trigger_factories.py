"""Small builders for tests of triggers and of the engine: one line makes a rule that runs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from runner.core.decision import Decision, RuleMemory
from runner.core.document import Node
from runner.core.engine import Engine
from runner.core.events import Alert, Event, PositionUpdate, PriceSource, Tick, Value
from runner.core.formula import BOOLEAN, Formula, compile_formula
from runner.core.legs import Moment
from runner.core.lifecycle import Timing
from runner.core.limits import Limits
from runner.core.prices import PriceBoard
from runner.core.rules import Action, Rule, RuleSet, Trigger
from runner.core.running import World
from runner.core.state import State
from runner.core.triggers import TRIGGERS
from runner.core.view import Names, View, scope

SYMBOL = "BTCUSDT"
START = 1_700_000_000_000
"""A Tuesday in November 2023; every test's clock begins here."""

STALE_AFTER = 5_000


def build(kind: str, value: Any, name: str = "") -> Any:
    """The trigger that a rule file's `- kind: value` makes; fails when it has a problem."""
    node = Node(value, scope=scope())
    trigger = TRIGGERS[kind].build(node, name or kind)
    assert node.problems == []
    assert trigger is not None
    return trigger


def price(name: str = "price", **value: Any) -> Any:
    """A price trigger; `hold` is written for the key `for`, whole numbers become Decimal."""
    written = {"for" if key == "hold" else key: number(item) for key, item in value.items()}
    return build("price", written, name)


def number(item: Any) -> Any:
    """A whole number as the reader of rule files gives it, anything else unchanged."""
    return Decimal(item) if isinstance(item, int) else item


def condition(text: str, **fields: Any) -> Formula:
    """One line of `if:`; `fields` are the types of `trigger.*`."""
    names = {**scope(), **{f"trigger.{key}": kind for key, kind in fields.items()}}
    return compile_formula(text, names, BOOLEAN)


def rule(
    rule_id: str,
    *triggers: Trigger,
    symbols: tuple[str, ...] = (SYMBOL,),
    conditions: tuple[Formula, ...] = (),
    actions: tuple[Action, ...] = (),
    **changes: Any,
) -> Rule:
    """A rule; without actions its run is done the moment it begins."""
    text = f"{rule_id} {triggers} {symbols} {sorted(changes)}"
    return Rule(
        id=rule_id,
        name=rule_id,
        account="test",
        symbols=symbols,
        triggers=triggers,
        conditions=conditions,
        actions=actions,
        limits=Limits(),
        text=text,
        text_hash=hashlib.sha256(text.encode()).hexdigest(),
        **changes,
    )


def rules(*each: Rule) -> RuleSet:
    """These rules as one revision."""
    return RuleSet({one.id: one for one in each}, revision="test")


def moment(now: int, server_now: int | None = None) -> Moment:
    """This instant on both clocks, with the ordinary waits."""
    return Moment(now, now if server_now is None else server_now, Timing())


def names(
    now: int = START, board: PriceBoard | None = None, fields: Mapping[str, Value] | None = None
) -> Names:
    """What a trigger may look at: an empty world at this time."""
    from runner.core.view import Exposure

    view = View(board or PriceBoard(STALE_AFTER))
    return Names(view, SYMBOL, now, fields or {}, RuleMemory(), Exposure)


def tick(value: int | str, at: int = START, symbol: str = SYMBOL, **changes: Any) -> Tick:
    """A tick of the mark price, made without a board."""
    source: PriceSource = changes.pop("source", "mark")
    return Tick(symbol, source, Decimal(value), at, at, **changes)


def alert(
    path: str = "hook", at: int = START, event_time: int | None = None, **fields: Any
) -> Alert:
    """An authenticated alert; equal fields make equal bodies."""
    values = {key: number(item) if type(item) is int else item for key, item in fields.items()}
    body = hashlib.sha256(repr(sorted(values.items())).encode()).hexdigest()
    return Alert(path, values, body, at, event_time)


def position(
    size: int | str, entry: int | str = 100, at: int = START, symbol: str = SYMBOL
) -> PositionUpdate:
    """A one-way position as the exchange states it."""
    return PositionUpdate(symbol, "BOTH", Decimal(size), Decimal(entry), Decimal(0), at)


@dataclass
class Journal:
    """What a journal would remember of firings: looked up by the engine, filled by `keep`."""

    fired: dict[tuple[str, str, str, str], str] = field(default_factory=dict)

    def seen(self, rule_id: str, trigger: str, symbol: str, event_key: str) -> str | None:
        return self.fired.get((rule_id, trigger, symbol, event_key))

    def keep(self, decision: Decision) -> None:
        """Commit: the firings become findable; a second one of the same event is an error."""
        for run in decision.new_runs:
            who = run.identity
            key = (who.rule_id, who.trigger, who.symbol, who.event_key)
            assert key not in self.fired, f"{key} fired twice"
            self.fired[key] = run.run_id


class Bench:
    """An engine over an empty state with its price board and a journal in memory."""

    def __init__(
        self,
        *each: Rule,
        now: int = START,
        stale_after: int = STALE_AFTER,
        alive_at: int | None = None,
        state: State | None = None,
        journal: Journal | None = None,
        **ruleset: Any,
    ) -> None:
        self.journal = journal or Journal()
        self.board = PriceBoard(stale_after, alive_at)
        self.view = View(self.board)
        self.state = state or State()
        world = World(RuleSet(), self.view, "ns", "test", self.journal.seen)
        self.engine = Engine(world, self.state)
        self.load(*each, now=now, **ruleset)

    def load(self, *each: Rule, now: int = START, **ruleset: Any) -> Decision:
        """Run these rules from now on, with their bands published."""
        running = RuleSet({one.id: one for one in each}, revision="test", **ruleset)
        decision = self.engine.load(running, moment(now))
        self.publish()
        return decision

    def publish(self) -> None:
        """What the dispatcher does after each commit."""
        self.board.publish(self.engine.bands())

    def process(self, event: Event, now: int, server_now: int | None = None) -> Decision:
        """Decide, commit and publish one event."""
        decision = self.engine.process(event, moment(now, server_now))
        self.journal.keep(decision)
        self.publish()
        return decision

    def price(
        self, value: int | str, at: int, symbol: str = SYMBOL, source: PriceSource = "mark"
    ) -> Decision | None:
        """One price by the market thread's way; None when the bands held it back.

        Of several decisions the first that fired, else the last.
        """
        ticks = self.board.seen(symbol, source, Decimal(value), at, at)
        decisions = [self.process(tick, at) for tick in ticks]
        last = decisions[-1] if decisions else None
        return next((each for each in decisions if each.new_runs), last)


def fired(decision: Decision | None) -> list[str]:
    """The ids of the rules that fired."""
    return [] if decision is None else [run.identity.rule_id for run in decision.new_runs]


def reasons(decision: Decision | None) -> list[str]:
    """Why rules did not fire, in the journal's words."""
    records = [] if decision is None else decision.records
    return [record.reason for record in records if record.kind == "refused"]


def notes(decision: Decision | None) -> list[str]:
    """The changes of state that were recorded: armed, crossed, reset."""
    records = [] if decision is None else decision.records
    return [record.kind for record in records if record.kind in ("armed", "crossed", "reset")]
