"""How a run goes on: its actions are asked, in order, what shall exist now."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import UTC
from decimal import Decimal
from functools import partial
from typing import Any, Literal

from runner.core import closers, deadman, judging, modes, recovery
from runner.core.cancelled import cancelled_by
from runner.core.decision import Leg, Reason, Run, RunStatus
from runner.core.formula import EvaluationError
from runner.core.legs import taken_back
from runner.core.limits import Limits
from runner.core.orders import (
    CancelIntent,
    Intent,
    OrderIntent,
    OrderState,
)
from runner.core.rules import ActionContext, DeadMan, Planned, Progress, Rule, RuleSet, Step
from runner.core.state import Entry, Work
from runner.core.switches import Latch, no_entries, switch_rule
from runner.core.values import dataclass, replace
from runner.core.view import Names, View
from runner.core.wording import change_words, intent_words, leg_words

DATA_PATIENCE = 10_000
"""Ms an action waits for data it names (a price after a restart) before it goes on without."""

ZERO = Decimal(0)
SIDES = ("BOTH", "LONG", "SHORT")

ASIDE = f"stopped {Reason.SUPERSEDED.value}:"

Seen = Callable[[str, str, str, str], str | None]
"""(rule id, trigger, symbol, event key) -> the run that fired for it, from the journal."""


@dataclass(slots=True)
class World:
    """What every decision needs besides the state: the rules, the view, who we are.

    `limits` are the account's own guards. `silence()` says for how many ms the exchange lets
    nothing be sent.
    """

    rules: RuleSet
    view: View
    namespace: str
    account: str
    seen: Seen
    limits: Limits = field(default_factory=Limits)
    silence: Callable[[], int] = field(default=lambda: 0)

    def names_before(self, work: Work, rule: Rule, symbol: str) -> Names:
        """The formulas' names for a rule that has not fired, at this moment."""
        memory, exposure = work.memory(rule.id, symbol), partial(work.exposure, symbol)
        return Names(self.view, symbol, work.now, {}, memory, exposure, rule.zone)

    def names(self, work: Work, run: Run) -> Names:
        """The formulas' names for a run, at this moment."""
        identity = run.identity
        memory = work.memory(identity.rule_id, identity.symbol)
        exposure = partial(work.exposure, identity.symbol)
        rule = rule_of(work, self, run)
        zone = UTC if rule is None else rule.zone
        sizes = _fills(work, self.view, run)
        unseen = sum(map(sizes, SIDES), ZERO)
        symbol = identity.symbol
        return Names(self.view, symbol, work.now, run.fields, memory, exposure, zone, unseen)


def rule_of(work: Work, world: World, run: Run) -> Rule | None:
    """The rule as it was when the run began."""
    rule = work.state.revisions.get(run.rule_hash)
    if rule is None:
        rule = world.rules.rules.get(run.identity.rule_id)
    return rule if rule is not None and rule.text_hash == run.rule_hash else None


def advance(work: Work, world: World, run_id: str) -> None:
    """Ask the run's actions until none has anything new to say."""
    run = work.run(run_id)
    if run is None or run.status is not RunStatus.RUNNING:
        return
    rule = rule_of(work, world, run)
    if rule is None:
        why = f"{Reason.ERROR.value}: its rule's text is lost"
        _alarm(work, run, why)
        _end(work, run, RunStatus.STOPPED, why)
        return
    if modes.must_wait(work, rule, run):
        return
    while True:
        work.asked(run_id)
        before, legs = run, len(work.legs_of(run_id))
        run = _ask_watched(work, world, rule, run)
        run = _ask_next(work, world, rule, run)
        if run.status is not RunStatus.RUNNING:
            _end(work, run, run.status, run.reason)
            return
        if run != before:
            work.put_run(run)
        elif legs == len(work.legs_of(run_id)):
            return


def _end(work: Work, run: Run, status: RunStatus, reason: str) -> None:
    work.put_run(replace(run, status=status, reason=reason))
    modes.over(work, run)
    text = f"stopped: {reason}"
    if status is RunStatus.DONE:
        text = f"done, but: {reason}" if reason else "done"
    work.record("run", text, reason=_code(reason), **_who(run))


def _code(text: str) -> str:
    """The word of the closed list that a run's reason begins with; empty for an alarm's text."""
    word = text.partition(":")[0]
    return word if word in frozenset(Reason) else ""


def _who(run: Run) -> dict[str, str]:
    identity = run.identity
    return {"rule_id": identity.rule_id, "symbol": identity.symbol, "run_id": run.run_id}


def _ask_watched(work: Work, world: World, rule: Rule, run: Run) -> Run:
    """Earlier actions that still have something to do, such as a bracket's exits."""
    for index in run.watching:
        step = _ask(work, world, rule, run, index)
        refused = _plan(work, world, rule, run, step) is not None
        # what a newer run took off the book has failed as it should
        failed = step.progress is Progress.FAILED and not run.reason.startswith(ASIDE)
        if refused or failed:
            _alarm(work, run, step.detail or "a guard refused an exit")
        if step.progress in (Progress.DONE, Progress.FAILED):
            run = replace(run, watching=tuple(i for i in run.watching if i != index))
        run = _ended(work, _told(work, run, step), step)
    return run


_SEVERAL = re.compile(r"; (?![^()]*\))")
"""Between two problems; a cure in brackets may have its own."""


def _told(work: Work, run: Run, step: Step) -> Run:
    """Raise the alarm for each critical problem once; the run's reason remembers which."""
    for problem in _SEVERAL.split(step.detail) if step.critical else ():
        if problem not in _SEVERAL.split(run.reason):
            _alarm(work, run, problem)
            run = replace(run, reason=_joined(run.reason, problem))
    return run


def _ended(work: Work, run: Run, step: Step) -> Run:
    """An action may be done for a reason that the run keeps, such as a position closed by hand."""
    if step.progress is not Progress.DONE or step.reason is None:
        return run
    work.record("notify", f"{run.identity.symbol}: {step.detail}", **_who(run))
    reason = f"{step.reason.value}: {step.detail}"
    first = run.reason.startswith("stopped ")
    return replace(
        run, reason=_joined(run.reason, reason) if first else _joined(reason, run.reason)
    )


def _joined(*reasons: str) -> str:
    return "; ".join(reason for reason in reasons if reason)


def _ask_next(work: Work, world: World, rule: Rule, run: Run) -> Run:
    """The action that is next, if the one before lets it begin."""
    if run.step >= len(rule.actions):
        if run.watching:
            return run
        stopped = run.reason.startswith("stopped ")
        status = RunStatus.STOPPED if stopped else RunStatus.DONE
        return replace(run, status=status, reason=run.reason.removeprefix("stopped "))
    step = _ask(work, world, rule, run, run.step)
    refused = _plan(work, world, rule, run, step)
    if refused is not None:
        step = Step(Progress.FAILED, reason=Reason.GUARD, detail=refused)
    for name in step.withdraw:
        _take_back(work, run, work.legs_of(run.run_id)[name], step.detail)
    run = _told(work, run, step)
    if step.progress is Progress.WAITING:
        return run
    if step.progress is Progress.FAILED:
        return _failed(work, rule, run, step)
    _say(work, rule, run, step)
    run = _ended(work, run, step)
    if step.progress is Progress.PASSED:
        return replace(run, step=run.step + 1, watching=(*run.watching, run.step))
    return replace(run, step=run.step + 1)


def _ask(work: Work, world: World, rule: Rule, run: Run, index: int) -> Step:
    action = rule.actions[index]
    mine = f"{index}."
    legs = {name: leg for name, leg in work.legs_of(run.run_id).items() if name.startswith(mine)}
    names = world.names(work, run)
    waiting = work.state.waiting
    since = waiting.get((run.run_id, index), work.now)
    overdue = work.now - since >= DATA_PATIENCE
    fills, closed = _fills(work, world.view, run), partial(closers.closed, work)
    cancels = partial(cancelled_by, work)
    context = ActionContext(
        run, rule, index, names, legs, _open_legs(work, run), overdue, fills, closed, cancels
    )
    try:
        step = action.step(context)
    except EvaluationError as error:
        if error.name is not None and not overdue:
            waiting.setdefault((run.run_id, index), work.now)
            return Step(Progress.WAITING)
        step = Step(Progress.FAILED, reason=Reason.ERROR, detail=f"{action.kind}: {error.reason}")
    except Exception as error:  # noqa: BLE001 - our mistake stops this run, not what led here
        step = Step(Progress.FAILED, reason=Reason.ERROR, detail=f"{action.kind}: {error!r}")
    waiting.pop((run.run_id, index), None)
    work.state.held_up.pop((run.run_id, index), None)
    if step.ask_again:
        work.state.held_up[run.run_id, index] = None
    return step


def _open_legs(work: Work, run: Run) -> Callable[[str | None], tuple[Leg, ...]]:
    def of_rule(rule_id: str | None) -> tuple[Leg, ...]:
        mine = work.open_legs(run.identity.symbol)
        if rule_id is None:
            return tuple(mine)
        return tuple(leg for leg in mine if work.rule_id(leg.run_id) == rule_id)

    return of_rule


def _fills(work: Work, view: View, run: Run) -> Callable[[str], Decimal]:
    symbol = run.identity.symbol

    def of_side(side: str) -> Decimal:
        if work.all_seen:
            return ZERO
        return work.unseen_size(symbol, side, _stated_time(view, symbol, side), exits=True)

    return of_side


def _plan(work: Work, world: World, rule: Rule, run: Run, step: Step) -> str | None:
    """Add the legs an action wants, all or none; the guard's text when one is refused."""
    known = work.legs_of(run.run_id)
    new = [_held(rule, planned) for planned in step.planned if planned.name not in known]
    if not new:
        return None
    shut = no_entries(work)
    if shut is not None and any(_opens(work, planned.intent) for planned in new):
        return f"{shut[0].value}: {shut[1]}"
    rule_id, symbol = run.identity.rule_id, run.identity.symbol

    def blocks(of: str) -> judging.Blocks:
        found = rule if of == rule_id else world.rules.rules.get(of)
        return judging.blocks_of(found, world.rules, world.account, world.limits) if found else []

    try:
        verdicts = judging.judge(work, world.view, blocks, rule_id, symbol, new)
    except judging.Refused as refused:
        return str(refused)
    for planned in new:
        _add(work, run, planned, verdicts.get(planned.name, {}))
        _withdraw(work, run, planned.intent)
    entries = [planned for planned in new if not planned.intent.protective]
    work.entries += [Entry(work.now, rule_id, symbol)] * len(entries)
    return None


def _held(rule: Rule, planned: Planned) -> Planned:
    """An entry of a rule that wants a person to decide what was lost on its way."""
    intent = planned.intent
    if not (rule.hold_unknown and isinstance(intent, OrderIntent)) or intent.protective:
        return planned
    return replace(planned, intent=replace(intent, hold_unknown=True))


def _opens(work: Work, intent: Intent) -> bool:
    """True for what may open or add to a position, changes of such an order included."""
    order = judging.as_order(work, intent)
    return order is not None and not order.protective


def _stated_time(view: View, symbol: str, side: str) -> int:
    """When a position was last stated (server time)."""
    position = view.positions.get((symbol, side))
    return 0 if position is None else position.event_time


def _leg(work: Work, run: Run, planned: Planned) -> Leg:
    return Leg(
        intent=planned.intent,
        run_id=run.run_id,
        name=planned.name,
        state=OrderState.PLANNED,
        planned_at=work.now,
        deadline=planned.deadline,
        ask_first=isinstance(planned.intent, OrderIntent) and recovery.ask_first(work, run),
        updated_at=work.now,
    )


def _add(work: Work, run: Run, planned: Planned, verdict: Mapping[str, Any]) -> None:
    work.put_leg(_leg(work, run, planned))
    work.record(
        "planned",
        intent_words(planned.intent, planned.name),
        client_order_id=planned.intent.client_order_id,
        data=verdict,
        **_who(run),
    )


def _withdraw(work: Work, run: Run, intent: Intent) -> None:
    """A cancel of what was not sent yet: it never leaves."""
    target = work.leg(intent.target or "") if isinstance(intent, CancelIntent) else None
    if target is not None:
        _take_back(work, run, target, "cancelled before it was sent")


def _take_back(work: Work, run: Run, leg: Leg, why: str) -> None:
    """What was not sent yet never leaves."""
    if leg.state is not OrderState.PLANNED:
        return
    after = taken_back(leg, work.now, why)
    work.put_leg(after)
    if after.state is leg.state:
        return
    text = f"{leg_words(leg.name)}: {change_words(leg.state, OrderState.LAPSED)} ({why})"
    who = {**_who(run), "rule_id": work.rule_id(leg.run_id), "run_id": leg.run_id}
    work.record("state", text, client_order_id=leg.client_order_id, **who)


def _failed(work: Work, rule: Rule, run: Run, step: Step) -> Run:
    assert step.reason is not None
    reason = f"{step.reason.value}: {step.detail}"
    if not rule.stop_on_failure:
        text = f"action {run.step + 1} failed: {reason}; the next begins"
        work.record("run", text, reason=step.reason.value, **_who(run))
        return replace(run, step=run.step + 1, reason=_joined(run.reason, reason))
    # what is being watched goes on: a failed notify must not leave a position without its exits
    stopped = _joined(f"stopped {reason}", run.reason)
    return replace(run, step=len(rule.actions), reason=stopped)


def _say(work: Work, rule: Rule, run: Run, step: Step) -> None:
    if step.detail:
        kind = rule.actions[run.step].kind
        work.record("run", f"{kind}: {step.detail}", **_who(run))
    for note in step.notes:
        work.record("notify", note, **_who(run))
    for rule_id, on in step.switch.items():
        _switch(work, rule_id, on, run)
    for symbol, dead_man in step.arm.items():
        _arm(work, symbol, dead_man, run)


def _switch(work: Work, rule_id: str, on: bool, run: Run) -> None:
    """A switched rule is switched on every symbol: the empty symbol stands for all."""
    if switch_rule(work, rule_id, on, Latch(f"rule {run.identity.rule_id}", work.now)):
        text = f"{rule_id} {'enabled' if on else 'disabled'}"
        work.record("state", text, **{**_who(run), "rule_id": rule_id})


def _arm(work: Work, symbol: str, switch: DeadMan | Literal["file"] | None, run: Run) -> None:
    """Kept like a rule's memory, so that it outlasts restarts and reloads."""
    memory = work.memory(deadman.ARMED, symbol)
    after = replace(memory, enabled=switch is not None, triggers=deadman.written(switch))
    if after != memory:
        work.put_memory(deadman.ARMED, symbol, after)
        text = f"the dead man of {symbol} is {'disarmed' if switch is None else 'armed'}"
        work.record("dead_man", text, **{**_who(run), "symbol": symbol})


def _alarm(work: Work, run: Run, detail: str) -> None:
    work.record("notify", f"CRITICAL {detail}", reason="critical", **_who(run))
