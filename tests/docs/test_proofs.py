"""Pages that name tests as their proof name tests that exist, and leave no theme without one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = ("what-hurts-elsewhere.md", "threat-model.md", "comparison.md")
FEWEST = {"comparison.md": 4}
PROOF = re.compile(r"`(tests/[\w/.-]+\.py)::(test_\w+)`")
THEMES = 18


def page(name: str) -> str:
    """A page of docs/."""
    return (REPOSITORY / "docs" / name).read_text("utf-8")


@pytest.mark.parametrize("name", PAGES)
def test_every_test_that_a_page_names_exists(name: str) -> None:
    """A renamed or removed test breaks the page that leans on it."""
    named = PROOF.findall(page(name))
    assert len(named) >= FEWEST.get(name, 20)
    missing = [
        f"{file}::{test}"
        for file, test in named
        if not (REPOSITORY / file).is_file()
        or not re.search(rf"^def {test}\(", (REPOSITORY / file).read_text("utf-8"), re.MULTILINE)
    ]
    assert missing == []


def test_every_theme_has_its_proof() -> None:
    """Eighteen rows, each with a test."""
    rows = re.findall(r"^\| (\d+) \|(.*)$", page("what-hurts-elsewhere.md"), re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, THEMES + 1))
    assert [number for number, text in rows if not PROOF.search(text)] == []


def test_every_item_of_the_standard_has_a_test_or_a_reason() -> None:
    """A row of the OWASP table ends with a test, a page, or words that say why not."""
    rows = re.findall(r"^\| (\d+\.\d+\.\d+) \|(.*)\|$", page("threat-model.md"), re.MULTILINE)
    assert len(rows) > 50
    assert len({number for number, _ in rows}) == len(rows)
    assert [number for number, text in rows if len(text.split("|")[-1].strip()) < 10] == []
