"""How a rule set takes the place of the one that runs: state is kept, and nothing fires."""

from __future__ import annotations

from collections.abc import Callable

from runner.core import curbs, removing
from runner.core.decision import Record
from runner.core.firing import lose_sight, trigger_memory
from runner.core.listening import Listening
from runner.core.rules import Begins, Rule, RuleSet, Trigger
from runner.core.running import World
from runner.core.state import State, Work
from runner.core.values import dataclass, replace


@dataclass(frozen=True, slots=True)
class Reload:
    """A rule set that shall run from now on, or a refused one (None), of which only is told.

    `told(running, state, now)` gives the record of it, before anything has changed; pure.
    """

    rules: RuleSet | None
    told: Callable[[RuleSet, State, int], Record]


def take_up(work: Work, world: World, listening: Listening, rules: RuleSet) -> None:
    """Run these rules from now on. If it raises, the former ones go on as they were."""
    for rule in rules.rules.values():
        if rule.renamed_from and rule.renamed_from not in rules.rules:
            _inherit(work, rule)
        for trigger in rule.triggers:
            if isinstance(trigger, Begins):
                for symbol in rule.symbols:
                    _begin(work, world, rule, symbol, trigger)
    removing.clear(work, world, rules)
    lose_sight(work, rules)
    listening.load(rules)
    going_on = {run.rule_hash for run in work.state.runs.values()}
    for text_hash in work.state.revisions.keys() - going_on:
        del work.state.revisions[text_hash]
    for rule in rules.rules.values():
        work.state.revisions[rule.text_hash] = rule
        work.decision.rule_texts[rule.text_hash] = rule.text
    world.rules = rules
    curbs.follow(work, world)


def _inherit(work: Work, rule: Rule) -> None:
    """Under its new id a rule goes on with what was kept under the old one."""
    for symbol in (*rule.symbols, ""):
        known = work.state.memories.get((rule.renamed_from, symbol))
        if known is not None and (rule.id, symbol) not in work.state.memories:
            work.put_memory(rule.id, symbol, known)


def _begin(work: Work, world: World, rule: Rule, symbol: str, trigger: Trigger) -> None:
    """What a trigger remembers from its first moment on: loading a rule never fires it."""
    assert isinstance(trigger, Begins)
    memory = work.memory(rule.id, symbol)
    own = trigger_memory(memory, trigger)
    names = world.names_before(work, rule, symbol)
    begun = trigger.begin(own, names)
    if begun != own:
        begun = {**begun, "fingerprint": trigger.fingerprint}
        triggers = {**memory.triggers, trigger.name: begun}
        work.put_memory(rule.id, symbol, replace(memory, triggers=triggers))
