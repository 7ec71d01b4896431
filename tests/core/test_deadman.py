"""The countdowns: late and expired are told once, also across restarts and re-arming."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from runner.core.decision import DeadManState
from runner.core.document import Node
from runner.core.events import CallDone, CallFailed, DeadManReport, OpenOrders
from runner.core.orders import DeadManCall, Family, ReadCall
from runner.core.rules import DeadMan
from runner.core.triggers import TRIGGERS
from tests.core.factories import START, SYMBOL, Bench, built, rule, rule_set

SECOND = 1_000
COUNTDOWN = 120 * SECOND
SWITCH = DeadMan(SYMBOL, COUNTDOWN, 30 * SECOND)
ORDERS = ReadCall("open_orders", SYMBOL)


def listening(what: str) -> Any:
    """A rule that tells of the switch."""
    trigger = TRIGGERS["dead_man"].build(Node(what), "dead_man")
    assert trigger is not None
    one = rule(what, built("notify", f"it is {what}"))
    return replace(one, triggers=(trigger,))


def bench(*switches: DeadMan) -> Bench:
    """A bench with two rules that listen to the switch."""
    rules = rule_set(listening("late"), listening("expired"), dead_men=switches or (SWITCH,))
    return Bench(rules)


def confirm(of: Bench, ms: int = COUNTDOWN, at: int | None = None) -> None:
    """The exchange took a refresh."""
    of.tell(DeadManReport(SYMBOL, True, ms, of.now if at is None else at))


def told(of: Bench) -> list[str]:
    """What the rules told."""
    return [r.text for r in of.journal.records if r.kind == "notify"]


def read_orders(of: Bench, *, asked: int | None = None, symbol: str | None = SYMBOL) -> None:
    """A reading of the open orders came in."""
    at = of.now if asked is None else asked
    of.tell(OpenOrders(Family.ORDER, symbol, (), at))


def test_a_countdown_that_is_refreshed_in_time_says_nothing() -> None:
    """Set once, refreshed quietly."""
    run = bench()
    for _ in range(20):
        confirm(run)
        run.pass_time(30 * SECOND)
    assert told(run) == []
    lines = [r.text for r in run.journal.records if r.kind == "dead_man"]
    assert lines == ["countdown of 120 s set"]


def test_a_missed_refresh_is_late_and_told_once() -> None:
    """After twice the refresh, not again until a refresh came through."""
    run = bench()
    confirm(run)
    run.pass_time(60 * SECOND)
    assert told(run) == []
    for _ in range(5):
        run.pass_time(SECOND)
    assert told(run) == ["it is late"]
    run.restart()
    run.pass_time(SECOND)
    assert told(run) == ["it is late"]
    confirm(run)
    run.pass_time(61 * SECOND)
    assert told(run) == ["it is late", "it is late"]


def test_expired_is_told_once_and_only_after_the_orders_were_read() -> None:
    """Looked up first, then said; then the countdown is set anew at once."""
    run = bench()
    confirm(run)
    run.pass_time(61 * SECOND)
    run.pass_time(60 * SECOND)
    run.pass_time(1)
    assert told(run) == ["it is late"]
    assert ORDERS in run.calls()
    read_orders(run)
    read_orders(run)
    assert told(run) == ["it is late", "it is expired"]
    assert DeadManCall(SYMBOL, COUNTDOWN) in run.calls()
    run.pass_time(30 * COUNTDOWN)
    assert len(told(run)) == 2


def test_what_ran_out_while_nobody_was_there_is_not_late_as_well() -> None:
    """After a long stop the first word is that it is over."""
    run = bench()
    confirm(run)
    run.restart()
    run.pass_time(30 * COUNTDOWN)
    run.pass_time(SECOND)
    read_orders(run)
    assert told(run) == ["it is expired"]


@pytest.mark.parametrize(
    ("asked", "symbol", "said"),
    [
        (START + COUNTDOWN, SYMBOL, False),
        (START + COUNTDOWN + 1, "ETHUSDT", False),
        (START + COUNTDOWN + 1, SYMBOL, True),
        (START + COUNTDOWN + 1, None, True),
    ],
)
def test_only_a_reading_begun_after_the_end_counts(
    asked: int, symbol: str | None, said: bool
) -> None:
    """An older one, or one of another symbol, may still list what is gone."""
    run = bench()
    confirm(run)
    run.pass_time(COUNTDOWN + 1)
    read_orders(run, asked=asked, symbol=symbol)
    assert ("it is expired" in told(run)) is said


@pytest.mark.parametrize("countdown", [COUNTDOWN, 10 * COUNTDOWN, COUNTDOWN // 4])
def test_a_new_countdown_before_the_look_up_does_not_hide_the_old_ones_end(countdown: int) -> None:
    """Re-armed first: still told once, and the new countdown goes on, however long it is."""
    run = bench(DeadMan(SYMBOL, countdown, 10 * SECOND))
    confirm(run)
    run.now += COUNTDOWN + SECOND
    confirm(run, countdown)
    run.pass_time(SECOND)
    read_orders(run)
    assert told(run) == ["it is expired"]
    known = run.engine.state.dead_men[SYMBOL]
    assert (known.countdown, known.expired) == (countdown, False)
    assert DeadManCall(SYMBOL, countdown) not in run.calls()


def test_an_end_that_nobody_saw_is_told_after_a_restart() -> None:
    """The process was away: the journal's confirmation tells that the countdown ran out."""
    run = bench()
    confirm(run)
    run.now += COUNTDOWN + SECOND
    run.restart()
    run.pass_time(SECOND)
    run.restart()
    read_orders(run)
    assert told(run).count("it is expired") == 1
    run.restart()
    run.pass_time(SECOND)
    read_orders(run)
    assert told(run).count("it is expired") == 1


def test_a_refused_countdown_is_recorded_and_waits() -> None:
    """Neither a refusal nor a failed call is repeated as fast as the line allows."""
    run, call = bench(), DeadManCall(SYMBOL, COUNTDOWN)
    refusals = (
        DeadManReport(SYMBOL, False, COUNTDOWN, START, "-1121: no such symbol"),
        CallFailed(call, START, "timeout"),
    )
    for refusal in refusals:
        assert call in run.calls()
        run.send(call)
        run.tell(refusal, CallDone(call, run.now))
        assert call not in run.calls()
        run.pass_time(run.timing.probe_retry)
    assert "no such symbol" in next(r.text for r in run.journal.records if r.kind == "dead_man")
    assert SYMBOL not in run.engine.state.dead_men


def test_disarming_is_said_and_ends_the_alarms() -> None:
    """A symbol that left the switch."""
    run = bench()
    confirm(run)
    confirm(run, 0)
    run.pass_time(10 * COUNTDOWN)
    assert told(run) == []
    lines = [r.text for r in run.journal.records if r.kind == "dead_man"]
    assert lines[-1] == "countdown disarmed"


def test_a_symbol_without_a_switch_is_left_alone() -> None:
    """Its countdown may still run from before a reload: it is disarmed, not alarmed about."""
    run = bench(DeadMan("ETHUSDT", COUNTDOWN, 30 * SECOND))
    run.engine.state.dead_men[SYMBOL] = DeadManState(SYMBOL, COUNTDOWN, START)
    run.pass_time(10 * COUNTDOWN)
    assert told(run) == []
    assert DeadManCall(SYMBOL, 0) in run.calls()


def test_the_look_up_is_asked_again_when_it_failed_but_not_at_once() -> None:
    """A failed reading waits its time, and one that is on its way is not wished for again."""
    run = bench()
    confirm(run)
    run.pass_time(COUNTDOWN + 1)
    run.send(ORDERS)
    run.pass_time(SECOND)
    assert ORDERS not in run.engine.questions.wanted
    run.tell(CallFailed(ORDERS, run.now, "timeout"), CallDone(ORDERS, run.now))
    run.pass_time(1)
    assert ORDERS not in run.calls()
    run.pass_time(run.timing.probe_retry)
    assert ORDERS in run.calls()
