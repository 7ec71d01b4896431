"""What people probably meant when they wrote something else."""

from __future__ import annotations

from typing import Any

import pytest

from runner.rulebook.words import as_duration, as_number, either, kind_of, meant, shown


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0,02", "0.02"),
        ("0,025", "0.025"),
        ("1,000", "1000"),
        ("70,000.50", "70000.50"),
        ("70.000,50", "70000.50"),
        ("70 000", "70000"),
        ("70_000", "70000"),
        ("70k", "70000"),
        ("1.5K", "1500"),
        ("$500", "500"),
        ("500 USDT", "500"),
        ("-0,5", "-0.5"),
        ("0.02", "0.02"),
        ("1,2,3", None),
        ("abc", None),
        ("", None),
        ("5 BTC", None),
    ],
)
def test_numbers_as_written_elsewhere(text: str, number: str | None) -> None:
    """Commas, points, thousands and currencies; where a text is ambiguous there is no guess."""
    assert as_number(text) == number


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("4 hours", "4h"),
        ("90 sec", "90s"),
        ("1h 30m", "1h30m"),
        ("1 day and 2 hours", "1d2h"),
        ("15", "15s, 15m or 15h"),
        ("30s 1m", None),
        ("2 weeks", None),
        ("-5s", None),
        ("soon", None),
        ("", None),
    ],
)
def test_lengths_of_time_as_written_elsewhere(text: str, length: str | None) -> None:
    """Words and spaces; what could not be read after all is not offered."""
    assert as_duration(text) == length


@pytest.mark.parametrize(
    ("word", "choices", "guess"),
    [
        ("prise", ["price", "place"], "price"),
        ("Side", ["side"], "side"),
        ("reduceOnly", ["reduce_only", "price"], "reduce_only"),
        ("stopPrice", ["trigger_price", "price"], "trigger_price"),
        ("on", ["when", "if", "do"], "when"),
        ("qty", ["quantity"], "quantity"),
        ("max_orders", ["max_orders_per_minute", "x"], "max_orders_per_minute"),
        ("MARKET", ["market", "limit"], "market"),
        ("zzz", ["price"], None),
        ("", ["price"], None),
        ("x" * 1000, ["x" * 999], None),
    ],
)
def test_what_a_word_was_meant_to_be(word: str, choices: list[str], guess: str | None) -> None:
    """Slips, other spellings, other programs' words and unfinished ones."""
    assert meant(word, choices) == guess


def test_values_are_called_by_their_names() -> None:
    """The words for kinds of values, and values themselves kept short."""
    values: list[Any] = [None, True, 5, "x", [], {}]
    names = ["nothing", "true/false", "a number", "text", "a list", "a block of keys"]
    assert [kind_of(value) for value in values] == names
    assert [shown(value) for value in (None, [1], {"a": 1})] == [names[0], *names[4:]]
    assert (shown(False), shown("x" * 100)) == ("false", "x" * 59 + "…")
    assert [either(""), either("a"), either("ab"), either("abc")] == [
        "",
        "a",
        "a or b",
        "a, b or c",
    ]
