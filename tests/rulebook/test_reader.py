"""Text becomes a tree with exact numbers and places, or a finding; nothing else happens."""

from __future__ import annotations

import time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.rulebook.diagnostics import render
from runner.rulebook.reader import MOST_BYTES, MOST_VALUES, read
from tests.rulebook.test_mistakes import FOREIGN


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("70000", 70000),
        ("-5", -5),
        ("+5", 5),
        ("0", 0),
        ("75000.10", Decimal("75000.10")),
        ("0.1000000000000000055", Decimal("0.1000000000000000055")),
        ("1e-8", Decimal("1e-8")),
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("yes", "yes"),
        ("off", "off"),
        ("True", "True"),
        ("1:30", "1:30"),
        ("2026-01-02", "2026-01-02"),
        ("09:30", "09:30"),
        ('"0.5"', "0.5"),
        ("'true'", "true"),
        ("=mark * 0.99", "=mark * 0.99"),
        ("15s", "15s"),
        ("BTCUSDT  # why", "BTCUSDT"),
    ],
)
def test_a_value_is_what_it_looks_like(text: str, value: object) -> None:
    """Numbers are exact and never binary fractions; text stays text, whatever YAML 1.1 says."""
    source = read("a.yaml", f"key: {text}\n".encode())
    assert source.found == []
    found = source.tree["key"]
    assert (type(found), str(found)) == (type(value), str(value))


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15))
def test_no_digit_is_lost(number: Decimal) -> None:
    """Any decimal of up to 40 characters is read digit by digit."""
    text = f"{number:f}"
    if len(text) <= 40:
        found = read("a.yaml", f"key: {text}\n".encode()).tree["key"]
        assert Decimal(found).as_tuple() == Decimal(text).as_tuple() or (found == 0 and not number)


def test_places_count_characters() -> None:
    """Line and column of every key and value, also behind wide characters and after CRLF."""
    source = read("a.yaml", 'näme: {a: "币安", b: [1, x]}\r\nc: d\r\n'.encode())
    assert source.tree == {"näme": {"a": "币安", "b": [1, "x"]}, "c": "d"}
    place = source.places["näme", "b", 1]
    assert (place.line, place.column, place.end_column) == (0, 23, 24)
    assert (source.keys["c",].line, source.line(("c",))) == (1, 2)
    assert source.line(("nothing",)) == 0
    assert source.flow == {("näme",), ("näme", "b")}


def test_a_byte_order_mark_is_no_mistake() -> None:
    """Editors on Windows write one."""
    assert read("a.yaml", b"\xef\xbb\xbfa: 1\n").tree == {"a": 1}


def test_a_file_of_more_than_1_mib_is_not_read() -> None:
    """Its size is said, nothing of it is looked at."""
    source = read("a.yaml", b"#" * (MOST_BYTES + 1), size=3 * MOST_BYTES)
    assert not source.readable
    assert render(source.found, "") == (
        "a.yaml: error: the file has 3.0 MiB, a rule file may have 1 MiB [too-large]\n"
        "  split it into several files\n\n1 error in a.yaml.\n"
    )


BOMBS = {
    "brackets": "[" * 1_000_000,
    "blocks": "".join(" " * level + "a:\n" for level in range(1_000)),
    "dashes": "- " * 500_000,
    "questions": "? " * 300_000,
    "values": "[" + "1," * 500_000,
    "pairs": "a: b\n" * 200_000,
    "quote": "'" + "x" * 1_000_000,
    "escapes": '"' + "\\x41" * 250_000,
    "tag": "!" * 1_000_000,
    "short tags": ("- " + "!" * 9_000 + "\n") * 100,
    "anchor": "&" + "a" * 1_000_000,
    "aliases": "a: &a [x]\nb: " + "[*a, " * 1_000,
    "digits": "a: " + "9" * 9_000,
    "exponent": "a: 1e999999999",
    "lines": "x\n" * 500_000,
    "words": "x y " * 2_000 + "\n",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_refused_in_bounded_time(bomb: str) -> None:
    """Depth, number of values and length of lines are limited before they cost anything."""
    started = time.process_time()
    source = read("a.yaml", BOMBS[bomb].encode())
    assert time.process_time() - started < 60  # seconds; one or two, minutes to hours without
    assert source.found or isinstance(source.tree, str)
    assert not FOREIGN.search(source.found[0].message if source.found else "")


def test_too_many_values_are_said() -> None:
    """The limit is far above any real rule file."""
    source = read("a.yaml", b"- 1\n" * (MOST_VALUES + 1))
    assert [found.code for found in source.found] == ["too-large"]


JARGON = ("<", "token", "block mapping", "scanner", "document start", "stream")


@given(st.text(alphabet=" \n\t:-,{}[]'\"#&*!|>%@`=ab0.1?\\", max_size=60))
def test_any_text_is_read_or_explained(text: str) -> None:
    """No exception, no parser's words, and every finding at a place inside the file."""
    source = read("a.yaml", text.encode())
    for found in source.found:
        assert 1 <= found.line <= len(source.lines)
        assert 1 <= found.column <= len(source.lines[found.line - 1]) + 1
        assert not any(word in found.message for word in JARGON), found.message
        assert not FOREIGN.search(found.message), found.message
    assert source.readable or source.found


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_explained(content: bytes) -> None:
    """Bytes that are no text are a finding too."""
    source = read("a.yaml", content)
    assert source.readable or source.found
