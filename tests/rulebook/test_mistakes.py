"""Every mistake under mistakes/ says exactly what stands beside it, down to the caret."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from runner.rulebook.diagnostics import Diagnostic, render
from runner.rulebook.load import load
from tests.rulebook.exchange import INSTRUMENTS

FOLDER = Path(__file__).parent / "mistakes"
NOW = 1_767_225_600_000
"""2026-01-01, UTC."""
CASES = sorted(path.stem for path in FOLDER.glob("*.txt"))

# words of the machinery underneath, none of which a trader knows
FOREIGN = re.compile(
    r"\b(?:instance|schema|token|scalar|mapping|sequence|NoneType|Decimal|KeyError|dict|str|int"
    r"|regex|property|ruamel|validat\w+)\b|is not of type|does not match|non-empty|block end"
)


def findings(case: str) -> list[Diagnostic]:
    """What loading a case finds, its files named as people would see them from their folder."""
    folder = FOLDER / case
    where = folder if folder.is_dir() else FOLDER / f"{case}.yaml"
    loaded = load(where, INSTRUMENTS, now=NOW)
    assert loaded.rules is None or not loaded.errors
    return [_short(found) for found in loaded.diagnostics]


def _short(found: Diagnostic) -> Diagnostic:
    related = tuple(replace(each, file=Path(each.file).name) for each in found.related)
    return replace(found, file=Path(found.file).name, related=related)


@pytest.mark.parametrize("case", CASES)
def test_a_mistake_reads_as_agreed(case: str) -> None:
    """The whole output is the agreed text: place, message, code, source, caret, cure, effect."""
    assert render(findings(case)) == (FOLDER / f"{case}.txt").read_text("utf-8")


@pytest.mark.parametrize("case", CASES)
def test_a_mistake_is_told_in_the_traders_words(case: str) -> None:
    """No message and no cure speaks of what the checker is made of."""
    for found in findings(case):
        assert not FOREIGN.search(found.message), found
        assert not FOREIGN.search(found.cure or ""), found


def test_every_mistake_has_its_text() -> None:
    """No file was forgotten: each case has rules and an agreed output."""
    files = {path.stem for path in FOLDER.iterdir() if path.suffix != ".txt"}
    assert files == set(CASES)
