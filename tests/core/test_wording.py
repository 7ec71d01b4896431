"""What log and screens say of orders: a trader's words, never a name of ours."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core.orders import Family, OrderState, Outcome, Setting, SettingIntent, Side
from runner.core.wording import (
    change_words,
    intent_words,
    leg_words,
    outcome_words,
    state_words,
    told_words,
)
from tests.core.factories import cancel, dec, order

CODES = re.compile("|".join(rf"\b{state.value}\b" for state in OrderState))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("0.0", "order 1"),
        ("0.entry", "entry"),
        ("0.stop@0.03", "stop for 0.03"),
        ("1.target@0.5", "target for 0.5 (action 2)"),
        ("0.naked@1", "emergency close for 1"),
        ("0.cancel:stop@0.03", "cancel of stop for 0.03"),
        ("2.cancel:entry", "cancel of entry (action 3)"),
        ("aside.0.entry", "cancel of entry"),
        ("0.both", "order"),
        ("0.order", "cancel of all orders"),
        ("1.algo", "cancel of all conditional orders (action 2)"),
        ("0.r1-main-abc", "request about r1-main-abc"),
        ("0.cancel:r1-main-abc", "cancel of order r1-main-abc"),
        ("0.both@0", "closing order"),
        ("0.long@1", "closing order 2"),
        ("0.margin_type", "margin type"),
        ("x", "x"),
    ],
)
def test_a_leg_has_a_name_that_says_what_it_is_for(name: str, words: str) -> None:
    """The place in the run becomes words."""
    assert leg_words(name) == words


@pytest.mark.parametrize("before", OrderState)
@pytest.mark.parametrize("after", OrderState)
def test_every_step_has_words(before: OrderState, after: OrderState) -> None:
    """No state of the journal reaches a reader as a code."""
    assert not CODES.search(change_words(before, after))
    assert state_words(after.value) == state_words(after)


@pytest.mark.parametrize("outcome", Outcome)
def test_every_answer_has_words(outcome: Outcome) -> None:
    """What an attempt came to, and that there is no answer yet."""
    assert outcome.value not in outcome_words(outcome.value)
    assert outcome_words(None) == "no answer yet"


def test_what_is_sent_again_says_so() -> None:
    """Lost on its way and not there for certain: it goes out once more."""
    assert change_words(OrderState.UNKNOWN, OrderState.PLANNED).endswith("it is sent again")
    assert told_words("0.0", OrderState.REJECTED, "why") == "order 1 refused by the exchange: why"
    assert told_words("0.0", OrderState.EXPIRED) == "order 1 expired"


def test_an_orders_line_reads_like_a_traders() -> None:
    """Side, type, size, prices, and what it only closes."""
    one = order(side=Side.SELL, quantity="0.020", price="68000.0", reduce_only=True)
    assert intent_words(one) == "sell limit 0.02 @ 68000 reduce only"
    two = order(quantity=None, price=None, trigger_price=dec(5), close_position=True)
    assert intent_words(two) == "buy limit @ 5 close position"


def test_a_cancel_says_what_it_takes_off() -> None:
    """The exit by its name, another order by its id, or all."""
    assert intent_words(cancel(target="x"), "0.cancel:stop@1") == "cancel stop for 1"
    assert intent_words(cancel(target="x"), "aside.0.entry") == "cancel entry"
    assert intent_words(cancel(target="x"), "0.x") == "cancel x"
    assert intent_words(cancel(), "0.order") == "cancel all orders"
    assert (
        intent_words(replace(cancel(), family=Family.ALGO), "0.algo")
        == "cancel all conditional orders"
    )
    assert intent_words(SettingIntent("id", "S", Setting.LEVERAGE, "7", "BOTH")) == "set leverage 7"


@given(st.text(max_size=30))
def test_no_name_is_too_odd(name: str) -> None:
    """Names of an older journal read as they are at worst."""
    assert isinstance(leg_words(name), str)
