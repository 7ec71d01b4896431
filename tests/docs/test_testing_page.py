"""The page about testing rules shows tests that pass, and what a failing one really prints."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent

import pytest
from click.testing import CliRunner

from runner.cli import main
from runner.rulebook.tests_file import ACCOUNT, POSITION, load_tests
from runner.rulebook.tests_schema import SOURCES, bundle
from tests.conftest import REPOSITORY
from tests.docs.markdown import blocks

PAGE = REPOSITORY / "docs" / "testing-rules.md"
(RULES,) = (block.text for block in blocks(PAGE, "yaml"))
WHOLE, STEPS = (block.text for block in blocks(PAGE, "yml"))
(FAILURE,) = (block.text for block in blocks(PAGE, "text"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the page's rule file, which is where we are."""
    (tmp_path / "btc.yaml").write_text(RULES, "utf-8")
    (tmp_path / "other.yaml").write_text(RULES, "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def played(text: str) -> str:
    """What the verb prints about a tests file."""
    Path("btc.tests.yaml").write_text(text, "utf-8")
    return CliRunner().invoke(main, ["test", "btc.tests.yaml"], catch_exceptions=False).output


def test_the_tests_of_the_page_pass(folder: Path) -> None:
    """As they stand there."""
    assert played(WHOLE) == "2 ok. Rules without a test: tv-eth\n"


def test_the_failure_of_the_page_is_what_is_printed(folder: Path) -> None:
    """With the change that the page speaks of."""
    assert played(WHOLE.replace("75000.10", "75000.20")) == FAILURE


def test_the_steps_of_the_page_are_sound(folder: Path) -> None:
    """Every kind of step is shown, and each can be read."""
    steps = STEPS.replace("{clock: 2026", "{at: 3m, clock: 2026")
    head = "tests_for: btc.yaml\ntests:\n  - name: steps\n    rule: btc-breakout\n    steps:\n"
    path = folder / "steps.tests.yaml"
    path.write_text(head + indent(steps, "      "), "utf-8")
    tests = load_tests(path)
    assert tests.found == []
    step = bundle()["properties"]["tests"]["items"]["properties"]["steps"]["items"]
    shown = {key for key in step["properties"] if f"{key}:" in STEPS or key in STEPS}
    assert step["properties"].keys() - shown == {"expect", "because"}


def test_the_page_names_all_that_can_be_given() -> None:
    """And every price source."""
    text = PAGE.read_text("utf-8")
    words = [*ACCOUNT, *SOURCES, *(name for name in POSITION if "hedge" not in name)]
    missing = [word for word in words if f"`{word}`" not in text and word not in text]
    assert [
        word for word in missing if not word.startswith(("position.long", "position.short"))
    ] == []
