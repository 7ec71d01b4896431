"""What an earlier run of the same rule means for a later one: `mode: single, queued, restart`."""

from __future__ import annotations

from runner.core.decision import Leg, Reason, Run
from runner.core.legs import taken_back
from runner.core.orders import CancelIntent, OrderIntent, OrderState
from runner.core.rules import Rule
from runner.core.state import Work
from runner.core.values import replace

ON_ITS_WAY = frozenset({OrderState.SENDING, OrderState.UNKNOWN, OrderState.LIVE})

MOST_QUEUED = 10
"""Runs of one rule and symbol that may wait for their turn."""

MOST_STORED = 1_000
"""The same where their senders were answered before: they cannot send it again."""

ELSE = "mode: queued runs it afterwards, mode: restart in its place"


def no_room(
    work: Work, rule: Rule, symbol: str, *, stored: bool = False
) -> tuple[Reason, str] | None:
    """Why an earlier run keeps a new one from beginning; None when it does not.

    More may wait where the alert was `stored` before it could be decided.
    """
    going_on = work.all_running(rule.id, symbol)
    if rule.supersedes or not going_on or rule.mode == "restart":
        return None
    if rule.mode == "single":
        text = f"run {going_on[0]} goes on, and mode is single: {ELSE}"
        return Reason.STILL_RUNNING, text
    waiting, most = len(going_on) - 1, MOST_STORED if stored else MOST_QUEUED
    if waiting < most:
        return None
    text = f"{waiting} runs wait behind run {going_on[0]}, and no more than {most} may"
    return Reason.QUEUE_FULL, text


def behind(work: Work, rule: Rule, run: Run) -> str:
    """The run that a queued one waits for; empty when it is its turn."""
    return work.all_running(rule.id, run.identity.symbol)[0] if must_wait(work, rule, run) else ""


def must_wait(work: Work, rule: Rule, run: Run) -> bool:
    """True while a run of a queued rule stands behind an earlier one."""
    if rule.mode != "queued" or rule.supersedes:
        return False
    return work.all_running(run.identity.rule_id, run.identity.symbol)[0] != run.run_id


def over(work: Work, run: Run) -> None:
    """A run has ended: the next of its rule may begin."""
    for run_id in work.all_running(run.identity.rule_id, run.identity.symbol)[:1]:
        work.touch(run_id)


def step_aside(work: Work, rule: Rule, run: Run, newer: str) -> None:
    """A newer run takes this one's place."""
    make_way(work, rule, run, f"{Reason.SUPERSEDED.value}: run {newer} took its place")


def make_way(work: Work, rule: Rule, run: Run, text: str) -> None:
    """This run begins nothing more: its open entries go, what has filled keeps its exits.

    Entries that were not sent never leave, the others are cancelled. An action that has begun is
    watched to its end, since a bracket's exits follow what its entry filled until it was gone.
    """
    legs = work.legs_of(run.run_id)
    begun = any(
        name.startswith(f"{run.step}.") and (leg.cumulative_quantity or leg.state in ON_ITS_WAY)
        for name, leg in legs.items()
    )
    for leg in legs.values():
        if is_entry(leg):
            take_off(work, run, leg, f"aside.{leg.name}", text)
    if run.step < len(rule.actions):
        reason = "; ".join(each for each in (f"stopped {text}", run.reason) if each)
        watching = (*run.watching, run.step) if begun else run.watching
        run = replace(run, step=len(rule.actions), watching=watching, reason=reason)
    work.put_run(run)
    work.touch(run.run_id)


def is_entry(leg: Leg) -> bool:
    """True for an open order that makes a position larger."""
    return isinstance(leg.intent, OrderIntent) and not leg.intent.protective and leg.open


def take_off(work: Work, run: Run, leg: Leg, name: str, why: str) -> None:
    """Withdraw an order that was not sent; cancel any other, by a leg of this name of the run."""
    if leg.state is OrderState.PLANNED:
        work.put_leg(taken_back(leg, work.now, why))
        return
    of, intent = run.identity, leg.intent
    cancel = CancelIntent(
        of.client_order_id(name), intent.symbol, intent.family, leg.client_order_id
    )
    if work.leg(cancel.client_order_id) is None:
        planned = Leg(cancel, run.run_id, name, OrderState.PLANNED, work.now, updated_at=work.now)
        work.put_leg(planned)
