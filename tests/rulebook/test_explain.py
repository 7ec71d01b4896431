"""The schema's objections never reach a user in the validator's own words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from runner.rulebook import explain, objections
from runner.rulebook.reader import read
from runner.rulebook.schema import bundle
from runner.rulebook.source import Source
from tests.rulebook.test_mistakes import FOREIGN
from tests.test_schemas import properties

# keywords that describe or lead on, and object to nothing themselves
SILENT = {"$schema", "title", "description", "properties", "items"}


def keywords() -> set[str]:
    """Every keyword that the schema uses."""
    return {word for _, here in [("", bundle()), *properties(bundle())] for word in here}


def patterns() -> set[str]:
    """Every pattern that the schema uses."""
    return {here["pattern"] for _, here in properties(bundle()) if "pattern" in here}


def test_every_keyword_has_words() -> None:
    """A keyword that a new kind brings along needs a handler."""
    assert keywords() - SILENT <= objections.HANDLERS.keys()


def test_every_pattern_has_words() -> None:
    """A pattern that a new kind brings along needs a sentence."""
    assert patterns() <= objections.PATTERNS.keys()


def test_the_lengths_of_time_are_known() -> None:
    """Each text whose description shows 15s or 4h is one whose bare number is met with 15s, 15m."""
    texts = {
        path.rpartition(".")[2]: here
        for path, here in properties(bundle())
        if here.get("type") == "string" and "pattern" not in here
    }
    shown = {key for key, here in texts.items() if re.search(r"\b\d+[smh]\b", here["description"])}
    assert shown - {"name"} == objections.DURATIONS


def source_of(tree: Any) -> Source:
    """A file that holds this tree."""
    return read("rules.yaml", json.dumps(tree, ensure_ascii=False).encode())


VALUES: list[Any] = [None, True, 5, 2.5, "text", "", [], [1], {}, {"a": 1}]
WORDS: list[Any] = [None, 5, "GTC", "x", [], {"a": 1}]
FAULTS: list[tuple[str, dict[str, Any], Any]] = [
    (
        "additionalProperties",
        {"properties": {"price": {}}, "additionalProperties": False},
        {"x": 1},
    ),
    ("required", {"required": ["price"], "properties": {"price": {}}}, {}),
    *(
        ("type", {"type": wanted}, value)
        for wanted in ("string", "number", "integer", "boolean", "array", "object")
        for value in VALUES
    ),
    *(("enum", {"enum": ["gtc", "ioc"]}, value) for value in WORDS),
    *(("pattern", {"pattern": pattern}, "§ 0") for pattern in sorted(patterns())),
    ("pattern", {"pattern": "^unheard-of$"}, "x"),
    ("minimum", {"minimum": 1}, 0),
    ("exclusiveMinimum", {"exclusiveMinimum": 0}, 0),
    ("maximum", {"maximum": 1}, 2),
    ("exclusiveMaximum", {"exclusiveMaximum": 1}, 1),
    ("minItems", {"minItems": 1}, []),
    ("minItems", {"minItems": 2}, [1]),
    ("maxItems", {"maxItems": 1}, [1, 2]),
    ("minLength", {"minLength": 1}, ""),
    ("maxLength", {"maxLength": 1}, "ab"),
    ("minProperties", {"minProperties": 1}, {}),
    ("maxProperties", {"maxProperties": 1}, {"a": 1, "b": 2}),
    ("uniqueItems", {"uniqueItems": True}, ["a", "b", "a"]),
    ("multipleOf", {"multipleOf": 2}, 3),
    ("const", {"const": 2}, 3),
]


@pytest.mark.parametrize("path", [("guards", "price"), ("rules", 0, "when", 0), ("rules", 0), ()])
@pytest.mark.parametrize(("keyword", "here", "value"), FAULTS)
def test_each_keyword_speaks_the_users_language(
    keyword: str, here: dict[str, Any], value: Any, path: tuple[str | int, ...]
) -> None:
    """For every keyword, and for those of tomorrow: a sentence, none of it the validator's."""
    source = source_of({"rules": [{"when": [None]}], "guards": {}})
    for error in Draft7Validator(here).iter_errors(value):
        assert error.validator == keyword
        error.path.extendleft(reversed(path))
        problems = list(explain.explain(error, source))
        assert problems
        for problem in problems:
            assert problem.message != error.message
            assert_plain(problem.message)
            assert_plain(problem.cure or "")


def assert_plain(text: str) -> None:
    """Fails for a text with words or spellings of the machinery."""
    assert not FOREIGN.search(text), text
    assert not re.search(r"[\[{]'|\bNone\b|\bTrue\b|\bFalse\b", text), text


words = st.sampled_from(
    ["price", "webhook", "place", "side", "buy", "limit", "15s", "=mark", "0,02", "true", "", "é"]
)
leaves = st.none() | st.booleans() | st.integers(-5, 99) | st.decimals(-5, 5, places=2) | words


def fields(here: Any) -> list[str]:
    """The keys that may be written in a block, and some that may not."""
    return [*here.get("properties", {}), "oops"]


@st.composite
def trees(draw: st.DrawFn, here: Any, depth: int = 0) -> Any:
    """Something like what the schema wants, and often not."""
    wanted = here.get("type", "string")
    kinds = [wanted] if isinstance(wanted, str) else list(wanted)
    kind = draw(st.sampled_from([*kinds, *kinds, *kinds, "leaf"]))
    if kind == "object" and depth < 9:
        required = [key for key in here.get("required", []) if draw(st.integers(0, 9))]
        some = st.lists(st.sampled_from(fields(here)), max_size=2)
        extra = here.get("additionalProperties")
        known = here.get("properties", {})
        chosen = dict.fromkeys([*required, *draw(some)])
        below = extra if isinstance(extra, dict) else {}
        return {key: draw(trees(known.get(key, below), depth + 1)) for key in chosen}
    if kind == "array" and depth < 9:
        return draw(st.lists(trees(here.get("items", {}), depth + 1), max_size=2))
    if "enum" in here and draw(st.integers(0, 3)):
        return draw(st.sampled_from(here["enum"]))
    if kind == "string" and draw(st.booleans()):
        return draw(words)
    return draw(leaves)


def dumped(value: Any) -> str:
    """The tree as flow YAML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{key}": {dumped(each)}' for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(dumped, value)) + "]"
    return json.dumps(value) if isinstance(value, (str, bool)) or value is None else str(value)


def said(source: Source) -> Iterator[str]:
    """Everything that is said of a file."""
    for problem in explain.retouched(explain.check(source), source):
        found = source.locate(problem)
        assert found.line >= 1
        assert found.column >= 1
        yield found.message
        yield found.cure or ""


@settings(max_examples=200)
@given(trees(bundle()))
def test_whatever_is_written_is_answered_in_plain_words(tree: Any) -> None:
    """Trees near the schema: each objection becomes words, at a place inside the file."""
    source = read("rules.yaml", dumped(tree).encode())
    for text in said(source):
        assert_plain(text)
