"""The reference part of docs/rules.md is what the schema, the kinds and the names say."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.core.formula.arithmetic import FUNCTIONS
from runner.core.view import NAMES
from runner.rulebook import reference
from tests.conftest import REPOSITORY

PAGE = REPOSITORY / "docs" / "rules.md"


def test_the_committed_page_is_the_generated_one(tmp_path: Path) -> None:
    """Byte for byte; if not: python -m runner.rulebook.reference."""
    copy = tmp_path / "rules.md"
    copy.write_bytes(PAGE.read_bytes())
    reference.write(copy)
    assert copy.read_text("utf-8") == PAGE.read_text("utf-8")


def test_what_is_written_by_hand_stays() -> None:
    """Only what follows the mark is replaced; a page without it is refused."""
    page = reference.updated(f"By hand.\n\n{reference.MARKER}\nold\n")
    assert page.startswith(f"By hand.\n\n{reference.MARKER}\n## Reference\n")
    assert "\nold\n" not in page
    with pytest.raises(ValueError, match="has no line"):
        reference.updated("By hand.\n")


def test_every_name_and_function_is_explained() -> None:
    """Neither is forgotten, and none is explained that is gone."""
    assert reference.ABOUT_NAMES.keys() == NAMES.keys()
    assert reference.ABOUT_FUNCTIONS.keys() == FUNCTIONS.keys()
