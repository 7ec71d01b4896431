"""docs/reasons.md names every reason there is, each once, and no other."""

from __future__ import annotations

import re

from runner.core.decision import Reason
from tests.conftest import REPOSITORY

ROW = re.compile(r"^\| `([^`]+)` \| (.+?) \| (.+?) \|$", re.MULTILINE)


def rows() -> list[tuple[str, str, str]]:
    """Reason, meaning and cure of every row of the page's tables."""
    return ROW.findall((REPOSITORY / "docs" / "reasons.md").read_text("utf-8"))


def test_every_reason_has_one_row_and_no_row_is_invented() -> None:
    """The closed list of the code and the page hold the same words."""
    listed = [name for name, _, _ in rows()]
    assert sorted(listed) == sorted(reason.value for reason in Reason)


def test_every_row_says_what_it_means_and_what_to_do() -> None:
    """Both are sentences."""
    short = [name for name, means, cure in rows() if len(means) < 20 or not cure.endswith(".")]
    assert short == []
