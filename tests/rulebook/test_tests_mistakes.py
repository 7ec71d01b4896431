"""Every mistake in a tests file says exactly what stands beside it, in a trader's words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from runner.rulebook.diagnostics import Diagnostic, render
from runner.rulebook.tests_file import is_tests_file, load_tests
from tests.rulebook.test_mistakes import FOREIGN

FOLDER = Path(__file__).parent / "tests_mistakes"
CASES = sorted(path.name.partition(".")[0] for path in FOLDER.iterdir() if is_tests_file(path))


def findings(case: str) -> list[Diagnostic]:
    """What reading a case finds, its files named as people would see them from their folder."""
    tests = load_tests(FOLDER / f"{case}.tests.yaml")
    assert not tests.sound
    return [
        replace(
            found,
            file=Path(found.file).name,
            message=found.message.replace(f"{FOLDER}/", ""),
        )
        for found in tests.found
    ]


@pytest.mark.parametrize("case", CASES)
def test_a_mistake_reads_as_agreed(case: str) -> None:
    """The whole output is the agreed text: place, message, code, source, caret, cure, effect."""
    agreed = (FOLDER / f"{case}.txt").read_text("utf-8")
    assert render(findings(case), "Its tests were not played.") == agreed


@pytest.mark.parametrize("case", CASES)
def test_a_mistake_is_told_in_the_traders_words(case: str) -> None:
    """No message and no cure speaks of what the checker is made of."""
    for found in findings(case):
        assert not FOREIGN.search(found.message), found
        assert not FOREIGN.search(found.cure or ""), found


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    """One finding about the whole file, no traceback."""
    (found,) = load_tests(tmp_path / "none.tests.yaml").found
    assert found.code == "unreadable"
