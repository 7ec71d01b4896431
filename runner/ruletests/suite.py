"""All tests of some files: which there are, what came of each, and which rules have none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from runner.rulebook.diagnostics import Diagnostic
from runner.rulebook.load import is_rule_file, load
from runner.rulebook.tests_file import is_tests_file, load_tests
from runner.rulebook.tests_model import TestsFile
from runner.ruletests.playing import Result, play

Heard = Callable[[int, int], object]
"""(how many tests are done, how many there are)."""


@dataclass(slots=True)
class Report:
    """What came of a run. `found` are mistakes in files: then none of their tests was played.

    `tested` and `untested` are ids of rules in order; `results` are by tests file.
    """

    results: list[tuple[TestsFile, list[Result]]] = field(default_factory=list)
    found: list[Diagnostic] = field(default_factory=list)
    tested: list[str] = field(default_factory=list)
    untested: list[str] = field(default_factory=list)

    @property
    def all(self) -> list[Result]:
        """Every result in order."""
        return [result for _, results in self.results for result in results]

    @property
    def failed(self) -> list[Result]:
        """Those that did not pass."""
        return [result for result in self.all if not result.passed]

    @property
    def coverage(self) -> float:
        """How many of the rules have a test, in percent."""
        count = len(self.tested) + len(self.untested)
        return 100 * len(self.tested) / count if count else 100.0

    @property
    def sound(self) -> bool:
        """True when every file could be read and every test passed."""
        return not self.failed and not any(found.is_error for found in self.found)


def tests_files(paths: Sequence[Path]) -> list[Path]:
    """The tests files among these paths, and in the folders among them."""
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            found.update(dict.fromkeys(sorted(filter(is_tests_file, path.rglob("*.y*ml")))))
        else:
            found[path] = None
    return list(found)


def run(
    paths: Sequence[Path], name: str = "", snapshot: Path | None = None, heard: Heard | None = None
) -> Report:
    """Play the tests whose name (or rule) contains `name`. Raises UsageError for a bad snapshot."""
    report = Report()
    files = [load_tests(path) for path in tests_files(paths)]
    chosen = [
        (tests, [case for case in tests.cases if name in case.name or name in case.rule])
        for tests in files
    ]
    count, done = sum(len(cases) for _, cases in chosen), 0
    for tests, cases in chosen:
        report.found += tests.found
        results: list[Result] = []
        for case in cases if tests.sound else ():
            results.append(play(tests, case, snapshot))
            done += 1
            if heard is not None:
                heard(done, count)
        report.results.append((tests, results))
    _cover(report, files, paths)
    return report


def _cover(report: Report, files: Sequence[TestsFile], paths: Sequence[Path]) -> None:
    """Which rules have a test, of the rule files that the tests name and of the folders given."""
    tested = {(_file(tests.rules_file), case.rule) for tests in files for case in tests.cases}
    known: dict[tuple[Path, str], None] = {}
    for tests in files:
        rules = tests.rules.rules if tests.rules else ()
        known.update(dict.fromkeys((_file(tests.rules_file), rule) for rule in rules))
    named = {_file(tests.rules_file) for tests in files}
    for path in _rule_files(paths):
        if _file(path) not in named:
            loaded = load(path)
            report.found += loaded.errors
            rules = loaded.rules.rules if loaded.rules else ()
            known.update(dict.fromkeys((_file(path), rule) for rule in rules))
    report.tested = [rule for file, rule in known if (file, rule) in tested]
    report.untested = [rule for file, rule in known if (file, rule) not in tested]


def _file(path: Path | None) -> Path:
    return path.resolve() if path is not None else Path()


def _rule_files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(filter(is_rule_file, path.rglob("*.y*ml")))
