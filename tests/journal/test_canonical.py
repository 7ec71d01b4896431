"""Canonical JSON: exact both ways, equal text for equal values."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core.orders import Side
from runner.journal.canonical import (
    decode,
    encode,
    encode_dataclass,
    encode_leniently,
    legible,
    plain,
)
from tests.journal.building import ANY_TEXT, NESTED


def same(left: Any, right: Any) -> bool:
    """Equal in value, type and a Decimal's digits."""
    return repr(left) == repr(right)


@given(NESTED)
def test_what_goes_in_comes_out(value: Any) -> None:
    """Any nest of text, whole numbers, Decimals, booleans and None survives, digit by digit."""
    assert same(decode(encode(value)), _sorted(value))


@given(st.dictionaries(ANY_TEXT, NESTED))
def test_the_order_of_keys_does_not_matter(value: dict[str, Any]) -> None:
    """Equal mappings have equal texts."""
    assert encode(value) == encode(dict(reversed(value.items())))


@pytest.mark.parametrize(
    "value",
    [{"d": "1.5"}, {"m": "1.5"}, {"d": {"d": Decimal(1)}}, {"m": {"m": {"d": "x"}}}, {"d": None}],
)
def test_a_mapping_that_looks_like_a_decimal_stays_a_mapping(value: Any) -> None:
    """Users name their fields as they like, `d` included."""
    assert same(decode(encode(value)), value)


def test_an_enumeration_is_kept_as_its_word() -> None:
    """StrEnum members and tuples become what JSON knows."""
    assert decode(encode({"side": Side.BUY, "legs": (1, 2)})) == {"side": "BUY", "legs": [1, 2]}


@pytest.mark.parametrize("value", [1.5, object(), {1: "x"}, {"a": [b"x"]}])
def test_what_has_no_exact_form_is_refused(value: Any) -> None:
    """A float, an object or a key that is no text raises TypeError instead of changing."""
    with pytest.raises(TypeError):
        encode(value)


def test_what_is_only_shown_is_kept_as_text() -> None:
    """The log takes anything: finite floats as numbers, the rest as their text."""
    value = {1: 1.5, "b": float("nan"), "c": {2}, "e": [float("inf")]}
    assert decode(encode_leniently(value)) == {"1": 1.5, "b": "nan", "c": "{2}", "e": ["inf"]}


def test_plain_values_are_what_json_knows() -> None:
    """For listings a Decimal is its text, in mappings and lists too."""
    value = {"a": Decimal("1.50"), "b": [Decimal(2), True, None]}
    assert plain(value) == {"a": "1.50", "b": ["2", True, None]}


@given(ANY_TEXT)
def test_legible_text_can_always_be_stored(text: str) -> None:
    """No lone surrogate and no NUL is left, and other text is not touched."""
    clean = legible(text)
    assert "\0" not in clean
    assert clean.encode().decode() == clean
    if "\0" not in text and not any(0xD800 <= ord(letter) < 0xE000 for letter in text):
        assert clean == text


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    return value


@dataclass(frozen=True, slots=True)
class Flat:
    """A dataclass as an intent is one."""

    name: str
    size: Any
    side: Side = Side.SELL


@given(ANY_TEXT.filter(lambda text: text.encode("utf-8", "ignore").decode() == text))
def test_a_flat_dataclass_is_decoded_like_a_mapping(name: str) -> None:
    """The quick way to write an intent is read by the same decoder."""
    text = encode_dataclass(Flat(name, Decimal("1.50")))
    assert same(decode(text), {"name": name, "size": Decimal("1.50"), "side": "SELL"})


def test_a_flat_dataclass_holds_nothing_inexact() -> None:
    """What has no exact form is refused there too."""
    with pytest.raises(TypeError):
        encode_dataclass(Flat("a", {1, 2}))
