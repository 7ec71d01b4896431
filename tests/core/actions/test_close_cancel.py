"""`close` and `cancel`: what lowers risk, once and for as long as it takes."""

from __future__ import annotations

from typing import Any

import pytest

from runner.core.decision import Reason
from runner.core.formula import EvaluationError
from runner.core.orders import CancelIntent, Family, OrderIntent, OrderState, OrderType, Side
from runner.core.rules import Progress
from tests.core.factories import (
    START,
    Bench,
    built,
    cancel,
    context,
    dec,
    leg,
    order,
    position,
    problems,
    rule,
    rule_set,
    view,
)

CLOSE = built("close", {"type": "market"})


def held(*positions: Any) -> Any:
    """A world with these positions."""
    world = view()
    for one in positions:
        world.apply_position(one)
    return world


@pytest.mark.parametrize(("size", "side"), [("3", Side.SELL), ("-3", Side.BUY)])
def test_a_position_is_closed_by_the_other_side(size: str, side: Side) -> None:
    """Reduce-only, its whole size, without a deadline."""
    step = CLOSE.step(context(CLOSE, world=held(position(size))))
    (planned,) = step.planned
    assert (planned.name, planned.deadline) == ("0.both", None)
    intent = planned.intent
    assert isinstance(intent, OrderIntent)
    assert (intent.side, intent.quantity, intent.reduce_only) == (side, dec(3), True)
    assert step.progress is Progress.WAITING


def test_both_sides_of_hedge_mode_are_closed() -> None:
    """One order a position, reduce-only unsaid."""
    world = held(position("1", side="LONG"), position("-2", side="SHORT"))
    step = CLOSE.step(context(CLOSE, world=world))
    assert [p.name for p in step.planned] == ["0.long", "0.short"]
    for planned in step.planned:
        assert isinstance(planned.intent, OrderIntent)
        assert planned.intent.protective
        assert not planned.intent.reduce_only


def test_one_side_of_hedge_mode_may_be_named() -> None:
    """The other one stays; a side that holds nothing has nothing to close."""
    world = held(position("1", side="LONG"), position("-2", side="SHORT"))
    short = built("close", {"type": "market", "position_side": "short"})
    assert [p.name for p in short.step(context(short, world=world)).planned] == ["0.short"]
    flat = held(position("1", side="LONG"))
    assert short.step(context(short, world=flat)).progress is Progress.DONE


def test_a_flat_symbol_has_nothing_to_close() -> None:
    """Done, and it says so; but flat is known, never guessed."""
    step = CLOSE.step(context(CLOSE, world=held(position("0"))))
    assert (step.progress, step.planned) == (Progress.DONE, ())
    assert "no position" in step.detail
    world = view()
    world.positions_known = False
    with pytest.raises(EvaluationError, match="not known yet"):
        CLOSE.step(context(CLOSE, world=world))


def test_a_close_waits_for_the_first_reading_of_the_positions() -> None:
    """Fired right after a start: planned when the reading is in, never done as flat."""
    bench = Bench(rule_set(rule("one", CLOSE)))
    bench.view.positions_known = False
    bench.fire("one")
    assert bench.journal.legs == {}
    bench.hold(position("2"))
    bench.pass_time(100)
    assert bench.journal.named("0.both").intent.protective


def test_a_limit_close_has_its_price() -> None:
    """A formula of the position, on the tick."""
    action = built("close", {"type": "limit", "price": "=mark * 1.00001"})
    assert len(action.formulas()) == 1
    (planned,) = action.step(context(action, world=held(position("3")))).planned
    assert isinstance(planned.intent, OrderIntent)
    assert (planned.intent.type, planned.intent.price) == (OrderType.LIMIT, dec("70000.7"))


def test_a_close_that_the_exchange_cannot_take_says_why() -> None:
    """Larger than a market order may be."""
    step = CLOSE.step(context(CLOSE, world=held(position("5000"))))
    assert (step.progress, step.reason) == (Progress.FAILED, Reason.NOT_POSSIBLE)


def test_a_planned_close_is_not_planned_again() -> None:
    """The position shrinks while it fills: that is no reason for a second one."""
    legs = {"0.both": leg(order("0.both", reduce_only=True), OrderState.LIVE, name="0.both")}
    step = CLOSE.step(context(CLOSE, legs, world=held(position("1"))))
    assert (step.progress, step.planned) == (Progress.DONE, ())


def test_close_is_by_market_or_limit() -> None:
    """Anything else is a mistake in the rule, and so is a limit without a price."""
    assert problems("close", {"type": "stop_market"}) == ["wrong-type"]
    assert problems("close", {"type": "limit"}) == ["missing-key"]


def test_cancel_all_takes_both_families_off() -> None:
    """Also what people placed by hand; too late, it would hit what was placed since."""
    action = built("cancel", "all")
    assert action.formulas() == ()
    step = action.step(context(action))
    families = [p.intent.family for p in step.planned]
    assert families == list(Family)
    assert {p.deadline for p in step.planned} == {START + 60_000}
    assert all(isinstance(p.intent, CancelIntent) and not p.intent.target for p in step.planned)


def test_cancel_of_a_rule_names_its_orders() -> None:
    """Cancels themselves are none; a named target is the same one for ever, so no deadline."""
    action = built("cancel", {"rule": "other"})
    legs = (
        leg(order("5.0"), OrderState.LIVE),
        leg(order("5.1", kind=OrderType.STOP_MARKET), OrderState.LIVE, name="0.1"),
        leg(cancel("5.2"), OrderState.SENDING, name="0.2"),
    )
    step = action.step(context(action, open_legs=legs))
    intents = [planned.intent for planned in step.planned]
    assert [(i.target, i.family) for i in intents if isinstance(i, CancelIntent)] == [
        (legs[0].client_order_id, Family.ORDER),
        (legs[1].client_order_id, Family.ALGO),
    ]
    assert {planned.deadline for planned in step.planned} == {None}
    own = {p.name: leg(p.intent, OrderState.SENDING, name=p.name) for p in step.planned}
    again = action.step(context(action, own, open_legs=legs))
    assert (again.progress, again.planned) == (Progress.WAITING, ())
    done = {p.name: leg(p.intent, OrderState.DONE, name=p.name) for p in step.planned}
    assert action.step(context(action, done, open_legs=legs)).progress is Progress.DONE


def test_a_rule_without_orders_needs_no_cancel() -> None:
    """Done at once."""
    action = built("cancel", {"rule": "other"})
    assert action.step(context(action)).progress is Progress.DONE


def test_cancel_is_all_or_a_rules() -> None:
    """Nothing else can be said."""
    assert problems("cancel", "everything") == ["enum"]
