"""Findings for other programs: what GitHub and readers of SARIF 2.1.0 rely on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from runner.rulebook.diagnostics import Diagnostic, Related
from runner.rulebook.formats import as_github, as_sarif
from tests.rulebook.test_mistakes import CASES, findings

ONE = Diagnostic("my rules/a.yaml", 2, 5, 3, "error", "tick-size", "5% off, so: no", "round it")

TEXT = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}}
COUNT = {"type": "integer", "minimum": 1}
PLACE = {
    "type": "object",
    "required": ["physicalLocation"],
    "additionalProperties": False,
    "properties": {
        "message": TEXT,
        "physicalLocation": {
            "type": "object",
            "required": ["artifactLocation"],
            "additionalProperties": False,
            "properties": {
                "artifactLocation": {
                    "type": "object",
                    "required": ["uri"],
                    "additionalProperties": False,
                    # RFC 3986: no spaces and nothing but ASCII
                    "properties": {"uri": {"type": "string", "pattern": r"^[!-~]+$"}},
                },
                "region": {
                    "type": "object",
                    "required": ["startLine"],
                    "additionalProperties": False,
                    "properties": {"startLine": COUNT, "startColumn": COUNT, "endColumn": COUNT},
                },
            },
        },
    },
}
# The parts of OASIS' sarif-schema-2.1.0.json that are written here, with its requirements.
ESSENTIALS: dict[str, Any] = {
    "type": "object",
    "required": ["version", "runs"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"enum": ["2.1.0"]},
        "runs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["tool", "results"],
                "additionalProperties": False,
                "properties": {
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "tool": {
                        "type": "object",
                        "required": ["driver"],
                        "additionalProperties": False,
                        "properties": {
                            "driver": {
                                "type": "object",
                                "required": ["name"],
                                "additionalProperties": False,
                                "properties": {
                                    "name": {"type": "string"},
                                    "version": {"type": "string"},
                                    "rules": {
                                        "type": "array",
                                        "uniqueItems": True,
                                        "items": {
                                            "type": "object",
                                            "required": ["id"],
                                            "additionalProperties": False,
                                            "properties": {"id": {"type": "string"}},
                                        },
                                    },
                                },
                            }
                        },
                    },
                    "results": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["message"],
                            "additionalProperties": False,
                            "properties": {
                                "ruleId": {"type": "string"},
                                "ruleIndex": {"type": "integer", "minimum": 0},
                                "level": {"enum": ["none", "note", "warning", "error"]},
                                "message": TEXT,
                                "locations": {"type": "array", "items": PLACE},
                                "relatedLocations": {
                                    "type": "array",
                                    "items": PLACE,
                                    "uniqueItems": True,
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}


def sarif(found: list[Diagnostic]) -> dict[str, Any]:
    """The log of these findings; it must fit the essentials of the standard."""
    log: dict[str, Any] = json.loads(as_sarif(found))
    Draft7Validator(ESSENTIALS).validate(log)
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
    return run  # type: ignore[no-any-return]  # it came out of JSON


@pytest.mark.parametrize("case", CASES)
def test_every_mistake_becomes_valid_sarif_and_one_line_for_github(case: str) -> None:
    """As many results as findings, and as many lines, whatever stands in the texts."""
    found = findings(case)
    assert len(sarif(found)["results"]) == len(found)
    assert len(as_github(found).splitlines()) == len(found)


def test_a_result_has_its_place_and_the_others() -> None:
    """Columns count characters, the end is exclusive, a file's name is an address."""
    two = replace(ONE, related=(Related("b.yaml", 7, "the other is at"),), severity="warning")
    (result,) = sarif([two])["results"]
    assert result["level"] == "warning"
    assert result["message"]["text"] == "5% off, so: no; round it; the other is at b.yaml:7"
    (place,) = result["locations"]
    assert place["physicalLocation"] == {
        "artifactLocation": {"uri": "my%20rules/a.yaml"},
        "region": {"startLine": 2, "startColumn": 5, "endColumn": 8},
    }
    (other,) = result["relatedLocations"]
    assert other["physicalLocation"]["region"] == {"startLine": 7}


def test_a_finding_about_a_whole_file_has_no_region(tmp_path: Path) -> None:
    """An absolute file is a file: address; nothing found is an empty list, which clears alerts."""
    path = tmp_path / "ä.yaml"
    (result,) = sarif([replace(ONE, file=str(path), line=0, cure=None)])["results"]
    (place,) = result["locations"]
    assert place["physicalLocation"] == {"artifactLocation": {"uri": path.as_uri()}}
    assert sarif([])["results"] == []


def test_github_gets_annotations() -> None:
    """Text and properties are escaped as its documentation says; a note is a notice."""
    assert as_github([ONE]) == (
        "::error file=my rules/a.yaml,line=2,col=5,endColumn=8,title=tick-size::"
        "5%25 off, so: no; round it\n"
    )
    odd = replace(ONE, file="a,b:c.yaml", line=0, severity="note", message="x\r\ny", cure=None)
    assert as_github([odd]) == "::notice file=a%2Cb%3Ac.yaml,title=tick-size::x%0D%0Ay\n"
    assert as_github([]) == ""
