"""Every rule file that comes with the runner has tests beside it, and they pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.resources import folder
from runner.rulebook.diagnostics import render
from runner.rulebook.load import is_rule_file
from runner.rulebook.tests_file import is_tests_file, load_tests
from runner.ruletests.reporting import text
from runner.ruletests.suite import run

RULES = folder("rules")
FILES = sorted(path for path in RULES.rglob("*.yaml") if is_rule_file(path))
TESTS = sorted(filter(is_tests_file, RULES.rglob("*.yaml")))


def shown(path: Path) -> str:
    return path.relative_to(RULES).as_posix()


@pytest.mark.parametrize("path", FILES, ids=shown)
def test_every_rule_file_has_tests_beside_it(path: Path) -> None:
    """`btc.yaml` has `btc.tests.yaml`, which is about it."""
    beside = path.with_suffix(".tests.yaml")
    assert beside in TESTS, f"{shown(path)} has no tests: write {beside.name}"
    assert load_tests(beside).rules_file == path


@pytest.mark.parametrize("path", TESTS, ids=shown)
def test_the_tests_of_the_rules_pass(path: Path) -> None:
    """Each file is sound, its tests pass, and no rule of it is without a test."""
    report = run([path])
    assert report.found == [], render(report.found)
    assert report.sound, text(report)
    assert report.untested == []
    assert report.all
