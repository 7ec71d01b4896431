"""Limits hold over every sequence of orders, answers and restarts; exits always pass."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core import guards
from runner.core.decision import Leg, Unseen
from runner.core.events import AccountUpdate
from runner.core.exposure import Ahead
from runner.core.guards import EXIT, Asked, bounds
from runner.core.limits import Limits, Most
from runner.core.orders import (
    CancelCall,
    OrderIntent,
    OrderState,
    OrderType,
    Outcome,
    PlaceCall,
    Side,
)
from runner.core.state import Entry, State, Work
from runner.core.view import View
from tests.core.factories import (
    START,
    SYMBOL,
    Bench,
    built,
    dec,
    leg,
    order,
    position,
    report,
    rule,
    rule_set,
    view,
)
from tests.core.mini_exchange import MiniExchange

BUY, SELL = Side.BUY, Side.SELL
LIVE = OrderState.LIVE


def ahead_of(legs: Sequence[Leg] = (), entries: int = 0, unseen: str = "0") -> Ahead:
    """What is under way: open legs, orders of the last minute, a fill that nobody stated."""
    state = State()
    for each in legs:
        state.put_leg(each)
    state.entries.extend([Entry(START)] * entries)
    if dec(unseen):
        state.unseen.append(Unseen(SYMBOL, "BOTH", dec(unseen), START + 10**6))
    return Ahead(Work(state, START))


def verdict(intent: OrderIntent, world: View | None = None, **limits: Any) -> str:
    """The guard's text with these limits; empty when the order may leave."""
    ahead = limits.pop("ahead", None) or ahead_of()
    lost = limits.pop("losses", None)
    asked = Asked(intent, world or view(), ahead, lost, START)
    return guards.verdict(asked, bounds([("the file", Limits(**limits), "")], SYMBOL)).refused


def resting(side: Side, quantity: str, filled: str = "0", **more: Any) -> Leg:
    """A live order."""
    intent = order(side=side, quantity=quantity, **more)
    return leg(intent, LIVE, cumulative_quantity=dec(filled))


def rich() -> View:
    """The usual world, in which the account has 10,000 USDT."""
    world = view()
    world.apply_account(AccountUpdate(dec(10_000), dec(10_000), START, equity=dec(10_000)))
    return world


def test_without_limits_everything_passes() -> None:
    """Nothing to compare, no price needed."""
    assert verdict(order(), view(None)) == ""


@pytest.mark.parametrize(
    "intent",
    [
        order(side=SELL, quantity="1000", reduce_only=True),
        order(side=SELL, quantity=None, close_position=True),
        order(side=SELL, quantity="1000", position_side="LONG"),
    ],
)
def test_an_exit_passes_every_guard(intent: OrderIntent) -> None:
    """Even without a price and before the positions are known."""
    world = view(None)
    world.positions_known = False
    nothing = dec(0)
    limits = Limits(nothing, nothing, 0, 0, nothing, nothing, ("ETHUSDT",), Most(nothing))
    asked = Asked(intent, world, ahead_of(entries=99), None, START)
    assert guards.verdict(asked, bounds([("", limits, "")], SYMBOL)) == EXIT


def test_exits_count_towards_nothing() -> None:
    """An open exit is no risk in flight."""
    legs = [resting(BUY, "5", reduce_only=True), leg(name="0.1")]
    more = {"max_position_notional": dec(140_000), "max_open_orders": 2, "max_leverage": dec(200)}
    assert verdict(order(quantity="1"), rich(), ahead=ahead_of(legs), **more) == ""


@pytest.mark.parametrize(
    ("intent", "refused"),
    [
        (order(quantity="1", price="70000"), False),
        (order(quantity="1", price="70000.1"), True),
        (order(quantity="1", price="60000"), False),
        (order(quantity="1.001", price="60000"), True),
        (order(quantity="1", kind=OrderType.MARKET), False),
        (order(side=SELL, quantity="1.1", price="60000"), True),
        (
            order(quantity="1", price=None, trigger_price=dec(70_001), kind=OrderType.STOP_MARKET),
            True,
        ),
    ],
)
def test_an_order_is_valued_at_the_worse_of_its_price_and_the_mark(
    intent: OrderIntent, refused: bool
) -> None:
    """70000 is the limit and the mark."""
    text = verdict(intent, max_order_notional=dec(70_000))
    assert bool(text) is refused
    assert not text or text.startswith("max_order_notional: the order is")


@pytest.mark.parametrize(
    ("intent", "held", "legs", "unseen", "refused"),
    [
        (order(quantity="2"), "0", [], "0", False),
        (order(quantity="2"), "0.001", [], "0", True),
        (order(quantity="2"), "-5", [], "0", False),
        (order(quantity="2.1"), "-5", [], "0", True),
        (order(quantity="1"), "0", [resting(BUY, "1")], "0", False),
        (order(quantity="1"), "0", [resting(BUY, "2")], "0", True),
        (order(quantity="1"), "0", [resting(BUY, "2", "1")], "0", False),
        (order(quantity="2"), "0", [resting(SELL, "2")], "0", False),
        (order(quantity="2"), "0", [resting(BUY, "2", position_side="LONG")], "0", False),
        (order(quantity="1"), "0", [], "1.5", True),
        (order(quantity="2"), "0", [], "-1", False),
        (order(side=SELL, quantity="2"), "-0.001", [], "0", True),
        (order(side=SELL, quantity="1"), "0", [], "-1.5", True),
    ],
)
def test_a_position_is_counted_with_all_that_is_in_flight(
    intent: OrderIntent, held: str, legs: list[Leg], unseen: str, refused: bool
) -> None:
    """The limit is two coins: held, on the book, filled and not shown yet."""
    world = view()
    world.apply_position(position(held))
    ahead = ahead_of(legs, 0, unseen)
    text = verdict(intent, world, max_position_notional=dec(140_000), ahead=ahead)
    assert bool(text) is refused
    assert not text or text.startswith("max_position_notional: the position would be")


def test_the_sides_of_hedge_mode_are_counted_apart() -> None:
    """A long position is no part of the short one."""
    world = view()
    world.apply_position(position("2", side="LONG"))
    short = order(side=SELL, quantity="2", position_side="SHORT")
    assert verdict(short, world, max_position_notional=dec(140_000)) == ""
    long = order(quantity="0.1", position_side="LONG")
    assert verdict(long, world, max_position_notional=dec(140_000))


def test_without_the_facts_an_entry_is_refused() -> None:
    """Unknown positions, or no mark, are no reason to let an order pass."""
    assert verdict(order(), view(None), max_order_notional=dec(10**9))
    world = view()
    world.positions_known = False
    text = verdict(order(), world, max_position_notional=dec(10**9))
    assert "not known yet" in text


def test_orders_a_minute_are_counted() -> None:
    """The limit itself is allowed, one more is not."""
    for entries, refused in ((1, False), (2, True), (3, True)):
        text = verdict(order(), max_orders_per_minute=2, ahead=ahead_of(entries=entries))
        assert bool(text) is refused


# whole sequences


def entry(quantity: str, kind: str = "market") -> dict[str, Any]:
    """An order of a rule."""
    value: dict[str, Any] = {"side": "buy", "type": kind, "quantity": dec(quantity)}
    return value if kind == "market" else {**value, "price": 69000}


def test_an_answer_before_the_position_is_stated_is_counted() -> None:
    """The next order comes between the fill's answer and the stream's statement."""
    limits = Limits(max_position_notional=dec(70_000))
    bench = Bench(rule_set(rule("one", built("place", entry("1")), limits=limits)))
    bench.fire("one", "1")
    (call,) = bench.calls(PlaceCall)
    bench.send(call)
    filled = {"cumulative_quantity": "1", "event_time": START + 5}
    bench.tell(
        report(bench.journal.named("0.0"), Outcome.ACCEPTED, order_status="FILLED", **filled)
    )
    bench.fire("one", "2")
    assert bench.calls(PlaceCall) == []
    bench.tell(position("1", at=START + 4))
    assert len(bench.engine.state.unseen) == 1
    bench.tell(position("1", at=START + 5))
    assert bench.engine.state.unseen == []
    bench.tell(position("0", at=START + 6))
    bench.fire("one", "3")
    assert len(bench.calls(PlaceCall)) == 1


def test_the_orders_of_the_last_minute_still_count_after_a_restart() -> None:
    """A restart is no fresh allowance."""
    limits = Limits(max_orders_per_minute=2)
    rules = rule_set(rule("one", built("place", [entry("1", "limit")] * 2), limits=limits))
    bench = Bench(rules)
    bench.fire("one", "1")
    bench.restart()
    for call in bench.calls(PlaceCall):
        bench.send(call)
    for one in list(bench.journal.legs.values()):
        bench.tell(report(one, order_status="NEW"))
    bench.restart()
    bench.fire("one", "2")
    assert len(bench.journal.legs) == 2
    bench.pass_time(60_000)
    bench.fire("one", "3")
    assert len(bench.journal.legs) == 4


def test_all_orders_of_a_block_pass_or_none() -> None:
    """Three of which the third is too much: none is planned, the run says why."""
    limits = Limits(max_position_notional=dec(140_000))
    bench = Bench(rule_set(rule("one", built("place", [entry("0.7")] * 3), limits=limits)))
    bench.fire("one")
    assert bench.journal.legs == {}
    (run,) = bench.journal.runs.values()
    assert run.reason.startswith("guard: max_position_notional")


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["fire", "fire", "turn", "hear", "fill", "position", "restart", "time"]),
        st.sampled_from(["0", "1", "2"]),
    ),
    max_size=40,
)
RULES = {
    "0": ("0.3", "market"),
    "1": ("0.5", "limit"),
    "2": ("1.1", "limit"),
}


@given(ACTIONS)
def test_no_sequence_passes_the_limits(steps: list[tuple[str, str]]) -> None:
    """Whatever fills and is told when: held and open together stay inside, and so does the rate."""
    limits = Limits(dec(70_000), dec(140_000), 5)
    rules = [rule(name, built("place", entry(*how)), limits=limits) for name, how in RULES.items()]
    bench, exchange, waiting = Bench(rule_set(*rules)), MiniExchange(), []
    for number, (what, which) in enumerate(steps):
        if what == "fire":
            bench.fire(which, str(number))
        elif what == "turn":
            for call in bench.calls(PlaceCall, CancelCall):
                bench.send(call)
                waiting += exchange.carry(call, bench.now, "none")
        elif what == "hear":
            bench.tell(*waiting, *exchange.stream)
            waiting, exchange.stream = [], []
        elif what == "fill":
            for key, one in exchange.orders.items():
                if one.open:
                    exchange.fill(key, Decimal("0.2"), bench.now)
        elif what == "position":
            bench.tell(position(str(exchange.position), at=bench.now))
        elif what == "restart":
            waiting, exchange.stream = [], []
            bench.restart()
            bench.hold(position(str(exchange.position), at=bench.now))
        bench.now += 10
        if what == "time":
            bench.pass_time(5_000)
        on_the_book = sum((o.left for o in exchange.orders.values() if o.open), Decimal(0))
        assert (exchange.position + on_the_book) * 70_000 <= 140_000
        planned = [one.planned_at for one in bench.journal.legs.values()]
        assert sum(at > bench.now - 60_000 for at in planned) <= 5
        assert all(one.name == "0.0" for one in bench.journal.legs.values())
