"""The tests beside the rules decide over a reload, in a process of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.errors import ConfigurationError
from runner.ops.vetting import vet

RULES = """\
version: 1
rules:
  - id: cross
    symbol: BTCUSDT
    when: [{price: {crosses_above: 70000}}]
    do: [{notify: crossed}]
"""
TESTS = """\
tests_for: a.yaml
tests:
  - name: it says so
    rule: cross
    steps:
      - {at: 0s, mark: 69900}
      - {at: 1s, mark: 70010, expect: {notify: crossed}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a rule and its test."""
    (tmp_path / "a.yaml").write_text(RULES)
    (tmp_path / "a.tests.yaml").write_text(TESTS)
    return tmp_path


def test_tests_that_pass_let_the_rules_through(folder: Path) -> None:
    """They are counted; a folder without any has none."""
    assert vet(folder) == 1
    (folder / "a.tests.yaml").unlink()
    assert vet(folder) == 0


def test_a_test_that_fails_is_told_as_runner_test_tells_it(folder: Path) -> None:
    """The refusal holds the name of the test and what differed."""
    (folder / "a.tests.yaml").write_text(TESTS.replace("notify: crossed", "notify: other"))
    with pytest.raises(ConfigurationError, match="do not pass") as refused:
        vet(folder)
    assert "it says so" in str(refused.value)


def test_tests_without_end_are_refused(folder: Path) -> None:
    """After the time they are given they count as failed."""
    with pytest.raises(ConfigurationError, match=r"took longer than 0\.01 s"):
        vet(folder, 0.01)
