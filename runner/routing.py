"""Which accounts an alert or a command is for, and one answer from those of several accounts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from runner.core.decision import AlertAnswer, RuleAnswer
from runner.core.events import Command
from runner.core.firing import answered
from runner.core.rules import Rule, RuleSet
from runner.core.triggers.heartbeat import HeartbeatTrigger
from runner.core.triggers.webhook import WebhookTrigger


class Routes:
    """The rules by account; the first account is the default one. Indexed once, for every alert."""

    def __init__(self, shares: Mapping[str, RuleSet]) -> None:
        """`shares`: each account's rules."""
        self.shares = dict(shares)
        self._default = tuple(shares)[:1]
        self._by_path: dict[str, tuple[str, ...]] = {}
        self._by_rule: dict[str, tuple[str, ...]] = {}
        for name, share in shares.items():
            for rule in share.rules.values():
                _put(self._by_rule, rule.id, name)
                for path in _paths(rule):
                    _put(self._by_path, path, name)

    def of_alert(self, path: str) -> tuple[str, ...]:
        """The accounts with a rule that listens on this path; without one, the default account."""
        return self._by_path.get(path, self._default)

    def of_rule(self, rule_id: str) -> tuple[str, ...]:
        """The account of a rule; the default one tells that there is no such rule."""
        return self._by_rule.get(rule_id, self._default)

    def of_command(self, command: Command, account: str = "") -> tuple[str, ...]:
        """The account that is named, or that of the rule that is named, or all; none: unknown."""
        if account:
            return (account,) if account in self.shares else ()
        return self.of_rule(command.rule_id) if command.rule_id else tuple(self.shares)


def _put(index: dict[str, tuple[str, ...]], key: str, name: str) -> None:
    known = index.get(key, ())
    if name not in known:
        index[key] = (*known, name)


def _paths(rule: Rule) -> Iterator[str]:
    for trigger in rule.triggers:
        if isinstance(trigger, WebhookTrigger | HeartbeatTrigger):
            yield trigger.path


def told_together(answers: Mapping[str, AlertAnswer], *, command: bool) -> AlertAnswer:
    """One answer from each account's; a command is done when any of them did it.

    What one of them decided goes before what another one only stored.
    """
    if len(answers) == 1:
        return next(iter(answers.values()))
    if not command:
        rules = tuple(rule for answer in answers.values() for rule in answer.rules)
        decided = [rule for rule in rules if rule.outcome != "stored"]
        outcome = answered(decided) if decided else next(iter(answers.values())).outcome
        return AlertAnswer(outcome, rules)
    rules = tuple(
        replace(rule, detail=f"account {name}: {rule.detail}")
        for name, answer in answers.items()
        for rule in answer.rules
    )
    told = {answer.outcome for answer in answers.values()}
    best = next((word for word in ("done", "stored") if word in told), "refused")
    return AlertAnswer(best, rules)


def no_such_account(name: str, known: Sequence[str]) -> AlertAnswer:
    """The refusal of a command for an account that this runner does not trade with."""
    detail = f"there is no account {name} here: the accounts are {', '.join(known)}"
    return AlertAnswer("refused", (RuleAnswer("", "", "refused", detail=detail),))
