"""One rule file as it was read: its plain tree, and the line and column of every part of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from runner.core.document import Path, Problem
from runner.rulebook.diagnostics import Diagnostic, Related


@dataclass(frozen=True, slots=True)
class Place:
    """Where something begins and ends; lines and columns from 0, the end is exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(slots=True)
class Text:
    """A file's lines, and what stands where in them.

    `places` leads to values, `keys` to the keys before them; `flow` holds the paths of collections
    written inside brackets.
    """

    lines: tuple[str, ...] = ()
    places: dict[Path, Place] = field(default_factory=dict)
    keys: dict[Path, Place] = field(default_factory=dict)
    flow: set[Path] = field(default_factory=set)


@dataclass(slots=True)
class Source:
    """A file's text and tree. `readable` is False when the text is not YAML: there is no tree.

    Where the tree was remembered, `again` reads the text when there is something to say about it;
    `starts` are the lines, from 1, at which the rules begin.
    """

    file: str
    text: Text = field(default_factory=Text)
    tree: Any = None
    readable: bool = True
    found: list[Diagnostic] = field(default_factory=list)
    spoilt: set[Path] = field(default_factory=set)
    starts: tuple[int, ...] = ()
    again: Callable[[], Text] | None = None

    @property
    def lines(self) -> tuple[str, ...]:
        """The text, line by line."""
        return self._text().lines

    @property
    def places(self) -> dict[Path, Place]:
        """Where values stand."""
        return self._text().places

    @property
    def keys(self) -> dict[Path, Place]:
        """Where keys stand."""
        return self._text().keys

    @property
    def flow(self) -> set[Path]:
        """The collections inside brackets."""
        return self._text().flow

    def _text(self) -> Text:
        if self.again is not None:
            self.text, self.again = self.again(), None
        return self.text

    def value(self, path: Path) -> Any:
        """The value at a path, None where there is none."""
        here = self.tree
        for part in path:
            if isinstance(here, Mapping):
                here = here.get(part)
            elif isinstance(here, list) and isinstance(part, int) and part < len(here):
                here = here[part]
            else:
                return None
        return here

    def line(self, path: Path) -> int:
        """The line, from 1, at which a value begins; 0 when it has no place."""
        if self.starts and len(path) == 2 and path[0] == "rules":
            return self.starts[int(path[1])]
        place = self.places.get(path)
        return 0 if place is None else place.line + 1

    def mark(
        self,
        line: int,
        column: int,
        length: int,
        code: str,
        message: str,
        cure: str | None = None,
        severity: str = "error",
        related: tuple[Related, ...] = (),
    ) -> Diagnostic:
        """A diagnostic at a line and column from 0."""
        text = self.lines[line] if 0 <= line < len(self.lines) else ""
        return Diagnostic(
            file=self.file,
            line=line + 1,
            column=column + 1,
            length=max(1, min(length, max(1, len(text) - column))),
            severity=severity,
            code=code,
            message=message,
            cure=cure,
            related=related,
            source=text,
        )

    def mark_place(
        self,
        place: Place,
        code: str,
        message: str,
        cure: str | None = None,
        related: tuple[Related, ...] = (),
    ) -> Diagnostic:
        """A diagnostic at a place, underlined as far as its first line goes."""
        length = self._length(place)
        return self.mark(place.line, place.column, length, code, message, cure, related=related)

    def locate(self, problem: Problem, related: tuple[Related, ...] = ()) -> Diagnostic:
        """The diagnostic of a problem: at the key, the value, or the part of the value."""
        line, column, length = self._where(problem)
        return self.mark(
            line,
            column,
            length,
            problem.code,
            problem.message,
            problem.cure,
            problem.severity,
            related,
        )

    def hide(self, path: Path) -> None:
        """Show stars instead of a value: somebody wrote a secret itself into the file."""
        place = self.places[path]
        text = self.lines[place.line]
        end = place.end_column if place.line == place.end_line else len(text)
        hidden = f"{text[: place.column]}{'*' * (end - place.column)}{text[end:]}"
        lines = self.lines
        self.text.lines = (*lines[: place.line], hidden, *lines[place.line + 1 :])
        self.found = [
            replace(found, source=hidden) if found.line == place.line + 1 else found
            for found in self.found
        ]

    def _where(self, problem: Problem) -> tuple[int, int, int]:
        path = problem.path
        while path not in self.places and path not in self.keys and path:
            path = path[:-1]
        place = self.places.get(path) or Place(0, 0, 0, 1)
        if problem.column is not None and path == problem.path:
            return self._part(place, problem)
        key = self.keys.get(path)
        if key is not None and (problem.at_key or self._has_no_line(path)):
            return key.line, key.column, self._length(key)
        if isinstance(self.value(path), (dict, list)) and path not in self.flow:
            first = next(iter(self.value(path)), None)
            place = self.keys.get((*path, first), place) if isinstance(first, str) else place
        return place.line, place.column, self._length(place)

    def _has_no_line(self, path: Path) -> bool:
        """A block or nothing at all: its key is the better place to look at."""
        value = self.value(path)
        return value is None or isinstance(value, (dict, list))

    def _part(self, place: Place, problem: Problem) -> tuple[int, int, int]:
        """A column inside a text; exact when the text stands on one line as it is."""
        assert problem.column is not None
        text = str(self.value(problem.path))
        raw = self.lines[place.line][place.column : place.end_column]
        for quote in (0, 1):
            if place.line == place.end_line and raw[quote : len(raw) - quote] == text:
                return place.line, place.column + quote + problem.column - 1, problem.length
        return place.line, place.column, self._length(place)

    def _length(self, place: Place) -> int:
        if place.line == place.end_line:
            return max(1, place.end_column - place.column)
        return max(1, len(self.lines[place.line].rstrip()) - place.column)
