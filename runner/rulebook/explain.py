"""What the schema objects to in a file's tree, as problems that a trader understands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from runner.core.document import Path, Problem
from runner.fitting import Fits, fitting
from runner.rulebook.objections import HANDLERS, kinds_at, unforeseen, unknown_kind
from runner.rulebook.reader import START
from runner.rulebook.schema import bundle
from runner.rulebook.source import Source
from runner.rulebook.words import as_duration, kind_of

if TYPE_CHECKING:
    from jsonschema import Draft7Validator


@cache
def validator() -> Draft7Validator:
    """The validator of the whole schema, which says what is wrong; loaded when something is."""
    from jsonschema import Draft7Validator

    return Draft7Validator(bundle())


@cache
def _fits() -> Fits:
    return fitting(bundle())


def is_valid(tree: Any) -> bool:
    """True when the schema has no objection to the tree of a rule file."""
    return _fits()(tree) or bool(validator().is_valid(tree))


def check(source: Source) -> list[Problem]:
    """Every objection of the schema to a file's tree."""
    if source.tree is None:
        return [Problem((), "empty", "the file is empty", START)]
    if not isinstance(source.tree, dict):
        return [_no_rule_file(source.tree)]
    if _fits()(source.tree):
        return []
    problems = list(_crowded(source))
    crowded = [problem.path[:4] for problem in problems]
    errors = [
        error
        for error in validator().iter_errors(source.tree)
        if tuple(error.absolute_path)[:4] not in crowded
    ]
    for error in errors:
        problems += explain(error, source)
    return problems


def _no_rule_file(tree: Any) -> Problem:
    message = f"this is not a rule file, it is {kind_of(tree)}"
    return Problem((), "not-rules", message, START)


def explain(error: Any, source: Source) -> Iterator[Problem]:
    """The problems that one objection stands for."""
    path: Path = tuple(error.absolute_path)
    handler = HANDLERS.get(error.validator, unforeseen)
    yield from handler(error, path, source)


def _without_echo(problems: Iterable[Problem]) -> list[Problem]:
    """Without `when is missing` where an unknown `on` stands beside, and without repeats."""
    kept: dict[Problem, None] = dict.fromkeys(problems)
    hinted = {
        (problem.path[:-1], problem.cure.removeprefix("did you mean ").rstrip("?"))
        for problem in kept
        if problem.code == "unknown-key" and problem.cure
    }
    return [
        problem
        for problem in kept
        if problem.code != "missing-key"
        or not any((problem.path, word) in hinted for word in problem.message.split())
    ]


def _crowded(source: Source) -> Iterator[Problem]:
    """Entries of `when` and `do` with more than one key: nearly always the indentation."""
    rules = source.tree.get("rules")
    for index, rule in enumerate(rules if isinstance(rules, list) else []):
        for section in ("when", "do"):
            entries = rule.get(section) if isinstance(rule, dict) else None
            for number, entry in enumerate(entries if isinstance(entries, list) else []):
                if isinstance(entry, dict) and len(entry) > 1:
                    yield _crowd(("rules", index, section, number), entry)


def _crowd(path: Path, entry: Mapping[str, Any]) -> Problem:
    found = kinds_at(path)
    assert found is not None
    word, kinds = found
    known = [key for key in entry if key in kinds]
    others = [key for key in entry if key not in kinds]
    if len(known) > 1:
        message = f"{known[1]} stands in the same entry as {known[0]}"
        cure = f"one {word} an entry: start it with its own -"
        return Problem((*path, known[1]), "two-kinds", message, cure, at_key=True)
    if known and others:
        message = f"{others[0]} stands beside {known[0]}, it belongs inside"
        cure = f"move it to the right, under {known[0]}, or into its {{ }}"
        return Problem((*path, others[0]), "indentation", message, cure, at_key=True)
    key = next(iter(entry))
    return unknown_kind((*path, key), key, word, kinds)


def retouched(problems: Iterable[Problem], source: Source) -> Iterator[Problem]:
    """The builders' problems, with what only the file's own text can tell."""
    for problem in _without_echo(problems):
        value = source.value(problem.path)
        if isinstance(value, str) and "length of time" in problem.message and not problem.cure:
            meant = as_duration(value)
            yield replace(problem, cure=f"write {meant}" if meant else None)
        elif isinstance(value, str) and problem.code == "formula":
            yield from _cut_formula(problem, value, problem.path[:-1] in source.flow)
        else:
            yield problem


def _cut_formula(problem: Problem, text: str, in_brackets: bool) -> Iterator[Problem]:
    """One problem for a formula that a comma inside [ ] cut in two, none for its second part."""
    unclosed = text.count("(") - text.count(")")
    if not in_brackets or unclosed == 0:
        yield problem
    elif unclosed > 0:
        message = "a comma inside [ ] cuts this formula in two"
        yield Problem(problem.path, "formula", message, "put the whole formula in quotes")
