"""After a restored journal: what may have been sent in the forgotten time is asked for first."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from runner.core import recovery
from runner.core.decision import Leg, RuleMemory, Run
from runner.core.events import ExecutionReport
from runner.core.legs import Moment, reported
from runner.core.lifecycle import Timing
from runner.core.orders import (
    CancelIntent,
    Family,
    Identity,
    OrderIntent,
    OrderState,
    OrderType,
    Outcome,
    Side,
)
from runner.core.state import State, Work

NOW = 1_760_000_000_000
TIMING = Timing()
AT = Moment(NOW, NOW + 7, TIMING)
IDENTITY = Identity("main", "paper", "buy", "0", "BTCUSDT", "k")
RUN = Run(IDENTITY.run_id(), IDENTITY, "hash", {}, NOW)


def leg_of(state: OrderState = OrderState.PLANNED, **changes: object) -> Leg:
    """A market entry of the run, planned a minute ago."""
    intent = OrderIntent(
        IDENTITY.client_order_id("0.1"), "BTCUSDT", Side.BUY, OrderType.MARKET, Decimal(1)
    )
    leg = Leg(intent, RUN.run_id, "0.1", state, planned_at=NOW - 60_000)
    return replace(leg, **changes)  # type: ignore[arg-type]  # whatever a test changes


def recovered(leg: Leg, restored_at: int | None) -> Leg:
    """The leg after the walk of a start."""
    state = State(restored_at=restored_at)
    state.put_run(RUN)
    state.put_leg(leg)
    work = Work(state, NOW)
    recovery.recover(work, AT)
    found = work.leg(leg.client_order_id)
    assert found is not None
    return found


def test_a_plan_of_a_restored_journal_is_asked_for() -> None:
    """It may have been sent in the time that is forgotten; its fence begins now."""
    after = recovered(leg_of(), NOW - 1)
    assert (after.state, after.ask_first, after.attempt) == (OrderState.UNKNOWN, True, 0)
    assert after.fence_time == TIMING.fence(NOW + 7)
    assert after.next_at == NOW
    assert recovered(leg_of(), None) == leg_of()
    assert recovered(leg_of(), NOW - 60_001).state is OrderState.PLANNED


def test_what_was_sent_before_is_fenced_anew() -> None:
    """The forgotten time may hold a later send than the journal tells of."""
    old = leg_of(OrderState.SENDING, attempt=1, signed_time=NOW - 9, fence_time=NOW + 1)
    after = recovered(old, NOW - 1)
    assert (after.state, after.attempt) == (OrderState.UNKNOWN, 1)
    assert after.fence_time == TIMING.fence(NOW + 7)


def test_the_second_start_asks_no_third_time() -> None:
    """What was proven absent after the restore is not fenced anew by the next start."""
    proven = leg_of(ask_first=True, fence_time=NOW - 5)
    assert recovered(proven, NOW - 1) == proven


def test_an_open_order_is_left_to_the_reading_of_open_orders() -> None:
    """LIVE needs no fence: the exchange lists it, or is asked what became of it."""
    live = leg_of(OrderState.LIVE, attempt=1)
    assert recovered(live, NOW - 1) == live


def test_proven_absent_it_is_sent_for_the_first_time() -> None:
    """Four negatives after the fence, and the first attempt may leave."""
    leg = recovered(leg_of(), NOW - 1)
    for offset in TIMING.probe_offsets:
        assert leg.state is OrderState.UNKNOWN
        asked = TIMING.fence(NOW + 7) + offset
        absent = ExecutionReport(
            leg.client_order_id, "probe", Outcome.ABSENT, asked, asked_time=asked
        )
        leg = reported(leg, absent, Moment(asked, asked, TIMING))
    assert (leg.state, leg.attempt, leg.ask_first) == (OrderState.PLANNED, 0, True)


def test_found_at_the_exchange_it_is_taken_over() -> None:
    """The forgotten order is this leg's: it is never sent."""
    leg = recovered(leg_of(), NOW - 1)
    found = ExecutionReport(
        leg.client_order_id, "probe", Outcome.ACCEPTED, NOW, order_status="FILLED", order_id="9"
    )
    assert reported(leg, found, AT).state is OrderState.FILLED


def test_new_orders_are_asked_for_while_events_may_be_old() -> None:
    """For ten minutes all; later those of an event from before, and what follows from these."""
    state = State(restored_at=NOW)
    work = Work(state, NOW)
    until = NOW + recovery.DOUBTFUL_FOR
    assert recovery.ask_first(work, RUN)
    assert recovery.ask_first(work, replace(RUN, fired_at=until))
    later = replace(RUN, fired_at=until + 1)
    assert not recovery.ask_first(work, later)
    recovery.doubt(state, later, NOW + 1, later.fired_at)
    assert not recovery.ask_first(work, later)
    recovery.doubt(state, later, NOW, later.fired_at)
    assert recovery.ask_first(work, later)
    state.doubtful.clear()
    state.put_leg(leg_of(ask_first=True))
    assert recovery.ask_first(work, later)
    assert not recovery.ask_first(Work(State(), NOW), RUN)


def test_doubt_goes_by_the_exchanges_clock() -> None:
    """Ours was an hour behind at the restore and is right now: ten minutes are ten minutes."""
    state = State(restored_at=NOW)
    ahead = NOW + 3_600_000
    run = replace(RUN, fired_at=ahead)
    recovery.note_time(state, replace(AT, now=ahead, server_now=NOW + recovery.DOUBTFUL_FOR))
    assert recovery.ask_first(Work(state, ahead), run)
    recovery.doubt(state, run, ahead, ahead)
    recovery.note_time(state, replace(AT, now=ahead, server_now=NOW + recovery.DOUBTFUL_FOR + 1))
    assert recovery.ask_first(Work(state, ahead), run), "what it began it ends"
    assert not recovery.ask_first(Work(state, ahead), replace(run, run_id="another"))


def test_a_fresh_restore_doubts_all_that_it_knows() -> None:
    """Also what our clock, an hour ahead then, dates after the restore."""
    late = leg_of(planned_at=NOW + 3_600_000)
    for fresh in (False, True):
        state = State(restored_at=NOW, fresh=fresh)
        state.put_run(RUN)
        state.put_leg(late)
        work = Work(state, NOW)
        recovery.recover(work, AT)
        assert bool(work.decision.legs) is fresh


def test_the_question_begins_with_the_next_turn() -> None:
    """A planned leg that must be asked for first becomes UNKNOWN before anything is sent."""
    state = State(restored_at=NOW)
    state.put_run(RUN)
    state.put_leg(leg_of(ask_first=True))
    work = Work(state, NOW)
    recovery.ask(work, AT)
    (change,) = work.decision.legs.values()
    assert change.after.state is OrderState.UNKNOWN
    state.put_leg(leg_of(ask_first=True, fence_time=NOW))
    again = Work(state, NOW)
    recovery.ask(again, AT)
    assert again.decision.legs == {}


def test_generations_leap_once() -> None:
    """A price that crosses after the restore never gets the id of a forgotten firing."""
    memory = RuleMemory(triggers={"0": {"generation": 4, "armed": True}, "1": {"watermark": 3}})
    state = State(memories={("buy", "BTCUSDT"): memory}, restored_at=NOW)
    work = Work(state, NOW)
    recovery.recover(work, AT)
    work.apply({})
    leapt = state.memories["buy", "BTCUSDT"].triggers
    assert leapt["0"]["generation"] == 4 + recovery.LEAP
    assert leapt["1"] == {"watermark": 3}
    again = Work(state, NOW)
    recovery.recover(again, AT)
    assert again.decision.memories == {}


def test_what_came_in_by_a_clock_that_was_wrong_is_asked_for() -> None:
    """An hour ahead, it seems to have come in long after the restore: only just now is proof."""
    state = State(restored_at=NOW)
    now = NOW + 660_000
    run = replace(RUN, fired_at=now)
    recovery.doubt(state, run, now - recovery.JUST_NOW, now, now - recovery.JUST_NOW)
    assert not recovery.ask_first(Work(state, now), run)
    for kept in (NOW + 3_600_000 - 500_000, NOW + 1):
        state.doubtful.clear()
        recovery.doubt(state, run, kept, now, kept)
        assert recovery.ask_first(Work(state, now), run)
    state.doubtful.clear()
    recovery.doubt(state, run, NOW + 1, now)
    assert not recovery.ask_first(Work(state, now), run), "its own time is its sender's"
    state.restored_at = None
    recovery.doubt(state, run, NOW - 1, now, NOW - 1)
    assert not state.doubtful


def test_a_run_without_orders_is_doubted_again_after_a_crash() -> None:
    """It may have begun by a wrong clock; with orders, these tell whether it was doubted."""
    later = replace(RUN, fired_at=NOW + 3_600_000)
    cancel = CancelIntent(IDENTITY.client_order_id("0.order"), "BTCUSDT", Family.ORDER)
    for legs, asked in (
        ([], True),
        ([replace(leg_of(), intent=cancel)], True),
        ([leg_of(OrderState.FILLED)], False),
        ([leg_of(OrderState.FILLED, ask_first=True)], True),
    ):
        state = State(restored_at=NOW)
        state.put_run(later)
        for leg in legs:
            state.put_leg(leg)
        work = Work(state, NOW)
        recovery.recover(work, replace(AT, server_now=NOW + recovery.DOUBTFUL_FOR + 1))
        assert recovery.ask_first(work, later) is asked


def test_a_command_given_after_the_restore_leaves_at_once() -> None:
    """The restore's time in its key makes every id of it new; another restore ends that."""
    state = State(restored_at=NOW, in_doubt=True)
    key = recovery.stamped(state, "panic")
    assert key != "panic"
    run = replace(RUN, identity=replace(IDENTITY, rule_id=":flatten", event_key=key))
    assert not recovery.ask_first(Work(state, NOW), run)
    old = replace(run, identity=replace(run.identity, event_key="panic"))
    assert recovery.ask_first(Work(state, NOW), old)
    rule = replace(run, identity=replace(run.identity, rule_id="buy"))
    assert recovery.ask_first(Work(state, NOW), rule), "only commands are stamped"
    state.restored_at = NOW + 1
    assert recovery.ask_first(Work(state, NOW), run)
    assert recovery.stamped(State(), "panic") == "panic"
