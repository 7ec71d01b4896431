"""What the YAML parser says, in a trader's words, at the place a person would look at."""

from __future__ import annotations

import re
from typing import Any

from runner.rulebook.diagnostics import Diagnostic, Related
from runner.rulebook.source import Source

CODE = "yaml"


def translate(error: Any, source: Source) -> Diagnostic:
    """The diagnostic of a parser error (anything with `problem` and `problem_mark`)."""
    problem = str(getattr(error, "problem", None) or "")
    context = str(getattr(error, "context", None) or "")
    mark: Any = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is None:
        return source.mark(0, 0, 1, CODE, *UNKNOWN)
    opened: Any = getattr(error, "context_mark", None) or mark
    line, column = _inside(source, mark.line, mark.column)
    if "\\t" in problem or _tab_before(source, line):
        return _tab(source, line, column)
    if "quoted scalar" in context:
        return _quoted(source, problem, opened, line, column)
    if "flow" in context:
        return _bracket(source, *_opening(source, opened.line, opened.column), line, column)
    if "block scalar" in context:
        return _special(source, opened.line, opened.column)
    if "cannot start any token" in problem:
        return _special(source, line, column)
    if any(name in context for name in ("alias", "anchor", "tag")):
        text = source.lines[opened.line][: opened.column + 1]
        return _special(source, opened.line, max(text.rfind(sign) for sign in "*&!"))
    if "expected the node content" in problem and source.lines[line][column : column + 1] in "}],":
        character = source.lines[line][column : column + 1]
        message = f"a {character} without a {'[' if character == ']' else '{'} before it"
        return source.mark(line, column, 1, CODE, message, "delete it, or put the text in quotes")
    if "mapping values are not allowed" in problem:
        return _second_colon(source, line, column)
    if "could not find expected ':'" in problem:
        return _no_colon(source, opened.line)
    if "expected <block end>" in problem:
        return _indentation(source, problem, opened, line, column)
    if "sequence entries are not allowed" in problem:
        message = "a list starts on a new line"
        return source.mark(line, column, 1, CODE, message, "put the - under the key")
    if "<document start>" in problem:
        message = "here the text goes on after its end"
        cure = "look for a } or ] too many just before this place"
        return source.mark(line, column, 1, CODE, message, cure)
    return source.mark(line, column, 1, CODE, *UNKNOWN)


UNKNOWN = (
    "the lines around this place cannot be read",
    "look for a missing quote, bracket or colon, or for a line that starts too far left or right",
)


def _inside(source: Source, line: int, column: int) -> tuple[int, int]:
    """The place itself, or the end of the last line when it lies behind the text."""
    if line < len(source.lines) and (source.lines[line].strip() or line + 1 < len(source.lines)):
        return line, column
    last = max((i for i, text in enumerate(source.lines) if text.strip()), default=0)
    return last, len(source.lines[last].rstrip()) if source.lines else 0


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip(" "))


def _tab_before(source: Source, line: int) -> bool:
    text = source.lines[line] if line < len(source.lines) else ""
    return "\t" in text[: len(text) - len(text.lstrip())]


def _tab(source: Source, line: int, column: int) -> Diagnostic:
    text = source.lines[line]
    at = text.find("\t") if "\t" in text else column
    return source.mark(line, at, 1, "tab", "here is a tab", "use spaces, not a tab")


def _quotes(source: Source, line: int, column: int) -> str:
    text = source.lines[line]
    in_brackets = re.search(r"[\[{]", text[:column]) is not None
    rest = re.split(r"\s#|[,\]}]" if in_brackets else r"\s#", text[column:])[0].strip()
    quote = "'" if '"' in rest else '"'
    return f"write {quote}{rest}{quote}" if len(rest) <= 60 else "put the whole text in quotes"


def _quoted(source: Source, problem: str, opened: Any, line: int, column: int) -> Diagnostic:
    if "escape" in problem:
        message = "a \\ in double quotes stands before a few letters only"
        return source.mark(line, column, 1, CODE, message, "use single quotes, or write \\\\")
    message = "the quote that opens here is never closed"
    cure = "close it at the end of the text"
    return source.mark(opened.line, opened.column, 1, CODE, message, cure)


def _opening(source: Source, line: int, column: int) -> tuple[int, int]:
    """Where the bracket stands; at the end of a file the parser names the place behind it."""
    for at in range(line, -1, -1):
        before = source.lines[at][: column + 1] if at == line else source.lines[at]
        found = max(before.rfind("{"), before.rfind("["))
        if found >= 0:
            return at, found
    return line, column


def _bracket(
    source: Source, from_line: int, from_column: int, line: int, column: int
) -> Diagnostic:
    opening = source.lines[from_line][from_column : from_column + 1]
    closing = {"{": "}", "[": "]"}.get(opening, "}")
    found = source.lines[line][column : column + 1]
    if found in ("}", "]") and found != closing:
        message = f"{found} closes what was opened with {opening}"
        return source.mark(line, column, 1, CODE, message, f"write {closing}")
    if line == from_line and found and found not in ":,":
        message = f"inside {opening} {closing} a comma is missing before this"
        return source.mark(line, column, 1, CODE, message, "put a comma between two entries")
    message = f"the {opening} that opens here is never closed"
    return source.mark(from_line, from_column, 1, CODE, message, f"close it with {closing}")


def _special(source: Source, line: int, column: int) -> Diagnostic:
    character = source.lines[line][column : column + 1]
    message = f"a text that starts with {character} needs quotes"
    return source.mark(line, column, 1, CODE, message, _quotes(source, line, column))


def _second_colon(source: Source, line: int, column: int) -> Diagnostic:
    """`a: b: c`, or a line pushed to the right under a line that already has its value."""
    text = source.lines[line]
    start = _indent(text)
    before = _previous(source, line)
    key = text[start:column]
    first = not re.search(r":\s", key) and not key.startswith("- ")
    if first and before is not None:
        above = _key_column(source.lines[before])
        if ":" not in source.lines[before]:
            return _no_colon(source, before)
        if start != above and re.search(r":\s*\S", source.lines[before]) is not None:
            return _shifted(source, line)
        if re.search(r"^[^\s:]+:\S", source.lines[before].strip()):
            return _no_space(source, before)
    message = "here is a second ': ' in one value"
    cure = "a text with ': ' in it needs quotes"
    return source.mark(line, column, 1, CODE, message, cure)


def _previous(source: Source, line: int) -> int | None:
    """The nearest line above that holds more than a comment."""
    for number in range(line - 1, -1, -1):
        text = source.lines[number].strip()
        if text and not text.startswith("#"):
            return number
    return None


def _key_column(text: str) -> int:
    """Where the key of a line starts, behind its dashes."""
    found = re.match(r"\s*(?:-\s+)*", text)
    return found.end() if found else 0


def _enclosing(source: Source, line: int) -> list[tuple[int, int]]:
    """The lines above whose keys a line could belong beside, nearest first: (line, column)."""
    found: list[tuple[int, int]] = []
    limit: int | None = None
    above = _previous(source, line)
    while above is not None:
        text = source.lines[above]
        key, indent = _key_column(text), _indent(text)
        if limit is None or key < limit:
            found.append((above, key))
            # the key above a list may stand at the very column of its dashes
            limit = indent + 1 if indent < key else key
        above = _previous(source, above)
    return found


def _shifted(source: Source, line: int) -> Diagnostic:
    """A line that starts beside no line above: name the nearest it could belong to."""
    text = source.lines[line]
    column = _key_column(text)
    lines = _enclosing(source, line) or [(line, 0)]
    near, meant = min(lines, key=lambda each: abs(each[1] - column))
    way = "right" if column > meant else "left"
    message = f"this line starts further {way} than the lines it belongs to"
    cure = f"line {near + 1} starts at column {meant + 1}"
    return source.mark(line, column, _key_length(text, column), "indentation", message, cure)


def _key_length(text: str, column: int) -> int:
    return max(1, len(re.split(r":(?:\s|$)", text[column:])[0].rstrip()))


def _no_colon(source: Source, line: int) -> Diagnostic:
    text = source.lines[line]
    if re.search(r"^[^\s:]+:\S", text.strip()):
        return _no_space(source, line)
    start = _key_column(text)
    message = "this line has no value: a colon and a space are missing"
    length = len(text.rstrip()) - start
    return source.mark(line, start, length, CODE, message, "write key: value")


def _no_space(source: Source, line: int) -> Diagnostic:
    column = source.lines[line].find(":")
    message = "a space is missing after the colon"
    return source.mark(line, column, 1, CODE, message, "write key: value")


def _indentation(source: Source, problem: str, opened: Any, line: int, column: int) -> Diagnostic:
    text = source.lines[line]
    if text[:column].strip() not in ("", "-"):
        message = "this stands behind a value that already ended"
        cure = "put the whole text in quotes, or a quote inside it twice ('it''s')"
        length = len(text.rstrip()) - column
        return source.mark(line, column, length, CODE, message, cure)
    if "found '-'" in problem or "block sequence" in problem:
        message = "this - does not stand under the others of its list"
        cure = "start every - of a list at the same column"
        return source.mark(line, column, 1, "indentation", message, cure)
    dash = opened.column if source.lines[opened.line][opened.column] == "-" else -1
    if dash == column:
        message = "this line stands beside a list, but has no - before it"
        related = (Related(source.file, opened.line + 1, "the list starts at"),)
        cure = "move it right under the entry it belongs to, or start it with -"
        length = _key_length(text, column)
        return source.mark(line, column, length, "indentation", message, cure, related=related)
    return _shifted(source, line)
