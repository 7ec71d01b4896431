"""What editors get beside the schema: it allows the same, and is complete."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from runner.core.actions import ACTIONS
from runner.core.document import duration
from runner.core.triggers import TRIGGERS
from runner.rulebook.editing import DURATION, KEYWORDS, MEANINGS, for_editors, snippet
from runner.rulebook.schema import bundle
from tests.rulebook.test_explain import trees
from tests.test_schemas import properties

SHOWN = for_editors(bundle())
LOCK = Path(__file__).parent.parent / "editors" / "package-lock.json"


def without_extras(here: Any) -> Any:
    """The schema again, without what was added for editors."""
    if isinstance(here, list):
        return [without_extras(each) for each in here]
    if not isinstance(here, dict):
        return here
    kept = {key: without_extras(below) for key, below in here.items() if key not in KEYWORDS}
    kept.pop("enumDescriptions", None)
    if kept.get("pattern") == DURATION:
        kept.pop("pattern")
    if "enum" in kept and kept.get("type") == "string":
        kept.pop("type")
    return kept


def test_nothing_but_help_is_added() -> None:
    """Without the words for editors it is the schema that rules are checked with."""
    plain = {key: value for key, value in bundle().items() if key != "title"}
    assert without_extras(SHOWN) == without_extras(plain)


@given(trees(bundle()))
def test_it_allows_the_same(tree: Any) -> None:
    """A tree that the check's schema takes is taken, lengths of time aside, and no other."""
    shown = Draft7Validator(SHOWN)
    errors = [error for error in shown.iter_errors(tree) if error.validator_value != DURATION]
    assert Draft7Validator(bundle()).is_valid(tree) == (not errors)


@given(
    st.text(alphabet="0123456789dhms ", max_size=8)
    | st.lists(st.tuples(st.integers(0, 99), st.sampled_from(["d", "h", "m", "s", "ms"]))).map(
        lambda parts: "".join(f"{count}{unit}" for count, unit in parts)
    )
)
def test_lengths_of_time_are_judged_alike(text: str) -> None:
    """An editor underlines exactly the lengths of time that the check refuses."""
    assert (re.search(DURATION, text) is not None) == (duration(text) is not None)


def test_every_choice_of_words_is_explained() -> None:
    """Each word of each key that has a choice, but candles' lengths; none is left over."""
    choices: dict[str, set[str]] = {}
    for path, here in properties(bundle()):
        if all(isinstance(choice, str) for choice in here.get("enum", (0,))):
            name = path.rpartition(".")[2].removesuffix("[]")
            choices.setdefault(name, set()).update(here["enum"])
    del choices["on"]
    assert {name: set(words) for name, words in MEANINGS.items()} == choices


def test_a_snippet_is_the_example_with_stops() -> None:
    """Each value is a stop of the tabulator, in order; braces inside are escaped."""
    assert snippet(TRIGGERS["dead_man"]) == "^dead_man: ${1:expired}"
    assert snippet(ACTIONS["notify"]) == "^notify: ${1:Breakout bought at {trigger.price\\}}"
    stop, target = snippet(ACTIONS["bracket"]).splitlines()[2:]
    assert stop == "    stop: {trigger_price: ${4:68000}}"
    assert target == "    target: {price: ${5:75000.10}}"


def test_the_lock_of_the_language_server_has_hashes_and_no_address() -> None:
    """Where packages come from is the machine's setting; what they are is fixed."""
    text = LOCK.read_text("utf-8")
    assert "://" not in text
    packages = json.loads(text)["packages"]
    assert [name for name, each in packages.items() if name and "integrity" not in each] == []
