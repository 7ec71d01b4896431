"""Trigger `webhook`: what fits, what is too old, and what is the same alert again."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from runner.core.decision import Reason
from runner.core.document import Node
from runner.core.events import Alert, Value
from runner.core.rules import Hit, Match, Memory, Miss
from runner.core.triggers.webhook import DEDUPE_WINDOW, _number, build
from tests.core.trigger_factories import START, alert, names
from tests.core.trigger_factories import build as built


def webhook(**value: Any) -> Any:
    """A webhook trigger on the path `hook`."""
    return built("webhook", {"path": "hook", "secret": "tv", **value})


def fit(kind: Any, value: Value | None) -> Match:
    """What a trigger with one declared field makes of a body with that value."""
    fields = {} if value is None else {"x": value}
    event = Alert("hook", fields, "0" * 64, START)
    found: Match = webhook(body={"x": kind}).match(event, {}, names())
    return found


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("number", Decimal("1.50"), Decimal("1.50")),
        ("number", " 70010.5 ", Decimal("70010.5")),
        ("number", "-3", Decimal(-3)),
        ("number", "1e3", Decimal(1000)),
        ("number", "0", Decimal(0)),
        ("text", "buy", "buy"),
        ("text", Decimal("1.50"), "1.50"),
        ("text", True, "true"),
        ("boolean", True, True),
        ("boolean", False, False),
        ("boolean", "FALSE", False),
        ("boolean", " true ", True),
        ({"one_of": ["buy", "sell"]}, "BUY ", "buy"),
        ({"one_of": ["Long"]}, "long", "Long"),
        ({"one_of": ["1"]}, Decimal(1), "1"),
    ],
)
def test_a_value_that_fits_has_its_declared_type(kind: Any, value: Value, expected: Value) -> None:
    """Numbers and truths may come as text; words are told in the case the rule wrote."""
    found = fit(kind, value)
    assert isinstance(found, Hit)
    assert found.fields == {"x": expected}
    assert type(found.fields["x"]) is type(expected)


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("number", None, "x is missing"),
        ("number", "seventy", 'x must be a number, it is "seventy"'),
        ("number", "", 'x must be a number, it is ""'),
        ("number", "{{close}}", 'x must be a number, it is "{{close}}"'),
        ("number", "NaN", 'x must be a number, it is "NaN"'),
        ("number", "Infinity", 'x must be a number, it is "Infinity"'),
        ("number", Decimal("NaN"), 'x must be a number, it is "NaN"'),
        ("number", Decimal("1e400"), 'x must be a number, it is "1E+400"'),
        ("number", "1e999999999", 'x must be a number, it is "1e999999999"'),
        ("number", "9" * 60, f'x must be a number, it is "{"9" * 40}…"'),
        ("number", True, 'x must be a number, it is "true"'),
        ("boolean", "yes", 'x must be true or false, it is "yes"'),
        ("boolean", Decimal(1), 'x must be true or false, it is "1"'),
        ({"one_of": ["buy", "sell"]}, "hold", 'x must be one of buy, sell, it is "hold"'),
    ],
)
def test_what_does_not_fit_is_named(kind: Any, value: Value | None, text: str) -> None:
    """The field, what it must be and what it is; nothing is remembered of such a body."""
    assert fit(kind, value) == Miss(Reason.BODY, text, {})


def test_other_fields_may_be_there_and_are_not_seen() -> None:
    """Only declared fields become `trigger.*`."""
    trigger = webhook(body={"price": "number"})
    found = trigger.match(alert(price=1, noise="x"), {}, names())
    assert isinstance(found, Hit)
    assert found.fields == {"price": Decimal(1)}
    assert set(trigger.fields) == {"price"}
    assert trigger.interest == ("webhook", "hook")


def test_max_age_goes_by_the_senders_time() -> None:
    """Older than max_age is refused; exactly that old, or without a time, is not."""
    trigger = webhook(max_age="20s")
    for age, refused in ((20_000, False), (20_001, True), (-5_000, False)):
        found = trigger.match(alert(event_time=START - age), {}, names())
        assert isinstance(found, Miss if refused else Hit)
    assert isinstance(trigger.match(alert(), {}, names()), Hit)
    found = trigger.match(alert(event_time=START - 61_500), {}, names())
    assert found == Miss(Reason.TOO_OLD, "the alert is 61.5 s old", {})


def test_the_same_body_within_the_window_is_a_duplicate_of_the_first() -> None:
    """The window begins at the first sight: later copies do not lengthen it."""
    trigger = webhook()
    memory: Memory = {}
    first = trigger.match(alert(a="x"), memory, names(START))
    assert isinstance(first, Hit)
    memory = first.memory
    for after in (5_000, 10_000, 15_000, DEDUPE_WINDOW):
        again = trigger.match(alert(a="x"), memory, names(START + after))
        assert isinstance(again, Miss)
        assert again.reason is Reason.DUPLICATE
        assert again.event_key == first.event_key
        assert again.detail == f"the same body came {after / 1000:.1f} s before"
        memory = again.memory
    later = trigger.match(alert(a="x"), memory, names(START + DEDUPE_WINDOW + 1))
    assert isinstance(later, Hit)
    assert later.event_key != first.event_key


def test_other_bodies_are_other_alerts_and_are_forgotten_in_time() -> None:
    """Only what came within the window is kept, as plain data."""
    trigger = webhook(dedupe_window="2s")
    memory: Memory = {}
    for step in range(50):
        found = trigger.match(alert(n=step), memory, names(START + step * 1_000))
        assert isinstance(found, Hit)
        memory = dict(found.memory)
        assert len(memory["recent"]) <= 3
    assert json.loads(json.dumps(memory)) == memory


def test_a_window_of_nothing_keeps_repeats_apart() -> None:
    """`dedupe_window: 0s` is taken at its word."""
    assert webhook(dedupe_window="0s").dedupe_window == 0
    assert webhook().dedupe_window == DEDUPE_WINDOW


def test_declared_fields_identify_an_alert_for_ever() -> None:
    """The key is theirs alone: whatever else the body says, and however late it comes."""
    trigger = webhook(dedupe=["id", "time"])
    keys = {
        trigger.match(alert(id="7", time="t", noise=noise), {}, names(START + noise)).event_key
        for noise in (0, 10**9)
    }
    assert len(keys) == 1
    assert trigger.match(alert(id="7", time="t2"), {}, names()).event_key not in keys
    assert trigger.match(alert(id="7", time="t"), {}, names()).memory == {}


def test_declared_fields_are_not_run_together() -> None:
    """No value can be written so that it looks like two."""
    trigger = webhook(dedupe=["a", "b"])
    one = trigger.match(alert(a="1\nb=2", b="3"), {}, names())
    two = trigger.match(alert(a="1", b="2\nb=3"), {}, names())
    assert one.event_key != two.event_key


def test_an_alert_without_its_identity_does_not_fit() -> None:
    """Otherwise every such alert would pass for the first of them."""
    found = webhook(dedupe=["id"]).match(alert(a="x"), {}, names())
    assert found == Miss(Reason.BODY, "id is missing, and it tells alerts apart", {})


def test_a_type_nobody_knows_is_a_problem_at_its_place() -> None:
    """The cure lists the types there are."""
    node = Node({"path": "p", "secret": "s", "body": {"x": "float"}})
    build(node, "webhook")
    (problem,) = node.problems
    assert problem.path == ("body", "x")
    assert problem.message == "float is not a type of a field"
    assert problem.cure == "write number, text, boolean or {one_of: [buy, sell]}"


def test_left_out_keys_have_their_defaults() -> None:
    """The secret is in the field `secret`, any body fits, and no age is too old."""
    trigger = webhook()
    assert (trigger.secret_field, dict(trigger.body)) == ("secret", {})
    assert (trigger.max_age, trigger.dedupe) == (None, ())


@pytest.mark.parametrize("text", ["1_0", "٠.٠١", "0x10", "1,5", "NaN", "ten", ""])
def test_a_loose_number_is_no_number(text: str) -> None:
    """Decimal would read 1_0 as ten: a quantity that nobody wrote must not be bought."""
    assert _number(text) is None
    assert _number(" 0.010 ") == Decimal("0.010")
