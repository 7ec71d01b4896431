"""runner.yaml as a plain tree with places, and mistakes shown where they stand.

Exact numbers and one way to write each thing, as in rule files; rooms of one rank do not know
each other, so the rule files' larger reader is not used here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ruamel.yaml import YAML, nodes
from ruamel.yaml.error import YAMLError

Path = tuple[str | int, ...]
Spot = tuple[int, int, int]
"""Line and column from 0, and the length that is underlined."""

MAX_BYTES = 256 * 1024
WIDEST = 160
"""Characters of a source line that are shown."""

_NUMBER = re.compile(r"[-+]?(0|[1-9]\d{0,29})(\.\d{1,30})?")
_LIKE_A_KEY = re.compile(r"[A-Za-z0-9+/=_-]{32,}")
_SECRET_KEYS = frozenset({"api_key", "api_secret", "heartbeat_url"})


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong at a place; `at_key` means the key itself, not what stands behind it."""

    path: Path
    code: str
    message: str
    cure: str = ""
    at_key: bool = False
    spot: Spot | None = None


@dataclass(slots=True)
class Document:
    """A file's text, its tree, and where each key and value stands."""

    file: str
    lines: list[str]
    tree: Any = None
    values: dict[Path, Spot] = field(default_factory=dict)
    keys: dict[Path, Spot] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)

    def text(self, mistakes: Iterable[Mistake]) -> str:
        """Return mistakes as a person reads them, in the order of the file."""
        placed = sorted({(self._spot(each), each): None for each in mistakes}, key=lambda p: p[0])
        shown = [self._show(spot, each) for spot, each in placed]
        count = "1 error" if len(shown) == 1 else f"{len(shown)} errors"
        return "\n\n".join([*shown, f"{count} in {self.file}. Nothing was started."])

    def _spot(self, mistake: Mistake) -> Spot:
        if mistake.spot is not None:
            return mistake.spot
        block = isinstance(_at(self.tree, mistake.path), (dict, list))
        # a whole block is marked by its key, the file by its beginning
        places = self.keys if mistake.at_key or block else self.values
        return places.get(mistake.path, (0, 0, 1))

    def _show(self, spot: Spot, mistake: Mistake) -> str:
        line, column, length = spot
        source = self.lines[line] if line < len(self.lines) else ""
        margin = " " * (len(str(line + 1)) + 2)
        caret = "^" + "~" * (min(length, max(len(source) - column, 1)) - 1)
        if is_secret(mistake.path):
            # a key or a token that stands where its name belongs must not get into a log
            source, caret = re.sub(r"(:\s*).*", r"\1…", source, count=1), "^"
        source = _LIKE_A_KEY.sub("…", source)[:WIDEST]
        pad = "".join("\t" if each == "\t" else " " for each in source[:column].ljust(column))
        message = _LIKE_A_KEY.sub("…", mistake.message)
        return "\n".join(
            [
                f"{self.file}:{line + 1}:{column + 1}: error: {message} [{mistake.code}]",
                f" {line + 1} | {source}".rstrip(),
                f"{margin}| {pad[:WIDEST]}{caret} {mistake.cure}".rstrip(),
            ]
        )


def read(file: str, content: bytes) -> Document:
    """Return the file's document; what cannot be read at all is in its `mistakes`."""
    text = content.decode("utf-8-sig", "replace")
    document = Document(file, text.splitlines())
    if len(content) > MAX_BYTES or "\ufffd" in text:
        what = "is larger than 256 KiB" if len(content) > MAX_BYTES else "is not UTF-8 text"
        document.mistakes.append(Mistake((), "unreadable", f"the file {what}", spot=(0, 0, 1)))
        return document
    try:
        root = YAML(typ="safe", pure=True).compose(text)
    except YAMLError as error:
        document.mistakes.append(_syntax(error))
    except RecursionError:
        document.mistakes.append(Mistake((), "yaml", "the file is nested too deep", spot=(0, 0, 1)))
    else:
        document.tree = {} if root is None else _plain(root, (), document)
    return document


def _plain(node: Any, path: Path, document: Document) -> Any:
    """Return the node as dict, list or scalar, and note its place and what is not allowed."""
    start, end = node.start_mark, node.end_mark
    length = end.column - start.column if end.line == start.line else 1
    document.values[path] = spot = (start.line, start.column, max(length, 1))
    # an alias comes as the very node that it names: not to follow it defuses nesting bombs too
    if node.anchor is not None:
        text = "anchors (&) and aliases (*) are not used here"
        document.mistakes.append(Mistake((), "yaml", text, "write the value out", spot=spot))
        return None
    if isinstance(node, nodes.SequenceNode):
        return [_plain(each, (*path, index), document) for index, each in enumerate(node.value)]
    if isinstance(node, nodes.MappingNode):
        return _mapping(node, path, document)
    return _scalar(str(node.value)) if node.style is None else str(node.value)


def _mapping(node: nodes.MappingNode, path: Path, document: Document) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in node.value:
        name = str(key.value) if isinstance(key, nodes.ScalarNode) else ""
        below = (*path, name)
        spot = (key.start_mark.line, key.start_mark.column, max(len(name), 1))
        if not name or name == "<<":
            text = "a key must be a plain word"
            document.mistakes.append(Mistake(path, "yaml", text, spot=spot))
        elif name in found:
            first = document.keys[below][0] + 1
            text = f"{name} is written twice in the same block"
            cure = f"the first is at line {first}, keep one of them"
            document.mistakes.append(Mistake(below, "duplicate-key", text, cure, spot=spot))
        else:
            document.keys[below] = spot
            found[name] = _plain(value, below, document)
    return found


def _scalar(text: str) -> Any:
    if text in ("", "~", "null"):
        return None
    if text in ("true", "false"):
        return text == "true"
    number = _NUMBER.fullmatch(text)
    if number is None:
        return text
    return Decimal(text) if number[2] else int(text)


def _syntax(error: Any) -> Mistake:
    """What the YAML parser stumbled over, in plain words."""
    problem = str(getattr(error, "problem", "") or "")
    mark = getattr(error, "problem_mark", None)
    context = str(getattr(error, "context", "") or "")
    if "quoted scalar" in context:
        mark = error.context_mark
    spot = (mark.line, mark.column, 1) if mark else (0, 0, 1)
    for sign, said in _SYNTAX.items():
        if sign in problem or sign in context:
            return Mistake((), "yaml", *said, spot=spot)
    return Mistake((), "yaml", "this cannot be read", "is the line above complete?", spot=spot)


_SYNTAX: Mapping[str, tuple[str, str]] = {
    "mapping values": (
        "a colon too many, or an indentation",
        'a text with ": " in it needs quotes',
    ),
    "'\\t'": ("a tab stands here", "indent with spaces"),
    "quoted scalar": ("a quote is opened here and never closed", "close it"),
    "flow": ("a bracket is opened here and never closed", "close it with ] or }"),
    "block": ("this line stands further left or right than its block", "line it up"),
    "cannot start any token": (
        "a text that starts with this sign needs quotes",
        "put it in quotes",
    ),
    "undefined alias": ("a text that starts with * needs quotes", "put it in quotes"),
    "another document": ("--- starts a second document", "delete that line"),
}


def is_secret(path: Path) -> bool:
    """Return whether a secret itself may stand at this place by mistake."""
    if path[:2] == ("notifications", "targets"):
        return True
    return bool(path) and (path[0] == "secrets" or path[-1] in _SECRET_KEYS)


def _at(tree: Any, path: Path) -> Any:
    for step in path:
        tree = tree[step]
    return tree
