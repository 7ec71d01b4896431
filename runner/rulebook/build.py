"""A sound tree to rules: everything compiled, and the text from which it can be done again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any

from runner.core import limits
from runner.core.actions import ACTIONS
from runner.core.active import read as read_active
from runner.core.document import Node, Path, Problem, Scope
from runner.core.formula import BOOLEAN, Formula, Kind, Type, one_of
from runner.core.rules import Action, Mode, Rule, Trigger
from runner.core.triggers import TRIGGERS
from runner.core.view import scope as names_in_scope
from runner.errors import ConfigurationError
from runner.rulebook import canonical
from runner.rulebook.explain import is_valid
from runner.rulebook.guarding import read_guards
from runner.rulebook.symbols import Lists, rule_symbols
from runner.rulebook.times import check_schedule, read_zone

EXPIRES_AFTER = 60_000
COPIED = (
    "id",
    "name",
    "when",
    "if",
    "do",
    "timezone",
    "active",
    "mode",
    "renamed_from",
    "cooldown",
    "max_fires",
    "enabled",
    "dry_run",
    "expires_after",
    "on_unknown",
    "on_remove",
    "on_failure",
)
"""The keys of a rule that its canonical text takes over as written."""

Sound = Callable[[Path], bool]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a file says for all of its rules; its guards name no lists any more."""

    file: str = ""
    account: str = ""
    lists: Lists = field(default_factory=dict)
    guards: Mapping[str, Any] = field(default_factory=dict)


def build(node: Node, around: Surroundings, sound: Sound, line: int) -> Rule | None:
    """The rule at this place; notes every problem in it and returns None when there is one.

    `sound(path)` is False where the schema already objected: those parts are left out.
    """
    symbols = () if not _all(sound, node, "symbol", "symbols") else rule_symbols(node, around.lists)
    document = {
        **{key: node.value[key] for key in COPIED if node.has(key)},
        "account": node.value.get("account") or around.account,
        "symbols": list(symbols),
        "guards": dict(around.guards),
    }
    if node.has("guards") and _all(sound, node, "guards"):
        document["own_guards"] = read_guards(node.child("guards"), around.lists)
    return _compile(Node(document, node.path, node.scope, node.problems), sound, around.file, line)


def rebuild(text: str) -> Rule:
    """The rule of a canonical text, for runs that began under an older revision of it.

    Raises ConfigurationError when this version of the runner cannot read it any more.
    """
    try:
        document = canonical.parse(text)
    except ValueError as error:
        raise ConfigurationError(f"a stored rule is not JSON: {error}") from error
    problems: list[Problem] = []
    rule = None
    if _fits(document):
        rule = _compile(Node(document, (), {}, problems), _sound, "", 0)
    if rule is None:
        said = "; ".join(problem.message for problem in problems) or "its keys are unknown"
        raise ConfigurationError(f"a stored rule cannot be read by this version: {said}")
    return rule


def _sound(path: Path) -> bool:
    """Everything: the schema was asked before."""
    del path
    return True


def _fits(document: Any) -> bool:
    """True when the schema of this version has no objection to a canonical document."""
    if not isinstance(document, dict) or not {"guards", "symbols"} <= document.keys():
        return False
    rule = {key: value for key, value in document.items() if key not in ("guards", "own_guards")}
    if "own_guards" in document:
        rule["guards"] = document["own_guards"]
    if not rule.get("account"):
        rule.pop("account", None)
    tree: dict[str, Any] = {"version": 1, "rules": [rule]}
    if document["guards"]:
        tree["guards"] = document["guards"]
    return is_valid(tree)


def _all(sound: Sound, node: Node, *keys: str) -> bool:
    return all(sound((*node.path, key)) for key in keys)


def _compile(node: Node, sound: Sound, file: str, line: int) -> Rule | None:
    before = len(node.problems)
    names = dict(names_in_scope())
    node = node.with_scope(names)
    triggers = _triggers(node.child("when"), sound)
    whole = sound((*node.path, "when")) and None not in triggers
    fields, clash = trigger_fields([trigger for trigger in triggers if trigger is not None])
    if clash is not None:
        node.child("when").problem("trigger-field", *clash)
    node = node.with_scope({**names, **{f"trigger.{key}": kind for key, kind in fields.items()}})
    conditions = _conditions(node.child("if"), sound)
    actions = _actions(node.child("do"), sound)
    most = _max_fires(node) if sound((*node.path, "max_fires")) else (None, None)
    times = {
        key: node.duration(key) for key in ("cooldown", "expires_after") if sound((*node.path, key))
    }
    zone = read_zone(node.child("timezone")) if sound((*node.path, "timezone")) else UTC
    written = node.child("active")
    active = read_active(written, zone) if sound(written.path) else None
    if not whole:
        _forget_unknown_fields(node, before)
    failed = any(problem.severity == "error" for problem in node.problems[before:])
    if failed or not whole or not sound(node.path) or not node.value["symbols"]:
        return None
    text = canonical.dump(node.value)
    expires_after = times["expires_after"]
    return Rule(
        id=node.text("id"),
        name=node.text("name") or node.text("id"),
        account=node.text("account"),
        symbols=tuple(node.value["symbols"]),
        triggers=tuple(trigger for trigger in triggers if trigger is not None),
        conditions=tuple(formula for formula in conditions if formula is not None),
        actions=tuple(action for action in actions if action is not None),
        limits=limits.read(node.child("guards")),
        text=text,
        text_hash=canonical.digest(text),
        cooldown=times["cooldown"] or 0,
        max_fires=most[0],
        max_fires_per_day=most[1],
        enabled=node.flag("enabled", True),
        dry_run=node.flag("dry_run"),
        expires_after=EXPIRES_AFTER if expires_after is None else expires_after,
        hold_unknown=node.text("on_unknown") == "hold",
        cancel_on_remove=node.text("on_remove") == "cancel",
        stop_on_failure=node.text("on_failure", "stop") == "stop",
        mode=node.value.get("mode") or _usual_mode(node),
        active=active,
        zone=zone,
        renamed_from=node.text("renamed_from"),
        file=file,
        line=line,
        own_limits=limits.read(node.child("own_guards")),
    )


def _usual_mode(node: Node) -> Mode:
    """An alert is an instruction: where a run is soon over, the next waits and none is dropped.

    A bracket's run goes on as long as its exits: what would wait for it would come too late.
    """
    alerted = any("webhook" in entry for entry in node.value["when"] if isinstance(entry, dict))
    lasting = any("bracket" in entry for entry in node.value["do"] if isinstance(entry, dict))
    return "queued" if alerted and not lasting else "single"


def _entries(node: Node, sound: Sound) -> list[Node | None]:
    """The entries of a section; None for one that the schema objected to."""
    if not isinstance(node.value, list):
        return []
    return [item if sound(item.path) else None for item in node.items()]


def _triggers(node: Node, sound: Sound) -> list[Trigger | None]:
    """The triggers, named by kind and, from the second of a kind on, number: price, price#2."""
    triggers: list[Trigger | None] = []
    counts: dict[str, int] = {}
    for item in _entries(node, sound):
        if item is None:
            triggers.append(None)
            continue
        kind = next(iter(item.value))
        counts[kind] = counts.get(kind, 0) + 1
        name = kind if counts[kind] == 1 else f"{kind}#{counts[kind]}"
        below = item.child(kind)
        before = len(below.problems)
        trigger = TRIGGERS[kind].build(below, name)
        if kind == "schedule":
            check_schedule(below)
        triggers.append(trigger if len(below.problems) == before else None)
    return triggers


def _actions(node: Node, sound: Sound) -> list[Action | None]:
    actions: list[Action | None] = []
    for item in _entries(node, sound):
        if item is not None:
            kind = next(iter(item.value))
            actions.append(ACTIONS[kind].build(item.child(kind)))
    return actions


def _conditions(node: Node, sound: Sound) -> list[Formula | None]:
    return [item.formula(BOOLEAN) for item in _entries(node, sound) if item is not None]


def trigger_fields(triggers: list[Trigger]) -> tuple[Scope, tuple[str, str] | None]:
    """The fields all triggers together offer, and (message, cure) when two disagree on one."""
    fields: dict[str, Type] = {}
    owner: dict[str, str] = {}
    clash: tuple[str, str] | None = None
    for trigger in triggers:
        for key, kind in trigger.fields.items():
            known = fields.get(key)
            fields[key] = kind if known is None else _common(known, kind)
            if known is not None and known.kind is not kind.kind:
                message = (
                    f"trigger.{key} is {known.kind.value} in {owner[key]} and "
                    f"{kind.kind.value} in {trigger.name}"
                )
                clash = message, "give the field another name, or write two rules"
            owner.setdefault(key, trigger.name)
    return fields, clash


def _common(one: Type, other: Type) -> Type:
    """The type that takes the values of both."""
    if one.kind is not Kind.TEXT or one.values is None or other.values is None:
        return Type(one.kind)
    return one_of(*dict.fromkeys((*one.values, *other.values)))


def _forget_unknown_fields(node: Node, before: int) -> None:
    """While a trigger is broken its fields are unknown: what uses them cannot be judged."""
    kept = [
        problem
        for problem in node.problems[before:]
        if problem.code != "formula" or "trigger" not in problem.message
    ]
    node.problems[before:] = kept


def _max_fires(node: Node) -> tuple[int | None, int | None]:
    """(total, per day)."""
    child = node.child("max_fires")
    if isinstance(child.value, Mapping):
        return child.integer("total"), child.integer("per_day")
    return node.integer("max_fires"), None
