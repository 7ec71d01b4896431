"""The end of a countdown: what it took, whose fault it was, and what keeps it from being set."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from runner.core import deadman
from runner.core.decision import RunStatus
from runner.core.document import Node
from runner.core.events import Alert, DeadManReport, OpenOrders, StreamState
from runner.core.orders import CancelCall, DeadManCall, Family, PlaceCall
from runner.core.rules import DeadMan
from runner.core.state import Work
from runner.core.triggers import TRIGGERS
from tests.core.factories import (
    SYMBOL,
    Bench,
    built,
    position,
    report,
    rule,
    rule_set,
    view,
)

SECOND = 1_000
COUNTDOWN = 120 * SECOND
SWITCH = DeadMan(SYMBOL, COUNTDOWN, 30 * SECOND)
BRACKET = {
    "entry": {"side": "buy", "type": "market", "quantity": 1},
    "stop": {"trigger_price": 60000},
    "target": {"price": 80000},
}


def listening(what: Any, name: str) -> Any:
    """A rule that tells of the switch."""
    trigger = TRIGGERS["dead_man"].build(Node(what), "dead_man")
    assert trigger is not None
    return replace(rule(name, built("notify", f"it is {name}")), triggers=(trigger,))


def bench(switch: DeadMan = SWITCH, *more: Any) -> Bench:
    """A bracket's rule, and rules that listen to every end of a countdown."""
    rules = rule_set(
        rule("trade", built("bracket", BRACKET)),
        listening("expired", "expired"),
        listening("expired_while_stopped", "stopped"),
        *more,
        dead_men=(switch,),
    )
    return Bench(rules, view())


def held(run: Bench) -> None:
    """A bracket that has filled, with both exits on the book."""
    run.fire("trade")
    run.send(*run.calls(PlaceCall))
    run.hold(position("1", at=run.now))
    entry = run.journal.named("0.entry")
    run.tell(report(entry, order_status="FILLED", cumulative_quantity="1"))
    for name in ("0.stop@1", "0.target@1"):
        run.send(*run.calls(PlaceCall))
        run.tell(report(run.journal.named(name), order_status="NEW"))


def cancelled(run: Bench, name: str) -> None:
    """The exchange tells that it cancelled this order."""
    leg = run.journal.named(name)
    run.tell(report(leg, origin="stream", order_status="CANCELED", event_time=run.now))


def told(of: Bench) -> list[str]:
    """What the rules told."""
    texts = (r.text for r in of.journal.records if r.kind == "notify")
    return [text for text in texts if "CRITICAL" not in text]


def lines(of: Bench) -> list[str]:
    """What was recorded of countdowns."""
    return [r.text for r in of.journal.records if r.kind == "dead_man"]


def confirm(of: Bench, ms: int = COUNTDOWN) -> None:
    """The exchange took a refresh."""
    of.tell(DeadManReport(SYMBOL, True, ms, of.now))


def read_orders(of: Bench, *orders: Any) -> None:
    """A reading of the open orders came in."""
    of.tell(OpenOrders(Family.ORDER, SYMBOL, orders, of.now))


def test_an_order_that_the_countdown_took_is_named_and_not_placed_again() -> None:
    """The target goes: the journal says who took it, the run goes on with that as its reason."""
    run = bench()
    confirm(run)
    held(run)
    run.pass_time(COUNTDOWN + SECOND)
    read_orders(run)
    assert told(run) == [], "what became of the target is not known yet"
    cancelled(run, "0.target@1")
    read_orders(run)
    assert told(run) == ["it is expired"]
    assert lines(run)[-2] == f"0.target@1: {deadman.TAKEN}"
    assert "the exchange cancelled trade 0.target@1" in lines(run)[-1]
    [trade] = [each for each in run.journal.runs.values() if each.identity.rule_id == "trade"]
    assert trade.status is RunStatus.RUNNING
    assert (
        trade.reason
        == f"the target was cancelled from outside ({deadman.TAKEN}): there is none now"
    )
    assert run.calls(PlaceCall) == []


def test_a_position_whose_last_exit_was_taken_raises_the_alarm_with_its_cure() -> None:
    """Without a stop: nothing protects it any more, and flatten is named."""
    target_only = {key: value for key, value in BRACKET.items() if key != "stop"}
    run = Bench(rule_set(rule("trade", built("bracket", target_only)), dead_men=(SWITCH,)), view())
    confirm(run)
    run.fire("trade")
    run.send(*run.calls(PlaceCall))
    run.hold(position("1", at=run.now))
    filled: dict[str, Any] = {"order_status": "FILLED", "cumulative_quantity": "1"}
    run.tell(report(run.journal.named("0.entry"), **filled))
    run.send(*run.calls(PlaceCall))
    run.tell(report(run.journal.named("0.target@1"), order_status="NEW"))
    run.pass_time(COUNTDOWN + SECOND)
    cancelled(run, "0.target@1")
    read_orders(run)
    [alarm] = [text for text in run.journal.alarms() if "last exit" in text]
    assert f"{SYMBOL} holds 1" in alarm
    assert f"runner flatten --symbol {SYMBOL}" in alarm


def test_an_order_that_we_cancel_ourselves_was_not_taken_by_the_countdown() -> None:
    """Its own cancel is on record."""
    run = bench()
    confirm(run)
    held(run)
    stop = run.journal.named("0.stop@1")
    run.tell(report(stop, origin="stream", order_status="FILLED", cumulative_quantity="1"))
    run.send(*run.calls(CancelCall))
    run.now += COUNTDOWN + SECOND
    cancelled(run, "0.target@1")
    assert run.journal.named("0.target@1").message != deadman.TAKEN


def test_what_went_while_we_were_cancelling_it_is_told_as_that() -> None:
    """The exchange does not say whether the countdown or our cancel was first."""
    run = bench()
    confirm(run)
    held(run)
    stop = run.journal.named("0.stop@1")
    run.tell(report(stop, origin="stream", order_status="FILLED", cumulative_quantity="1"))
    run.now += COUNTDOWN + SECOND
    run.send(*run.calls(CancelCall))
    cancelled(run, "0.target@1")
    run.pass_time(SECOND)
    read_orders(run)
    assert "trade 0.target@1 went by it or by our own cancels" in lines(run)[-1]
    assert "the exchange cancelled" not in lines(run)[-1]


@pytest.mark.parametrize(
    ("stopped", "back", "said"),
    [
        (10 * SECOND, COUNTDOWN + 60 * SECOND, ["it is stopped"]),
        (None, COUNTDOWN + 60 * SECOND, ["it is expired"]),
        (COUNTDOWN + SECOND, COUNTDOWN + 60 * SECOND, ["it is expired"]),
        (10 * SECOND, 20 * SECOND, ["it is expired"]),
    ],
)
def test_only_a_countdown_that_ends_between_stop_and_start_is_no_lost_link(
    stopped: int | None, back: int, said: list[str]
) -> None:
    """A crash, an end before the stop and one after the start are a lost link as ever."""
    run = bench()
    confirm(run)
    if stopped is not None:
        run.now += stopped
        work = Work(run.engine.state, run.now)
        deadman.stopped(work, run.now)
        run.journal.commit(work.apply({}))
    run.now += back - (stopped or 0)
    run.restart()
    run.pass_time(SECOND)
    run.pass_time(COUNTDOWN)
    read_orders(run)
    assert told(run)[-1:] == said
    run.restart()
    run.pass_time(SECOND)
    read_orders(run)
    assert told(run)[-1:] == said


def test_required_streams_hold_the_countdown_back_while_one_is_away() -> None:
    """The journal says why, until when, and that it is over."""
    run = bench(DeadMan(SYMBOL, COUNTDOWN, 30 * SECOND, ("streams",)))
    run.pass_time(1)
    assert run.calls(DeadManCall) == [DeadManCall(SYMBOL, COUNTDOWN)]
    confirm(run)
    run.tell(StreamState("user", False, run.now, run.now))
    run.pass_time(31 * SECOND)
    assert run.calls(DeadManCall) == []
    assert "is not refreshed: the stream user is away" in lines(run)[-1]
    assert "cancels its orders at" in lines(run)[-1]
    run.tell(StreamState("user", True, run.now))
    run.pass_time(1)
    assert run.calls(DeadManCall) == [DeadManCall(SYMBOL, COUNTDOWN)]
    assert lines(run)[-1] == f"the countdown of {SYMBOL} is refreshed again"


def test_a_broken_stream_does_not_hold_back_what_does_not_require_it() -> None:
    """Working exits are not cancelled for a stale price."""
    run = bench()
    confirm(run)
    run.tell(StreamState("user", False, run.now, run.now))
    run.pass_time(31 * SECOND)
    assert run.calls(DeadManCall) == [DeadManCall(SYMBOL, COUNTDOWN)]


def test_a_lost_heartbeat_holds_back_the_countdown_that_requires_it() -> None:
    """Only while it is lost."""
    beat = {"heartbeat": {"webhook": "beat", "every": "10s", "secret": "tv"}}
    require = DeadMan(SYMBOL, COUNTDOWN, 30 * SECOND, ("heartbeat",))
    run = bench(require, listening(beat, "beat"))
    confirm(run)
    run.pass_time(31 * SECOND)
    run.pass_time(1)
    assert "lost" in lines(run)[-1]
    assert run.calls(DeadManCall) == []
    run.tell(Alert("beat", {}, "hash", run.now))
    run.pass_time(1)
    assert run.calls(DeadManCall) == [DeadManCall(SYMBOL, COUNTDOWN)]
