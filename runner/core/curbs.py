"""Losses past a guard: from then on nothing is opened, open entries go, and people are told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from runner.core import daily, losses
from runner.core.decision import Leg, Reason
from runner.core.events import AccountUpdate
from runner.core.guards import Bound, losses_of
from runner.core.judging import blocks_of
from runner.core.legs import taken_back
from runner.core.limits import Limits
from runner.core.orders import AmendIntent, OrderIntent, OrderState
from runner.core.removing import clear_entries, clear_unloaded
from runner.core.rules import Rule
from runner.core.running import World
from runner.core.state import State, Work
from runner.core.switches import no_entries
from runner.core.values import dataclass

LOOK_EVERY = 10_000
"""Ms between two readings of the account while something is held and a loss is limited."""


@dataclass(slots=True)
class _Block:
    """Limits on losses, where they stand (in rule `rule_id`, if any), and the rules they bind."""

    limits: Limits
    rule_id: str
    rules: list[Rule] = field(default_factory=list)


def begin(world: World, state: State) -> None:
    """A start: what the day began with is what the journal remembers."""
    world.view.opening = daily.opening(state.memories)


def stated(work: Work, world: World, update: AccountUpdate) -> int | None:
    """Take a statement of the account into the view, and see whether too much is lost.

    Returns in how many ms the account shall be read again; None when nothing hurries.
    """
    view = world.view
    moved = daily.stated(work, view, update)
    blocks = _blocks(world)
    if update.equity is None or view.opening is None:
        return _hurry(world, blocks)
    losses.stated(work, update.equity, view.opening, moved)
    _follow(work, world, blocks)
    return _hurry(world, blocks)


def _hurry(world: World, blocks: Mapping[str, _Block]) -> int | None:
    """While something is held that may lose more than a guard allows, nobody else states it."""
    held = any(position.size for position in world.view.positions.values())
    return LOOK_EVERY if held and blocks else None


def follow(work: Work, world: World) -> None:
    """Close what is reached and was not yet, open what is over; both are told."""
    _follow(work, world, _blocks(world))


def _follow(work: Work, world: World, blocks: Mapping[str, _Block]) -> None:
    known = losses.now_known(work)
    before = losses.closed({losses.KEY: work.memory(*losses.KEY)})
    found: dict[str, str] = {}
    for where, block in blocks.items():
        checks = [] if known is None else losses_of(known, Bound(where, block.limits), work.now)
        for check in (check for check in checks if check.room < 0):
            key = f"{check.guard}, {where}"
            found[key] = before.get(key, check.text)
            if key not in before:
                _close(work, world, block, check.text)
    for key in before.keys() - found.keys():
        text = f"entries are taken again: {key} is no longer reached"
        work.record("notify", text, reason=Reason.GUARD.value)
    if found != before:
        losses.close(work, found)


def pass_time(work: Work, world: World) -> None:
    """A daily loss ends with its UTC day."""
    if losses.closed(work.state.memories):
        follow(work, world)


def _blocks(world: World) -> Mapping[str, _Block]:
    found: dict[str, _Block] = {}
    for rule in world.rules.rules.values():
        for where, limits, own in blocks_of(rule, world.rules, world.account, world.limits):
            if limits.max_daily_loss is not None or limits.max_drawdown is not None:
                found.setdefault(where, _Block(limits, own)).rules.append(rule)
    return found


def _close(work: Work, world: World, block: _Block, text: str) -> None:
    """From now on its rules open nothing: their open entries are cancelled, exits stay."""
    told = f"CRITICAL REDUCE-ONLY, open entries are cancelled and exits go on: {text}"
    work.record("notify", told, reason="critical")
    why = f"{Reason.GUARD.value}: {text}"
    for rule in block.rules:
        for symbol in rule.symbols:
            clear_entries(work, world, rule, symbol, why, "reduce_only")
    if block.rules and not block.rule_id:
        # what rules placed that run no more is the account's all the same
        clear_unloaded(work, world, block.rules[0], why, "reduce_only")


def withdraw(work: Work, world: World) -> None:
    """Entries that are to be sent, also once more, never leave while nothing may be opened.

    That is while a loss is past its guard, and while it is paused, killed or stopping: what was on
    its way when that began and was not accepted is not sent again.
    """
    shut = no_entries(work)
    reached = losses.closed({losses.KEY: work.memory(*losses.KEY)})
    if shut is None and not reached:
        return
    places = {key.partition(", ")[2] for key in reached}
    bound = {
        rule.id
        for where, block in _blocks(world).items()
        if where in places
        for rule in block.rules
    }
    why = shut[1] if shut is not None else next(iter(reached.values()))
    for known in list(work.state.restless.values()):
        leg = work.leg(known.client_order_id) or known
        held = shut is not None or work.rule_id(leg.run_id) in bound
        if held and leg.state is OrderState.PLANNED and _adds(leg):
            work.put_leg(taken_back(leg, work.now, why))


def _adds(leg: Leg) -> bool:
    """True for an entry, and for a change of one; a change that was sent asks what became of it."""
    if leg.intent.protective:
        return False
    changes = isinstance(leg.intent, AmendIntent) and leg.attempt == 0
    return changes or isinstance(leg.intent, OrderIntent)
