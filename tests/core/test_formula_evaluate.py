"""Formulas at work: exact values, laziness, missing data, failing arithmetic, explanations."""

from __future__ import annotations

import decimal
import threading
from collections.abc import Iterator, Mapping
from decimal import Decimal

import pytest

from runner.core.formula import (
    BOOLEAN,
    NUMBER,
    TEXT,
    EvaluationError,
    Scope,
    Value,
    compile_formula,
    one_of,
)

SCOPE: Scope = {
    "mark": NUMBER,
    "price": NUMBER,
    "step": NUMBER,
    "armed": BOOLEAN,
    "symbol": TEXT,
    "position.side": one_of("long", "short", "flat"),
    "position.size": NUMBER,
    "account.available": NUMBER,
}
VALUES: dict[str, Value | None] = {
    "mark": Decimal("70010.5"),
    "price": Decimal(3),
    "step": Decimal("0.001"),
    "armed": True,
    "symbol": "BTCUSDT",
    "position.side": "long",
    "position.size": Decimal(0),
    "account.available": Decimal("499.99"),
}


def value_of(text: str, **changed: Value | None) -> Value:
    """Return the value of a formula with the values above, some of them changed."""
    return compile_formula(text, SCOPE).evaluate({**VALUES, **changed})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.3 - 0.1", "0.2"),
        ("10%", "0.10"),
        ("0.5%", "0.005"),
        ("70_000", "70000"),
        ("1e-8", "0.00000001"),
        ("1E2", "100"),
        ("2.5e+1", "25"),
        ("0", "0"),
        ("1_0.2_5", "10.25"),
        ("1 + 2 * 3", "7"),
        ("(1 + 2) * 3", "9"),
        ("10 - 2 - 3", "5"),
        ("16 / 4 / 2", "2"),
        ("-price * 2", "-6"),
        ("--price", "3"),
        ("2 - -price", "5"),
        ("10% * account.available", "49.999"),
        ("1 / price", "0.3333333333333333333333333333"),
        ("min(price, 2, 5)", "2"),
        ("max(price, 2, 5)", "5"),
        ("min(1,2)", "1"),
        ("min(1, 200)", "1"),
        ("abs(2 - price)", "1"),
        ("round_down(mark, 1)", "70010"),
        ("round_up(mark, 1)", "70011"),
        ("round_down(mark, 0.5)", "70010.5"),
        ("round_up(mark, 0.5)", "70010.5"),
        ("round_down(-1.5, 1)", "-2"),
        ("round_up(-1.5, 1)", "-1"),
        ("round_down(0.29 / 0.01, 1)", "29"),
        ("round_down(0.0029, step)", "0.002"),
        ("clamp(price, 1, 2)", "2"),
        ("clamp(price, 4, 5)", "4"),
        ("clamp(price, 1, 5)", "3"),
        ("mark if armed else price", "70010.5"),
        ("1 if not armed else 2 if price > 3 else 4", "4"),
        ("(1 if armed else 2) + 1", "2"),
    ],
)
def test_number_is_exact(text: str, value: str) -> None:
    """Arithmetic is decimal, rounding goes in the direction its name says."""
    found = value_of(text)
    assert isinstance(found, Decimal)
    assert found == Decimal(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.3 - 0.1 == 0.2", True),
        ("price >= 3 and price <= 3", True),
        ("price > 3 or price < 3", False),
        ("price != 3", False),
        ("price < mark", True),
        ("not armed", False),
        ("not price == 4", True),
        ("not not armed", True),
        ("armed and not price == 4 and true", True),
        ("armed == true", True),
        ("armed != (price > 1)", False),
        ("false or false or armed", True),
        ("true or false and false", True),
        ('symbol == "BTCUSDT"', True),
        ("symbol == 'ETHUSDT'", False),
        ('symbol != ""', True),
        ('"long" == position.side', True),
        ("symbol == position.side", False),
        ("position.size == 0 and account.available >= 500", False),
        ("mark\t>\r\n1", True),
    ],
)
def test_condition_is_true_or_false(text: str, value: bool) -> None:
    """Comparisons and their combinations give true or false, and nothing in between."""
    assert value_of(text) is value


def test_text_comes_out_as_written() -> None:
    """Text in either kind of quotes is taken literally; the other kind may stand in it."""
    assert value_of('"it\'s"') == "it's"
    assert value_of("'a \"b\" \\n'") == 'a "b" \\n'
    assert value_of('"buy" if price > 5 else "sell"') == "sell"


@pytest.mark.parametrize("missing", [{}, {"mark": None}])
def test_missing_data_is_an_error(missing: dict[str, Value | None]) -> None:
    """A name that is absent or None stops the evaluation and is named."""
    with pytest.raises(EvaluationError) as caught:
        compile_formula("mark > 3", SCOPE).evaluate(missing)
    assert (caught.value.reason, caught.value.name) == ("no data for mark", "mark")
    assert str(caught.value) == "no data for mark"


@pytest.mark.parametrize("name", ["armed", "symbol", "position.side"])
def test_missing_data_of_any_type_is_an_error(name: str) -> None:
    """What holds for numbers holds for text and true/false."""
    with pytest.raises(EvaluationError, match=f"no data for {name}"):
        compile_formula(f"{name} == {name}", SCOPE).evaluate({})


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("mark", "70000", "mark is not a number now"),
        ("mark", True, "mark is not a number now"),
        ("mark", Decimal("NaN"), "mark is not a number now"),
        ("mark", Decimal("sNaN"), "mark is not a number now"),
        ("mark", Decimal("Infinity"), "mark is not a number now"),
        ("armed", Decimal(1), "armed is not true/false now"),
        ("symbol", Decimal(1), "symbol is not text now"),
    ],
)
def test_value_of_the_wrong_type_is_an_error(name: str, value: Value, reason: str) -> None:
    """A value that breaks what the scope promised is refused, never coerced."""
    with pytest.raises(EvaluationError) as caught:
        value_of(f"{name} == {name}", **{name: value})
    assert (caught.value.reason, caught.value.name) == (reason, name)


@pytest.mark.parametrize(
    ("text", "changed", "reason"),
    [
        ("mark / position.size > 1", {}, "division by zero in mark / position.size"),
        ("position.size / position.size", {}, "division by zero in position.size / position.size"),
        (
            "mark * 1e99",
            {},
            "the result of mark * 1e99 is too large (1e100 or more)",
        ),
        (
            "mark / 1e-99",
            {},
            "the result of mark / 1e-99 is too large (1e100 or more)",
        ),
        (
            "round_down(mark, 1e-30)",
            {},
            "the result of round_down(mark, 1e-30) does not fit into 28 digits",
        ),
        (
            "round_down(mark, position.size)",
            {},
            "round_down needs a step above zero, here it is 0",
        ),
        (
            "round_up(mark, step)",
            {"step": Decimal("-0.1")},
            "round_up needs a step above zero, here it is -0.1",
        ),
        ("clamp(1, price, 2)", {}, "clamp needs low <= high, here they are 3 and 2"),
        (
            "-mark",
            {"mark": Decimal("1e5000")},
            "the result of -mark is too large (1e100 or more)",
        ),
        (
            "abs(mark) + 1 > 2",
            {"mark": Decimal("1e5000")},
            "the result of abs(mark) is too large (1e100 or more)",
        ),
    ],
)
def test_failing_arithmetic_says_where(text: str, changed: dict[str, Value], reason: str) -> None:
    """Division by zero and numbers out of bounds name the part of the formula that failed."""
    with pytest.raises(EvaluationError) as caught:
        value_of(text, **changed)
    assert (caught.value.reason, caught.value.name) == (reason, None)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("position.size != 0 and mark / position.size > 1", False),
        ("position.size == 0 or mark / position.size > 1", True),
        ("0 if position.size == 0 else mark / position.size", Decimal(0)),
        ("mark / position.size if position.size != 0 else 0", Decimal(0)),
        ("armed or missing == 1 or missing == 2", True),
    ],
)
def test_what_does_not_matter_is_not_evaluated(text: str, value: Value) -> None:
    """`and`, `or` and `if` look no further than needed: no error from a part that is not."""
    formula = compile_formula(text, {**SCOPE, "missing": NUMBER})
    assert formula.evaluate(VALUES) == value


def test_parts_without_names_are_calculated_once() -> None:
    """A constant part costs nothing later; a constant condition does not hide a wrong branch."""
    assert value_of("mark * (1 - 10%) if 2 > 1 else price", mark=Decimal(100)) == 90


def test_the_thread_context_is_left_alone() -> None:
    """The thread's decimal context neither changes nor matters."""
    formula = compile_formula("1 / price > 0.33333333 and mark * 2 > 1", SCOPE)
    with decimal.localcontext() as context:
        context.prec = 2
        context.traps[decimal.Inexact] = True
        context.clear_flags()
        before = repr(context)
        assert compile_formula("1 / 3 + 12.345%", SCOPE).evaluate({}) == Decimal(
            "0.4567833333333333333333333333"
        )
        assert formula.evaluate(VALUES) is True
        assert repr(decimal.getcontext()) == before


def test_threads_share_a_formula() -> None:
    """Several threads may evaluate one formula at once, failing arithmetic included."""
    formula = compile_formula("mark * price / position.size", SCOPE)
    wrong: list[object] = []

    def work(size: int) -> None:
        values = {**VALUES, "mark": Decimal(size * 7), "position.size": Decimal(size)}
        for _ in range(2000):
            try:
                result: object = formula.evaluate(values)
            except EvaluationError as error:
                result = error.reason
            if result != (21 if size else "division by zero in mark * price / position.size"):
                wrong.append(result)

    threads = [threading.Thread(target=work, args=(size,)) for size in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_operands_are_the_names_with_their_values() -> None:
    """Operands come in the order of the text; what has no data is left out."""
    formula = compile_formula("price > 1 and mark > price and armed", SCOPE)
    assert list(formula.operands(VALUES).items()) == [
        ("price", Decimal(3)),
        ("mark", Decimal("70010.5")),
        ("armed", True),
    ]
    assert formula.operands({"mark": None, "armed": False}) == {"armed": False}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("account.available >= 500", "499.99 >= 500"),
        ("account.available >= 1e3 * 2", "499.99 >= 2000"),
        ("mark * 2 < 75000.10", "140021.0 < 75000.10"),
        ('position.side == "short"', '"long" == "short"'),
        ("armed != false", "true != false"),
        ("not armed", "not true"),
        ("not price > 4", "not 3 > 4"),
        ("price > 4 and armed", "3 > 4 and true"),
        ("armed and (price > 4 or mark < 1)", "true and (3 > 4 or 70010.5 < 1)"),
        ("not (armed or price > 4)", "not (true or 3 > 4)"),
        ("mark / position.size > 1", "(division by zero in mark / position.size) > 1"),
        ("missing > 1", "(no data for missing) > 1"),
        ("missing", "(no data for missing)"),
        ("price + 1", "4"),
        ("-price", "-3"),
        ("price if armed else mark", "3"),
        ("1e-45 < 1e90", "1E-45 < 1E+90"),
        ("symbol", '"BTCUSDT"'),
    ],
)
def test_trace_fills_the_values_in(text: str, shown: str) -> None:
    """A trace shows each comparison with the values it had, and why one has none."""
    formula = compile_formula(text, {**SCOPE, "missing": NUMBER})
    assert formula.trace(VALUES) == shown


class Feed(Mapping[str, Value]):
    """A mapping that computes values when asked, as the view of the engine may."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __getitem__(self, name: str) -> Value:
        self.asked.append(name)
        return Decimal(5)

    def __iter__(self) -> Iterator[str]:
        return iter(("mark", "price"))

    def __len__(self) -> int:
        return 2


def test_values_are_asked_for_only_when_needed() -> None:
    """Values may come from any mapping; a name is asked for when it is its turn."""
    feed = Feed()
    assert compile_formula("mark > 7 and price > 1", SCOPE).evaluate(feed) is False
    assert feed.asked == ["mark"]
