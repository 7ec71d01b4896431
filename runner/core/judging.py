"""Puts what an action wants before the guards, in order: the verdicts that its legs carry."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from runner.core import losses
from runner.core.exposure import Ahead
from runner.core.guards import Asked, Bound, bounds, setting_verdict, verdict
from runner.core.limits import Limits
from runner.core.orders import AmendIntent, Intent, OrderIntent, SettingIntent
from runner.core.rules import Planned, Rule, RuleSet
from runner.core.state import Work
from runner.core.values import replace
from runner.core.view import View

OF_ACCOUNT = "guards of account "
"""How the place of an account's own limits begins."""

Blocks = list[tuple[str, Limits, str]]


class Refused(Exception):
    """A guard refuses an order, and with it all that its action wants."""


def blocks_of(rule: Rule, rules: RuleSet, account: str, of_account: Limits) -> Blocks:
    """Every block of limits that binds the rule, and where it stands.

    A run goes on with the rule as it was; where the files have changed since, both bind it.
    """
    found: Blocks = [(f"{OF_ACCOUNT}{account} in runner.yaml", of_account, "")]
    newer = rules.rules.get(rule.id, rule)
    for each in (rule,) if newer.text_hash == rule.text_hash else (rule, newer):
        file = each.file.rpartition("/")[2] or "its rule file"
        found.append((f"guards of {file}", each.limits, ""))
        found.append((f"guards of rule {each.id}", each.own_limits, each.id))
    return found


def judge(
    work: Work,
    view: View,
    blocks_of_rule: Callable[[str], Blocks],
    rule_id: str,
    symbol: str,
    new: Sequence[Planned],
) -> Mapping[str, Any]:
    """The verdict of each leg by its name, plain. Raises Refused with the first that is refused.

    Each is judged with those before it on their way: several orders of one decision count
    together. A change of an order is bound by the limits of the order's own rule, too.
    """
    applying = bounds(blocks_of_rule(rule_id), symbol)
    ahead, lost, found = Ahead(work), losses.now_known(work) or losses.unhurt(view, work.now), {}
    for planned in new:
        order = as_order(work, planned.intent)
        if order is None:
            _setting(planned.intent, applying)
            continue
        asked, binding, leg = Asked(order, view, ahead, lost, work.now), applying, None
        owner = rule_id
        if isinstance(planned.intent, AmendIntent):
            # it takes its own place; what it filled is part of the position
            leg = work.leg(planned.intent.target)
            assert leg is not None
            before = ahead.without(leg.client_order_id)
            asked = replace(asked, ahead=before, filled=leg.cumulative_quantity)
            owner = work.rule_id(leg.run_id) or rule_id
            if owner != rule_id:
                binding = (*applying, *bounds(blocks_of_rule(owner), symbol))
        judged = verdict(asked, binding)
        if judged.refused:
            raise Refused(judged.refused)
        if leg is not None and not order.protective:
            ahead.changed(leg, order, owner)
        elif not order.protective:
            ahead.passed(order, rule_id)
        found[planned.name] = judged.plain()
    return found


def _setting(intent: Intent, applying: Sequence[Bound]) -> None:
    refused = setting_verdict(intent, applying) if isinstance(intent, SettingIntent) else ""
    if refused:
        raise Refused(refused)


def as_order(work: Work, intent: Intent) -> OrderIntent | None:
    """What a guard looks at: an order, or an order as it will be."""
    if isinstance(intent, OrderIntent):
        return intent
    target = work.leg(intent.target) if isinstance(intent, AmendIntent) else None
    if target is None or not isinstance(target.intent, OrderIntent):
        return None
    assert isinstance(intent, AmendIntent)
    return replace(target.intent, price=intent.price, quantity=intent.quantity)
