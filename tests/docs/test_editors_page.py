"""The problem matcher on the page finds every finding that check prints, and nothing else."""

from __future__ import annotations

import json
import re

import pytest

from tests.conftest import REPOSITORY
from tests.docs.markdown import blocks
from tests.rulebook.test_mistakes import CASES, FOLDER, findings

PAGE = REPOSITORY / "docs" / "editors.md"


def matcher() -> re.Pattern[str]:
    """The one regular expression of the page."""
    (block,) = blocks(PAGE, "json")
    pattern = json.loads(block.text)["problemMatcher"]["pattern"]
    assert (pattern["file"], pattern["line"], pattern["column"]) == (1, 2, 3)
    return re.compile(pattern["regexp"], re.MULTILINE)


@pytest.mark.parametrize("case", CASES)
def test_the_problem_matcher_finds_each_finding_once(case: str) -> None:
    """File, line, column, severity and message, and no line of source or cure beside it."""
    text = (FOLDER / f"{case}.txt").read_text("utf-8")
    found = [
        (each.file, str(each.line), str(each.column), each.severity) for each in findings(case)
    ]
    assert [each[:4] for each in matcher().findall(text)] == found
