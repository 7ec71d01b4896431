"""Reading a rule file's tree: typed values, problems with their places, lengths of time."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core.document import Node, Problem, Term, duration
from runner.core.formula import BOOLEAN, NUMBER, TEXT, EvaluationError

SCOPE = {"mark": NUMBER, "symbol": TEXT}


def node(value: Any) -> Node:
    """A tree with two names for its formulas."""
    return Node(value, scope=SCOPE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("15s", 15_000),
        ("4h", 14_400_000),
        ("1h30m", 5_400_000),
        ("250ms", 250),
        ("1m500ms", 60_500),
        ("2d", 172_800_000),
        ("1d2h3m4s5ms", 93_784_005),
        ("0s", 0),
        ("90m", 5_400_000),
        ("", None),
        ("15", None),
        ("s", None),
        ("15 s", None),
        ("1.5h", None),
        ("-5s", None),
        ("30m1h", None),
        ("5S", None),
        ("5s\n", None),
        ("٥s", None),
        ("5 minutes", None),
    ],
)
def test_a_length_of_time_has_units_in_falling_order(text: str, expected: int | None) -> None:
    """Anything else is none, above all a bare number."""
    assert duration(text) == expected


@given(*[st.integers(0, 99)] * 5)
def test_every_length_of_time_is_the_sum_of_its_parts(
    days: int, hours: int, minutes: int, seconds: int, milliseconds: int
) -> None:
    """Units may be larger than the next one's size."""
    text = f"{days}d{hours}h{minutes}m{seconds}s{milliseconds}ms"
    whole = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    assert duration(text) == whole * 1_000 + milliseconds


def test_a_child_knows_the_way_to_it() -> None:
    """Through keys and places of lists; what is not written is None, also below nothing."""
    tree = node({"do": [{"price": 1}]})
    below = tree.child("do").child(0).child("price")
    assert (below.value, below.path) == (1, ("do", 0, "price"))
    assert tree.child("do").child(1).value is None
    assert tree.child("do").child("x").value is None
    assert tree.child("no").child("way").path == ("no", "way")
    assert below.problems is tree.problems
    assert tree.has("do")
    assert not tree.has("if")
    assert not tree.child("do").has("0")


def test_one_value_stands_for_a_list_of_one() -> None:
    """Nothing is an empty list, and each item knows its place."""
    assert [item.path for item in node(["a", "b"]).items()] == [(0,), (1,)]
    assert [item.value for item in node("a").items()] == ["a"]
    assert list(node(None).items()) == []


def test_values_are_read_as_their_types() -> None:
    """With a default where the key is not written."""
    tree = node({"text": "a", "yes": True, "no": False, "n": Decimal("2.50"), "i": 3, "zero": 0})
    assert (tree.text("text"), tree.text("x"), tree.text("x", "d")) == ("a", "", "d")
    assert (tree.flag("yes"), tree.flag("no", True), tree.flag("x", True)) == (True, False, True)
    assert (tree.decimal("n"), tree.decimal("i"), tree.decimal("text")) == (
        Decimal("2.5"),
        Decimal(3),
        None,
    )
    assert (tree.integer("i"), tree.integer("zero"), tree.integer("x")) == (3, 0, None)
    assert tree.text("i") == "3"


@pytest.mark.parametrize("value", [15, Decimal("1.5"), "15", "soon", True, ["15s"]])
def test_what_is_no_length_of_time_is_a_problem(value: Any) -> None:
    """At the value, with an example; what is not written is none."""
    tree = node({"for": value})
    assert tree.duration("for") is None
    text = "for must be a length of time such as 15s, 4h or 1h30m"
    assert tree.problems == [Problem(("for",), "wrong-type", text)]
    assert tree.duration("cooldown") is None
    assert len(tree.problems) == 1


def test_a_term_is_a_number_or_a_formula() -> None:
    """Exact either way; a formula asks the names, a number does not."""
    tree = node({"a": Decimal("70000.10"), "b": "=mark * 2", "c": 5})
    constant, formula, whole = tree.term("a"), tree.term("b"), tree.term("c")
    assert constant is not None
    assert formula is not None
    assert constant.number({}) == Decimal("70000.10")
    assert formula.number({"mark": Decimal("0.1")}) == Decimal("0.2")
    assert whole == Term(constant=Decimal(5))
    with pytest.raises(EvaluationError):
        formula.number({})


def test_a_term_that_is_text_may_be_a_formula_too() -> None:
    """`side: buy` and `side: =symbol`; absent or of another type it is None."""
    tree = node({"side": "buy", "name": "=symbol", "price": "70k"})
    side, name = tree.term("side", TEXT), tree.term("name", TEXT)
    assert side is not None
    assert name is not None
    assert side.value({}) == "buy"
    assert name.value({"symbol": "BTCUSDT"}) == "BTCUSDT"
    assert tree.term("nothing") is None
    assert tree.term("price") is None
    assert tree.problems == []


def test_a_formulas_mistake_is_told_by_column() -> None:
    """Counted from 1 in the text of the value, the equals sign with it."""
    tree = node({"price": "=1 + merk", "if": "mark > hig"})
    assert tree.term("price") is None
    assert tree.child("if").formula(BOOLEAN) is None
    first, second = tree.problems
    assert (first.path, first.column, first.length) == (("price",), 6, 4)
    assert (second.path, second.column, second.length) == (("if",), 8, 3)
    assert first.cure is not None
    assert "mark" in first.cure


def test_a_condition_that_never_changes_is_a_mistake() -> None:
    """`1 > 2` is refused under `if`; a price may be written as a constant formula."""
    tree = node({"if": "1 > 2", "price": "=2 * 3"})
    assert tree.child("if").formula(BOOLEAN) is None
    term = tree.term("price")
    assert term is not None
    assert term.number({}) == 6


def test_other_names_can_be_in_scope() -> None:
    """What a trigger offers is known from there on, and problems stay together."""
    tree = node({"if": "trigger.price > mark"})
    wider = tree.with_scope({**SCOPE, "trigger.price": NUMBER})
    assert wider.child("if").formula(BOOLEAN) is not None
    assert tree.child("if").formula(BOOLEAN) is None
    assert wider.problems is tree.problems


def test_a_problem_may_be_about_the_key_itself() -> None:
    """The place is passed on as given."""
    tree = node({"pric": 1})
    tree.child("pric").problem("unknown-key", "unknown key pric", "price?", at_key=True)
    expected = Problem(("pric",), "unknown-key", "unknown key pric", "price?", at_key=True)
    assert tree.problems == [expected]
