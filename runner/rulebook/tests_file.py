"""Tests files to time lines: one file's tests with the rules they are about, or every mistake."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path as FilePath
from typing import Any

from jsonschema import Draft7Validator

from runner.core.document import Node, Path, Problem
from runner.core.rules import Rule
from runner.rulebook.build import Sound
from runner.rulebook.diagnostics import Diagnostic
from runner.rulebook.explain import explain, retouched
from runner.rulebook.load import load
from runner.rulebook.reader import MOST_BYTES, read
from runner.rulebook.source import Source
from runner.rulebook.tests_meaning import check_step, rule_at
from runner.rulebook.tests_model import Case, TestsFile
from runner.rulebook.tests_schema import SOURCES, bundle
from runner.rulebook.tests_timeline import read_steps
from runner.rulebook.words import either, kind_of, meant, shown

SUFFIXES = (".tests.yaml", ".tests.yml")
START = "a tests file has tests_for: rules.yaml and tests:"
LENGTHS = frozenset({"at", "every", "gap", "restart"})
ACCOUNT = ("account.available", "account.wallet_balance", "account.equity")
POSITION = (
    "position.size",
    "position.entry_price",
    "position.leverage",
    "position.long.size",
    "position.long.entry_price",
    "position.short.size",
    "position.short.entry_price",
)
GIVEN = (*ACCOUNT, *POSITION)
"""What a test may say of the account before its first step."""


def is_tests_file(path: FilePath) -> bool:
    """True for `*.tests.yaml` and `*.tests.yml` that are not hidden."""
    return path.name.endswith(SUFFIXES) and not path.name.startswith(".")


def load_tests(path: FilePath) -> TestsFile:
    """The tests of a file, with their rules. Never raises for what is in the files."""
    source = _read(path)
    tests = TestsFile(path, source)
    if source.readable:
        problems = _objections(source)
        if isinstance(source.tree, dict):
            _build(tests, problems)
        source.found += [
            source.locate(problem)
            for problem in retouched(problems, source)
            if problem.path not in source.spoilt
        ]
    tests.found += source.found
    return tests


def _read(path: FilePath) -> Source:
    try:
        with path.open("rb") as stream:
            content = stream.read(MOST_BYTES + 1)
        return read(str(path), content, path.stat().st_size)
    except OSError as error:
        source = Source(str(path), readable=False)
        reason = (error.strerror or str(error)).lower()
        message = f"cannot be read: {reason}"
        source.found.append(Diagnostic(str(path), 0, 0, 1, "error", "unreadable", message))
        return source


# the schema's objections


@cache
def _validator() -> Draft7Validator:
    return Draft7Validator(bundle())


def _objections(source: Source) -> list[Problem]:
    if source.tree is None:
        return [Problem((), "empty", "the file is empty", START)]
    if not isinstance(source.tree, dict):
        message = f"this is not a tests file, it is {kind_of(source.tree)}"
        return [Problem((), "not-tests", message, START)]
    if "rules" in source.tree and "tests" not in source.tree:
        message = "this is a rule file: its tests stand in a file *.tests.yaml beside it"
        return [Problem((), "not-tests", message, START)]
    errors = _validator().iter_errors(source.tree)
    return [problem for error in errors for problem in _objection(error, source)]


def _objection(error: Any, source: Source) -> Iterator[Problem]:
    """The problems of one objection, where tests are written differently than rules."""
    path: Path = tuple(error.absolute_path)
    key = path[-1] if path else ""
    if key in LENGTHS and error.validator == "type":
        yield _no_length(path, str(key), error.instance)
    elif key == "code" and error.validator == "maximum" and isinstance(error.instance, int):
        message = f"codes of the exchange are negative, this is {error.instance}"
        yield Problem(path, "range", message, f"write -{error.instance}")
    elif key == "expect" and error.validator == "pattern":
        message = f"expect cannot be {shown(error.instance)}"
        cure = "write nothing, fired, or what is expected: {notify: Bought}"
        yield Problem(path, "expect", message, cure)
    else:
        yield from explain(error, source)


def _no_length(path: Path, key: str, value: Any) -> Problem:
    message = f"{key} must be a length of time with a unit, this is {kind_of(value)}"
    number = isinstance(value, int) and not isinstance(value, bool)
    cure = f"write {either(f'{value}{unit}' for unit in 'smh')}" if number else "write 15s"
    return Problem(path, "wrong-type", message, cure)


# what is sound becomes tests


def _build(tests: TestsFile, problems: list[Problem]) -> None:
    source = tests.source
    blamed = {problem.path for problem in problems} | source.spoilt
    unsound = {path[:end] for path in blamed for end in range(len(path) + 1)}
    root = Node(source.tree, (), {}, problems)
    if ("tests_for",) not in unsound and root.has("tests_for"):
        _load_rules(tests, root)
    if root.has("exchange_info"):
        tests.exchange_info = _beside(tests.path, root.text("exchange_info"))
        if not tests.exchange_info.is_file():
            message = f"there is no file {tests.exchange_info}"
            root.child("exchange_info").problem("no-file", message)
    written = root.child("tests")
    nodes = list(written.items()) if isinstance(written.value, list) else []
    _check_names(nodes)

    def sound(path: Path) -> bool:
        return path not in unsound

    for node in nodes:
        if isinstance(node.value, dict):
            case = _case(tests, node, sound)
            if case is not None and sound(node.path):
                tests.cases.append(case)


def _beside(path: FilePath, name: str) -> FilePath:
    return path.parent / name


def _load_rules(tests: TestsFile, root: Node) -> None:
    node, path = root.child("tests_for"), _beside(tests.path, root.text("tests_for"))
    if not path.is_file():
        near = sorted(each.name for each in tests.path.parent.glob("*.y*ml"))
        guess = meant(path.name, [name for name in near if not name.endswith(SUFFIXES)])
        cure = f"did you mean {guess}?" if guess else None
        node.problem("no-file", f"there is no rule file {path}", cure)
        return
    loaded = load(path)
    tests.rules_file = path
    tests.rules = loaded.rules
    tests.found += loaded.errors


def _check_names(nodes: list[Node]) -> None:
    """Two tests of one name could not be told apart in a report."""
    seen: dict[str, int] = {}
    for node in nodes:
        name = node.text("name")
        if name and name in seen:
            message = f"two tests are called {shown(name)}"
            node.child("name").problem("duplicate-name", message, "give one another name")
        seen.setdefault(name, 0)


def _case(tests: TestsFile, node: Node, sound: Sound) -> Case | None:
    """The test of a place, as far as the schema has no objection to its parts."""
    before = len(node.problems)
    rule = rule_at(tests, node.child("rule")) if sound((*node.path, "rule")) else None
    others = node.child("with")
    beside = [rule_at(tests, item) for item in others.items() if sound(item.path)]
    symbol = _symbol(node, rule)
    start, steps = read_steps(node.child("steps"), symbol, sound)
    given = dict(_given(node.child("given"), symbol, sound))
    for step in steps:
        check_step(tests, node, step, rule)
    if len(node.problems) > before or rule is None:
        return None
    return Case(
        name=node.text("name"),
        rule=rule.id,
        symbol=symbol,
        beside=tuple(other.id for other in beside if other is not None),
        start=start,
        given=given,
        steps=steps,
        path=node.path,
    )


def _symbol(node: Node, rule: Rule | None) -> str:
    written = node.text("symbol")
    if rule is None or not rule.symbols:
        return written
    if written and written not in rule.symbols:
        listed = ", ".join(rule.symbols)
        message = f"{rule.id} does not trade {shown(written)}"
        node.child("symbol").problem("unknown-symbol", message, f"it trades {listed}")
    return written or rule.symbols[0]


def _given(node: Node, symbol: str, sound: Sound) -> Iterator[tuple[tuple[str, str], Decimal]]:
    written = node.value if isinstance(node.value, dict) else {}
    for key, value in written.items():
        other, name = _split(key)
        if name in GIVEN and not sound((*node.path, key)):
            continue
        if name in GIVEN:
            yield (other or symbol, name), Decimal(value)
            continue
        guess = meant(name, GIVEN)
        cure = f"did you mean {guess}?" if guess else f"what can be given: {', '.join(GIVEN)}"
        if name in SOURCES:
            cure = f"prices are steps: {{at: 0s, {name}: {shown(value)}}}"
        message = f"{shown(key)} cannot be given"
        node.child(key).problem("unknown-key", message, cure, at_key=True)


def _split(key: str) -> tuple[str, str]:
    """(symbol, name) of `ETHUSDT.position.size`; no symbol in front of a plain name."""
    first, dot, rest = key.partition(".")
    return (first, rest) if dot and first == first.upper() else ("", key)
