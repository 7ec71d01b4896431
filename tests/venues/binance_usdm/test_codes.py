"""The error table is the documented one."""

from __future__ import annotations

import json
from pathlib import Path

from runner.core.lifecycle import NOT_ACCEPTED_CODES, UNKNOWN_CODES
from runner.venues.binance_usdm.codes import CLASS_OF, KNOWN_CODES


def test_every_documented_code_has_its_class(recorded: Path) -> None:
    """209 codes, each in the class that the recorded table gives it."""
    rows = json.loads((recorded / "binance_errors.json").read_text())
    assert {row["code"]: row["class"] for row in rows} == CLASS_OF
    assert len(rows) == len(KNOWN_CODES) == 209


def test_the_classifier_knows_no_code_that_we_do_not() -> None:
    """Whatever core.lifecycle singles out is a documented code."""
    assert NOT_ACCEPTED_CODES | UNKNOWN_CODES <= KNOWN_CODES
