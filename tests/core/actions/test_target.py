"""`target`: the position goes to a size, and the newest alert decides which."""

from __future__ import annotations

import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from runner.core.actions.target import MEMORY
from runner.core.decision import Leg, Reason, RuleMemory
from runner.core.formula import EvaluationError
from runner.core.orders import OrderIntent, OrderState, OrderType, Side, TimeInForce
from runner.core.rules import ActionContext, Progress, Step
from runner.core.view import Exposure, Names, View
from tests.core.actions.stage import PRICE, Lossy, Stage
from tests.core.factories import (
    START,
    SYMBOL,
    built,
    context,
    dec,
    instrument,
    leg,
    order,
    position,
    problems,
    rule,
    view,
)

FOLLOW = """\
version: 1
rules:
  - id: follow
    symbol: BTCUSDT
    when: [{webhook: {path: tv, secret: tv, body: {size: number}}}]
    do:
      - target: {size: =trigger.size}
      - notify: at {trigger.size}
"""


def holding(size: str, **more: Any) -> View:
    """A world with this position."""
    world = view(**more)
    if dec(size):
        world.apply_position(position(size))
    return world


def step(
    value: dict[str, Any],
    legs: dict[str, Leg] | None = None,
    *,
    world: View | None = None,
    open_legs: tuple[Leg, ...] = (),
) -> Step:
    """What a target wants."""
    action = built("target", value)
    return action.step(context(action, legs, world=world, open_legs=open_legs))


def orders(of: Step) -> list[tuple[str, str, str, bool]]:
    """Leg, side, quantity and reduce-only of each planned order."""
    found = []
    for planned in of.planned:
        intent = planned.intent
        assert isinstance(intent, OrderIntent)
        assert intent.type is OrderType.MARKET
        assert (planned.deadline is None) == intent.reduce_only
        quantity = f"{intent.quantity:.3f}"
        found.append((planned.name, intent.side.value, quantity, intent.reduce_only))
    return found


@pytest.mark.parametrize(
    ("held", "value", "wanted"),
    [
        ("0", {"size": 1}, [("0.open", "BUY", "1.000", False)]),
        ("0", {"size": -1}, [("0.open", "SELL", "1.000", False)]),
        ("0.4", {"size": 1}, [("0.open", "BUY", "0.600", False)]),
        ("1", {"size": "0.4"}, [("0.reduce", "SELL", "0.600", True)]),
        ("-1", {"size": "-0.4"}, [("0.reduce", "BUY", "0.600", True)]),
        ("1", {"size": 0}, [("0.reduce", "SELL", "1.000", True)]),
        ("1", {"size": -2}, [("0.close", "SELL", "1.000", True)]),
        ("-1", {"size": 2}, [("0.close", "BUY", "1.000", True)]),
        ("1", {"side": "flat"}, [("0.reduce", "SELL", "1.000", True)]),
        ("1", {"side": "long", "quantity": 2}, [("0.open", "BUY", "1.000", False)]),
        ("1", {"side": "short", "notional": 70000}, [("0.close", "SELL", "1.000", True)]),
        ("0", {"size": "1.0009"}, [("0.open", "BUY", "1.000", False)]),
        ("0", {"size": "1.0009", "round": "nearest"}, [("0.open", "BUY", "1.001", False)]),
    ],
)
def test_the_first_order_leads_there(
    held: str, value: dict[str, Any], wanted: list[tuple[str, str, str, bool]]
) -> None:
    """The difference only; across zero the reduce-only close comes first and alone."""
    exact = {key: dec(item) if key == "size" else item for key, item in value.items()}
    wait = step(exact, world=holding(held))
    assert wait.progress is Progress.WAITING
    assert orders(wait) == wanted


@pytest.mark.parametrize(("held", "size"), [("0", "0"), ("1", "1"), ("-1", "-1"), ("1", "1.00001")])
def test_it_is_there_already(held: str, size: str) -> None:
    """Nothing is sent, also when the rest is less than a step."""
    there = step({"size": dec(size)}, world=holding(held))
    assert (there.progress, there.planned) == (Progress.DONE, ())
    assert "is at" in there.detail


def test_a_difference_that_the_exchange_does_not_take_is_near_enough() -> None:
    """Five USDT is the least; without a mark nobody can tell, and the order is tried."""
    world = holding("1", mark="1")
    near = step({"size": dec(3)}, world=world)
    assert near.progress is Progress.DONE
    assert "too near" in near.detail
    unpriced = step({"size": dec(3)}, world=holding("1", mark=None))
    assert orders(unpriced) == [("0.open", "BUY", "2.000", False)]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"size": "0.0001"}, "less than the step size"),
        ({"size": -1, "position_side": "long"}, "a long side cannot be -1"),
        ({"size": 1, "position_side": "short"}, "a short side cannot be 1"),
        ({"size": 5000}, "outside"),
        ({"side": "=symbol", "quantity": 1}, "long, short or flat"),
    ],
)
def test_a_size_that_cannot_be(value: dict[str, Any], text: str) -> None:
    """It says so and sends nothing."""
    action = {k: dec(v) if k == "size" else v for k, v in value.items()}
    failed = step(action)
    assert (failed.progress, failed.reason) == (Progress.FAILED, Reason.NOT_POSSIBLE)
    assert text in failed.detail


def test_a_symbol_that_is_not_there() -> None:
    """The exchange does not have it."""
    world = view()
    world.instruments = {"ETHUSDT": instrument("ETHUSDT")}
    assert "not known" in step({"size": 1}, world=world).detail


def test_one_side_of_hedge_mode() -> None:
    """It is reckoned alone; the order against it is the exit."""
    world = view()
    world.apply_position(position("-2", side="SHORT"))
    world.apply_position(position("1", side="LONG"))
    less = step({"size": -1, "position_side": "short"}, world=world)
    (planned,) = less.planned
    assert isinstance(planned.intent, OrderIntent)
    assert planned.intent.protective
    assert (planned.intent.side, planned.intent.position_side) == (Side.BUY, "SHORT")
    assert planned.intent.quantity == 1


def test_it_waits_for_a_reading_of_the_position() -> None:
    """To take it for flat would be a guess."""
    world = view()
    world.positions_known = False
    with pytest.raises(EvaluationError, match="not known yet"):
        step({"size": 1}, world=world)


@pytest.mark.parametrize(
    ("other", "waits"),
    [
        (leg(order("5.0"), OrderState.PLANNED, name="5.0"), True),
        (leg(order("5.0"), OrderState.SENDING, name="5.0"), True),
        (leg(order("5.0"), OrderState.UNKNOWN, name="5.0"), True),
        (leg(order("5.0"), OrderState.LIVE, name="5.0"), False),
        (leg(order("5.0", kind=OrderType.MARKET), OrderState.LIVE, name="5.0"), True),
        (leg(order("5.0", time_in_force=TimeInForce.IOC), OrderState.LIVE, name="5.0"), True),
        (leg(order("5.0", position_side="LONG"), OrderState.UNKNOWN, name="5.0"), False),
        (leg(order("5.0", kind=OrderType.STOP_MARKET), OrderState.UNKNOWN, name="5.0"), False),
    ],
)
def test_it_waits_while_an_order_may_change_the_position(other: Leg, waits: bool) -> None:
    """What is on its way or unknown, of whichever rule; a resting order is no position."""
    waiting = step({"size": 1}, open_legs=(other,))
    assert waiting.progress is Progress.WAITING
    assert waiting.ask_again is waits
    assert bool(waiting.planned) is not waits


def test_fills_count_before_the_position_shows_them() -> None:
    """An answer is here before the stream: the target reckons with it."""
    action = built("target", {"size": 1})
    seen = context(action)
    fresh = ActionContext(
        seen.run,
        seen.rule,
        0,
        seen.names,
        {},
        seen.open_legs,
        unseen=lambda _: Decimal("0.7"),
    )
    assert orders(action.step(fresh)) == [("0.open", "BUY", "0.300", False)]


def filled(part: str, side: Side, quantity: str, state: OrderState = OrderState.FILLED) -> Leg:
    """An own order that has come to its end."""
    intent = order(part, side=side, kind=OrderType.MARKET, quantity=quantity)
    return leg(intent, state, name=f"0.{part}")


def test_across_zero_the_open_follows_the_close() -> None:
    """Not before it filled; then for the whole new size, whatever the position still says."""
    value = {"size": -2}
    close = filled("close", Side.SELL, "1", OrderState.LIVE)
    assert step(value, {"0.close": close}, world=holding("1")).planned == ()
    close = filled("close", Side.SELL, "1")
    then = step(value, {"0.close": close}, world=holding("1"))
    assert orders(then) == [("0.open", "SELL", "2.000", False)]
    opened = filled("open", Side.SELL, "2")
    done = step(value, {"0.close": close, "0.open": opened}, world=holding("1"))
    assert done.progress is Progress.DONE


def test_a_close_is_enough_when_the_size_became_zero() -> None:
    """A formula may say something else by then."""
    close = filled("close", Side.SELL, "1")
    assert step({"size": 0}, {"0.close": close}).progress is Progress.DONE


@pytest.mark.parametrize("part", ["open", "reduce"])
def test_one_order_is_all_it_takes(part: str) -> None:
    """It is not asked for a second time, whatever the position says later."""
    done = step({"size": 1}, {f"0.{part}": filled(part, Side.BUY, "1")}, world=holding("0"))
    assert (done.progress, done.planned) == (Progress.DONE, ())


@pytest.mark.parametrize(
    ("state", "reason", "text"),
    [
        (OrderState.REJECTED, Reason.REJECTED, "opening order refused by the exchange: why"),
        (OrderState.LAPSED, Reason.LAPSED, "opening order not sent: why"),
        (OrderState.EXPIRED, Reason.NOT_POSSIBLE, "opening order expired: why, 0 filled"),
    ],
)
def test_an_order_that_came_to_nothing_fails_it(
    state: OrderState, reason: Reason, text: str
) -> None:
    """With what became of it."""
    intent = order("open", kind=OrderType.MARKET)
    dead = leg(intent, state, name="0.open", message="why")
    failed = step({"size": 1}, {"0.open": dead})
    assert (failed.progress, failed.reason, failed.detail) == (Progress.FAILED, reason, text)


def test_a_newer_target_ends_it() -> None:
    """What it has not sent is taken back; what is on its way is left to the newer one."""
    action = built("target", {"size": 1})
    legs = {
        "0.close": filled("close", Side.SELL, "1", OrderState.SENDING),
        "0.open": filled("open", Side.BUY, "1", OrderState.PLANNED),
    }
    seen = context(action, legs)
    memory = RuleMemory(triggers={MEMORY: {"run_id": "another", "event_time": START}})
    names = Names(view(), SYMBOL, START, {}, memory, Exposure)
    old = ActionContext(seen.run, rule("rule", action), 0, names, legs, seen.open_legs)
    ended = action.step(old)
    assert (ended.progress, ended.reason) == (Progress.FAILED, Reason.SUPERSEDED)
    assert ended.withdraw == ("0.open",)


@pytest.mark.parametrize(
    ("block", "codes"),
    [
        ({"size": 1}, []),
        ({"side": "flat"}, []),
        ({"side": "long", "risk": {"percent": 1, "stop": 60000}}, []),
        ({}, ["missing-key"]),
        ({"size": 1, "side": "long"}, ["missing-key"]),
        ({"size": 1, "quantity": 1}, ["unknown-key"]),
        ({"side": "long"}, ["missing-key"]),
        ({"side": "long", "quantity": 1, "notional": 5}, ["missing-key"]),
        ({"side": "flat", "quantity": 1}, ["unknown-key"]),
        ({"size": "=nobody"}, ["formula"]),
    ],
)
def test_what_is_said_wrong(block: dict[str, Any], codes: list[str]) -> None:
    """Each mistake has its code."""
    assert problems("target", block) == codes


def test_its_size_says_which_price_is_streamed() -> None:
    """And its formulas are known to the rule."""
    action = built("target", {"side": "=position.side", "notional": "=mark * 2"})
    assert rule("a", action).sources() == {"mark", "index"}
    assert len(action.formulas()) == 2


def test_alerts_lead_from_size_to_size(tmp_path: Path) -> None:
    """Up, down, across and flat, on the whole runner."""
    stage = Stage(FOLLOW, tmp_path)
    for size in ("1", "0.5", "-1", "-1", "0", "2", "-0.5"):
        stage.alert("tv", size=size)
        assert stage.held() == dec(size)
    assert {run["status"] for run in stage.runs()} == {"done"}


def test_alerts_that_come_faster_than_answers(tmp_path: Path) -> None:
    """Only the newest counts; the older runs say by which run they were ended."""
    stage = Stage(FOLLOW, tmp_path)
    for size in ("1", "-1", "2", "0", "-3"):
        stage.alert("tv", size=size, wait=0)
    stage.advance(5_000)
    assert stage.held() == -3
    runs = stage.runs()
    assert runs[-1]["status"] == "done"
    assert all(run["reason"].startswith("superseded: run") for run in runs[1:-1])


def test_an_alert_that_comes_late_is_not_followed(tmp_path: Path) -> None:
    """By the time that it carries, also after a restart; an equal time is followed."""
    stage = Stage(FOLLOW, tmp_path)
    now = stage.clock.now
    stage.alert("tv", event_time=now, size="1")
    stage.restart()
    late = stage.alert("tv", event_time=now - 1, size="-1")
    assert (late.outcome, late.rules[0].reason) == ("not fired", "superseded")
    assert stage.held() == 1
    stage.alert("tv", event_time=now, size="-1")
    assert stage.held() == -1


@pytest.mark.parametrize("seed", range(24))
def test_whatever_is_lost_the_newest_target_is_reached_or_says_why_not(
    tmp_path: Path, seed: int
) -> None:
    """Random alerts out of order, faults and restarts: never more than the largest target."""
    dice = random.Random(seed)
    network = Lossy(dice, dice.choice((0, 0.05, 0.2, 0.4)))
    stage = Stage(FOLLOW, tmp_path, network=network)
    newest, most = ("", dec(0)), dec(0)
    for _ in range(dice.randint(2, 8)):
        size = Decimal(dice.randint(-20, 20)) / 10
        at = stage.clock.now - dice.choice((0, 0, 0, 5_000, 60_000))
        wait = dice.choice((0, 1, 2, 10, 1_000, 20_000, 100_000))
        answer = stage.alert("tv", event_time=at, wait=wait, size=size)
        if answer.outcome == "fired":
            newest, most = (answer.rules[0].run_id, size), max(most, abs(size))
        else:
            assert answer.rules[0].reason == "superseded"
        assert abs(stage.held()) <= most
        if dice.random() < 0.2:
            stage.restart(dice.choice((0, 1_000, 50_000)))
    network.calm = True
    for _ in range(6):
        stage.reconnect()
        stage.price(PRICE)
        stage.advance(60_000)
    (run,) = [run for run in stage.runs() if run["run_id"] == newest[0]]
    assert run["status"] != "running"
    if run["status"] == "done":
        assert stage.held() == newest[1]
    else:
        assert run["reason"].partition(":")[0] in ("lapsed", "error")
