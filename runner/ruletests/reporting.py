"""What a run of tests came to: for people, for programs, and as JUnit for build servers."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET  # only written here, nothing foreign is parsed

from runner.rulebook.tests_model import TestsFile
from runner.ruletests.playing import Result
from runner.ruletests.suite import Report

TENTH = 100
UNTOLD = frozenset({"sent"})
"""Records that say nothing which the line before does not."""


def text(report: Report) -> str:
    """The failures with the field that differs and the rule's own log, then the count."""
    blocks = [failure(result) for result in report.failed]
    return "\n".join([*blocks, summary(report)]) + "\n"


def failure(result: Result) -> str:
    """One failed test: where and what differs, then what the rule did."""
    lines = [f"FAIL  {result.case.name}"]
    for found in result.failures:
        lines.append(f"      {found.file}:{found.line}:{found.column}: {found.message}")
        if found.cure:
            lines.append(f"      {found.cure}")
    for at, record in result.log:
        if record.kind in UNTOLD:
            continue
        reason = f" [{record.reason}]" if record.kind == "refused" else ""
        lines.append(f"{offset(at):>14}  {record.kind:<9} {record.text}{reason}".rstrip())
    return "\n".join(lines)


def offset(at: int) -> str:
    """Seconds since the start of the test, to a tenth: 16s, 0.5s."""
    tenths = round(at / TENTH)
    return f"{tenths // 10}s" if tenths % 10 == 0 else f"{tenths / 10:.1f}s"


def summary(report: Report) -> str:
    """`4 ok, 1 failed. Rules without a test: tv-eth, link-lost`."""
    failed = len(report.failed)
    counts = f"{len(report.all) - failed} ok" + (f", {failed} failed" if failed else "")
    if not report.untested:
        return f"{counts}. Every rule has a test."
    return f"{counts}. Rules without a test: {', '.join(report.untested)}"


def document(report: Report) -> dict[str, Any]:
    """The report as plain values, for `--json`; times in ms from the start of each test."""
    return {
        "passed": len(report.all) - len(report.failed),
        "failed": len(report.failed),
        "coverage": round(report.coverage, 1),
        "untested": report.untested,
        "findings": [found.as_json() for found in report.found],
        "tests": [_test(tests, result) for tests, results in report.results for result in results],
    }


def _test(tests: TestsFile, result: Result) -> dict[str, Any]:
    return {
        "file": str(tests.path),
        "name": result.case.name,
        "rule": result.case.rule,
        "symbol": result.case.symbol,
        "passed": result.passed,
        "seconds": round(result.seconds, 4),
        "failures": [found.as_json() for found in result.failures],
        "log": [
            {"at": at, "kind": record.kind, "text": record.text, "reason": record.reason}
            for at, record in result.log
        ],
    }


def junit(report: Report) -> str:
    """JUnit's XML: a suite for each tests file; a file with mistakes is one error."""
    root = ET.Element("testsuites", name="runner test")
    for tests, results in report.results:
        errors = [found for found in tests.found if found.is_error]
        failed = [result for result in results if not result.passed]
        suite = ET.SubElement(
            root,
            "testsuite",
            name=str(tests.path),
            tests=str(len(results) + bool(errors)),
            failures=str(len(failed)),
            errors=str(int(bool(errors))),
            time=f"{sum(result.seconds for result in results):.4f}",
        )
        if errors:
            case = ET.SubElement(suite, "testcase", classname=str(tests.path), name="read")
            error = ET.SubElement(case, "error", message=_clean(errors[0].message))
            error.text = _clean("\n\n".join(found.text() for found in errors))
        for result in results:
            _junit_case(suite, result)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, "unicode") + "\n"


def _junit_case(suite: ET.Element, result: Result) -> None:
    case = ET.SubElement(
        suite,
        "testcase",
        classname=result.case.rule,
        name=_clean(result.case.name),
        time=f"{result.seconds:.4f}",
    )
    if not result.passed:
        failed = ET.SubElement(case, "failure", message=_clean(result.failures[0].message))
        failed.text = _clean(failure(result))


def _clean(text: str) -> str:
    """Without control characters, which XML cannot hold."""
    return "".join(
        c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text
    )
