"""`place`: independent orders, all or none, and their verdict."""

from __future__ import annotations

from typing import Any

import pytest

from runner.core.decision import Leg, Reason
from runner.core.formula import EvaluationError
from runner.core.orders import OrderIntent, OrderState, OrderType, Side, TimeInForce
from runner.core.rules import Action, Progress, Step
from runner.core.wording import state_words
from tests.core.factories import (
    START,
    SYMBOL,
    built,
    context,
    dec,
    instrument,
    leg,
    order,
    problems,
    view,
)

LIMIT: dict[str, Any] = {"side": "buy", "type": "limit", "price": "69000.07", "quantity": "0.0199"}
MARKET: dict[str, Any] = {"side": "sell", "type": "market", "quantity": 1}


def exact(value: dict[str, Any]) -> dict[str, Any]:
    """Numbers as a rule file has them."""
    numbers = {"price", "quantity", "notional", "trigger_price", "callback_rate"}
    return {k: dec(str(v)) if k in numbers and "=" not in str(v) else v for k, v in value.items()}


def place(*orders: dict[str, Any]) -> Action:
    """The action."""
    return built("place", [exact(one) for one in orders])


def intent(value: dict[str, Any], **more: Any) -> OrderIntent:
    """The only intent that it plans."""
    action = place(value)
    (planned,) = action.step(context(action, **more)).planned
    assert isinstance(planned.intent, OrderIntent)
    return planned.intent


def test_prices_and_sizes_meet_tick_and_step() -> None:
    """A buy never crosses further than written, a size is rounded toward zero."""
    one = intent(LIMIT)
    assert (one.price, one.quantity) == (dec("69000.0"), dec("0.019"))
    assert one.time_in_force is TimeInForce.GTC
    sell = intent({**LIMIT, "side": "sell"})
    assert sell.price == dec("69000.1")
    assert intent(MARKET).time_in_force is None


def test_a_notional_is_sized_by_the_index_price_else_the_mark() -> None:
    """Never by the last trade; without a price it has no value."""
    value = {"side": "buy", "type": "market", "notional": 7000}
    assert intent(value).quantity == dec("0.1")
    world = view()
    world.board.offer(SYMBOL, "index", dec(35_000), START, START)
    assert intent(value, world=world).quantity == dec("0.2")
    action = place(value)
    with pytest.raises(EvaluationError, match="no data"):
        action.step(context(action, world=view(None)))


def test_a_formula_without_a_value_is_an_error() -> None:
    """Not fired as zero, not left out."""
    action = place({**MARKET, "quantity": "=10% * account.available / mark"})
    assert len(action.formulas()) == 1
    with pytest.raises(EvaluationError):
        action.step(context(action))


def test_a_side_may_be_a_formula() -> None:
    """`=trigger.action`, or any text that is buy or sell."""
    assert intent({**MARKET, "side": '="buy" if mark > 1 else "sell"'}).side is Side.BUY


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({**LIMIT, "quantity": "0.0001"}, "zero after rounding"),
        ({**LIMIT, "price": 69}, "notional"),
        ({**LIMIT, "price": 169000}, "times the mark"),
        ({**MARKET, "quantity": 2000}, "outside"),
    ],
)
def test_when_one_order_is_not_possible_none_is_planned(value: dict[str, Any], says: str) -> None:
    """The run says which order, and why."""
    action = place(MARKET, value)
    step = action.step(context(action))
    assert (step.progress, step.reason, step.planned) == (
        Progress.FAILED,
        Reason.NOT_POSSIBLE,
        (),
    )
    assert step.detail.startswith("order 2: ")
    assert says in step.detail


def test_an_unknown_symbol_is_not_possible() -> None:
    """The exchange does not trade it."""
    world = view()
    world.instruments = {}
    action = place(MARKET)
    assert "not known to the exchange" in action.step(context(action, world=world)).detail


def test_entries_lapse_and_exits_never_do() -> None:
    """`expires_after` is for what adds risk."""
    action = place({**MARKET, "expires_after": "30s"}, MARKET)
    assert [p.deadline for p in action.step(context(action)).planned] == [
        START + 30_000,
        START + 60_000,
    ]
    action = place({**MARKET, "reduce_only": True, "expires_after": "30s"})
    assert [p.deadline for p in action.step(context(action)).planned] == [None]


def test_a_conditional_order_may_close_the_position() -> None:
    """`closePosition` has no quantity."""
    value = {"side": "sell", "type": "stop_market", "trigger_price": 68000, "close_position": True}
    one = intent({**value, "working_type": "mark_price", "price_protect": True})
    assert (one.type, one.quantity, one.close_position) == (OrderType.STOP_MARKET, None, True)
    assert (one.working_type, one.price_protect) == ("MARK_PRICE", True)


def test_hedge_mode_knows_no_reduce_only() -> None:
    """The side against the position side is the exit."""
    one = intent({**MARKET, "position_side": "long", "reduce_only": True})
    assert (one.position_side, one.reduce_only, one.protective) == ("LONG", False, True)


def after(*states: OrderState) -> Step:
    """The step of a place whose legs are in these states."""
    action = place(*([MARKET] * len(states)))
    legs: dict[str, Leg] = {}
    for number, state in enumerate(states):
        name = f"0.{number}"
        legs[name] = leg(order(name), state, name=name, message="why")
    return action.step(context(action, legs))


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (OrderState.REJECTED, Reason.REJECTED),
        (OrderState.LAPSED, Reason.LAPSED),
        (OrderState.PARKED, Reason.PARKED),
    ],
)
def test_a_failed_order_fails_the_action_with_its_reason(state: OrderState, reason: Reason) -> None:
    """The closed list of reasons tells rejected, lapsed and parked apart."""
    step = after(OrderState.LIVE, state)
    assert (step.progress, step.reason) == (Progress.FAILED, reason)
    assert step.detail == f"order 2 {state_words(state)}: why"


@pytest.mark.parametrize("state", [OrderState.PLANNED, OrderState.SENDING, OrderState.UNKNOWN])
def test_an_action_waits_for_every_verdict(state: OrderState) -> None:
    """The next action may need the outcome."""
    assert after(OrderState.FILLED, state).progress is Progress.WAITING
    assert after(OrderState.FILLED, OrderState.LIVE).progress is Progress.DONE


@pytest.mark.parametrize(
    ("orders", "codes"),
    [
        ([{"side": "buy", "type": "limit", "quantity": 1}], ["missing-key"]),
        ([{"side": "buy", "type": "market"}], ["missing-key"]),
        ([{**MARKET, "notional": 1}], ["missing-key"]),
        ([{**MARKET, "price": 1}], ["unknown-key"]),
        ([{**MARKET, "time_in_force": "gtc"}], ["unknown-key"]),
        ([{**MARKET, "side": "=mark"}], ["formula"]),
        ([MARKET, {**MARKET, "reduce_only": True}], ["dependent-orders"]),
        ([], []),
    ],
)
def test_mistakes_are_found_when_the_rule_is_read(
    orders: list[dict[str, Any]], codes: list[str]
) -> None:
    """Each with its code."""
    assert problems("place", [exact(one) for one in orders]) == codes


def test_an_instrument_that_does_not_trade_takes_no_order() -> None:
    """Its status is told."""
    world = view()
    world.instruments = {SYMBOL: instrument(status="SETTLING")}
    action = place(MARKET)
    assert "SETTLING" in action.step(context(action, world=world)).detail
