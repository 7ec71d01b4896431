"""The table of CONTRIBUTING.md that says which test shows what names tests that exist."""

from __future__ import annotations

import re

import pytest

from tests.conftest import REPOSITORY

GUIDE = (REPOSITORY / "CONTRIBUTING.md").read_text("utf-8")
(TABLE,) = re.findall(
    r"^## Which test shows what\n.*?\| --- \| --- \|\n(.*?)\n\n", GUIDE, re.M | re.S
)
ROWS = dict(row.strip("| ").split(" | ") for row in TABLE.splitlines())


@pytest.mark.parametrize("what", ROWS)
def test_each_row_names_tests_that_exist(what: str) -> None:
    """Whoever renames a test, renames it here too."""
    files = re.findall(r"`(tests/[\w/]+\.py)`: ((?:`test_\w+`(?:, )?)+)", ROWS[what])
    assert files, f"no test is named for {what}"
    for file, names in files:
        text = (REPOSITORY / file).read_text("utf-8")
        missing = [name for name in re.findall(r"test_\w+", names) if f"def {name}(" not in text]
        assert not missing, f"{file} has no {', '.join(missing)}"


def test_the_scenarios_are_all_there() -> None:
    """What was asked for by name: a row that was lost would be missed."""
    for word in ("Clock set", "SIGSTOP", "swapped", "PostgreSQL stopped", "Disk full", "I/O error"):
        assert any(word in what for what in ROWS), word
    for word in ("Two runners on one SQLite", "Network file system", "3 days", "PARKED is told"):
        assert any(word in what for what in ROWS), word
