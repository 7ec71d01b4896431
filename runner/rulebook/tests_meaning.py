"""What a tests file says that only its rules can tell: ids, paths, reasons and actions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path as FilePath

from runner.core.decision import Reason
from runner.core.document import Node
from runner.core.rules import Rule
from runner.rulebook.load import load
from runner.rulebook.tests_model import Step, TestsFile
from runner.rulebook.tests_schema import WORDS
from runner.rulebook.words import meant, shown


def rule_at(tests: TestsFile, node: Node) -> Rule | None:
    """The rule of that id; notes a problem, with a suggestion, when there is none."""
    if tests.rules is None:
        return None
    rule = tests.rules.rules.get(str(node.value))
    if rule is None:
        known = list(tests.rules.rules)
        guess = meant(str(node.value), known)
        cure = f"did you mean {guess}?" if guess else f"the rules: {', '.join(known)}"
        where = tests.rules_file.name if tests.rules_file else "the rule file"
        node.problem("unknown-rule", f"there is no rule {shown(node.value)} in {where}", cure)
    return rule


def check_step(tests: TestsFile, test: Node, step: Step, rule: Rule | None) -> None:
    """Note the problems of one step that only the rule can tell."""
    node = test.child("steps").child(int(step.path[-1]))
    if step.reload:
        _load_other(tests, node.child("reload"))
    if rule is None:
        return
    if step.hook:
        _check_hook(tests, node.child("webhook").child("path"))
    if step.because:
        _check_because(node.child("because"), step.because, rule)
    if isinstance(step.expect, Mapping):
        _check_expect(tests, node.child("expect"), rule)


def _load_other(tests: TestsFile, node: Node) -> None:
    name = str(node.value)
    path: FilePath = tests.path.parent / name
    if name in tests.reloads:
        return
    if not path.is_file():
        node.problem("no-file", f"there is no rule file {path}")
        return
    loaded = load(path)
    tests.found += loaded.errors
    if loaded.rules is not None:
        tests.reloads[name] = loaded.rules


def _check_hook(tests: TestsFile, node: Node) -> None:
    assert tests.rules is not None
    triggers = [trigger for rule in tests.rules.rules.values() for trigger in rule.triggers]
    known = sorted({t.interest[1] for t in triggers if t.interest[0] == "webhook"})
    if str(node.value) not in known and not tests.reloads:
        guess = meant(str(node.value), known)
        cure = f"did you mean {guess}?" if guess else f"the paths: {', '.join(known) or 'none'}"
        node.problem("unknown-path", f"no rule waits for alerts on {shown(node.value)}", cure)


def _check_because(node: Node, because: str, rule: Rule) -> None:
    """A reason that can never be recorded would make the test wrong for ever."""
    words = [reason.value for reason in Reason]
    reason = reason_of(because)
    if reason is None:
        guess = meant(because, words)
        listed = "write one of docs/reasons.md, such as not armed or cooldown"
        cure = f"did you mean {guess}?" if guess else listed
        node.problem("because", f"{shown(because)} is no reason that is recorded", cure)
    elif reason is Reason.IF and because != reason.value:
        known = [" ".join(formula.text.split()) for formula in rule.conditions]
        text = because.removeprefix("if ")
        if text not in known:
            guess = meant(text, known)
            listed = " or ".join(f"if {each}" for each in known)
            cure = f"did you mean if {guess}?" if guess else f"write {listed or 'another'}"
            node.problem("because", f"{rule.id} has no condition {shown(text)}", cure)


def reason_of(because: str) -> Reason | None:
    """The reason that a `because:` begins with, the longest that fits."""
    fitting = [
        reason
        for reason in Reason
        if because == reason.value or because.startswith(f"{reason.value} ")
    ]
    return max(fitting, key=lambda reason: len(reason.value), default=None)


def _check_expect(tests: TestsFile, node: Node, rule: Rule) -> None:
    assert tests.rules is not None
    _check_sizes(node.child("place"))
    kinds = {action.kind for action in rule.actions}
    for key in node.value:
        if key not in WORDS and key != "place" and key not in kinds and not tests.reloads:
            message = f"{rule.id} has no {key} under do"
            cure = f"its actions: {', '.join(sorted(kinds))}; place is every order of them"
            node.child(key).problem("expect", message, cure, at_key=True)
    for key in ("enable", "disable"):
        for item in node.child(key).items():
            rule_at(tests, item)


def _check_sizes(node: Node) -> None:
    for item in node.items():
        if not (item.has("quantity") or item.flag("close_position")):
            message = "an order under place needs its quantity"
            item.problem("missing-key", message, "add quantity: 0.02")
