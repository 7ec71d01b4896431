"""How a run goes on: in order, to an end, and every trouble told once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core.decision import Reason, RunStatus
from runner.core.orders import OrderState, Outcome, PlaceCall, Side
from runner.core.rules import ActionContext, Planned, Progress, Step
from tests.core.factories import (
    SYMBOL,
    Bench,
    built,
    dec,
    order,
    report,
    rule,
    rule_set,
    view,
)

TELL = built("notify", "next")
ENTRY: dict[str, Any] = {"side": "buy", "type": "market", "quantity": 1}


@dataclass(slots=True)
class Scripted:
    """An action that says what the test tells it to; with `plan`, one leg at its first step."""

    kind: ClassVar[str] = "scripted"

    says: Step = field(default_factory=lambda: Step(Progress.WAITING))
    plan: bool = True
    asked: int = 0

    def formulas(self) -> tuple[()]:
        """None."""
        return ()

    def step(self, context: ActionContext) -> Step:
        """The script."""
        self.asked += 1
        if not self.plan:
            return self.says
        intent = replace(
            order(side=Side.SELL, reduce_only=True), client_order_id=context.client_order_id("x")
        )
        return replace(self.says, planned=(Planned(context.leg_name("x"), intent),))


def poke(bench: Bench, index: int = 0) -> None:
    """Make the run look again: its leg filled a little more."""
    one = bench.journal.named(f"{index}.x")
    more = one.cumulative_quantity + dec("0.01")
    bench.tell(report(one, origin="stream", order_status="NEW", cumulative_quantity=more))


def notes(bench: Bench) -> list[str]:
    """What was told."""
    return [r.text for r in bench.journal.records if r.kind == "notify"]


def run_of(bench: Bench) -> Any:
    """The only run."""
    (run,) = bench.journal.runs.values()
    return run


def test_actions_run_in_order_and_each_waits_for_the_one_before() -> None:
    """WAITING holds the next back, PASSED and DONE let it begin."""
    first, second = Scripted(), Scripted(plan=False)
    bench = Bench(rule_set(rule("one", first, second, TELL)))
    bench.fire("one")
    assert (second.asked, notes(bench)) == (0, [])
    first.says = Step(Progress.PASSED)
    poke(bench)
    assert run_of(bench).watching == (0,)
    second.says = Step(Progress.DONE)
    poke(bench)
    assert notes(bench) == ["next"]
    assert run_of(bench).status is RunStatus.RUNNING
    first.says = Step(Progress.DONE)
    poke(bench)
    assert (run_of(bench).status, run_of(bench).watching) == (RunStatus.DONE, ())


@pytest.mark.parametrize("stop", [True, False])
def test_a_failed_action_ends_the_rest_unless_the_rule_says_otherwise(stop: bool) -> None:
    """`on_failure`: stop or continue; the reason is kept in both cases."""
    failing = Scripted(Step(Progress.FAILED, reason=Reason.LAPSED, detail="too late"), plan=False)
    bench = Bench(rule_set(rule("one", failing, TELL, stop_on_failure=stop)))
    bench.fire("one")
    run = run_of(bench)
    assert run.status is (RunStatus.STOPPED if stop else RunStatus.DONE)
    assert notes(bench) == ([] if stop else ["next"])
    assert run.reason == "lapsed: too late"


def test_what_is_watched_goes_on_after_a_later_action_failed() -> None:
    """A position keeps its exits; the run ends as stopped, whatever was told meanwhile."""
    first = Scripted(Step(Progress.PASSED))
    failing = Scripted(Step(Progress.FAILED, reason=Reason.REJECTED, detail="no"), plan=False)
    bench = Bench(rule_set(rule("one", first, failing, TELL)))
    bench.fire("one")
    assert run_of(bench).status is RunStatus.RUNNING
    first.says = Step(Progress.PASSED, detail="no stop", critical=True)
    for _ in range(3):
        poke(bench)
    first.says = Step(Progress.DONE)
    poke(bench)
    assert run_of(bench).status is RunStatus.STOPPED
    assert run_of(bench).reason == "rejected: no; no stop"
    assert notes(bench) == ["CRITICAL no stop"]


def test_each_trouble_is_told_once_also_with_two_of_them() -> None:
    """Two watched actions with their own trouble do not take turns in telling it."""
    one = Scripted(Step(Progress.PASSED, detail="a; b", critical=True))
    other = Scripted(Step(Progress.PASSED, detail="c", critical=True))
    bench = Bench(rule_set(rule("one", one, other)))
    bench.fire("one")
    for _ in range(3):
        poke(bench, 0)
        poke(bench, 1)
    bench.restart()
    poke(bench)
    assert sorted(notes(bench)) == ["CRITICAL a", "CRITICAL b", "CRITICAL c"]


def test_a_watched_action_that_fails_is_told_and_watched_no_more() -> None:
    """Nobody would look at it again."""
    first = Scripted(Step(Progress.PASSED))
    bench = Bench(rule_set(rule("one", first)))
    bench.fire("one")
    first.says = Step(Progress.FAILED, reason=Reason.ERROR, detail="lost")
    poke(bench)
    assert notes(bench) == ["CRITICAL lost"]
    assert run_of(bench).status is RunStatus.DONE


def test_a_run_whose_rule_is_lost_is_told() -> None:
    """Its exits would stand unattended: a person must look."""
    bench = Bench(rule_set(rule("one", Scripted())))
    bench.fire("one")
    bench.rules = rule_set(rule("one", Scripted(), TELL))
    bench.restart()
    assert run_of(bench).status is RunStatus.STOPPED
    assert notes(bench) == ["CRITICAL error: its rule's text is lost"]


def test_an_edited_rule_does_not_change_a_run() -> None:
    """A run ends on the text it began with."""
    bench = Bench(rule_set(rule("one", built("place", ENTRY), TELL)))
    bench.fire("one")
    bench.rules = rule_set(rule("one", built("place", ENTRY)))
    bench.journal.commit(bench.engine.load(bench.rules, bench.moment))
    (call,) = bench.calls(PlaceCall)
    bench.send(call)
    bench.tell(report(bench.journal.named("0.0"), order_status="FILLED", cumulative_quantity="1"))
    assert notes(bench) == ["next"]


def test_a_refused_order_stops_the_run_with_the_guards_text() -> None:
    """Our no is not the exchange's no."""
    one = rule("one", built("place", ENTRY), TELL)
    limits = replace(one.limits, max_orders_per_minute=0)
    bench = Bench(rule_set(replace(one, limits=limits)))
    bench.fire("one")
    assert run_of(bench).reason.startswith("guard: max_orders_per_minute")
    assert (bench.journal.legs, notes(bench)) == ({}, [])


def test_the_same_event_fires_once_also_after_a_restart() -> None:
    """One run, one order, however often it is told."""
    bench = Bench(rule_set(rule("one", built("place", ENTRY))))
    for _ in range(2):
        bench.fire("one", "same")
        bench.restart()
        bench.fire("one", "same")
    assert len(bench.journal.runs) == 1
    assert len(bench.journal.legs) == 1


ANSWERS = st.sampled_from(
    [
        (Outcome.ACCEPTED, "NEW"),
        (Outcome.ACCEPTED, "FILLED"),
        (Outcome.REJECTED, None),
        (Outcome.NOT_ACCEPTED, None),
        (Outcome.UNKNOWN, None),
    ]
)


@given(st.lists(ANSWERS, min_size=1, max_size=30), st.lists(st.booleans(), max_size=30))
def test_every_run_of_independent_orders_ends(
    answers: list[tuple[Outcome, str | None]], restarts: list[bool]
) -> None:
    """Once the exchange has answered, nothing stays planned and no index keeps what is over."""
    resting = {**ENTRY, "type": "limit", "price": 69000}
    bench = Bench(rule_set(rule("one", built("place", [resting] * 7), TELL)))
    bench.fire("one")
    for number in range(200):
        for call in bench.calls(PlaceCall):
            bench.send(call)
        for one in list(bench.journal.legs.values()):
            if one.state is OrderState.SENDING:
                outcome, status = answers[number % len(answers)] if number < 30 else answers[0]
                bench.tell(report(one, outcome, order_status=status, code=-2010))
            elif one.state is OrderState.UNKNOWN:
                told = report(one, Outcome.ABSENT, origin="probe", asked_time=bench.now)
                bench.tell(told)
        bench.pass_time(7_000)
        if number < len(restarts) and restarts[number]:
            bench.restart()
    state = bench.engine.state
    assert state.runs == {}
    assert all(leg.settled for leg in bench.journal.legs.values())
    live = {leg.client_order_id for leg in bench.journal.legs.values() if leg.open}
    assert {key for legs in state.by_symbol.values() for key in legs} == live
    assert state.restless == {}
    assert state.waiting == {}
    assert live <= set(state.legs)
    if not live:
        assert state.legs == {}


@pytest.mark.parametrize("comes", [True, False])
def test_an_action_waits_for_data_that_it_names_and_then_goes_on_without(comes: bool) -> None:
    """After a restart no price is known: ten seconds of patience, then an error with its name."""
    world = view(None)
    place = built("place", {"side": "buy", "type": "market", "quantity": "=1000 / mark"})
    bench = Bench(rule_set(rule("one", place)), world)
    bench.fire("one")
    bench.pass_time(9_999)
    assert run_of(bench).status is RunStatus.RUNNING
    assert bench.engine.next_at(bench.moment) <= bench.now + 100
    if comes:
        world.board.offer(SYMBOL, "mark", dec(70_000), bench.now, bench.now)
    bench.pass_time(1)
    assert bench.engine.state.waiting == {}
    assert len(bench.journal.legs) == (1 if comes else 0)
    assert run_of(bench).reason == ("" if comes else "error: place: no data for mark")
