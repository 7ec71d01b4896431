"""What holds between rules and between files: one id a rule, one secret a path, known names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runner.core.actions.arm import check_times
from runner.core.document import Node, Path, Problem
from runner.core.rules import DeadMan, Rule
from runner.rulebook.diagnostics import Diagnostic, Related
from runner.rulebook.source import Source
from runner.rulebook.words import meant

MOST_GUESSES = 100
"""Names that are compared with every id; among thousands of wrong ones it would take long."""


@dataclass(slots=True)
class Part:
    """One file's share: its rules with their places, its dead-man switches, and the account
    that it names for them.
    """

    source: Source
    rules: list[tuple[Path, Rule]] = field(default_factory=list)
    dead_men: list[DeadMan] = field(default_factory=list)
    account: str = ""

    def trees(self) -> Iterator[tuple[Path, Mapping[str, Any]]]:
        """Every rule as written, also those that are not sound."""
        tree = self.source.tree
        rules = tree.get("rules") if isinstance(tree, dict) else None
        for index, rule in enumerate(rules if isinstance(rules, list) else []):
            if isinstance(rule, dict):
                yield ("rules", index), rule


def read_dead_man(node: Node, symbols: Sequence[str]) -> list[DeadMan]:
    """A file's dead-man switch for each symbol; notes problems."""
    times = check_times(node)
    if times is None:
        return []
    require = tuple(sorted(str(item.value) for item in node.child("require").items()))
    return [DeadMan(symbol, *times, require) for symbol in symbols]


def check(
    parts: Sequence[Part], complete: bool, account_of: Callable[[str], str] = lambda _: ""
) -> list[Diagnostic]:
    """Every mistake between rules. `complete` is False when a file could not be read at all;
    `account_of` tells the account that a file's `account:` means.
    """
    found = [
        *_duplicate_ids(parts),
        *_secrets(parts),
        *_texts(parts),
        *_dead_men(parts, account_of),
        *_renames(parts),
    ]
    if complete:
        found += [*_references(parts), *_tags(parts), *_never_expires(parts)]
        found += _without_secret(parts)
    return found


def _duplicate_ids(parts: Sequence[Part]) -> Iterator[Diagnostic]:
    first: dict[str, tuple[Source, Path]] = {}
    for part in parts:
        for path, tree in part.trees():
            rule_id, place = tree.get("id"), (*path, "id")
            if not isinstance(rule_id, str):
                continue
            if rule_id not in first:
                first[rule_id] = part.source, place
                continue
            message = f"two rules have the id {rule_id}"
            cure = "ids keep the cooldown and the armed state, so each rule needs its own"
            other = _related(*first[rule_id], "the other is at")
            yield part.source.locate(Problem(place, "duplicate-id", message, cure), (other,))


def _related(source: Source, path: Path, text: str) -> Related:
    return Related(source.file, source.line(path), text)


def _secrets(parts: Sequence[Part]) -> Iterator[Diagnostic]:
    """The sender proves one secret for a path, whichever rules listen there."""
    first: dict[str, tuple[Source, Path, str, str]] = {}
    for part in parts:
        for path, route, hook in _hooks(part):
            secret = hook.get("secret")
            where = str(hook.get("secret_field", "secret"))
            if not isinstance(route, str) or not isinstance(secret, str):
                continue
            known = first.setdefault(route, (part.source, (*path, "secret"), secret, where))
            if known[2:] == (secret, where):
                continue
            same = known[2] == secret
            key = "secret_field" if same else "secret"
            value = known[3] if same else known[2]
            message = f"two rules listen on {route} with different {key}s"
            other = _related(known[0], known[1], "the other is at")
            problem = Problem((*path, key), "webhook-secret", message, f"write {key}: {value}")
            yield part.source.locate(problem, (other,))


def _texts(parts: Sequence[Part]) -> Iterator[Diagnostic]:
    """Text on a path is read in one way, whichever rules listen there."""
    first: dict[str, tuple[Source, Path, str, list[str]]] = {}
    hooks = [(part, place, hook) for part in parts for place, _, hook in _hooks(part)]
    for part, place, hook in hooks:
        route, body = hook.get("path"), hook.get("body") or {}
        if not isinstance(route, str) or not isinstance(body, dict):
            continue
        form = str(hook.get("text", "none"))
        words = [str(name) for name in body] if form == "words" else []
        known = first.setdefault(route, (part.source, place, form, words))
        if known[2:] == (form, words):
            continue
        key = "text" if "text" in hook else "path"
        same = known[2] == form
        message = f"two rules listen on {route} and read its text in different ways"
        cure = f"write body with {', '.join(known[3])} in this order" if same else "write the same"
        problem = Problem((*place, "body" if same else key), "webhook-text", message, cure)
        yield part.source.locate(problem, (_related(known[0], known[1], "the other is at"),))


def _renames(parts: Sequence[Part]) -> Iterator[Diagnostic]:
    """`renamed_from` is an id that no rule has any more, and that one rule takes over."""
    trees = [(part, path, tree) for part in parts for path, tree in part.trees()]
    ids = {tree.get("id") for _, _, tree in trees}
    heirs: dict[str, tuple[Source, Path]] = {}
    for part, path, tree in trees:
        former, place = tree.get("renamed_from"), (*path, "renamed_from")
        if not isinstance(former, str):
            continue
        if former in ids:
            message = f"there still is a rule {former}"
            problem = Problem(place, "renamed-from", message, "a rule has one name at a time")
            yield part.source.locate(problem)
        elif former in heirs:
            message = f"two rules say that they were {former}"
            problem = Problem(place, "renamed-from", message, "its state goes on in one of them")
            yield part.source.locate(problem, (_related(*heirs[former], "the other is at"),))
        heirs.setdefault(former, (part.source, place))


def _hooks(part: Part) -> Iterator[tuple[Path, Any, Mapping[str, Any]]]:
    """Every block that takes alerts: its place, the path of the alerts, and the block."""
    for path, hook in _kinds(part, "when", "webhook"):
        yield path, hook.get("path"), hook
    for path, block in _kinds(part, "when", "dead_man"):
        beat = block.get("heartbeat")
        if isinstance(beat, dict):
            yield (*path, "heartbeat"), beat.get("webhook"), beat


def _without_secret(parts: Sequence[Part]) -> Iterator[Diagnostic]:
    """A heartbeat leans on a webhook trigger of its path, unless it names the secret itself."""
    hooks = [(part, *hook) for part in parts for hook in _hooks(part)]
    open_paths = {str(route) for _, _, route, hook in hooks if "secret" in hook}
    for part, path, route, hook in hooks:
        if "heartbeat" not in path or "secret" in hook or not isinstance(route, str):
            continue
        if route not in open_paths:
            message = f"nothing takes alerts on {route}: no rule says their secret"
            cure = "add secret: the name of the secret that the alerts carry"
            problem = Problem((*path, "webhook"), "missing-key", message, cure)
            yield part.source.locate(problem)


def _kinds(part: Part, section: str, kind: str) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Every entry of a kind that is a block of keys."""
    for path, value in _entries(part, section, kind):
        if isinstance(value, dict):
            yield path, value


def _entries(part: Part, section: str, kind: str) -> Iterator[tuple[Path, Any]]:
    for path, tree in part.trees():
        entries = tree.get(section)
        for index, entry in enumerate(entries if isinstance(entries, list) else []):
            if isinstance(entry, dict) and kind in entry:
                yield (*path, section, index, kind), entry[kind]


def _dead_men(parts: Sequence[Part], account_of: Callable[[str], str]) -> Iterator[Diagnostic]:
    """A symbol has one countdown an account, so all files of the account must agree on it."""
    first: dict[tuple[str, str], tuple[Part, DeadMan]] = {}
    for part in parts:
        for dead_man in part.dead_men:
            key = account_of(part.account), dead_man.symbol
            other, known = first.setdefault(key, (part, dead_man))
            if known == dead_man:
                continue
            message = f"{dead_man.symbol} has another countdown or refresh in another file"
            related = _related(other.source, ("dead_man",), "the other is at")
            problem = Problem(("dead_man",), "dead-man", message, "a symbol has one countdown")
            yield part.source.locate(problem, (related,))


def _references(parts: Sequence[Part]) -> Iterator[Diagnostic]:
    """`disable:`, `enable:`, `cancel: {rule: …}` and the like name rules that exist."""
    trees = [tree for part in parts for _, tree in part.trees()]
    ids = [tree["id"] for tree in trees if isinstance(tree.get("id"), str)]
    if len(ids) < len(trees):
        return
    known, guessed = set(ids), 0
    for part in parts:
        for path, name in named(part):
            if isinstance(name, str) and name not in known:
                guess = meant(name, ids) if guessed < MOST_GUESSES else None
                guessed += 1
                cure = f"did you mean {guess}?" if guess else f"the rules: {', '.join(ids[:8])}"
                problem = Problem(path, "unknown-rule", f"there is no rule {name}", cure)
                yield part.source.locate(problem)


def named(part: Part) -> Iterator[tuple[Path, Any]]:
    """Every place at which a rule names another one, with what stands there."""
    for kind in ("disable", "enable"):
        for path, value in _entries(part, "do", kind):
            if isinstance(value, list):
                yield from (((*path, index), name) for index, name in enumerate(value))
            else:
                yield path, value
    for kind in ("cancel", "modify"):
        for path, value in _kinds(part, "do", kind):
            yield (*path, "rule"), value.get("rule")
    for path, value in _kinds(part, "when", "order"):
        yield (*path, "rule"), value.get("rule")


def _tags(parts: Sequence[Part]) -> Iterator[Diagnostic]:
    """`cancel: {tag: …}` and the like name tags that an order carries."""
    known = {tag for part in parts for _, rule in part.trees() for tag in _carried(rule.get("do"))}
    for part in parts:
        for section, kind in (("do", "cancel"), ("do", "modify"), ("when", "order")):
            for path, value in _kinds(part, section, kind):
                tag = value.get("tag")
                if not isinstance(tag, str) or tag in known:
                    continue
                guess = meant(tag, sorted(known))
                cure = f"did you mean {guess}?" if guess else f"give an order of a rule tag: {tag}"
                message = f"no order has the tag {tag}"
                problem = Problem((*path, "tag"), "unknown-tag", message, cure, severity="warning")
                yield part.source.locate(problem)


def _carried(actions: Any) -> Iterator[str]:
    """The tags of the orders under `do`, at whatever depth they stand."""
    if isinstance(actions, list):
        for item in actions:
            yield from _carried(item)
    elif isinstance(actions, dict):
        if isinstance(actions.get("tag"), str):
            yield actions["tag"]
        for kind, below in actions.items():
            if kind not in ("cancel", "modify"):
                yield from _carried(below)


def _never_expires(parts: Sequence[Part]) -> Iterator[Diagnostic]:
    """A `dead_man` trigger without a countdown for its symbol can never fire."""
    if any(part.source.value(("dead_man",)) and not part.dead_men for part in parts):
        return
    if any(entry for part in parts for entry in _entries(part, "do", "arm")):
        return  # an action may set it
    covered = {dead_man.symbol for part in parts for dead_man in part.dead_men}
    for part in parts:
        for path, rule in part.rules:
            for index, trigger in enumerate(rule.triggers):
                bare = [symbol for symbol in rule.symbols if symbol not in covered]
                if trigger.interest[0] != "dead_man" or not bare:
                    continue
                message = f"this never fires for {bare[0]}, which has no countdown"
                cure = f"add dead_man: {{symbols: [{bare[0]}], countdown: 2m, refresh: 30s}}"
                place = (*path, "when", index, "dead_man")
                problem = Problem(place, "never-fires", message, cure, severity="warning")
                yield part.source.locate(problem)
