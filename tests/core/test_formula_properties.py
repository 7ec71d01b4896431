"""Formulas against Python's own arithmetic, against noise, and against their limits."""

from __future__ import annotations

import contextlib
import operator
import random
import re
import time
from collections.abc import Callable
from decimal import Context, Decimal, DivisionByZero, InvalidOperation, Overflow
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core.formula import (
    BOOLEAN,
    NUMBER,
    TEXT,
    EvaluationError,
    Formula,
    FormulaError,
    Scope,
    Value,
    Values,
    compile_formula,
    one_of,
)

SCOPE: Scope = {
    "mark": NUMBER,
    "price": NUMBER,
    "position.size": NUMBER,
    "position.side": one_of("long", "short", "flat"),
    "armed": BOOLEAN,
    "idle": BOOLEAN,
    "symbol": TEXT,
}
CONTEXT = Context(28, Emin=-99, Emax=99, traps=[Overflow, DivisionByZero, InvalidOperation])


def attempt(text: str) -> Formula | FormulaError:
    """Return the formula, or why it is refused."""
    try:
        return compile_formula(text, SCOPE)
    except FormulaError as error:
        return error


# A generated formula: its text, and Python's way to the same value.
Case = tuple[str, Callable[[Values], Any]]

CALCULATE = {
    "+": CONTEXT.add,
    "-": CONTEXT.subtract,
    "*": CONTEXT.multiply,
    "/": CONTEXT.divide,
}
COMPARE = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}

decimals = st.decimals(-(10**9), 10**9, allow_nan=False, allow_infinity=False, places=6)


def number_literals() -> st.SearchStrategy[Case]:
    """Return numbers as formulas write them."""
    plain = decimals.map(abs).map(lambda value: (f"{value:f}", lambda _: value))
    percent = st.integers(0, 10**6).map(
        lambda value: (f"{value}%", lambda _: Decimal(value).scaleb(-2))
    )
    return st.one_of(plain, percent)


def names(*which: str) -> st.SearchStrategy[Case]:
    """Return names and their values."""
    return st.sampled_from(which).map(lambda name: (name, lambda values: values[name]))


def joined(symbol: str, apply: Callable[[Any, Any], Any], left: Case, right: Case) -> Case:
    """Return the formula of an operator between two formulas in brackets."""
    text = f"({left[0]}) {symbol} ({right[0]})"
    return text, lambda values: apply(left[1](values), right[1](values))


def chosen(condition: Case, then: Case, otherwise: Case) -> Case:
    """Return the formula of a choice."""
    text = f"({then[0]}) if {condition[0]} else ({otherwise[0]})"
    return text, lambda values: (then if condition[1](values) else otherwise)[1](values)


def both(left: Case, right: Case) -> Case:
    """Return the formula of a lazy `and`."""
    return (
        f"({left[0]}) and ({right[0]})",
        lambda values: left[1](values) and right[1](values),
    )


def either(left: Case, right: Case) -> Case:
    """Return the formula of a lazy `or`."""
    return (
        f"({left[0]}) or ({right[0]})",
        lambda values: left[1](values) or right[1](values),
    )


def larger(numbers: st.SearchStrategy[Case]) -> st.SearchStrategy[Case]:
    """Return formulas that combine smaller ones that give numbers."""
    conditions = st.one_of(
        names("armed", "idle"),
        st.builds(
            lambda symbol, a, b: joined(symbol, COMPARE[symbol], a, b),
            st.sampled_from(sorted(COMPARE)),
            numbers,
            numbers,
        ),
    )
    combined = st.one_of(
        conditions,
        st.builds(both, conditions, conditions),
        st.builds(either, conditions, conditions),
        conditions.map(lambda one: (f"not ({one[0]})", lambda values: not one[1](values))),
    )
    return st.one_of(
        st.builds(
            lambda symbol, a, b: joined(symbol, CALCULATE[symbol], a, b),
            st.sampled_from(sorted(CALCULATE)),
            numbers,
            numbers,
        ),
        numbers.map(lambda one: (f"-({one[0]})", lambda values: CONTEXT.minus(one[1](values)))),
        numbers.map(lambda one: (f"abs({one[0]})", lambda values: CONTEXT.abs(one[1](values)))),
        st.builds(
            lambda a, b: (f"min({a[0]}, {b[0]})", lambda values: min(a[1](values), b[1](values))),
            numbers,
            numbers,
        ),
        st.builds(
            lambda a, b: (f"max({a[0]}, {b[0]})", lambda values: max(a[1](values), b[1](values))),
            numbers,
            numbers,
        ),
        st.builds(chosen, combined, numbers, numbers),
    )


formulas = st.recursive(
    st.one_of(number_literals(), names("mark", "price", "position.size")), larger, max_leaves=12
)


values_of_names = st.fixed_dictionaries(
    {
        "mark": decimals,
        "price": decimals,
        "position.size": decimals,
        "armed": st.booleans(),
        "idle": st.booleans(),
    }
)


@given(formulas, values_of_names)
def test_formula_gives_what_python_gives(case: Case, values: dict[str, Value]) -> None:
    """A formula has exactly the value that Python's Decimal arithmetic has, or fails as it does.

    A formula that is too long, too deep or fails whatever the values are is refused at once.
    """
    compiled = attempt(case[0])
    if isinstance(compiled, FormulaError):
        assert re.search("division by zero|too large|500 are allowed|deep", compiled.message)
        return
    try:
        wanted = case[1](values)
    except (Overflow, DivisionByZero, InvalidOperation):
        wanted = None
    try:
        found: Value | None = compiled.evaluate(values)
    except EvaluationError:
        found = None
    assert str(found) == str(wanted)


@given(formulas)
def test_brackets_show_how_operators_bind(case: Case) -> None:
    """A formula in further brackets and spaces is the same formula."""
    formula, wider = attempt(case[0]), attempt(f"( {case[0]} )")
    if isinstance(formula, Formula) and isinstance(wider, Formula):
        assert (formula.type, formula.names) == (wider.type, wider.names)


@given(st.lists(st.sampled_from(["mark", "2", "price", "0.5"]), min_size=2, max_size=8), st.data())
def test_operators_bind_as_in_python(operands: list[str], data: st.DataObject) -> None:
    """Without brackets, operators bind as in Python: products first, then from the left."""
    symbols = st.sampled_from(["+", "-", "*", "/", "- -"])
    text = operands[0]
    for operand in operands[1:]:
        text += f" {data.draw(symbols)} {operand}"
    values: dict[str, Value] = {"mark": Decimal(7), "price": Decimal(3)}
    python = text.replace("0.5", "Decimal('0.5')").replace("2", "Decimal(2)")
    wanted = eval(python, {"Decimal": Decimal, **values})  # noqa: S307 - drawn from four words
    found = compile_formula(text, SCOPE).evaluate(values)
    assert isinstance(found, Decimal)
    # The test's own arithmetic may round in another context: compare up to the last digits.
    assert abs(found - wanted) <= abs(wanted) * Decimal("1e-24")


WORDS = [
    *("mark", "price", "position", "position.size", "position.side", "armed", "symbol", "prise"),
    *("trigger.price", "and", "or", "not", "if", "else", "true", "false", "True", "AND", "is"),
    *("in", "min", "max", "abs", "round_down", "round_up", "clamp", "mim", "x", '"long"', '"LNG"'),
    *"+-*/<>=!^%((())),,.[]{}:?;@#$\\\"' \n\t“”’−–×≥€١²ａ\u00a0\u200b\x00\ud800",
    *("<=", ">=", "==", "!=", "&&", "||", "**", "..", "'a'", '""', "0", "1", "2", "0.5", "10%"),
    *("1e-8", "1e99", "1e100", "70_000", "1,000", "007", "5.", ".5", "10k", "0x1f"),
]
VALUES: list[Values] = [
    {},
    {"mark": Decimal(0), "price": Decimal("1e99"), "armed": True, "position.size": Decimal(0)},
    {
        "mark": Decimal("70010.5"),
        "price": Decimal(3),
        "position.size": Decimal(-1),
        "position.side": "long",
        "armed": False,
        "symbol": "BTCUSDT",
    },
]


def sentence(chance: random.Random) -> str:
    """Return tokens at random; half of the texts are biased towards being formulas."""
    if chance.random() < 0.5:
        return chance.choice(("", " ")).join(chance.choices(WORDS, k=chance.randrange(1, 14)))
    values = ["mark", "price", "position.size", "2", "0", "10%", "abs(mark)", "(price)", "-mark"]
    between = ["+", "-", "*", "/", "/", ">", "==", "and", "or", "if armed else", "and not"]
    words = [chance.choice(values)]
    for _ in range(chance.randrange(1, 6)):
        words += [chance.choice(between), chance.choice(values)]
    if chance.random() < 0.2:
        words[chance.randrange(len(words))] = chance.choice(WORDS)
    return " ".join(words)


@pytest.mark.parametrize("seed", range(4))
def test_noise_raises_nothing_else(seed: int) -> None:
    """Of 100,000 random texts each compiles or is refused inside its own text, and each that
    compiles has values or reasons: no other exception ever comes out.
    """
    chance = random.Random(seed)
    compiled = 0
    for _ in range(25_000):
        text = sentence(chance)
        formula = attempt(text)
        if isinstance(formula, FormulaError):
            assert 1 <= formula.column <= max(len(text), 1), text
            assert 1 <= formula.length <= max(len(text), 1), text
            continue
        compiled += 1
        for values in VALUES:
            formula.trace(values)
            with contextlib.suppress(EvaluationError):
                formula.evaluate(values)
    assert compiled > 1000


@given(st.text(max_size=60))
def test_any_text_is_answered(text: str) -> None:
    """Whatever is written, the answer is a formula or a FormulaError."""
    assert isinstance(attempt(text), Formula | FormulaError)


def refusal(text: str) -> FormulaError:
    """Return why a text is refused."""
    with pytest.raises(FormulaError) as caught:
        compile_formula(text, SCOPE)
    return caught.value


def test_length_limit() -> None:
    """500 characters are a formula, 501 are not."""
    assert compile_formula("1" + " " * 499, SCOPE).evaluate({}) == 1
    error = refusal("1" + " " * 500)
    assert error.message == "the formula has 501 characters, 500 are allowed"
    assert (error.column, error.length) == (501, 1)


def test_size_limit() -> None:
    """100 values and operators are a formula, 101 are not; brackets do not count."""
    assert compile_formula("(-((1)))" + "+1" * 49, SCOPE).evaluate({}) == 48
    error = refusal("-1" + "+1" * 50)
    assert error.message == "the formula has more than 100 values and operators"
    assert error.cure == "split it into several conditions"


@pytest.mark.parametrize(
    ("before", "after"),
    [("(", ")"), ("-", ""), ("abs(", ")"), ("1 + (", ")"), ("1 if armed else ", "")],
)
def test_depth_limit(before: str, after: str) -> None:
    """25 levels are a formula, 26 are not, whatever nests."""
    levels = 12 if before == "1 + (" else 25
    compile_formula(before * levels + "mark" + after * levels, SCOPE, NUMBER)
    error = refusal(before * (levels + 1) + "mark" + after * (levels + 1))
    assert error.message == "the formula is nested more than 25 deep"


def test_long_flat_conditions_are_not_deep() -> None:
    """A row of conditions or terms is not nested, however long it is."""
    assert compile_formula(" and ".join(["armed"] * 50), SCOPE).evaluate({"armed": True}) is True
    assert compile_formula(" - ".join(["mark"] * 50), SCOPE).evaluate({"mark": Decimal(1)}) == -48


@pytest.mark.parametrize(
    "text",
    [
        "(" * 10_000,
        "-" * 10_000,
        "not " * 2_500,
        "1" * 10_000,
        "a." * 5_000,
        "mark + " * 1_400,
        '"' * 9_999,
        "mim(" * 2_500,
        "x" * 500,
        "(" * 500,
        "not " * 125,
        "1_" * 250,
        "1," * 250,
        "1e" * 250,
        "a." * 249 + "a",
        "x+" * 249 + "x",
        "if" * 250,
    ],
)
def test_hostile_text_is_refused_quickly(text: str) -> None:
    """However long or deep a text is, it is refused with little work: some ms of a core."""
    started = time.process_time()
    refusal(text)
    assert time.process_time() - started < 5
