"""Alerts in plain text: pairs and words become the fields that JSON would have brought."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.sources.bodies import MAX_FIELDS, MAX_NAME
from runner.sources.malformed import BodyError
from runner.sources.texts import TextForm, is_text

PAIRS = TextForm("pairs", (), "PIN")
WORDS = TextForm("words", ("action", "price"), "secret")


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("Action=buy; Size=1", {"action": "buy", "size": "1"}),
        ("SIGNAL=SELL\r\nSYMBOL=BTCUSDT\r\n", {"signal": "SELL", "symbol": "BTCUSDT"}),
        ("pin=123;a = b=c ", {"PIN": "123", "a": "b=c"}),
        ("a=;b=1;;", {"b": "1"}),
        ("\ufeffa=1", {"a": "1"}),
    ],
)
def test_pairs(text: str, fields: dict[str, str]) -> None:
    """Names in small letters, values as written, an empty value counts as absent."""
    assert PAIRS.fields(text.encode()) == fields


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("buy 3500", {"action": "buy", "price": "3500"}),
        ("  buy\t3500\n", {"action": "buy", "price": "3500"}),
        ("s3cret buy 3500", {"secret": "s3cret", "action": "buy", "price": "3500"}),
        ("my key | buy | 3500", {"secret": "my key", "action": "buy", "price": "3500"}),
    ],
)
def test_words(text: str, fields: dict[str, str]) -> None:
    """In the order of the rule's body; one word more is the secret, and it comes first."""
    assert WORDS.fields(text.encode()) == fields


@pytest.mark.parametrize(
    ("form", "text", "said"),
    [
        (PAIRS, "buy now", "part 1 of the text is not NAME=VALUE"),
        (PAIRS, "a=1;=2", "part 2 of the text is not NAME=VALUE"),
        (PAIRS, "a=1;A=2", "the field a is written twice"),
        (PAIRS, f"{'n' * (MAX_NAME + 1)}=1", "longer than"),
        (PAIRS, ";".join(f"n{n}=1" for n in range(MAX_FIELDS + 1)), "more than 200 fields"),
        (PAIRS, "a=\0", "NUL"),
        (PAIRS, " \n", "the body is empty"),
        (WORDS, "buy", "the text has 1 words, the rule takes 2: action price"),
        (WORDS, "a b c d", "the text has 4 words"),
    ],
)
def test_what_cannot_be_read_is_refused(form: TextForm, text: str, said: str) -> None:
    """With its place; no value is repeated."""
    with pytest.raises(BodyError, match=said):
        form.fields(text.encode())


def test_text_is_what_does_not_begin_as_json_does() -> None:
    """An object or a list is JSON on every path, whatever stands before it."""
    assert not any(map(is_text, (b'{"a": 1}', b" \n[1]", b'\xef\xbb\xbf{"a": 1}')))
    assert all(map(is_text, (b"buy", b"", b"a={", b'"buy"')))


@given(st.binary(max_size=200))
def test_no_bytes_break_it(data: bytes) -> None:
    """Fields of text, or one BodyError."""
    for form in (PAIRS, WORDS):
        with suppress(BodyError):
            assert all(isinstance(value, str) for value in form.fields(data).values())
