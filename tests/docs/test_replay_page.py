"""The page about replays shows a session as it really goes, and every key of its JSON."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.calling import call
from tests.conftest import REPOSITORY
from tests.docs.markdown import blocks

PAGE = REPOSITORY / "docs" / "replay.md"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the page's rule and candles, which is where we are."""
    (rule,) = (block.text for block in blocks(PAGE, "yaml"))
    (candles,) = (block.text for block in blocks(PAGE, "csv"))
    (tmp_path / "rule.yaml").write_text(rule, "utf-8")
    (tmp_path / "ETHUSDT.csv").write_text(candles, "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_session_of_the_page_is_what_is_printed(folder: Path) -> None:
    """Command and output, and the page that it writes."""
    (session,) = (block.text for block in blocks(PAGE, "console"))
    command, _, shown = session.partition("\n")
    result = call(*command.removeprefix("$ runner ").split())
    assert result.stdout == shown
    assert (folder / "replay.html").is_file()


def test_every_key_of_the_document_is_told(folder: Path) -> None:
    """And no other, so that programs can rely on the list."""
    text = PAGE.read_text("utf-8").partition("## JSON")[2]
    told = set(re.findall(r"`([a-z_]+)`", text))
    result = call("replay", folder / "rule.yaml", "--data", folder / "ETHUSDT.csv", "--json")
    keys: set[str] = set()
    document = json.loads(result.stdout)
    for name, value in document.items():
        keys.add(name)
        rows = value if isinstance(value, list) else [value]
        keys |= {key for row in rows if isinstance(row, dict) for key in row}
    # there was no error in this one, and reasons are no keys
    assert told == keys | {"at", "text", "rule"}
