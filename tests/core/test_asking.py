"""What may leave, in which order, and when there is something to do again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runner.core import asking
from runner.core.asking import ACCOUNT_EVERY, CLOCK_EVERY, GIVE_UP_AFTER, Questions
from runner.core.decision import DeadManState, Leg
from runner.core.orders import (
    Call,
    CancelCall,
    DeadManCall,
    Family,
    OrderState,
    OrderType,
    PlaceCall,
    ProbeCall,
    ReadCall,
    TimeCall,
)
from runner.core.rules import DeadMan
from runner.core.state import State
from tests.core.factories import START, SYMBOL, cancel, dec, leg, moment, order

LIVE, UNKNOWN = OrderState.LIVE, OrderState.UNKNOWN
SWITCH = DeadMan(SYMBOL, 120_000, 30_000)
SECOND = 1_000


def state(*legs: Leg) -> State:
    """A state with these legs."""
    found = State()
    for one in legs:
        found.put_leg(one)
    return found


def quiet(now: int = START) -> Questions:
    """Nothing is wanted, the clock and the account were just read."""
    return Questions(clock_at=now, account_at=now)


def calls(of: State, questions: Questions | None = None, now: int = START) -> list[Call]:
    """What may leave."""
    return list(asking.calls(of, questions or quiet(now), (), moment(now)))


def entries(count: int) -> list[Leg]:
    """First attempts of one action."""
    return [leg(order(f"0.{n}"), name=f"0.{n}") for n in range(count)]


@pytest.mark.parametrize(("count", "sizes"), [(1, [1]), (5, [5]), (6, [5, 1]), (12, [5, 5, 2])])
def test_first_attempts_of_an_action_leave_in_batches_of_five(count: int, sizes: list[int]) -> None:
    """Five legs of one signed batch at most."""
    found = calls(state(*entries(count)))
    assert [len(call.intents) for call in found if isinstance(call, PlaceCall)] == sizes


def test_another_attempt_and_another_action_and_a_conditional_order_go_alone() -> None:
    """Absent legs are sent again singly; the algo service knows no batch."""
    first, again = entries(2)
    again = replace(again, attempt=1)
    other = leg(order("1.0"), name="1.0")
    stop = leg(order("0.2", kind=OrderType.STOP_MARKET), name="0.2")
    found = calls(state(first, again, other, stop))
    assert [call.attempts for call in found if isinstance(call, PlaceCall)] == [
        (1,),
        (2,),
        (1,),
        (1,),
    ]


def test_what_lowers_risk_leaves_first() -> None:
    """Countdowns, cancels, exits, then entries, readings, probes."""
    entry, unknown = entries(2)
    unknown = leg(unknown.intent, UNKNOWN, name="0.1", next_at=START)
    out = leg(order("0.5", reduce_only=True), name="0.5")
    off = leg(cancel("0.6"), name="0.6")
    questions = quiet()
    questions.want(ReadCall("positions"))
    found = list(asking.calls(state(entry, unknown, out, off), questions, [SWITCH], moment()))
    assert [type(call) for call in found] == [
        DeadManCall,
        CancelCall,
        PlaceCall,
        PlaceCall,
        ReadCall,
        ProbeCall,
    ]
    assert [c.intents[0] for c in found if isinstance(c, PlaceCall)] == [out.intent, entry.intent]


@pytest.mark.parametrize(
    ("given_leg", "leaves"),
    [
        (leg(), True),
        (leg(next_at=START), True),
        (leg(next_at=START + 1), False),
        (leg(deadline=START + 1), True),
        (leg(deadline=START), False),
        (leg(state=OrderState.SENDING), False),
        (leg(state=UNKNOWN), False),
        (leg(state=LIVE), False),
    ],
)
def test_only_a_planned_order_that_is_due_and_not_too_late_leaves(
    given_leg: Leg, leaves: bool
) -> None:
    """Never what is on its way, waits, or has lapsed."""
    assert bool(calls(state(given_leg))) is leaves


@pytest.mark.parametrize("state_of", [UNKNOWN, LIVE])
def test_a_leg_is_asked_for_once_at_a_time(state_of: OrderState) -> None:
    """While a probe is on its way there is no second one, until it is given up."""
    known, questions = state(leg(state=state_of, next_at=START)), quiet()
    probe = ProbeCall(leg().client_order_id, SYMBOL, Family.ORDER)
    assert calls(known, questions) == [probe]
    questions.sent(probe, START)
    assert calls(known, questions) == []
    late = START + GIVE_UP_AFTER + 1
    assert probe in calls(known, questions, late)
    questions.done(probe)
    assert calls(known, questions)[-1] == probe


def test_a_live_order_rests_unasked() -> None:
    """Only what is in doubt is asked for."""
    known = state(leg(state=LIVE))
    assert known.restless == {}
    assert calls(known) == []


def test_readings_are_asked_when_they_are_wanted() -> None:
    """The earliest wish counts, and once on its way it is no wish any more."""
    questions, reading = quiet(), ReadCall("open_orders", SYMBOL)
    questions.want(reading, START + 5)
    questions.want(reading, START + 9)
    assert calls(state(), questions) == []
    assert calls(state(), questions, START + 5) == [reading]
    questions.sent(reading, START + 5)
    assert questions.wanted == {}
    questions.want_all()
    assert [call.what for call in calls(state(), questions) if isinstance(call, ReadCall)] == [
        "positions",
        "account",
        "open_orders",
        "open_algo_orders",
    ]


@pytest.mark.parametrize("now", [START + CLOCK_EVERY, START - 60 * CLOCK_EVERY])
def test_the_clock_and_the_account_are_read_every_minute_and_after_a_step(now: int) -> None:
    """A clock that was set back by an hour does not silence the questions for an hour."""
    questions = quiet(START)
    assert calls(state(), questions, now) == [TimeCall(), ReadCall("account")]
    questions.sent(TimeCall(), now)
    questions.sent(ReadCall("account"), now)
    assert (questions.clock_at, questions.account_at) == (now, now)
    assert calls(state(), questions, now) == []


def countdown(confirmed: int = START, ms: int = 120_000) -> State:
    """A state whose symbol counts down."""
    return State(dead_men={SYMBOL: DeadManState(SYMBOL, ms, confirmed)})


@pytest.mark.parametrize(
    ("known", "now", "due"),
    [
        (State(), START, True),
        (countdown(ms=0), START, True),
        (countdown(), START + 29 * SECOND, False),
        (countdown(), START + 30 * SECOND, True),
    ],
    ids=["new", "ran out", "fresh", "due"],
)
def test_countdowns_are_refreshed(known: State, now: int, due: bool) -> None:
    """At once when none runs, else at every refresh."""
    found = list(asking.calls(known, quiet(now), [SWITCH], moment(now)))
    assert found == ([DeadManCall(SYMBOL, 120_000)] if due else [])


def test_a_symbol_that_left_the_switch_is_disarmed() -> None:
    """countdownTime=0, once it is confirmed no more."""
    assert calls(countdown()) == [DeadManCall(SYMBOL, 0)]
    assert calls(countdown(ms=0)) == []


def test_what_came_to_nothing_waits_before_it_is_tried_again() -> None:
    """A refused countdown is not repeated as fast as the line allows."""
    questions, call = quiet(), DeadManCall(SYMBOL, 120_000)
    questions.pause(call, START + 2 * SECOND)
    assert list(asking.calls(State(), questions, [SWITCH], moment())) == []
    assert asking.next_at(State(), questions, [SWITCH], moment()) == START + 2 * SECOND
    later = moment(START + 2 * SECOND)
    assert list(asking.calls(State(), questions, [SWITCH], later)) == [call]
    questions.sent(call, later.now)
    assert questions.paused == {}


@pytest.mark.parametrize(
    ("given_leg", "at"),
    [
        (leg(), START),
        (leg(next_at=START + 7), START + 7),
        (leg(next_at=START + 9, deadline=START + 8), START + 8),
        (leg(state=UNKNOWN, next_at=START + 7, deadline=START - 5), START + 7),
        (leg(state=OrderState.SENDING, deadline=START - 5), START + CLOCK_EVERY),
        (leg(state=LIVE, next_at=START + 7), START + 7),
    ],
)
def test_the_next_look_is_when_something_may_change(given_leg: Leg, at: int) -> None:
    """A deadline counts only for what was not sent: it must not keep the loop spinning."""
    assert asking.next_at(state(given_leg), quiet(), (), moment()) == at


def test_what_is_on_its_way_does_not_keep_the_loop_awake() -> None:
    """Neither a probe, a reading nor a countdown whose answer is out."""
    known, questions = state(leg(state=UNKNOWN, next_at=START)), quiet()
    reading = ReadCall("open_orders", SYMBOL)
    on_their_way: list[Call] = [
        ProbeCall(leg().client_order_id, SYMBOL, Family.ORDER),
        DeadManCall(SYMBOL, 120_000),
        reading,
    ]
    for call in on_their_way:
        questions.sent(call, START)
    questions.want(reading)
    assert asking.next_at(known, questions, [SWITCH], moment()) == START + ACCOUNT_EVERY
    assert asking.next_at(countdown(), quiet(), [SWITCH], moment()) == START + 30 * SECOND


def test_a_clock_set_back_by_an_hour_delays_nothing() -> None:
    """What waits for a reading of our clock is due at once when that was reckoned before."""
    known = state(
        leg(order("0.0"), name="0.0", next_at=START + 200),
        leg(order("0.1"), name="0.1", state=UNKNOWN, next_at=START + SECOND),
    )
    questions = quiet()
    questions.want(ReadCall("positions"), START + SECOND)
    questions.pause(DeadManCall(SYMBOL, 120_000), START + SECOND)
    back = moment(START - 3_600 * SECOND, ahead=3_600 * SECOND)
    found = [type(call) for call in asking.calls(known, questions, [SWITCH], back)]
    assert found == [DeadManCall, PlaceCall, TimeCall, ReadCall, ReadCall, ProbeCall]
    assert asking.next_at(known, questions, [SWITCH], back) <= back.now


def test_the_price_of_a_fill_that_only_an_answer_told_is_asked_for() -> None:
    """After the stream had its time; more and more seldom while nobody tells, not for ever."""
    filled = leg(state=OrderState.FILLED, cumulative_quantity=dec(1), updated_at=START)
    of, questions = state(filled), quiet()
    probe = ProbeCall(filled.client_order_id, SYMBOL, Family.ORDER)
    assert calls(of, questions, START + 1_999) == []
    asked, now = [], START
    while of.unpriced:
        now = max(now, *of.unpriced.values())
        questions.clock_at = questions.account_at = now
        assert asking.next_at(of, questions, (), moment(now)) <= now
        assert calls(of, questions, now) == [probe]
        asking.sent(of, questions, probe, now)
        questions.done(probe)
        asked.append(now - START)
    assert asked[:4] == [2 * SECOND, 4 * SECOND, 8 * SECOND, 16 * SECOND]
    assert len(asked) < 20
    of.put_leg(replace(filled, average_price=dec(7)))
    assert calls(of, questions, now) == []
    assert not of.unpriced


def test_a_price_is_not_asked_for_once_the_order_is_forgotten() -> None:
    """Nor while the question is on its way."""
    filled = leg(state=OrderState.FILLED, cumulative_quantity=dec(1), updated_at=START)
    of, questions, now = state(filled), quiet(), START + 3 * SECOND
    (probe,) = calls(of, questions, now)
    questions.asked[probe] = now
    assert calls(of, questions, now) == []
    assert asking.next_at(of, questions, (), moment(now)) > now
    questions.done(probe)
    of.legs.clear()
    assert calls(of, questions, now) == []
    assert asking.next_at(of, questions, (), moment(now)) > now
    asking.sent(of, questions, probe, now)
    assert not of.unpriced
