"""`bracket`, one step at a time: what it wants for every way its legs can stand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from runner.core.decision import Leg, Reason
from runner.core.formula import EvaluationError
from runner.core.orders import Intent, OrderIntent, OrderState, OrderType, Side
from runner.core.rules import Action, Progress, Step
from runner.core.wording import state_words
from tests.core.factories import (
    START,
    SYMBOL,
    built,
    cancel,
    context,
    dec,
    instrument,
    leg,
    order,
    problems,
    view,
)

ENTRY: dict[str, Any] = {"side": "buy", "type": "limit", "price": 69000, "quantity": 1}
EXITS: dict[str, Any] = {"stop": {"trigger_price": 68000}, "target": {"price": 75000}}
LIVE, FILLED, CANCELED = OrderState.LIVE, OrderState.FILLED, OrderState.CANCELED
REJECTED, UNKNOWN = OrderState.REJECTED, OrderState.UNKNOWN


def bracket(entry: dict[str, Any] | None = None, **more: Any) -> Action:
    """A bracket with a resting limit entry unless said otherwise."""
    return built("bracket", {"entry": {**ENTRY, **(entry or {})}, **EXITS, **more})


def stands(part: str, state: OrderState, filled: str = "0", quantity: str = "1") -> Leg:
    """A leg of the bracket."""
    name = f"0.{part}"
    if part.startswith("cancel"):
        return leg(cancel(name, "x"), state, name=name, message="why")
    exits = part != "entry"
    kind = OrderType.STOP_MARKET if "stop" in part else OrderType.LIMIT
    side = Side.SELL if exits else Side.BUY
    intent = order(name, side=side, kind=kind, quantity=quantity, reduce_only=exits)
    return leg(intent, state, name=name, cumulative_quantity=dec(filled), message="why")


def step(*legs: Leg, action: Action | None = None, **more: Any) -> Step:
    """What the bracket wants, given these legs."""
    used = action or bracket()
    return used.step(context(used, {one.name: one for one in legs}, **more))


def wanted(of: Step) -> dict[str, Intent]:
    """The planned intents by the part of their name."""
    return {planned.name.partition(".")[2]: planned.intent for planned in of.planned}


def quantities(of: Step) -> dict[str, str]:
    """The planned quantities by part; cancels have none."""
    return {
        part: str(intent.quantity) if isinstance(intent, OrderIntent) else ""
        for part, intent in wanted(of).items()
    }


def test_the_entry_comes_first_and_alone() -> None:
    """With its deadline; exits never have one."""
    found = step(action=bracket({"expires_after": "30s"}))
    (planned,) = found.planned
    assert (planned.name, planned.deadline) == ("0.entry", START + 30_000)
    exits = step(stands("entry", FILLED, "1"))
    assert {planned.deadline for planned in exits.planned} == {None}


def test_an_entry_that_is_not_possible_fails_the_run() -> None:
    """Before anything is sent."""
    found = step(action=bracket({"quantity": dec("0.0001")}))
    assert (found.progress, found.reason) == (Progress.FAILED, Reason.NOT_POSSIBLE)


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (REJECTED, Reason.REJECTED),
        (OrderState.LAPSED, Reason.LAPSED),
        (OrderState.PARKED, Reason.PARKED),
    ],
)
def test_an_entry_that_came_to_nothing_leaves_no_exits(state: OrderState, reason: Reason) -> None:
    """Failed, with what became of it."""
    found = step(stands("entry", state))
    assert (found.progress, found.reason, found.planned) == (Progress.FAILED, reason, ())
    assert found.detail == f"entry {state_words(state)}: why"


@pytest.mark.parametrize("state", [OrderState.PLANNED, OrderState.SENDING, UNKNOWN, LIVE])
def test_an_entry_without_a_fill_waits(state: OrderState) -> None:
    """Nothing to protect yet."""
    assert step(stands("entry", state)).progress is Progress.WAITING
    assert step(stands("entry", CANCELED)).progress is Progress.DONE


@pytest.mark.parametrize(
    "entry",
    [{"type": "market", "price": None}, {"time_in_force": "ioc"}, {"time_in_force": "fok"}],
)
def test_fills_of_a_market_entry_are_waited_for(entry: dict[str, Any]) -> None:
    """They come in a burst: exits are placed once, at its end."""
    given = {key: value for key, value in {**ENTRY, **entry}.items() if value is not None}
    action = built("bracket", {"entry": given, **EXITS})
    (planned,) = step(action=action).planned
    running = leg(planned.intent, LIVE, name="0.entry", cumulative_quantity=dec("0.4"))
    assert step(running, action=action) == Step(Progress.WAITING)
    ended = replace(running, state=OrderState.EXPIRED)
    assert quantities(step(ended, action=action)) == {"stop@0.4": "0.4"}


def test_a_fill_without_its_quantity_counts_whole() -> None:
    """FILLED says it, also where the answer is silent: never "nothing filled"."""
    assert quantities(step(stands("entry", FILLED))) == {"stop@1": "1"}


def test_the_stop_comes_before_the_target() -> None:
    """The target only when the stop stands."""
    entry = stands("entry", FILLED, "1")
    assert list(wanted(step(entry))) == ["stop@1"]
    for state in (OrderState.PLANNED, OrderState.SENDING, UNKNOWN):
        found = step(entry, stands("stop@1", state))
        assert (found.planned, found.progress) == ((), Progress.WAITING)
    assert list(wanted(step(entry, stands("stop@1", LIVE)))) == ["target@1"]


def test_exits_are_reduce_only_and_of_the_other_side() -> None:
    """In hedge mode the position side says it instead."""
    for side, position_side in (("buy", "both"), ("sell", "both"), ("buy", "long")):
        given: dict[str, Any] = {"side": side}
        if position_side != "both":
            given["position_side"] = position_side
        exits = {
            "stop": {"trigger_price": 68000 if side == "buy" else 72000},
            "target": {"price": 75000 if side == "buy" else 65000},
        }
        action = bracket(given, **exits)
        (planned,) = step(action=action).planned
        filled = leg(planned.intent, FILLED, name="0.entry", cumulative_quantity=dec(1))
        (exit_order,) = wanted(step(filled, action=action)).values()
        assert isinstance(exit_order, OrderIntent)
        assert isinstance(planned.intent, OrderIntent)
        assert exit_order.side is planned.intent.side.opposite
        assert exit_order.protective
        assert exit_order.reduce_only is (position_side == "both")


def test_a_settled_bracket_lets_the_next_action_begin() -> None:
    """PASSED while its exits rest."""
    found = step(stands("entry", FILLED, "1"), stands("stop@1", LIVE), stands("target@1", LIVE))
    assert (found.progress, found.planned) == (Progress.PASSED, ())


def test_a_larger_stop_stands_before_the_smaller_one_goes() -> None:
    """And the target is replaced after it, old one first."""
    entry = stands("entry", LIVE, "0.5")
    small = (stands("stop@0.2", LIVE), stands("target@0.2", LIVE))
    assert quantities(step(entry, *small)) == {"stop@0.5": "0.5"}
    assert wanted(step(entry, *small, stands("stop@0.5", UNKNOWN))) == {}
    large = stands("stop@0.5", LIVE)
    assert set(wanted(step(entry, *small, large))) == {"cancel:stop@0.2", "cancel:target@0.2"}
    gone = (stands("stop@0.2", CANCELED), stands("target@0.2", CANCELED, "0.1"))
    assert quantities(step(entry, *gone, large)) == {"target@0.5": "0.4"}


@pytest.mark.parametrize("done", ["stop@1", "target@1"])
def test_one_exit_done_takes_the_rest_off(done: str) -> None:
    """The entry too, as long as it is open; done when nothing is."""
    other = {"stop@1": "target@1", "target@1": "stop@1"}[done]
    entry, rest = stands("entry", LIVE, "1", quantity="2"), stands(other, LIVE)
    over = stands(done, FILLED, "1")
    found = step(entry, over, rest)
    assert set(wanted(found)) == {"cancel:entry", f"cancel:{other}"}
    assert found.progress is Progress.PASSED
    quiet = (stands("entry", CANCELED, "1"), over, stands(other, CANCELED))
    assert step(*quiet).progress is Progress.DONE
    pending = stands(f"cancel:{other}", OrderState.SENDING)
    assert step(*quiet, pending).progress is Progress.PASSED


@pytest.mark.parametrize("state", [REJECTED, OrderState.PARKED, OrderState.EXPIRED])
def test_a_stop_that_does_not_stand_leads_to_a_close(state: OrderState) -> None:
    """At market, for all that is held, with an alarm; the entry and the target go off."""
    found = step(stands("entry", LIVE, "1", quantity="2"), stands("stop@1", state))
    assert quantities(found) == {"naked@1": "1", "cancel:entry": ""}
    assert found.critical
    assert found.detail == f"the stop is {state_words(state)}: why"
    alarm = step(
        stands("entry", FILLED, "1"), stands("stop@1", state), action=bracket(on_naked="alarm")
    )
    assert (alarm.planned, alarm.critical, alarm.progress) == ((), True, Progress.DONE)


def test_a_stop_that_was_cancelled_from_outside_is_told_but_not_closed_over() -> None:
    """Whoever took the stop off the book wanted that: a critical alarm, no order."""
    found = step(stands("entry", FILLED, "1"), stands("stop@1", CANCELED))
    assert quantities(found) == {}
    assert found.critical
    assert "cancelled from outside" in found.detail


def test_a_stop_that_a_rule_of_ours_cancelled_is_told_when_nothing_follows() -> None:
    """Its next action mostly closes the position; 10 s later the alarm says whose cancel it was."""
    action = bracket()
    for later, problem in ((0, ""), (9_999, ""), (10_000, "the stop was cancelled by the rule x")):
        gone = replace(stands("stop@1", CANCELED), updated_at=START - later)
        legs = {one.name: one for one in (stands("entry", FILLED, "1"), gone)}
        asked = replace(context(action, legs), cancelled_by=lambda _: "the rule x")
        found = action.step(asked)
        assert found.planned == ()
        assert found.detail.startswith(problem)
        assert (found.critical, found.ask_again) == (bool(problem), not problem)
        assert found.progress is (Progress.DONE if problem else Progress.PASSED)


def test_a_larger_stop_that_does_not_stand_closes_all_but_keeps_the_old_one_till_then() -> None:
    """The old stop covers a part only."""
    legs = (stands("entry", LIVE, "0.5"), stands("stop@0.2", LIVE), stands("stop@0.5", REJECTED))
    assert set(wanted(step(*legs))) == {"naked@0.5", "cancel:entry"}
    closed = stands("naked@0.5", FILLED, "0.5", quantity="0.5")
    assert "cancel:stop@0.2" in wanted(step(*legs, closed))


def test_a_stop_that_cannot_be_made_leads_to_a_close() -> None:
    """A formula without a value, or an order the exchange would refuse."""
    formula = bracket(stop={"trigger_price": "=index * 0.9"})
    with pytest.raises(EvaluationError):
        step(stands("entry", FILLED, "1"), action=formula)  # data may come yet
    found = step(stands("entry", FILLED, "1"), action=formula, overdue=True)
    assert list(wanted(found)) == ["naked@1"]
    assert "index" in found.detail
    world = view()
    world.instruments = {SYMBOL: instrument(market_max_quantity=dec("0.5"))}
    assert list(wanted(step(stands("entry", FILLED, "1"), world=world))) == ["naked@1"]


def test_a_close_that_fails_is_told_and_not_repeated() -> None:
    """A person must look."""
    legs = (stands("entry", FILLED, "1"), stands("stop@1", REJECTED))
    waiting = step(*legs, stands("naked@1", OrderState.SENDING))
    assert (waiting.planned, waiting.progress) == ((), Progress.WAITING)
    failed = step(*legs, stands("naked@1", REJECTED))
    assert (failed.planned, failed.progress) == ((), Progress.DONE)
    assert failed.detail == (
        "the stop is refused by the exchange: why; the close is refused by the exchange: why"
    )


def test_a_stop_under_way_stops_the_entry_and_places_no_target() -> None:
    """It closes what it can; the rest is seen to when it is over."""
    legs = (stands("entry", LIVE, "1", quantity="2"), stands("stop@1", LIVE, "0.4"))
    assert set(wanted(step(*legs))) == {"cancel:entry"}
    grown = (stands("entry", CANCELED, "1.5"), legs[1], stands("stop@1.5", LIVE))
    assert set(wanted(step(*grown))) == {"cancel:stop@1"}
    over = (legs[0], stands("stop@1", OrderState.EXPIRED, "0.4"))
    assert quantities(step(*over)) == {"naked@1": "0.6", "cancel:entry": ""}


def test_a_refused_target_is_told_and_the_stop_stays() -> None:
    """An exit that cannot be placed is critical; the position is still protected."""
    found = step(stands("entry", FILLED, "1"), stands("stop@1", LIVE), stands("target@1", REJECTED))
    assert (found.planned, found.progress, found.critical) == ((), Progress.PASSED, True)
    unmakeable = bracket(target={"price": "=index * 2"})
    legs = (stands("entry", FILLED, "1"), stands("stop@1", LIVE))
    found = step(*legs, action=unmakeable, overdue=True)
    assert found.detail.startswith("target: ")
    by_hand = stands("target@1", CANCELED)
    found = step(stands("entry", FILLED, "1"), stands("stop@1", LIVE), by_hand)
    assert (found.planned, found.critical) == ((), True)
    assert found.detail == "the target was cancelled from outside (why): there is none now"


def test_an_order_that_cannot_be_cancelled_is_told() -> None:
    """The exchange refused the cancel and the order is still open."""
    legs = (stands("entry", FILLED, "1"), stands("stop@1", FILLED, "1"), stands("target@1", LIVE))
    found = step(*legs, stands("cancel:target@1", REJECTED))
    assert (found.planned, found.progress, found.critical) == ((), Progress.PASSED, True)
    assert found.detail == "target for 1 could not be cancelled: why"


def test_a_bracket_may_have_one_exit_only() -> None:
    """A target alone is placed at once, a stop alone is enough."""
    entry = stands("entry", FILLED, "1")
    only_target = built("bracket", {"entry": ENTRY, "target": {"price": 75000}})
    assert quantities(step(entry, action=only_target)) == {"target@1": "1"}
    only_stop = built("bracket", {"entry": ENTRY, "stop": {"trigger_price": "=mark - 9"}})
    assert step(entry, stands("stop@1", LIVE), action=only_stop).progress is Progress.PASSED
    assert len(only_stop.formulas()) == 1


@pytest.mark.parametrize(
    ("value", "codes"),
    [
        ({"entry": {**ENTRY, "type": "stop_market"}, **EXITS}, ["wrong-type"]),
        ({"entry": ENTRY}, ["missing-key"]),
        ({"entry": ENTRY, "stop": {"type": "limit"}}, ["wrong-type"]),
        ({"entry": ENTRY, "target": {"type": "market"}}, ["wrong-type"]),
        ({"entry": ENTRY, "stop": {}}, ["missing-key"]),
        ({"entry": {"side": "buy", "type": "market"}, **EXITS}, ["missing-key"]),
    ],
)
def test_mistakes_are_found_when_the_rule_is_read(value: dict[str, Any], codes: list[str]) -> None:
    """Each with its code."""
    assert problems("bracket", value) == codes
