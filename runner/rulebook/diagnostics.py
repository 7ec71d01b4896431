"""A mistake in a rule file with its place and its cure, and how it is shown."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

WIDEST = 120
"""Characters of a source line that are shown; a longer one is cut around the mistake."""

MOST_SHOWN = 100
"""Mistakes of one file that are written out; beyond it only their number."""


SEVERITIES = ("error", "warning", "note")


@dataclass(frozen=True, slots=True)
class Related:
    """Another place that has to do with the mistake: the first of two, say. From 1."""

    file: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding. Lines and columns count characters from 1; line 0 means the whole file.

    `severity` is error, warning or note; only errors keep rules from being loaded. `source` is
    the line of the file, for showing.
    """

    file: str
    line: int
    column: int
    length: int
    severity: str
    code: str
    message: str
    cure: str | None = None
    related: tuple[Related, ...] = ()
    source: str = ""

    @property
    def is_error(self) -> bool:
        """True when nothing is loaded because of it."""
        return self.severity == "error"

    def as_json(self) -> dict[str, Any]:
        """The finding as plain values, for `--json`."""
        return {
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "length": self.length,
            "severity": self.severity,
            "code": self.code,
            "message": self.message,
            "cure": self.cure,
            "related": [
                {"file": place.file, "line": place.line, "text": place.text}
                for place in self.related
            ],
        }

    def text(self) -> str:
        """The finding as a person reads it: first line for machines too, source, caret, cure."""
        where = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        message = _clean(self.message)
        lines = [f"{where}: {self.severity}: {message} [{self.code}]"]
        if self.line:
            lines += self._excerpt()
        elif self.cure:
            lines.append(f"  {_clean(self.cure)}")
        margin = " " * (len(str(self.line)) + 2)
        for place in self.related:
            at = f"line {place.line}" if place.file == self.file else f"{place.file}:{place.line}"
            lines.append(f"{margin}= {place.text} {at}")
        return "\n".join(lines)

    def _excerpt(self) -> list[str]:
        """The source line and the caret under its part, the cure behind the caret."""
        number, margin = f" {self.line} ", " " * (len(str(self.line)) + 2)
        before, part, after = _cut(self.source, self.column - 1, self.length)
        pad = "".join("\t" if c == "\t" else " " * _width(c) for c in before)
        caret = "^" + "~" * (sum(map(_width, part)) - 1)
        shown = _clean(before + part + after)
        under = f"{pad}{caret} {_clean(self.cure or '')}".rstrip()
        return [f"{number}| {shown}".rstrip(), f"{margin}| {under}"]


def _cut(line: str, start: int, length: int) -> tuple[str, str, str]:
    """What stands before, in and after the marked part, cut to a line that can be read."""
    before, part, after = line[:start], line[start : start + length], line[start + length :]
    if len(line) <= WIDEST:
        return before, part, after
    if len(part) > WIDEST // 2:
        part, after = part[: WIDEST // 2], "…"
    room = (WIDEST - len(part)) // 2
    if len(before) > room:
        before = "…" + before[-room:]
    if len(after) > room:
        after = after[:room] + "…"
    return before, part, after


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _clean(text: str) -> str:
    return "".join(map(_printable, text))


def _printable(character: str) -> str:
    """Control and direction characters could garble the terminal: show a stand-in."""
    if character == "\t" or unicodedata.category(character) not in ("Cc", "Cf", "Zl", "Zp"):
        return character
    return "\N{REPLACEMENT CHARACTER}"


def order(found: Iterable[Diagnostic]) -> list[Diagnostic]:
    """By file, line and column, each once."""
    return sorted(
        dict.fromkeys(found), key=lambda d: (d.file, d.line, d.column, d.severity, d.message)
    )


def render(found: Sequence[Diagnostic], effect: str = "Nothing was loaded.") -> str:
    """All findings in order, then how many and what follows from them; empty for none."""
    if not found:
        return ""
    blocks: list[str] = []
    shown: Counter[str] = Counter()
    for diagnostic in order(found):
        shown[diagnostic.file] += 1
        if shown[diagnostic.file] <= MOST_SHOWN:
            blocks.append(diagnostic.text())
    for file, count in shown.items():
        if count > MOST_SHOWN:
            blocks.append(f"{file}: {count - MOST_SHOWN} more are not shown.")
    return "\n\n".join([*blocks, summary(found, effect)]) + "\n"


def summary(found: Sequence[Diagnostic], effect: str = "Nothing was loaded.") -> str:
    """One line: `3 errors in a.yaml. Nothing was loaded.`"""
    severities = Counter(diagnostic.severity for diagnostic in found)
    counts = _listed([_count(severities[noun], noun) for noun in SEVERITIES if severities[noun]])
    files = {diagnostic.file for diagnostic in found}
    where = next(iter(files)) if len(files) == 1 else f"{len(files)} files"
    line = f"{counts} in {where}."
    return f"{line} {effect}" if severities["error"] and effect else line


def _count(count: int, noun: str) -> str:
    return f"1 {noun}" if count == 1 else f"{count} {noun}s"


def _listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
