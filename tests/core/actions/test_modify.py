"""`modify`: other prices and quantities for resting limit orders, journaled like any send."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runner.core.decision import Leg, Reason
from runner.core.lifecycle import Timing
from runner.core.limits import Limits
from runner.core.orders import (
    AmendCall,
    AmendIntent,
    OrderIntent,
    OrderState,
    OrderType,
    Outcome,
    Side,
)
from runner.core.rules import Progress, Step
from runner.core.view import View
from tests.core.actions.stage import Stage
from tests.core.actions.test_set import Unanswered
from tests.core.factories import (
    START,
    Bench,
    built,
    context,
    dec,
    instrument,
    leg,
    order,
    problems,
    report,
    rule,
    rule_set,
    view,
)

RULES = """\
version: 1
rules:
  - id: grid
    symbol: BTCUSDT
    when: [{webhook: {path: grid, secret: tv, body: {n: number}}}]
    do:
      - ladder: {side: buy, from: 69000, to: 68000, orders: 2, quantity: 0.4, tag: grid}
      - place: {side: buy, type: limit, price: 65000, quantity: 0.1}
  - id: move
    symbol: BTCUSDT
    when: [{webhook: {path: move, secret: tv, body: {price: number}}}]
    do:
      - modify: {tag: grid, price: =trigger.price}
      - notify: moved
  - id: shrink
    symbol: BTCUSDT
    when: [{webhook: {path: shrink, secret: tv, body: {n: number}}}]
    do:
      - modify: {rule: grid, quantity: 0.05}
"""


def resting(part: str = "5.0", state: OrderState = OrderState.LIVE, **more: Any) -> Leg:
    """An open order of another run."""
    return leg(order(part, **{"quantity": "1", "price": "69000", "tag": "grid", **more}), state)


def step(value: dict[str, Any], *open_legs: Leg, world: View | None = None) -> Step:
    """What it wants, given these open orders."""
    action = built("modify", value)
    return action.step(context(action, open_legs=open_legs, world=world))


def amended(of: Step) -> AmendIntent:
    """The only change."""
    (planned,) = of.planned
    assert isinstance(planned.intent, AmendIntent)
    assert planned.name == f"0.{planned.intent.target}"
    return planned.intent


def test_what_is_not_said_stays() -> None:
    """The exchange wants both, so the other comes from the order; both are on the grid."""
    target = resting()
    price = amended(step({"tag": "grid", "price": "=mark - 0.05"}, target))
    assert (price.target, price.side) == (target.client_order_id, Side.BUY)
    assert (price.price, price.quantity) == (dec("69999.9"), dec(1))
    quantity = amended(step({"tag": "grid", "quantity": dec("0.5009")}, target))
    assert (quantity.price, quantity.quantity) == (dec(69000), dec("0.5"))


def test_an_entry_expires_and_an_exit_does_not() -> None:
    """As with orders themselves."""
    (entry,) = step({"tag": "grid", "price": 68000}, resting()).planned
    assert entry.deadline == START + 60_000
    (out,) = step({"tag": "grid", "price": 68000}, resting(reduce_only=True)).planned
    assert out.deadline is None
    assert out.intent.protective


@pytest.mark.parametrize(
    "other",
    [
        resting(tag="other"),
        resting(kind=OrderType.STOP_MARKET),
        resting(kind=OrderType.MARKET),
        resting(price="68000"),
    ],
)
def test_what_is_left_alone(other: Leg) -> None:
    """Other tags, conditional orders, and what is so already."""
    done = step({"tag": "grid", "price": 68000}, other)
    assert (done.progress, done.planned) == (Progress.DONE, ())


def test_it_waits_for_orders_and_changes_without_a_verdict() -> None:
    """Two changes on their way could swap places."""
    sending = step({"tag": "grid", "price": 68000}, resting(state=OrderState.SENDING))
    assert (sending.ask_again, sending.planned) == (True, ())
    target = resting()
    change = AmendIntent("id", "BTCUSDT", target.client_order_id, Side.BUY, dec(1), dec(2))
    busy = step(
        {"tag": "grid", "price": 68000}, target, leg(change, OrderState.PLANNED, name="6.x")
    )
    assert (busy.ask_again, busy.planned) == (True, ())


@pytest.mark.parametrize(
    ("value", "target", "text"),
    [
        ({"price": 10}, resting(), "less than"),
        ({"price": 200_000}, resting(), "more than 1.5 times"),
        ({"quantity": "0.0001"}, resting(), "zero after rounding"),
        ({"quantity": 2}, resting(price=None, price_match="QUEUE"), "price_match"),
    ],
)
def test_what_the_exchange_would_refuse_is_not_sent(
    value: dict[str, Any], target: Leg, text: str
) -> None:
    """None of the orders is changed then."""
    exact = {key: dec(item) for key, item in value.items()}
    world = view()
    world.instruments = {"BTCUSDT": instrument(min_notional=dec(50))}
    failed = step({"tag": "grid", **exact}, target, resting("5.1"), world=world)
    assert (failed.reason, failed.planned) == (Reason.NOT_POSSIBLE, ())
    assert text in failed.detail


def test_a_symbol_that_is_gone() -> None:
    """It cannot be reckoned on its grid."""
    world = view()
    world.instruments = {}
    assert "not known" in step({"tag": "grid", "price": 1}, resting(), world=world).detail


@pytest.mark.parametrize(
    ("block", "codes"),
    [
        ({"tag": "grid", "price": 1}, []),
        ({"rule": "other", "quantity": "=1 / 2"}, []),
        ({"price": 1, "quantity": 2}, ["missing-key"]),
        ({"rule": "other", "tag": "grid"}, ["missing-key"]),
        ({"tag": "grid", "price": "=nobody"}, ["formula"]),
    ],
)
def test_what_is_said_wrong(block: dict[str, Any], codes: list[str]) -> None:
    """It needs orders and something to change."""
    assert problems("modify", block) == codes


def changing(limits: Limits | None = None) -> tuple[Bench, Leg]:
    """A rule that moves another's resting order, fired; and that order."""
    grid = rule(
        "grid", built("place", {"side": "buy", "type": "limit", "price": 69000, "quantity": 1})
    )
    move = rule(
        "move", built("modify", {"rule": "grid", "price": 69500}), limits=limits or Limits()
    )
    bench = Bench(rule_set(grid, move))
    bench.fire("grid")
    bench.send(*bench.calls())
    target = bench.journal.named("0.0")
    bench.tell(report(target, order_status="NEW"))
    bench.fire("move")
    return bench, bench.journal.legs[target.client_order_id]


def change_of(bench: Bench) -> Leg:
    """The change's own leg."""
    (found,) = [one for one in bench.journal.legs.values() if isinstance(one.intent, AmendIntent)]
    return found


def test_what_is_accepted_becomes_the_order() -> None:
    """Guards and later changes reckon with what it is now, also after a restart."""
    bench, target = changing()
    bench.send(*bench.calls(AmendCall))
    bench.tell(report(change_of(bench), order_status="DONE"))
    assert change_of(bench).state is OrderState.DONE
    bench.restart()
    after = bench.engine.state.legs[target.client_order_id].intent
    assert isinstance(after, OrderIntent)
    assert (after.price, after.quantity) == (dec(69500), dec(1))


@pytest.mark.parametrize("killed", [False, True])
def test_an_unknown_change_is_repeated_after_its_fence(killed: bool) -> None:
    """Not before: a late first copy could undo what is set later. And it never lapses."""
    bench, _ = changing()
    bench.send(*bench.calls(AmendCall))
    if killed:
        bench.restart()
    else:
        bench.tell(report(change_of(bench), Outcome.UNKNOWN))
    assert bench.calls(AmendCall) == []
    bench.pass_time(Timing().fence(0))
    assert bench.calls(AmendCall) == []
    bench.pass_time(60_001)
    (call,) = bench.calls(AmendCall)
    bench.send(call)
    bench.tell(report(change_of(bench), order_status="DONE"))
    assert change_of(bench).attempt == 2


def test_an_order_that_is_gone_needs_no_change() -> None:
    """It filled meanwhile: that is nobody's failure."""
    bench, _ = changing()
    bench.send(*bench.calls(AmendCall))
    bench.tell(report(change_of(bench), Outcome.REJECTED, code=-2013))
    assert change_of(bench).state is OrderState.DONE


def test_a_refusal_is_one() -> None:
    """With the exchange's words."""
    bench, _ = changing()
    bench.send(*bench.calls(AmendCall))
    bench.tell(report(change_of(bench), Outcome.REJECTED, code=-5026, message="too many"))
    assert change_of(bench).state is OrderState.REJECTED


@pytest.mark.parametrize(("limit", "allowed"), [(70_000, True), (69_999, False)])
def test_guards_look_at_the_order_as_it_will_be(limit: int, allowed: bool) -> None:
    """The old form is not counted besides."""
    bench, _ = changing(Limits(max_position_notional=dec(limit), max_order_notional=dec(70_000)))
    stopped = [run for run in bench.journal.runs.values() if run.reason.startswith("guard")]
    assert (stopped == []) is allowed


def test_it_moves_a_grid(tmp_path: Path) -> None:
    """By tag, and by rule; what has no tag stays."""
    stage = Stage(RULES, tmp_path)
    stage.alert("grid", n=1)
    stage.alert("move", price="67000.04")
    terms = sorted((one.price, one.quantity) for one in stage.open_on_exchange())
    assert terms == [(65000, dec("0.1")), (67000, dec("0.2")), (67000, dec("0.2"))]
    stage.alert("move", price=67000)
    stage.alert("shrink", n=1)
    assert {one.quantity for one in stage.open_on_exchange()} == {dec("0.05")}
    assert {run["status"] for run in stage.runs()} == {"done"}


def test_a_lost_answer_changes_it_once(tmp_path: Path) -> None:
    """The second copy finds that nothing changes, and that is success."""
    network = Unanswered()
    stage = Stage(RULES, tmp_path, network=network)
    stage.alert("grid", n=1)
    network.path = "/fapi/v1/order"
    stage.alert("move", price=67000, wait=60_000)
    (account,) = stage.engine.state.accounts.values()
    assert len(account.amendments) == 2
    assert stage.runs()[-1]["status"] == "done"
