"""Which accounts an alert or a command is for, and one answer from those of several accounts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from runner.core.decision import AlertAnswer, RuleAnswer
from runner.core.events import Command
from runner.core.firing import answered
from runner.core.rules import Rule, RuleSet
from runner.core.triggers.heartbeat import HeartbeatTrigger
from runner.core.triggers.webhook import WebhookTrigger


@dataclass(frozen=True, slots=True)
class Routes:
    """The rules by account; the first account is the default one."""

    shares: Mapping[str, RuleSet]

    def of_alert(self, path: str) -> tuple[str, ...]:
        """The accounts with a rule that listens on this path; without one, the default account."""
        return self._with(lambda rule: path in set(_paths(rule)))

    def of_rule(self, rule_id: str) -> tuple[str, ...]:
        """The account of a rule; the default one tells that there is no such rule."""
        return self._with(lambda rule: rule.id == rule_id)

    def of_command(self, command: Command, account: str = "") -> tuple[str, ...]:
        """The account that is named, or that of the rule that is named, or all; none: unknown."""
        if account:
            return (account,) if account in self.shares else ()
        return self.of_rule(command.rule_id) if command.rule_id else tuple(self.shares)

    def _with(self, fits: Callable[[Rule], bool]) -> tuple[str, ...]:
        found = [
            name for name, share in self.shares.items() if any(map(fits, share.rules.values()))
        ]
        return tuple(found) or tuple(self.shares)[:1]


def _paths(rule: Rule) -> Iterator[str]:
    for trigger in rule.triggers:
        if isinstance(trigger, WebhookTrigger | HeartbeatTrigger):
            yield trigger.path


def told_together(answers: Mapping[str, AlertAnswer], *, command: bool) -> AlertAnswer:
    """One answer from each account's; a command is done when any of them did it."""
    if len(answers) == 1:
        return next(iter(answers.values()))
    if not command:
        rules = tuple(rule for answer in answers.values() for rule in answer.rules)
        outcome = answered(rules) if rules else next(iter(answers.values())).outcome
        return AlertAnswer(outcome, rules)
    rules = tuple(
        replace(rule, detail=f"account {name}: {rule.detail}")
        for name, answer in answers.items()
        for rule in answer.rules
    )
    done = any(answer.outcome == "done" for answer in answers.values())
    return AlertAnswer("done" if done else "refused", rules)


def no_such_account(name: str, known: Sequence[str]) -> AlertAnswer:
    """The refusal of a command for an account that this runner does not trade with."""
    detail = f"there is no account {name} here: the accounts are {', '.join(known)}"
    return AlertAnswer("refused", (RuleAnswer("", "", "refused", detail=detail),))
