"""Sizes: a quantity, a notional, a share of what is available, what a stop may cost."""

from __future__ import annotations

from typing import Any

import pytest

from runner.core.decision import Reason
from runner.core.events import AccountUpdate
from runner.core.formula import EvaluationError
from runner.core.orders import OrderIntent
from runner.core.rules import Priced, Progress
from runner.core.view import View
from tests.core.factories import START, SYMBOL, built, context, dec, problems, rule, view

MARKET: dict[str, Any] = {"side": "buy", "type": "market"}


def world(index: str | None = None, *, available: str | None = "1000") -> View:
    """A mark of 70000, an account with 2000 of equity, perhaps an index."""
    seen = view()
    if index is not None:
        seen.board.offer(SYMBOL, "index", dec(index), START, START)
    if available is not None:
        seen.apply_account(AccountUpdate(dec(2000), dec(available), START, dec(2000)))
    return seen


def quantity(size: dict[str, Any], seen: View | None = None, **order: Any) -> str:
    """The quantity that an order of this size gets."""
    action = built("place", [{**MARKET, **order, **size}])
    (planned,) = action.step(context(action, world=seen or world())).planned
    assert isinstance(planned.intent, OrderIntent)
    return str(planned.intent.quantity)


@pytest.mark.parametrize(
    ("size", "order", "wanted"),
    [
        ({"quantity": "0.0199"}, {}, "0.019"),
        ({"quantity": "0.0199", "round": "nearest"}, {}, "0.020"),
        ({"quantity": "0.0195", "round": "nearest"}, {}, "0.019"),
        ({"notional": 7000}, {}, "0.100"),
        ({"percent_of_available": 70}, {}, "0.010"),
        ({"percent_of_available": "=trigger"}, {}, ""),
        ({"risk": {"percent": 1, "stop": 68000}}, {}, "0.010"),
        ({"risk": {"percent": 1, "stop": 68000}}, {"type": "limit", "price": 69000}, "0.020"),
        ({"risk": {"percent": 1, "stop": 72000}}, {"side": "sell"}, "0.010"),
        ({"risk": {"percent": "=1", "stop": "=mark - 2000"}}, {}, "0.010"),
    ],
)
def test_each_way_of_saying_how_much(
    size: dict[str, Any], order: dict[str, Any], wanted: str
) -> None:
    """Exact, then on the step: toward zero unless nearest is asked for."""
    exact = {key: _exact(value) for key, value in size.items()}
    if not wanted:
        assert problems("place", [{**MARKET, **exact}]) == ["formula"]
        return
    priced = {key: _exact(value) for key, value in order.items()}
    assert dec(quantity(exact, **priced)) == dec(wanted)


def _exact(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _exact(item) for key, item in value.items()}
    text = str(value)
    return dec(text) if text.replace(".", "").isdigit() else value


def test_money_is_sized_by_the_index_unless_the_mark_is_asked_for() -> None:
    """The last trade never counts: one order can move it."""
    seen = world("35000")
    seen.board.offer(SYMBOL, "last", dec(1), START, START)
    assert dec(quantity({"notional": dec(7000)}, seen)) == dec("0.2")
    assert dec(quantity({"notional": dec(7000), "price_source": "mark"}, seen)) == dec("0.1")
    assert dec(quantity({"percent_of_available": dec(70)}, seen)) == dec("0.02")


def test_the_price_it_is_sized_by_is_streamed() -> None:
    """A rule that turns money into a quantity needs the index, one with quantities does not."""
    by_index = built("place", [{**MARKET, "notional": 7000}])
    by_mark = built("place", [{**MARKET, "notional": 7000, "price_source": "mark"}])
    plain = built("place", [{**MARKET, "quantity": 1}])
    assert isinstance(plain, Priced)
    assert rule("a", by_index).sources() == {"mark", "index"}
    assert rule("a", by_mark).sources() == {"mark"}
    assert rule("a", plain).sources() == {"mark"}


def test_a_stop_on_the_wrong_side_is_not_possible() -> None:
    """A risk without a loss would be an endless size."""
    risk = {"percent": dec(1), "stop": dec(71000)}
    action = built("place", [{**MARKET, "risk": risk}])
    step = action.step(context(action, world=world()))
    assert (step.progress, step.reason) == (Progress.FAILED, Reason.NOT_POSSIBLE)
    assert "not below 70000" in step.detail
    sell = built("place", [{**MARKET, "side": "sell", "risk": {**risk, "stop": dec(70000)}}])
    assert "not above" in sell.step(context(sell, world=world())).detail


@pytest.mark.parametrize(
    ("size", "name"),
    [
        ({"percent_of_available": 10}, "account.available"),
        ({"risk": {"percent": 1, "stop": 68000}}, "account.equity"),
    ],
)
def test_without_the_account_it_waits(size: dict[str, Any], name: str) -> None:
    """What is not known yet is named, so that the action is asked again."""
    action = built("place", [{**MARKET, **size}])
    with pytest.raises(EvaluationError, match="no data") as raised:
        action.step(context(action, world=world(available=None)))
    assert raised.value.name == name


@pytest.mark.parametrize(
    ("order", "codes"),
    [
        ({}, ["missing-key"]),
        ({"quantity": 1, "notional": 5}, ["missing-key"]),
        ({"quantity": 1, "risk": {"percent": 1, "stop": 2}}, ["missing-key"]),
        ({"quantity": 1, "price_source": "mark"}, ["unknown-key"]),
        ({"notional": 5, "price_source": "mark"}, []),
        ({"percent_of_available": 5}, []),
    ],
)
def test_an_order_has_exactly_one_size(order: dict[str, Any], codes: list[str]) -> None:
    """And a price source only where there is something to reckon."""
    assert problems("place", [{**MARKET, **order}]) == codes


@pytest.mark.parametrize(
    ("order", "codes"),
    [
        ({"good_till": "2h"}, []),
        ({"good_till": "5m"}, ["range"]),
        ({"good_till": "soon"}, ["wrong-type"]),
        ({"good_till": "2h", "time_in_force": "gtc"}, ["unknown-key"]),
        ({"price_match": "queue"}, ["unknown-key"]),
        ({"type": "market", "good_till": "2h", "price": None}, ["unknown-key"] * 2),
    ],
)
def test_keys_of_limit_orders(order: dict[str, Any], codes: list[str]) -> None:
    """A time to live, or a price taken from the book, is for limit orders only."""
    limit = {"side": "buy", "type": "limit", "price": 69000, "quantity": 1}
    assert problems("place", [{**limit, **order}]) == codes


def test_a_limit_order_can_live_for_a_while_and_take_its_price_from_the_book() -> None:
    """GTD until whole seconds after the fire; the exchange's own words for the others."""
    action = built(
        "place",
        [
            {
                "side": "buy",
                "type": "limit",
                "quantity": 1,
                "good_till": "1h",
                "price_match": "queue_5",
                "self_trade_prevention": "expire_both",
                "tag": "grid",
            }
        ],
    )
    (planned,) = action.step(context(action)).planned
    intent = planned.intent
    assert isinstance(intent, OrderIntent)
    assert intent.time_in_force == "GTD"
    assert intent.good_till_time == START + 3_600_000
    assert (intent.price, intent.price_match) == (None, "QUEUE_5")
    assert (intent.self_trade_prevention, intent.tag) == ("EXPIRE_BOTH", "grid")
