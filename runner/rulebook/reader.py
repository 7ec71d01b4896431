"""Rule-file text to a plain tree with places: exact numbers, one way to write each thing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml import events as yaml
from ruamel.yaml.error import YAMLError

from runner.core.document import Path
from runner.rulebook.diagnostics import Diagnostic, Related
from runner.rulebook.source import Place, Source, Text
from runner.rulebook.yaml_errors import translate

MOST_BYTES = 1 << 20
LONGEST_LINE = 10_000
MOST_VALUES = 100_000
DEEPEST = 30
LONGEST_NUMBER = 40
MOST_FOUND = 1_000
START = "a rule file starts with version: 1 and has rules:"

_NUMBER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]{1,2})?")
_ODD_NUMBER = re.compile(
    r"[-+]?(?:0[xXoObB][0-9a-fA-F_]+|[0-9][0-9_]*\.?[0-9_]*(?:[eE][-+]?[0-9]+)?"
    r"|\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?)"
)
_NOT_FINITE = re.compile(r"[-+]?\.?(?:inf|infinity|nan)", re.IGNORECASE)
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BREAK = re.compile(r"\r\n|\n|\r")
# spaces that look like indentation and are none, pasted from a web page
_ODD_INDENT = re.compile("^[ -]*([\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000])")
# control characters, line breaks that editors do not show, and marks that reverse what is read
_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]"
)


def read(file: str, content: bytes, size: int | None = None) -> Source:
    """The file's tree with places; mistakes are in its `found`. Never raises for bad input.

    `size` is the whole file's, where `content` was cut.
    """
    if len(content) > MOST_BYTES:
        source = Source(file, readable=False)
        source.found.append(_too_large(source, max(size or 0, len(content))))
        return source
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return _not_utf8(file, content, error.start)
    source = Source(file, Text(tuple(_BREAK.split(text))))
    if not _refuse_text(source):
        _Reader(source).run(text)
    return source


def _too_large(source: Source, size: int) -> Diagnostic:
    message = f"the file has {size / MOST_BYTES:.1f} MiB, a rule file may have 1 MiB"
    return source.mark(-1, 0, 1, "too-large", message, "split it into several files")


def _not_utf8(file: str, content: bytes, at: int) -> Source:
    before = content[:at].decode("utf-8", "replace")
    lines = _BREAK.split(content.decode("utf-8", "replace"))
    source = Source(file, Text(tuple(lines)), readable=False)
    rows = _BREAK.split(before)
    message = "here is a byte that is not UTF-8 text"
    cure = "save the file with the encoding UTF-8"
    source.found.append(source.mark(len(rows) - 1, len(rows[-1]), 1, "encoding", message, cure))
    return source


def _refuse_text(source: Source) -> bool:
    """Note what no rule file may hold anywhere; True when the parser must not see it."""
    first = next((line.strip() for line in source.lines if line.strip()), "")
    if re.match(r"<[!?\w]", first):
        message = "this is not a rule file, it looks like a web page"
        source.found.append(source.mark(0, 0, len(first), "not-rules", message, START))
        source.readable = False
        return True
    for number, line in enumerate(source.lines):
        unseen = _UNSEEN.search(line)
        odd = _ODD_INDENT.match(line)
        if unseen is not None:
            message = f"here is an invisible character (U+{ord(unseen.group()):04X})"
            found = source.mark(number, unseen.start(), 1, "character", message, "delete it")
        elif odd is not None:
            message = f"this looks like a space and is none (U+{ord(odd[1]):04X})"
            cure = "type a plain space over it"
            found = source.mark(number, odd.start(1), 1, "character", message, cure)
        elif len(line) > LONGEST_LINE:
            message = f"the line has {len(line)} characters, at most {LONGEST_LINE} can be read"
            found = source.mark(number, 0, 1, "too-large", message, "break it into lines")
        elif line.startswith("%"):
            message = "a line cannot start with %"
            found = source.mark(number, 0, len(line), "yaml", message, "delete it")
        else:
            continue
        source.found.append(found)
        source.readable = False
        return True
    return False


class _Stop(Exception):
    """Nothing after this place can be read."""


class _Reader:
    """One walk over the parser's events; it nests no deeper than DEEPEST."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.text = source.text
        self.values = 0
        self.events: Iterator[Any] = iter(())

    def run(self, text: str) -> None:
        """Fill the source's tree, places and findings."""
        self.events = YAML(typ="safe", pure=True).parse(text)
        try:
            self._document()
        except YAMLError as error:
            self.source.found.append(translate(error, self.source))
            self.source.readable = False
        except _Stop:
            self.source.readable = False

    def _document(self) -> None:
        next(self.events)
        begin = next(self.events)
        if not isinstance(begin, yaml.DocumentStartEvent):
            return
        self.source.tree = self._value(next(self.events), ())
        next(self.events)
        again = next(self.events)
        if isinstance(again, yaml.DocumentStartEvent):
            raise self._stop(again, "yaml", "--- starts a second document", "write two files")

    def _value(self, event: Any, path: Path) -> Any:
        self.values += 1
        if len(self.source.found) > MOST_FOUND:
            raise _Stop
        if self.values > MOST_VALUES:
            message = f"the file has more than {MOST_VALUES} values"
            raise self._stop(event, "too-large", message, "split it into several files")
        if isinstance(event, yaml.AliasEvent):
            raise self._alias(event)
        self._refuse_marks(event)
        if isinstance(event, yaml.ScalarEvent):
            self.text.places[path] = _place(event, event)
            return self._scalar(event, path)
        if len(path) >= DEEPEST:
            message = f"more than {DEEPEST} levels inside each other"
            raise self._stop(event, "too-deep", message, "no rule needs that many")
        if event.flow_style:
            self.text.flow.add(path)
        is_list = isinstance(event, yaml.SequenceStartEvent)
        return self._list(event, path) if is_list else self._mapping(event, path)

    def _list(self, begin: Any, path: Path) -> list[Any]:
        values: list[Any] = []
        event = next(self.events)
        while not isinstance(event, yaml.SequenceEndEvent):
            values.append(self._value(event, (*path, len(values))))
            event = next(self.events)
        self.text.places[path] = _place(begin, event)
        return values

    def _mapping(self, begin: Any, path: Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        second = False
        event = next(self.events)
        while not isinstance(event, yaml.MappingEndEvent):
            key = self._key(event)
            below = (*path, key)
            if key in values:
                # a second id: a whole rule was added without its dash, one message is enough
                if key == "id" or not second:
                    self._twice(event, key, below)
                second = second or key == "id"
                self._skip(path)
            else:
                self.text.keys[below] = _place(event, event)
                values[key] = self._value(next(self.events), below)
            event = next(self.events)
        self.text.places[path] = _place(begin, event)
        return values

    def _skip(self, path: Path) -> None:
        """Read the value of a key that is there already, for its own mistakes and its end."""
        self._value(next(self.events), (*path, "", self.values))

    def _key(self, event: Any) -> str:
        if isinstance(event, yaml.AliasEvent):
            raise self._alias(event)
        if not isinstance(event, yaml.ScalarEvent):
            opening = self.source.lines[event.start_mark.line][event.start_mark.column :][:1]
            cure = "a value that starts with { or [ needs quotes" if opening in "{[" else None
            raise self._stop(event, "yaml", "a key must be a plain word", cure)
        self._refuse_marks(event)
        if event.value == "<<":
            message = "<< is no key of rule files"
            raise self._stop(event, "yaml", message, "write the keys out")
        if event.start_mark.line != event.end_mark.line:
            raise self._stop(event, "yaml", "a key must stand on one line", None)
        if not event.value:
            raise self._stop(event, "yaml", "the key before this colon is missing", None)
        return str(event.value)

    def _twice(self, event: Any, key: str, path: Path) -> None:
        first = self.text.keys[path]
        self.source.found.append(
            self.source.mark_place(
                _place(event, event),
                "duplicate-key",
                f"{key} is written twice in the same block",
                _second_cure(path),
                (Related(self.source.file, first.line + 1, "first at"),),
            )
        )

    def _alias(self, event: Any) -> _Stop:
        mark = event.start_mark
        line = self.source.lines[mark.line]
        rest = re.split(r"\s#|[,\]}]", line[mark.column :])[0].strip()
        quote = "'" if '"' in rest else '"'
        message = "a text that starts with * needs quotes"
        return self._stop(event, "yaml", message, f"write {quote}{rest}{quote}")

    def _refuse_marks(self, event: Any) -> None:
        """Anchors and tags: they would make a file mean something else than it shows."""
        if event.anchor is not None:
            self._refuse(event, "a value cannot start with &", "put the text in quotes")
        if event.tag is not None:
            self._refuse(event, "a value cannot start with !", "put the text in quotes")

    def _refuse(self, event: Any, message: str, cure: str) -> None:
        self.source.found.append(
            self.source.mark_place(_place(event, event), "yaml", message, cure)
        )

    def _stop(self, event: Any, code: str, message: str, cure: str | None) -> _Stop:
        place = _place(event, event)
        self.source.found.append(self.source.mark_place(place, code, message, cure))
        return _Stop()

    def _scalar(self, event: Any, path: Path) -> Any:
        text = str(event.value)
        if event.style is not None:
            return text
        if text in _NULL:
            return None
        if text in ("true", "false"):
            return text == "true"
        number = _NUMBER.fullmatch(text)
        if number is not None and len(text) <= LONGEST_NUMBER:
            whole = number.group(1) is None and number.group(2) is None
            return int(text) if whole else Decimal(text)
        problem = _odd(text)
        if problem is not None:
            place = _place(event, event)
            self.source.spoilt.add(path)
            self.source.found.append(self.source.mark_place(place, "number", *problem))
        return text


def _second_cure(path: Path) -> str:
    if len(path) == 3 and path[0] == "rules":
        return "delete one of them; a new rule starts with - id:"
    return "delete one of them"


def _odd(text: str) -> tuple[str, str] | None:
    """Why this looks like a number and is none, and the cure; None for an ordinary text."""
    if _NOT_FINITE.fullmatch(text):
        return f"{text} is not a number that can be used", "write a number, or a text in quotes"
    if not _ODD_NUMBER.fullmatch(text):
        return None
    if len(text) > LONGEST_NUMBER:
        return f"a number may have {LONGEST_NUMBER} characters", "write it shorter"
    plain = text.replace("_", "")
    if plain != text and _NUMBER.fullmatch(plain):
        return "numbers are written without _", f"write {plain}"
    if re.fullmatch(r"[-+]?\.[0-9]+", plain):
        return "a number starts with a digit", f"write {plain.replace('.', '0.', 1)}"
    if re.fullmatch(r"[-+]?[0-9]+\.", plain):
        return "a number ends with a digit", f"write {plain[:-1]}"
    if re.fullmatch(r"[-+]?0[0-9]+(?:\.[0-9]+)?", plain):
        short = re.sub(r"^([-+]?)0+(?=[0-9])", r"\1", plain)
        return "a number does not start with 0", f'write {short}, or the text "{text}" in quotes'
    return f"{text} is not a number that can be used", "write its digits: 70000, 0.02"


def _place(begin: Any, end: Any) -> Place:
    start, stop = begin.start_mark, end.end_mark
    return Place(start.line, start.column, stop.line, stop.column)
