"""Findings in the forms that other programs read: GitHub's annotations and SARIF 2.1.0."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import quote

from runner import __version__
from runner.rulebook.diagnostics import Diagnostic, Related

SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
GITHUB = {"error": "error", "warning": "warning", "note": "notice"}


def as_github(found: Iterable[Diagnostic]) -> str:
    """A line `::error file=…::text` for each finding; empty for none.

    Source: GitHub's documentation on workflow commands.
    """
    return "".join(f"{_annotation(each)}\n" for each in found)


def _annotation(found: Diagnostic) -> str:
    place: dict[str, object] = {"file": found.file}
    if found.line:
        place |= {"line": found.line, "col": found.column}
        place |= {"endColumn": found.column + found.length}
    place["title"] = found.code
    keys = ",".join(f"{key}={_escaped(str(value), ':,')}" for key, value in place.items())
    return f"::{GITHUB[found.severity]} {keys}::{_escaped(_sentence(found))}"


def _escaped(text: str, more: str = "") -> str:
    """What would end the line, or with `more` the property, as its percent code."""
    for letter in f"%\r\n{more}":
        text = text.replace(letter, f"%{ord(letter):02X}")
    return text


def _sentence(found: Diagnostic) -> str:
    """The message with its cure and the other places, for where there is no caret."""
    cure = f"; {found.cure}" if found.cure else ""
    others = "".join(f"; {each.text} {each.file}:{each.line}" for each in found.related)
    return f"{found.message}{cure}{others}"


def as_sarif(found: Sequence[Diagnostic]) -> str:
    """One SARIF 2.1.0 log with every finding as a result; files by their address.

    Source: OASIS, Static Analysis Results Interchange Format 2.1.0, sections 3.13 to 3.30.
    """
    codes = sorted({each.code for each in found})
    driver = {
        "name": "runner",
        "version": __version__,
        "rules": [{"id": code} for code in codes],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(each, codes.index(each.code)) for each in found],
    }
    log = {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2, ensure_ascii=False) + "\n"


def _result(found: Diagnostic, index: int) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": found.code,
        "ruleIndex": index,
        "level": found.severity,
        "message": {"text": _sentence(found)},
        "locations": [_location(found.file, _region(found))],
    }
    if found.related:
        result["relatedLocations"] = [_other(each) for each in found.related]
    return result


def _region(found: Diagnostic) -> dict[str, int]:
    if not found.line:
        return {}
    return {
        "startLine": found.line,
        "startColumn": found.column,
        "endColumn": found.column + found.length,
    }


def _other(related: Related) -> dict[str, Any]:
    place = _location(related.file, {"startLine": related.line} if related.line else {})
    return {**place, "message": {"text": related.text}}


def _location(file: str, region: dict[str, int]) -> dict[str, Any]:
    address: dict[str, Any] = {"artifactLocation": {"uri": _uri(file)}}
    if region:
        address["region"] = region
    return {"physicalLocation": address}


def _uri(file: str) -> str:
    """A relative file as a relative reference, so that a report fits every checkout."""
    path = Path(file)
    return path.as_uri() if path.is_absolute() else quote(PurePath(file).as_posix())
