"""Whatever is said to fit a schema, the validator has no objection to."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from runner.fitting import fitting
from runner.rulebook.load import is_rule_file
from runner.rulebook.reader import read
from runner.rulebook.schema import bundle
from runner.settings.schema import SCHEMA

ROOT = Path(__file__).parent.parent
RECIPES = sorted(path for path in (ROOT / "rules").rglob("*.yaml") if is_rule_file(path))
MISTAKES = sorted((Path(__file__).parent / "rulebook" / "mistakes").glob("*.yaml"))
SETTINGS: dict[str, Any] = {
    "version": 1,
    "accounts": {
        "main": {"venue": "binance_usdm", "address": "live", "api_key": "k", "api_secret": "s"}
    },
    "secrets": {"k": {"env": "K"}},
    "hook": {"port": 8080},
}

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 400),
    st.decimals(-2, 200, allow_nan=False, places=3),
    st.sampled_from(["", "buy", "=mark", "10m", "main", "a b", "live", "x" * 70]),
)
values = st.recursive(
    scalars,
    lambda below: st.one_of(
        st.lists(below, max_size=3),
        st.dictionaries(st.sampled_from(["id", "price", "place", "A b"]), below, max_size=2),
    ),
    max_leaves=4,
)


def places(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every path of a tree but the root's."""
    pairs: Any = tree.items() if isinstance(tree, dict) else ()
    for key, below in enumerate(tree) if isinstance(tree, list) else pairs:
        yield (*path, key)
        yield from places(below, (*path, key))


@st.composite
def changed(draw: st.DrawFn, tree: Any) -> Any:
    """The tree with another value, without one, or with one more, at some place."""
    found = copy.deepcopy(tree)
    path = draw(st.sampled_from(list(places(found))))
    holder = found
    for part in path[:-1]:
        holder = holder[part]
    match draw(st.sampled_from(["replace", "remove", "repeat"])):
        case "remove":
            del holder[path[-1]]
        case "repeat" if isinstance(holder, list):
            holder.append(holder[path[-1]])
        case _:
            holder[path[-1]] = draw(values)
    return found


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_sound_rule_file_fits(path: Path) -> None:
    """The quick test knows every keyword that the schema uses: no recipe needs the validator."""
    assert fitting(bundle())(read(str(path), path.read_bytes()).tree)


@pytest.mark.parametrize("path", MISTAKES, ids=lambda path: path.stem)
def test_a_mistake_of_the_schema_does_not_fit(path: Path) -> None:
    """A file fits only where the validator finds nothing, either."""
    tree = read(str(path), path.read_bytes()).tree
    if fitting(bundle())(tree):
        assert Draft7Validator(bundle()).is_valid(tree)


@given(st.data())
def test_a_changed_rule_file_fits_only_if_it_is_valid(data: st.DataObject) -> None:
    """Wherever a value of a recipe is changed, the quick test allows no more than the validator."""
    path = data.draw(st.sampled_from(RECIPES))
    tree = data.draw(changed(read(str(path), path.read_bytes()).tree))
    if fitting(bundle())(tree):
        assert Draft7Validator(bundle()).is_valid(tree)


@given(changed(SETTINGS))
def test_changed_settings_fit_only_if_they_are_valid(tree: Any) -> None:
    """The same for the schema of runner.yaml."""
    if fitting(SCHEMA)(tree):
        assert Draft7Validator(SCHEMA).is_valid(tree)


SCHEMAS: list[dict[str, Any]] = [
    {},
    {"type": "integer"},
    {"type": ["number", "null"], "minimum": 0},
    {"type": "number", "exclusiveMinimum": 0, "maximum": 100},
    {"type": "number", "exclusiveMaximum": 100},
    {"type": ["string", "integer"], "pattern": "^=", "maximum": 3},
    {"type": "string", "minLength": 1, "maxLength": 4},
    {"enum": ["buy", 1, None]},
    {"enum": ["buy", "main"], "type": "string", "minLength": 4},
    {"const": 1},
    {"const": "buy", "enum": ["buy"]},
    {"type": "boolean", "enum": [True]},
    {"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 2},
    {"type": "array", "uniqueItems": True},
    {"type": "array", "items": [{"type": "integer"}]},
    {"type": "object", "properties": {"id": {"type": "string"}}, "additionalProperties": False},
    {"type": "object", "additionalProperties": {"type": "null"}, "required": ["id"]},
    {"type": "object", "minProperties": 1, "maxProperties": 1},
    {"type": "object", "propertyNames": {"pattern": "^[a-z]+$"}},
    {"type": "object", "properties": {"id": {"anyOf": [{"type": "string"}]}}},
    {"anyOf": [{"type": "string"}]},
]


@given(st.sampled_from(SCHEMAS), values)
def test_a_value_fits_only_if_it_is_valid(schema: dict[str, Any], value: Any) -> None:
    """Each keyword alone: what fits is valid, whatever the value."""
    if fitting(schema)(value):
        assert Draft7Validator(schema).is_valid(value)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "number", "minimum": 0}, Decimal("0.1")),
        ({"type": "integer", "maximum": 3, "exclusiveMaximum": 4}, 3),
        ({"type": ["string", "null"], "pattern": "^="}, None),
        ({"type": ["string", "null"], "pattern": "^="}, "=mark"),
        ({"enum": ["buy", "sell"]}, "sell"),
        ({"const": 1}, 1),
        ({"type": "array", "items": {"type": "string"}, "uniqueItems": True}, ["a", "b"]),
        ({"type": "object", "propertyNames": {"pattern": "^a"}, "required": ["a"]}, {"a": True}),
    ],
)
def test_what_is_plainly_valid_fits(schema: dict[str, Any], value: Any) -> None:
    """The common case needs no validator."""
    assert fitting(schema)(value)


@pytest.mark.parametrize("value", [True, 1.0, Decimal("NaN"), Decimal("Infinity")])
def test_what_only_resembles_a_number_is_left_to_the_validator(value: Any) -> None:
    """Booleans, floats and what is not finite are not compared here."""
    assert not fitting({"type": "number", "minimum": 0})(value)
