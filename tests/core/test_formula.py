"""Formulas as rule files see them: what compiles, what is refused and where, what it says."""

from __future__ import annotations

from decimal import Decimal

import pytest

from runner.core.formula import (
    BOOLEAN,
    NUMBER,
    OBJECT,
    TEXT,
    FormulaError,
    Kind,
    Scope,
    Type,
    compile_formula,
    one_of,
)

SCOPE: Scope = {
    "price": NUMBER,
    "mark": NUMBER,
    "armed": BOOLEAN,
    "symbol": TEXT,
    "position.size": NUMBER,
    "position.side": one_of("long", "short", "flat"),
    "trigger.price": NUMBER,
    "trigger.action": one_of("buy", "sell"),
    "trigger.note": TEXT,
    "account.available": NUMBER,
    "account.margin.ratio": NUMBER,
    "empty": OBJECT,
}

PROTOTYPE = [
    ("prise > 3", 1, 5, "unknown name prise", "did you mean price?"),
    ('price > "a"', 9, 3, "cannot compare a number with text", None),
    ("price = 3", 7, 1, "= is not an operator here", "write == to compare"),
    ("price > 1 && armed", 11, 2, "&& is not an operator here", "write and"),
    ("price > 1,000", 10, 1, "write numbers without commas", "write 1000"),
    (
        "position > 0",
        12,
        1,
        "cannot compare an object (position) with a number",
        "name one of its fields, such as position.size",
    ),
    ("9**9**9 > 1", 2, 2, "** is not an operator here", "powers are not available"),
    ("price > 3 and", 13, 1, "the formula ends here, a value is missing", None),
    (
        'symbol == "a" or "b"',
        18,
        3,
        'or needs true/false, "b" is text',
        'write symbol == "a" or symbol == "b"',
    ),
    ("mim(1,2) > 1", 1, 3, "unknown function mim", "did you mean min?"),
    ("positon.size == 0", 1, 7, "unknown name positon", "did you mean position?"),
    (
        "abs(trigger.prise - mark) / mark < 0.005",
        13,
        5,
        "trigger has no field prise",
        "did you mean price?",
    ),
]

CHARACTERS = [
    ("=price > 3", 1, 1, "= is not needed here", "leave it out"),
    ("price <> 3", 7, 2, "<> is not an operator here", "write !="),
    ("price => 3", 7, 2, "=> is not an operator here", "write >="),
    ("price =< 3", 7, 2, "=< is not an operator here", "write <="),
    ("price === 3", 7, 3, "=== is not an operator here", "write =="),
    ("price !== 3", 7, 3, "!== is not an operator here", "write !="),
    ("price ≥ 3", 7, 1, "≥ is not an operator here", "write >="),
    ("price || armed", 7, 2, "|| is not an operator here", "write or"),
    ("!armed", 1, 1, "! is not an operator here", "write not"),
    ("price ^ 2", 7, 1, "^ is not an operator here", "powers are not available"),
    ("price // 2", 7, 2, "// is not an operator here", "write round_down(a / b, 1)"),
    ("price × 2", 7, 1, "× is not an operator here", "write *"),
    (
        "price += 2",
        7,
        2,
        "+= is not an operator here",
        "a formula changes nothing, it only calculates",
    ),
    (
        "armed ? 1 : 2",
        7,
        1,
        "? is not an operator here",
        "write value if condition else other",
    ),
    (
        "10 % price",
        4,
        1,
        "% is not an operator here",
        "a percentage is written without a space: 10%",
    ),
    ("symbol == “a”", 11, 1, "“ is not a quotation mark here", 'write "'),
    ("symbol == ‘a’", 11, 1, "‘ is not a quotation mark here", "write '"),
    ("symbol == `a`", 11, 1, "` is not a quotation mark here", "write '"),
    ("price − 1", 7, 1, "− is not a minus sign here", "write -"),
    ("price – 1", 7, 1, "– is not a minus sign here", "write -"),
    ("price\u00a0> 1", 6, 1, "an invisible character, U+00A0", "write a plain space"),
    ("price\u200b > 1", 6, 1, "an invisible character, U+200B", "write a plain space"),
    (
        "price[0]",
        6,
        1,
        "[ cannot be used in a formula",
        "lists are not available, brackets are round",
    ),
    (
        "{price} > 1",
        1,
        1,
        "{ cannot be used in a formula",
        "write the name alone, without braces",
    ),
    ("price > €5", 9, 1, "€ cannot be used in a formula", None),
    ('symbol == "a', 11, 1, "this text has no end", 'close it with "'),
    ("symbol == 'a", 11, 1, "this text has no end", "close it with '"),
    ("price AND armed", 7, 3, "AND has capital letters", "write and"),
    ("armed == True", 10, 4, "True has capital letters", "write true"),
    (
        "position. size",
        9,
        1,
        "this point belongs to no name",
        "write object.field without spaces",
    ),
    (
        "position .5",
        10,
        1,
        "this point belongs to no name",
        "write object.field without spaces",
    ),
]

NUMBERS = [
    (".5 > price", 1, 2, ".5 is not a number", "write 0.5"),
    ("price > .25", 9, 3, ".25 is not a number", "write 0.25"),
    ("5. > price", 1, 2, "5. is not a number", "write 5"),
    ("007 > price", 1, 3, "007 is not a number", "write 7"),
    ("1__0 > 1", 1, 4, "1__0 is not a number", "write its digits only, such as 70000 or 0.02"),
    ("1.2.3 > 1", 1, 5, "1.2.3 is not a number", "write its digits only, such as 70000 or 0.02"),
    ("70k > 1", 1, 3, "70k is not a number", "write its digits only, such as 70000 or 0.02"),
    ("1e100 > 1", 1, 5, "1e100 is not a number", "an exponent has at most two digits"),
    ("10e99 > 1", 1, 5, "10e99 is too large", "the largest numbers are just under 1e100"),
    ("1" * 29, 1, 29, "numbers have at most 28 digits", None),
    ("price > 0,02", 10, 1, "write numbers without commas", "write 0.02"),
    ("price > 1,234,567", 10, 1, "write numbers without commas", "write 1234567"),
    (
        "min(70,000, price)",
        7,
        1,
        "write numbers without commas",
        "write 70000, or put a space after the comma between two values",
    ),
    ("(price > 1,000)", 11, 1, "write numbers without commas", "write 1000"),
    ("price, 3", 6, 1, ", separates the values of a function, there is none here", None),
]

STRUCTURE = [
    ("", 1, 1, "the formula is empty", "write one, such as mark > 70000"),
    (" \t\n", 1, 1, "the formula is empty", "write one, such as mark > 70000"),
    ("price > 3 and  ", 13, 1, "the formula ends here, a value is missing", None),
    (
        "(price > 3",
        10,
        1,
        "the formula ends here, ) is missing",
        "it closes the bracket in column 1",
    ),
    (
        "max(price, mark",
        15,
        1,
        "the formula ends here, ) is missing",
        "it closes the bracket in column 4",
    ),
    (
        "price > 3)",
        10,
        1,
        ") closes no bracket",
        "leave it out, or open one with (",
    ),
    ("(price mark)", 8, 4, "an operator is missing before mark", None),
    ("price mark", 7, 4, "an operator is missing before mark", None),
    ("armed not armed", 7, 3, "an operator is missing before not", None),
    ("price is 3", 7, 2, "is is not an operator here", "write =="),
    (
        'symbol in "a"',
        8,
        2,
        "in is not an operator here",
        "compare with == and join with or",
    ),
    ("* 3", 1, 1, "a value is missing before *", None),
    ("price > )", 9, 1, "a value is missing before )", None),
    ("+price", 1, 1, "a value is missing before +", None),
    ("armed == not armed", 10, 3, "not needs brackets here", "write (not …)"),
    (
        "1 < price < 3",
        11,
        1,
        "comparisons cannot be chained",
        "write 1 < price and price < …",
    ),
    (
        "(1) < (price + 1) == 3",
        19,
        2,
        "comparisons cannot be chained",
        "write (1) < (price + 1) and (price + 1) == …",
    ),
    (
        "3 if armed",
        10,
        1,
        "the formula ends here, else is missing",
        "write value if condition else other",
    ),
    (
        "min(3 if armed, 2)",
        15,
        1,
        "else is missing before ,",
        "write value if condition else other",
    ),
    ("3 if armed mark else 2", 12, 4, "an operator is missing before mark", None),
    ("3 else 2", 3, 4, "else has no if", "write value if condition else other"),
    ("(3 else 2)", 4, 4, "else has no if", "write value if condition else other"),
]

NAMES = [
    (
        "zzz > 3",
        1,
        3,
        "unknown name zzz",
        "the names: price, mark, armed, symbol, position, trigger, account, empty",
    ),
    ("available > 3", 1, 9, "unknown name available", "did you mean account.available?"),
    ("avalable > 3", 1, 8, "unknown name avalable", "did you mean account.available?"),
    ("Mark > 3", 1, 4, "unknown name Mark", "did you mean mark?"),
    (
        "account.margin.x",
        16,
        1,
        "account.margin has no field x",
        "the fields of account.margin: ratio",
    ),
    ("price.size > 3", 7, 4, "price is a number, it has no fields", None),
    ("empty.size > 3", 7, 4, "empty has no field size", None),
    ("min > 3", 1, 3, "unknown name min", "min is a function, write min(a, b, …)"),
    ("price(3)", 1, 5, "price is not a function", None),
    ("position(3)", 1, 8, "position is not a function", None),
    (
        "zzz(3)",
        1,
        3,
        "unknown function zzz",
        "the functions: min, max, abs, round_down, round_up, clamp",
    ),
    (
        "a" * 100,
        1,
        100,
        "unknown name " + "a" * 100,
        "the names: price, mark, armed, symbol, position, trigger, account, empty",
    ),
    ("position.side == long", 18, 4, "unknown name long", 'text stands in quotes: "long"'),
    ("symbol == BTCUSDT", 11, 7, "unknown name BTCUSDT", 'text stands in quotes: "BTCUSDT"'),
    ("position.side == prise", 18, 5, "unknown name prise", "did you mean price?"),
]

TYPES = [
    (
        "position and armed",
        1,
        8,
        "and needs true/false, position is an object",
        "name one of its fields, such as position.size",
    ),
    (
        "3 == position",
        6,
        8,
        "cannot compare a number with an object (position)",
        "name one of its fields, such as position.size",
    ),
    (
        "position == account",
        13,
        7,
        "cannot compare an object (position) with an object (account)",
        "name one of its fields, such as position.size",
    ),
    ("empty > 0", 9, 1, "cannot compare an object (empty) with a number", None),
    (
        "position",
        1,
        8,
        "a formula must give a value, this is an object (position)",
        "name one of its fields, such as position.size",
    ),
    (
        "position if armed else account",
        1,
        30,
        "a formula must give a value, this is an object (position if armed else account)",
        None,
    ),
    ("armed == 1", 10, 1, "cannot compare true/false with a number", None),
    ("armed < true", 1, 5, "< needs numbers, armed is true/false", None),
    ('symbol >= "A"', 1, 6, ">= needs numbers, symbol is text", None),
    ('price + "b"', 9, 3, '+ needs numbers, "b" is text', None),
    ("armed * 2", 1, 5, "* needs numbers, armed is true/false", None),
    ("-armed", 2, 5, "- needs numbers, armed is true/false", None),
    ("not price", 5, 5, "not needs true/false, price is a number", None),
    ("price or armed", 1, 5, "or needs true/false, price is a number", None),
    ("armed or price or armed", 10, 5, "or needs true/false, price is a number", None),
    ("armed or 3", 10, 1, "or needs true/false, 3 is a number", None),
    ("1 if price else 2", 6, 5, "if needs true/false, price is a number", None),
    (
        'price if armed else "a"',
        21,
        3,
        "if and else must give the same kind of value, not a number and text",
        None,
    ),
    ("abs(armed)", 5, 5, "abs needs numbers, armed is true/false", None),
    ("abs()", 1, 5, "abs takes 1 value, here are 0", "write abs(value)"),
    ("abs(1, 2)", 1, 9, "abs takes 1 value, here are 2", "write abs(value)"),
    ("min(price)", 1, 10, "min takes 2 or more values, here are 1", "write min(a, b, …)"),
    (
        "clamp(price, 2)",
        1,
        15,
        "clamp takes 3 values, here are 2",
        "write clamp(value, low, high)",
    ),
    (
        "not (price + price + price + price + price + price)",
        5,
        47,
        "not needs true/false, (price + price + price + price + price … is a number",
        None,
    ),
    ('position.side == "LNG"', 18, 5, 'position.side is never "LNG"', 'did you mean "long"?'),
    ('"Flat" != position.side', 1, 6, 'position.side is never "Flat"', 'did you mean "flat"?'),
    (
        'trigger.action == "exit"',
        19,
        6,
        'trigger.action is never "exit"',
        'it is "buy" or "sell"',
    ),
    (
        "trigger.action == position.side",
        19,
        13,
        "trigger.action and position.side are never the same",
        None,
    ),
    (
        '("a" if armed else "b") == "c"',
        28,
        3,
        '("a" if armed else "b") is never "c"',
        'it is "a" or "b"',
    ),
]

ARITHMETIC = [
    ("price / 0 > 1", 9, 1, "division by zero in price / 0", None),
    ("price / (2 - 2) > 1", 9, 7, "division by zero in price / (2 - 2)", None),
    ("1e99 * 1e99 > price", 1, 11, "the result of 1e99 * 1e99 is too large (1e100 or more)", None),
    (
        "price > round_down(3, 0)",
        9,
        16,
        "round_down needs a step above zero, here it is 0",
        None,
    ),
    ("clamp(1, 3, 2)", 1, 14, "clamp needs low <= high, here they are 3 and 2", None),
]


@pytest.mark.parametrize(
    ("text", "column", "length", "message", "cure"),
    [*PROTOTYPE, *CHARACTERS, *NUMBERS, *STRUCTURE, *NAMES, *TYPES, *ARITHMETIC],
)
def test_mistake_is_named_with_place_and_cure(
    text: str, column: int, length: int, message: str, cure: str | None
) -> None:
    """Every mistake gets its message, the place to underline, and the cure where one is known."""
    with pytest.raises(FormulaError) as caught:
        compile_formula(text, SCOPE)
    error = caught.value
    assert (error.column, error.length, error.message, error.cure) == (
        column,
        length,
        message,
        cure,
    )
    assert str(error) == message


def test_long_list_of_names_is_cut() -> None:
    """With many names, and none that looks alike, only the first few are listed."""
    scope = {f"name_{number}": NUMBER for number in range(20)}
    with pytest.raises(FormulaError) as caught:
        compile_formula("x > 3", scope)
    cure = "the names: name_0, name_1, name_2, name_3, name_4, name_5, name_6, name_7, …"
    assert caught.value.cure == cure


def test_no_names_at_all_gives_no_cure() -> None:
    """Where a formula may use no names, no list of them is offered."""
    with pytest.raises(FormulaError) as caught:
        compile_formula("x > 3", {})
    assert caught.value.cure is None


@pytest.mark.parametrize(
    ("text", "expect", "message", "cure"),
    [
        (
            "price + 1",
            BOOLEAN,
            "a condition must be true or false, this is a number",
            "compare it with something, such as price + 1 > 0",
        ),
        ("symbol", BOOLEAN, "a condition must be true or false, this is text", None),
        (
            "position",
            BOOLEAN,
            "a condition must be true or false, this is an object (position)",
            "name one of its fields, such as position.size",
        ),
        ("price > 1", NUMBER, "this must be a number, this is true/false", None),
        ("price", TEXT, "this must be text, this is a number", None),
        (
            '"BUY" if armed else "sell"',
            one_of("buy", "sell"),
            '"BUY" is not possible here',
            'did you mean "buy"?',
        ),
    ],
)
def test_result_of_the_wrong_type_is_refused(
    text: str, expect: Type, message: str, cure: str | None
) -> None:
    """A formula that gives something else than its place needs is refused as a whole."""
    with pytest.raises(FormulaError) as caught:
        compile_formula(text, SCOPE, expect)
    error = caught.value
    assert (error.message, error.cure) == (message, cure)
    assert (error.column, error.length) == (1, len(text))


@pytest.mark.parametrize(
    ("text", "expect"),
    [
        ("price > 1", BOOLEAN),
        ("price", NUMBER),
        ("symbol", TEXT),
        ("position.side", TEXT),
        ("trigger.action", one_of("buy", "sell")),
        ("trigger.note", one_of("buy", "sell")),
        ('"buy" if armed else "sell"', one_of("buy", "sell")),
        ('trigger.note if armed else "sell"', one_of("buy", "sell")),
    ],
)
def test_result_of_the_right_type_is_accepted(text: str, expect: Type) -> None:
    """A formula whose value fits, or may fit, its place compiles."""
    assert compile_formula(text, SCOPE, expect).type.kind is expect.kind


@pytest.mark.parametrize(("text", "value"), [("2 > 1", "true"), ("0.10 * 3", "0.30")])
def test_constant_is_refused_where_it_makes_no_sense(text: str, value: str) -> None:
    """A formula without any name never changes: refused with its value where asked for."""
    with pytest.raises(FormulaError) as caught:
        compile_formula(text, SCOPE, constant_ok=False)
    assert caught.value.message == f"this is always {value}"
    assert compile_formula(text, SCOPE).names == frozenset()


def test_formula_says_what_it_is() -> None:
    """A formula keeps its text, knows its type, and names what it needs."""
    formula = compile_formula("abs(trigger.price - mark) / mark < 0.5% and armed", SCOPE)
    assert formula.text == "abs(trigger.price - mark) / mark < 0.5% and armed"
    assert formula.type == BOOLEAN
    assert formula.names == {"trigger.price", "mark", "armed"}


def test_type_of_a_choice_knows_what_can_come_out() -> None:
    """The values of both sides of an if are the values of the whole."""
    formula = compile_formula('"buy" if armed else "sell" if price > 1 else "buy"', SCOPE)
    assert formula.type == one_of("buy", "sell")
    assert compile_formula('symbol if armed else "a"', SCOPE).type == Type(Kind.TEXT)


def test_equal_formulas_are_equal() -> None:
    """Formulas compare by text, type and names, so that a reload sees what changed."""
    assert compile_formula("mark > 1", SCOPE) == compile_formula("mark > 1", SCOPE)
    assert compile_formula("mark > 1", SCOPE) != compile_formula("mark > 2", SCOPE)
    assert len({compile_formula("mark > 1", SCOPE), compile_formula("mark > 1", SCOPE)}) == 1
    assert "mark > 1" in repr(compile_formula("mark > 1", SCOPE))


def test_value_wins_over_object_of_the_same_name() -> None:
    """A name that is both a value and a prefix of others is the value."""
    scope = {"trigger": NUMBER, "trigger.price": NUMBER}
    formula = compile_formula("trigger + trigger.price", scope)
    assert formula.evaluate({"trigger": Decimal(1), "trigger.price": Decimal(2)}) == 3
