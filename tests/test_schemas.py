"""The committed JSON Schemas are what the kinds say, and read well in every editor."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator

from runner.core.actions import ACTIONS
from runner.core.triggers import TRIGGERS
from runner.resources import folder
from runner.rulebook import schema, tests_schema

COMMITTED = folder("schemas") / schema.FILE_NAME


def properties(here: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every schema of a value that can be written in a rule file, with the way to it."""
    for key, below in here.get("properties", {}).items():
        yield f"{path}.{key}", below
        yield from properties(below, f"{path}.{key}")
    for key in ("items", "additionalProperties"):
        if isinstance(here.get(key), dict):
            yield f"{path}[]", here[key]
            yield from properties(here[key], f"{path}[]")


def test_the_committed_schema_is_the_generated_one(tmp_path: Path) -> None:
    """Byte for byte; if not: python -m runner.rulebook.schema."""
    written = tmp_path / "schema.json"
    schema.write(written)
    assert written.read_bytes() == COMMITTED.read_bytes()


def test_it_is_a_draft_7_schema() -> None:
    """The schema itself is valid, and says which draft it follows."""
    bundle = json.loads(COMMITTED.read_text("utf-8"))
    assert bundle["$schema"] == "http://json-schema.org/draft-07/schema#"
    Draft7Validator.check_schema(bundle)


def test_nothing_in_it_ruins_messages() -> None:
    """No oneOf and the like anywhere: a validator could not say which branch was meant."""
    text = COMMITTED.read_text("utf-8")
    for keyword in ("oneOf", "anyOf", "allOf", "not", "if", "then", "$ref"):
        assert f'"{keyword}": [' not in text, keyword
    for path, here in [("", schema.bundle()), *properties(schema.bundle())]:
        assert not {"oneOf", "anyOf", "allOf", "not", "$ref"} & here.keys(), path


def test_every_key_is_described() -> None:
    """What an editor shows on hover is there for each key and each entry of a list."""
    bare = [path for path, here in properties(schema.bundle()) if not here.get("description")]
    assert bare == []


def test_no_block_takes_unknown_keys() -> None:
    """A misspelt key is an error everywhere, except where the user chooses the names."""
    guards = {".guards.symbols", ".rules[].guards.symbols"}
    own_names = {".lists", ".rules[].when[].webhook.body", *guards}
    lax = {
        path
        for path, here in properties(schema.bundle())
        if "object" in str(here.get("type")) and here.get("additionalProperties") is not False
    }
    assert lax == own_names


def test_every_kind_is_in_it() -> None:
    """The kinds of `when` and `do` are exactly the registries'."""
    rule = schema.bundle()["properties"]["rules"]["items"]["properties"]
    assert list(rule["when"]["items"]["properties"]) == list(TRIGGERS)
    assert list(rule["do"]["items"]["properties"]) == list(ACTIONS)


def test_the_committed_schema_of_tests_is_the_generated_one(tmp_path: Path) -> None:
    """Byte for byte; if not: python -m runner.rulebook.tests_schema."""
    written = tmp_path / "schema.json"
    tests_schema.write(written)
    committed = folder("schemas") / tests_schema.FILE_NAME
    assert written.read_bytes() == committed.read_bytes()


def test_the_schema_of_tests_reads_as_well() -> None:
    """Draft 7, no choice between branches, and every key described."""
    Draft7Validator.check_schema(tests_schema.bundle())
    bare = [path for path, here in properties(tests_schema.bundle()) if not here.get("description")]
    assert bare == []
    for path, here in properties(tests_schema.bundle()):
        assert not {"oneOf", "anyOf", "allOf", "not", "$ref"} & here.keys(), path


def test_tests_may_expect_every_action() -> None:
    """A new action kind can be expected under its own name without further work."""
    step = tests_schema.bundle()["properties"]["tests"]["items"]["properties"]["steps"]["items"]
    expected = step["properties"]["expect"]["properties"]
    assert set(ACTIONS) <= expected.keys()
