"""The pages as tests read them: code blocks with their place, links, headings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import REPOSITORY

PAGES = [
    *(REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((REPOSITORY / "docs").glob("*.md")),
]
_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """A code block: where it begins, its language, its text without the fence's indent."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        """Its place, which names the test."""
        return f"{self.page}:{self.line}"


def blocks(path: Path, *languages: str) -> Iterator[Block]:
    """Every code block of a page in one of these languages, in order."""
    page = path.read_text("utf-8")
    for found in _FENCE.finditer(page):
        indent, language, text = found.groups()
        if language in languages:
            plain = re.sub(f"^{indent}", "", text, flags=re.MULTILINE)
            line = page.count("\n", 0, found.start()) + 1
            yield Block(str(path.relative_to(REPOSITORY)), line, language, plain)


def prose(path: Path) -> str:
    """The page without its code blocks."""
    return _FENCE.sub("", path.read_text("utf-8"))


def links(path: Path) -> list[str]:
    """Where the page's links go."""
    return _LINK.findall(prose(path))


def anchors(path: Path) -> set[str]:
    """What can stand behind # in a link to the page, as GitHub makes it of headings."""
    found: set[str] = set()
    for heading in _HEADING.findall(prose(path)):
        plain = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        number = 0
        while (name := f"{plain}-{number}" if number else plain) in found:
            number += 1
        found.add(name)
    return found
