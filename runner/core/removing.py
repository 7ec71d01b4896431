"""What a reload takes out: its open entries stay on the book, or are cancelled (`on_remove`)."""

from __future__ import annotations

from collections.abc import Iterator

from runner.core.decision import Leg, Reason, Run, RunStatus
from runner.core.modes import is_entry, make_way, take_off
from runner.core.orders import Identity
from runner.core.rules import Rule, RuleSet
from runner.core.running import World
from runner.core.state import Work

WHY = f"{Reason.SUPERSEDED.value}: its rule was removed"


def clear(work: Work, world: World, rules: RuleSet) -> None:
    """Cancel the open entries of what is removed and says so; exits of what filled stay."""
    for former, heir, symbol in _removed(world.rules, rules):
        if (heir or former).cancel_on_remove:
            clear_entries(work, world, former, symbol, WHY, "removed")


def _removed(before: RuleSet, after: RuleSet) -> Iterator[tuple[Rule, Rule | None, str]]:
    """Each former rule, what it is now, and a symbol that it trades no more."""
    heirs = {rule.renamed_from: rule for rule in after.rules.values()}
    for rule in before.rules.values():
        heir = after.rules.get(rule.id) or heirs.get(rule.id)
        for symbol in rule.symbols:
            if heir is None or symbol not in heir.symbols:
                yield rule, heir, symbol


def clear_entries(
    work: Work, world: World, rule: Rule, symbol: str, why: str, trigger: str
) -> None:
    """Take a rule's open entries of one symbol off the book; its runs begin nothing more."""
    for run_id in work.all_running(rule.id, symbol):
        run = work.run(run_id)
        assert run is not None
        make_way(work, work.state.revisions.get(run.rule_hash, rule), run, why)
    _clear(work, world, rule, symbol, list(_left(work, rule.id, symbol)), why, trigger)


def clear_unloaded(work: Work, world: World, carrier: Rule, why: str, trigger: str) -> None:
    """Take entries of rules that are loaded no more off the book; `carrier` lends its text."""
    rules = world.rules.rules
    for run in list(work.state.runs.values()):
        own, rule_id = work.state.revisions.get(run.rule_hash), run.identity.rule_id
        # a person's command is no rule's run: a kill goes on
        if own is not None and rule_id not in rules and not rule_id.startswith(":"):
            make_way(work, own, run, why)
    legs: dict[str, list[Leg]] = {}
    for leg in list(work.state.legs.values()):
        now = work.leg(leg.client_order_id) or leg
        own_run = work.run(now.run_id)
        going_on = own_run is not None and own_run.status is RunStatus.RUNNING
        if is_entry(now) and not going_on and work.rule_id(now.run_id) not in rules:
            legs.setdefault(now.intent.symbol, []).append(now)
    for symbol, left in legs.items():
        _clear(work, world, carrier, symbol, left, why, f"{trigger}.unloaded")


def _clear(
    work: Work, world: World, rule: Rule, symbol: str, left: list[Leg], why: str, trigger: str
) -> None:
    """Cancel these by a run that is over: the runs that placed them are over, too."""
    if not left:
        return
    who = Identity(world.namespace, world.account, rule.id, trigger, symbol, str(work.now))
    run = Run(who.run_id(), who, rule.text_hash, {}, work.now, RunStatus.DONE, len(rule.actions))
    work.add_run(run, rule)
    orders = "1 open order is" if len(left) == 1 else f"{len(left)} open orders are"
    text = f"{why.partition(': ')[2]}: {orders} cancelled"
    work.record("run", text, rule_id=rule.id, symbol=symbol, run_id=run.run_id)
    for number, leg in enumerate(left):
        # two runs name their orders alike
        alone = leg.name not in {other.name for other in left[:number]}
        name = leg.name if alone else f"0.{leg.client_order_id}"
        take_off(work, run, leg, f"aside.{name}", why)


def _left(work: Work, rule_id: str, symbol: str) -> Iterator[Leg]:
    """Open entries of runs that are over."""
    running = work.all_running(rule_id, symbol)
    for leg in work.open_legs(symbol):
        if leg.run_id not in running and work.rule_id(leg.run_id) == rule_id and is_entry(leg):
            yield leg
