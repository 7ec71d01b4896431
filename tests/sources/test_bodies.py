"""Bodies of alerts: exact fields or one error with place and cure, never anything else."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runner.sources.bodies import MAX_DEPTH, MAX_FIELDS, body_hash, event_time, parse
from runner.sources.malformed import BodyError, explain


def refusal(text: str | bytes) -> str:
    """Return why a body is refused."""
    with pytest.raises(BodyError) as caught:
        parse(text if isinstance(text, bytes) else text.encode())
    return str(caught.value)


def test_numbers_are_exact_and_nested_fields_get_dotted_names() -> None:
    """No float exists: 0.1 is 0.1, and what is nested is reached by a dotted name."""
    text = b'{"price": 0.10, "ok": true, "order": {"side": "buy", "size": {"usd": 1e2}}}'
    assert parse(text) == {
        "price": Decimal("0.10"),
        "ok": True,
        "order.side": "buy",
        "order.size.usd": Decimal("1E+2"),
    }


def test_null_counts_as_absent_and_a_list_is_its_text() -> None:
    """A list is no reason to refuse an alert: it is kept as its JSON text."""
    text = '{"a": null, "tags": ["é", 1.50, {"z": null, "b": false}], "none": [], "o": {}}'
    assert parse(text.encode()) == {"tags": '["é",1.50,{"b":false,"z":null}]', "none": "[]"}


def test_a_byte_order_mark_is_passed_over() -> None:
    """Windows tools begin a file with one."""
    assert parse(b'\xef\xbb\xbf{"a": "b"}') == {"a": "b"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the body is empty"),
        (" \r\n", "the body is empty"),
        ("buy now", "plain text, not JSON"),
        ("ACTION=buy;SIZE=1", "plain text, not JSON"),
        ("“a”", "plain text, not JSON"),
        ("[]", "a list, not an object"),
        ('[{"a": 1}]', "a list, not an object"),
        (b"\xff\xfe{", "byte 1 fits no character"),
        ('{"price": {{close}}}', "line 1 column 12: the placeholder {{close}} was not replaced"),
        ('{"a": {{ plot_1 }}}', "the placeholder {{plot_1}}"),
        ('{\n"a": {{hunter2}}}', "line 2 column 7: the placeholder {{…}}"),
        ("{{ticker}} broke out", "the placeholder {{ticker}}"),
        ('{"a": 1, // one\n}', "line 1 column 10: this is a comment"),
        ('{# "a": 1\n}', "this is a comment"),
        ('{"a": 1,\n}', "a comma stands before the closing bracket"),
        ('{"a": [1,]}', "a comma stands before the closing bracket"),
        ("{'a': 1}", "this quote is not JSON's"),
        ("{`a`: 1}", "this quote is not JSON's"),
        ("{“a”: 1}", "typographic quote"),
        ('{"a": „b“}', "typographic quote"),
        ('{"a": 70,000.5}', "a comma stands inside a number"),
        ('{"a": .5}', "write a digit first"),
        ('{"a": +5}', "write a digit first"),
        ('{"a": 007}', "a number begins with 0"),
        ('{"a": "b', "a text begins here and never ends"),
        ('{"a": "b\nc"}', "a line break or a tab stands inside a text"),
        ('{"a": "\\q"}', "a backslash stands inside a text"),
        ('{"a": "\\u12"}', "a backslash stands inside a text"),
        ('{"a": 1} {"b": 2}', "a second object follows the first"),
        ('{"a": 1} #bot', "this is a comment"),
        ('{"a": 1}}', "something follows the closing bracket"),
        ('{"a" 1}', "a colon is missing"),
        ('{"a": 1 "b": 2}', "a comma is missing before this field"),
        ('{"a": "{{plot("TP")}}"}', "the text before this place has ended"),
        ('{"a": "b" "c": 1}', "a comma is missing before this field"),
        ('{"a": 1 2}', "a value belongs here"),
        ('{"a": True}', "written in small letters"),
        ('{"a": BTCUSDT}', "text stands here without quotes"),
        ("{action: 1}", "a field's name in double quotes belongs here"),
        ('{"a": 1, ...}', "dots stand for something"),
        ('{"a":', "the body ends too early"),
        ('{"a": 1', "the body ends too early"),
        ('{"a": *}', "a value belongs here"),
        ('{"a": NaN}', "a is NaN or infinite"),
        ('{"a": {"b": -Infinity}}', "a.b is NaN or infinite"),
        ('{"a": 1e99}', "the number in a is too long or too large"),
        ('{"a": 1e-99}', "the number in a is too long or too large"),
        ('{"a": 1e99999999999999999999}', "the number in a is too long"),
        ('{"a": [' + "9" * 31 + "]}", "the number in a is too long"),
        ('{"a": ' + "9" * 5000 + "}", "the number in a is too long"),
        ('{"a": "\\ud800"}', "a holds half a character"),
        ('{"\\ud800": 1}', "a field's name holds half a character"),
        ('{"\\ud800": 1, "\\ud800": 1}', "the field \\ud800 is written twice"),
        ('{"a": ["\\u0000"]}', "a holds a NUL character"),
        ('{"a": [{"\\u0000": 1}]}', "a holds a NUL character"),
        ('{"a": 1, "b": 2, "a": 3}', "the field a is written twice"),
        ('{"a": {"b": 1}, "a.b": 2}', "the field a.b is written twice"),
        ('{"' + "n" * 101 + '": 1}', "longer than 100 characters"),
        ("[" * 16_000, "nested deeper"),
        ('{"a":' * 3_000, "nested deeper"),
    ],
)
def test_a_body_that_is_not_strict_json_says_why(text: str | bytes, reason: str) -> None:
    """Each mistake that people make gets its own reason, with line and column where it has one."""
    assert reason in refusal(text)


def test_depth_is_limited_in_objects_and_in_lists() -> None:
    """Eight levels pass, nine do not, whatever they are made of."""
    for opening, closing in (('{"a":', "}"), ("[", "]")):
        inner = MAX_DEPTH - 1
        assert parse(f'{{"a":{opening * inner}"x"{closing * inner}}}'.encode())
        deeper = f'{{"a":{opening * (inner + 1)}"x"{closing * (inner + 1)}}}'
        assert "nested deeper than 8 levels" in refusal(deeper)


def test_the_number_of_fields_is_limited() -> None:
    """200 fields pass, 201 do not."""
    fields = {f"f{number}": number for number in range(MAX_FIELDS)}
    assert len(parse(json.dumps(fields).encode())) == MAX_FIELDS
    assert "more than 200 fields" in refusal(json.dumps(fields | {"one": 1}))


def test_the_hash_ignores_order_and_blanks_and_nothing_else() -> None:
    """A re-sent body has the same hash; any other value, name or kind of value has another."""
    bodies = ['{"a": 1, "b": "x"}', '{"b":"x","a":1}', '{ "a" : 1 ,\n"b":"x"}']
    assert len({body_hash(parse(text.encode())) for text in bodies}) == 1
    others = ['{"a": 1}', '{"a": "1"}', '{"a": true}', '{"a": "true"}', '{"a": 1.0}', '{"b": 1}']
    assert len({body_hash(parse(text.encode())) for text in others}) == len(others)
    assert len(body_hash({})) == 64


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"time": "2026-05-11T13:55:01Z"}', 1778507701000),
        ('{"time": "2026-05-11T13:55:01"}', 1778507701000),
        ('{"time": "2026-05-11 15:55:01.250+02:00"}', 1778507701250),
        ('{"timestamp": 1778507701}', 1778507701000),
        ('{"timestamp": "1778507701"}', 1778507701000),
        ('{"timestamp": "1778507701.25"}', 1778507701250),
        ('{"timestamp": 1778507701250}', 1778507701250),
        ('{"time": "2026-05-11T13:00:00Z", "timenow": "2026-05-11T13:55:01Z"}', 1778507701000),
        ('{"timenow": "{{timenow}}", "time": 1778507701}', 1778507701000),
        ('{"time": "2026-05-11"}', None),
        ('{"time": "2026-13-11T13:55:01Z"}', None),
        ('{"time": "1970-01-01T00:00:00Z"}', None),
        ('{"time": "0001-01-01T00:00:00+14:00"}', None),
        ('{"time": 5}', None),
        ('{"time": 99999999999999999}', None),
        ('{"time": true}', None),
        ('{"time": "soon"}', None),
        ('{"bar_time": 1778507701}', None),
    ],
)
def test_the_sender_s_own_time_is_read(text: str, expected: int | None) -> None:
    """ISO 8601 or seconds or ms since 1970; anything else is no time, and no error."""
    assert event_time(parse(text.encode())) == expected


def plain(value: Any) -> Any:
    """Return what `parse` should make of a flat value."""
    return Decimal(str(value)) if type(value) is int else value


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)


@given(
    st.dictionaries(
        TEXT.filter(lambda name: "." not in name),
        TEXT | st.booleans() | st.integers(-(10**29), 10**29),
        max_size=20,
    )
)
def test_what_json_writes_is_read_back(fields: dict[str, Any]) -> None:
    """Flat objects of sane size come back as they were, and their hash does not fail."""
    parsed = parse(json.dumps(fields).encode())
    assert parsed == {name: plain(value) for name, value in fields.items()}
    assert body_hash(parsed)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner),
)


@given(
    st.binary(max_size=300)
    | st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace"))
)
@example(b'{"time": "9999-12-31T23:59:59-14:00"}')
@example(b'{"time": 1' + b"0" * 28 + b"}")
def test_any_bytes_give_fields_or_a_body_error(data: bytes) -> None:
    """Nothing but BodyError ever comes out."""
    try:
        fields = parse(data)
    except BodyError:
        return
    body_hash(fields)
    event_time(fields)


@given(st.dictionaries(st.text(max_size=5) | st.sampled_from(["time", "timenow"]), ANYTHING))
def test_any_json_gives_fields_or_a_body_error(tree: dict[str, Any]) -> None:
    """Whatever a program may serialise is refused, or read as values that a formula can hold."""
    try:
        fields = parse(json.dumps(tree).encode())
    except BodyError:
        return
    assert all(type(value) in (Decimal, bool, str) for value in fields.values())
    assert all(math.isfinite(value) for value in fields.values() if isinstance(value, Decimal))
    body_hash(fields).encode()
    event_time(fields)


@given(st.text(st.sampled_from("{}[]\":,'/#.0a\\ \n“{{close}}"), max_size=40))
def test_near_json_gives_fields_or_a_body_error(text: str) -> None:
    """The mistakes near JSON are all explained."""
    with suppress(BodyError):
        parse(b"{" + text.encode())


def test_the_body_s_reason_does_not_depend_on_the_python_in_use() -> None:
    """Newer parsers name a trailing comma themselves, at the comma."""
    error = json.JSONDecodeError("Illegal trailing comma before end of object", '{"a": 1,}', 7)
    said = explain(error.doc, error)
    assert said.message == "line 1 column 8: a comma stands before the closing bracket"
