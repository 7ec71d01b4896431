"""The small verbs: version, schema and demo."""

from __future__ import annotations

import json
import platform
import sqlite3
from pathlib import Path

import pytest

import runner.demo
from runner import __version__, resources
from runner.journal.tables import SCHEMA_VERSION
from runner.rulebook import schema as rules_schema
from runner.settings import schema as settings_schema
from tests.cli.calling import call


def test_version() -> None:
    """The version of the package."""
    assert call("version").stdout.startswith(f"runner {__version__} (Python 3.")


def test_version_as_json() -> None:
    """Besides: Python, SQLite, and the schema of the journals that it writes."""
    found = json.loads(call("version", "--json").stdout)
    assert found == {
        "version": __version__,
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "journal_schema": SCHEMA_VERSION,
    }


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([], rules_schema.text()),
        (["rules"], rules_schema.text()),
        (["settings"], settings_schema.schema_text()),
    ],
)
def test_schema_prints(words: list[str], text: str) -> None:
    """The schema as it stands in schemas/."""
    result = call("schema", *words)
    assert result.stdout == text
    assert json.loads(result.stdout)["$schema"]


def test_schema_writes(tmp_path: Path) -> None:
    """--write writes every schema under the name that files point to."""
    assert call("schema", "--write", tmp_path).exit_code == 0
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (resources.folder("schemas") / path.name).read_bytes()
    committed = {path.name for path in resources.folder("schemas").glob("*.json")}
    assert {path.name for path in tmp_path.iterdir()} == committed


@pytest.mark.parametrize(("words", "keep"), [([], False), (["--keep"], True)])
def test_demo_ends_with_its_code(
    monkeypatch: pytest.MonkeyPatch, words: list[str], keep: bool
) -> None:
    """The exit code is the demo's; --keep is passed on."""
    kept: list[bool] = []

    def play(keep: bool = False) -> int:
        kept.append(keep)
        return 1

    monkeypatch.setattr(runner.demo, "main", play)
    assert call("demo", *words).exit_code == 1
    assert kept == [keep]
