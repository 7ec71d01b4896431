"""One order's path: forwards only, whatever comes late, twice or in the wrong order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core import legs
from runner.core.decision import FINAL, Leg
from runner.core.events import ExecutionReport
from runner.core.legs import Moment
from runner.core.orders import ORDER_STATUS, OrderState, OrderType, Outcome
from tests.core.factories import START, TIMING, cancel, dec, leg, moment, order, report

SENDING, UNKNOWN, LIVE = OrderState.SENDING, OrderState.UNKNOWN, OrderState.LIVE
PLANNED = OrderState.PLANNED
FENCE = TIMING.fence(START)
STOP = order("0.stop", kind=OrderType.STOP_MARKET, price=None, trigger_price=dec(1))


def asked_absent(of: Leg, at: int) -> Leg:
    """The leg after a probe begun at `at` found nothing."""
    told = report(of, Outcome.ABSENT, origin="probe", asked_time=at)
    return legs.reported(of, told, moment(at))


def proven_absent(of: Leg, start: int = FENCE) -> Leg:
    """The leg after a whole table of negatives."""
    for offset in TIMING.probe_offsets:
        of = asked_absent(of, start + offset)
    return of


def test_a_signature_and_its_fence_are_part_of_the_leg_before_the_send() -> None:
    """PLANNED -> SENDING counts the attempt and forgets the proof of the one before."""
    before = leg(attempt=1, negatives=2, first_negative_time=1)
    after = legs.signed(before, START, moment())
    assert (after.state, after.attempt, after.fence_time) == (SENDING, 2, FENCE)
    assert (after.negatives, after.first_negative_time) == (0, None)


@pytest.mark.parametrize("state", [s for s in OrderState if s is not PLANNED])
def test_nothing_but_a_planned_leg_is_signed(state: OrderState) -> None:
    """A second copy of what is on its way is a mistake of ours."""
    with pytest.raises(AssertionError):
        legs.signed(leg(state=state), START, moment())


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (Outcome.ACCEPTED, LIVE),
        (Outcome.REJECTED, OrderState.REJECTED),
        (Outcome.NOT_ACCEPTED, PLANNED),
        (Outcome.NOT_SENT, PLANNED),
        (Outcome.UNKNOWN, UNKNOWN),
    ],
)
def test_an_answer_decides_what_becomes_of_a_send(outcome: Outcome, state: OrderState) -> None:
    """Each verdict of the classifier has its state."""
    after = legs.reported(leg(state=SENDING), report(leg(state=SENDING), outcome), moment())
    assert after.state is state


def test_an_answer_to_another_attempt_changes_nothing() -> None:
    """Only the answer to the copy that is on its way counts."""
    sending = leg(state=SENDING, attempt=2)
    assert legs.reported(sending, report(sending, Outcome.REJECTED, attempt=1), moment()) == sending


def test_waits_grow_with_the_attempts() -> None:
    """NOT_ACCEPTED is sent again after 0.2, 0.4 … 3.2 s."""
    waits = []
    for attempt in (1, 2, 5, 50):
        sending = leg(state=SENDING, attempt=attempt)
        after = legs.reported(sending, report(sending, Outcome.NOT_ACCEPTED), moment())
        assert after.next_at is not None
        waits.append(after.next_at - START)
    assert waits == [200, 400, 3_200, 3_200]


def test_a_cancel_needs_no_proof_and_is_sent_again() -> None:
    """An unknown cancel is planned again; nothing to cancel is done; another no is a no."""
    sending = leg(cancel(), SENDING)
    assert legs.reported(sending, report(sending, Outcome.UNKNOWN), moment()).state is PLANNED
    done = OrderState.DONE
    gone = report(sending, Outcome.REJECTED, code=-2011)
    assert legs.reported(sending, gone, moment()).state is done
    refused = report(sending, Outcome.REJECTED, code=-2015)
    assert legs.reported(sending, refused, moment()).state is OrderState.REJECTED
    accepted = legs.reported(sending, report(sending), moment())
    assert accepted.state is done
    assert legs.reported(accepted, report(sending), moment()) is accepted


def test_after_a_restart_a_send_is_unknown_and_asked_for_at_once() -> None:
    """SENDING is not proven; hints of an unfinished proof start over."""
    after = legs.recovered(leg(state=SENDING), moment())
    assert (after.state, after.next_at) == (UNKNOWN, START)
    half = leg(state=UNKNOWN, negatives=3, first_negative_time=START)
    after = legs.recovered(half, moment())
    assert (after.negatives, after.first_negative_time, after.next_at) == (0, None, START)
    live = leg(state=LIVE, negatives=3, first_negative_time=START, next_at=START + 9)
    after = legs.recovered(live, moment())
    assert (after.negatives, after.next_at) == (0, START + 9)
    assert legs.recovered(leg(), moment()) == leg()
    assert legs.recovered(leg(cancel(), SENDING), moment()).state is PLANNED


def test_absence_before_the_fence_proves_nothing() -> None:
    """A copy may still be on its way."""
    unknown = leg(state=UNKNOWN)
    for at in range(START, FENCE, 1_000):
        unknown = asked_absent(unknown, at)
        assert (unknown.state, unknown.negatives) == (UNKNOWN, 0)
        assert unknown.next_at == FENCE + 1


def test_one_negative_told_many_times_counts_once() -> None:
    """A repeated report of the same question is no second question."""
    unknown = leg(state=UNKNOWN)
    for _ in range(10):
        unknown = asked_absent(unknown, FENCE + 90_000)
    assert (unknown.state, unknown.negatives) == (UNKNOWN, 1)


def test_a_proven_absent_order_is_sent_again_under_the_same_id() -> None:
    """Four negatives over 60 s after the fence."""
    unknown = leg(state=UNKNOWN)
    after = proven_absent(unknown)
    assert (after.state, after.negatives, after.next_at) == (PLANNED, 0, None)
    assert after.client_order_id == unknown.client_order_id


@pytest.mark.parametrize(
    ("given_leg", "start", "state"),
    [
        (leg(state=UNKNOWN, deadline=START + 60_000), FENCE, OrderState.LAPSED),
        (leg(state=UNKNOWN, attempt=5), FENCE, OrderState.PARKED),
        (leg(state=UNKNOWN), START + 3 * 86_400_000, OrderState.PARKED),
        (leg(STOP, UNKNOWN), FENCE, OrderState.PARKED),
        (leg(replace(STOP, reduce_only=True), UNKNOWN), FENCE, PLANNED),
        (leg(order(reduce_only=True), UNKNOWN, attempt=50), FENCE, PLANNED),
    ],
    ids=["too late", "too often", "too old", "conditional entry", "stop", "exit"],
)
def test_what_a_proven_absence_leads_to(given_leg: Leg, start: int, state: OrderState) -> None:
    """Again, lapsed or parked; an exit is tried for ever, a conditional entry never twice."""
    assert proven_absent(given_leg, start).state is state


def test_an_order_that_vanished_from_the_book_is_over() -> None:
    """LIVE and proven absent: over, until the exchange says otherwise."""
    gone = proven_absent(leg(state=LIVE, order_status="NEW"))
    assert gone.state is OrderState.CANCELED
    back = legs.reported(gone, report(gone, origin="stream", order_status="NEW"), moment())
    assert back.state is LIVE


def test_a_question_without_a_verdict_is_asked_again() -> None:
    """An error answer is no negative, and an absence without its time is none either."""
    unknown = leg(state=UNKNOWN, next_at=START)
    for outcome in (Outcome.UNKNOWN, Outcome.ABSENT):
        told = report(unknown, outcome, origin="probe")
        after = legs.reported(unknown, told, moment())
        assert (after.negatives, after.next_at) == (0, START + TIMING.probe_retry)
        assert legs.reported(leg(), told, moment()) == leg()


@pytest.mark.parametrize(
    "state", [OrderState.LAPSED, OrderState.PARKED, OrderState.REJECTED, OrderState.CANCELED]
)
def test_what_we_gave_up_and_shows_up_counts(state: OrderState) -> None:
    """Our own verdict yields to the exchange's word, and its text goes with it."""
    given_up = leg(state=state, message="never reached the exchange", code=-1)
    told = report(given_up, origin="stream", order_status="FILLED", cumulative_quantity="1")
    after = legs.reported(given_up, told, moment())
    assert (after.state, after.message, after.code) == (OrderState.FILLED, "", None)


def test_the_exchanges_own_rejection_is_final() -> None:
    """A conditional order that was refused when it triggered does not come back with old news."""
    live = legs.reported(leg(state=SENDING), report(leg(state=SENDING)), moment())
    told = report(live, origin="stream", order_status="REJECTED", message="margin")
    refused = legs.reported(live, told, moment())
    assert (refused.state, refused.message) == (OrderState.REJECTED, "margin")
    late = report(live, origin="probe", order_status="NEW")
    assert legs.reported(refused, late, moment()) == refused


def test_a_late_fill_corrects_the_quantity_and_not_the_verdict() -> None:
    """CANCELED stays, what filled before it counts."""
    over = leg(state=OrderState.CANCELED, order_status="CANCELED")
    told = report(
        over,
        origin="stream",
        order_status="PARTIALLY_FILLED",
        cumulative_quantity="0.4",
        average_price="7",
    )
    after = legs.reported(over, told, moment())
    assert (after.state, after.cumulative_quantity, after.average_price) == (
        OrderState.CANCELED,
        dec("0.4"),
        dec(7),
    )


STATUS = st.sampled_from(
    ["NEW", "PARTIALLY_FILLED", "FILLED", "CANCELED", "EXPIRED", "REJECTED", "TRIGGERED", "ADL"]
)
REPORTS = st.builds(
    ExecutionReport,
    client_order_id=st.just(leg().client_order_id),
    origin=st.sampled_from(["answer", "stream", "probe"]),
    outcome=st.sampled_from(list(Outcome)),
    event_time=st.just(START),
    attempt=st.sampled_from([None, 1, 2]),
    order_id=st.sampled_from([None, "7"]),
    order_status=st.none() | STATUS,
    cumulative_quantity=st.sampled_from([None, dec(0), dec("0.5"), dec(1)]),
    average_price=st.sampled_from([None, dec(7)]),
    code=st.sampled_from([None, -2011, -2010]),
    asked_time=st.none() | st.integers(START, START + 200_000),
)
INTENTS = st.sampled_from([order(), order(reduce_only=True), STOP, cancel()])


@given(INTENTS, st.lists(REPORTS, max_size=30), st.booleans())
def test_no_order_of_reports_moves_a_leg_backwards(
    intent: Any, reports: list[ExecutionReport], repeated: bool
) -> None:
    """Never un-proven, never less filled, never back from the exchange's own last word.

    PLANNED (another send) comes only from an answer that proves nothing was accepted, or from
    a proof of absence: never while the exchange was heard to know the order.
    """
    now, one = START, legs.signed(leg(intent), START, moment())
    proven = False
    for told in [*reports, *reports] if repeated else reports:
        now += 500
        before, one = one, legs.reported(one, told, Moment(now, now, TIMING))
        proven = proven or (told.outcome is Outcome.ACCEPTED and one.state is not PLANNED)
        assert one.attempt == before.attempt
        assert one.cumulative_quantity >= before.cumulative_quantity
        if proven:
            assert one.state not in (PLANNED, SENDING, UNKNOWN)
        said = ORDER_STATUS.get(before.order_status or "")
        if before.state in FINAL and said is before.state:
            assert one.state is before.state
        if told.outcome is not Outcome.ACCEPTED and before.state in FINAL:
            assert one == before
        if one.state is PLANNED and before.state is not PLANNED:
            assert before.state in (SENDING, UNKNOWN)


def test_the_average_price_is_that_of_all_that_filled() -> None:
    """An answer that names more and no price leaves none: the old one was of less."""
    live = leg(state=LIVE, order_status="NEW")
    told: dict[str, Any] = {
        "order_status": "PARTIALLY_FILLED",
        "cumulative_quantity": "0.4",
        "average_price": "7",
    }
    part = legs.reported(live, report(live, origin="stream", **told), moment())
    gone: dict[str, Any] = {"order_status": "CANCELED", "cumulative_quantity": "0.6"}
    over = legs.reported(part, report(part, attempt=None, **gone), moment())
    assert (over.average_price, over.unpriced) == (None, True)
    assert legs.reported(over, report(over, origin="stream", **told), moment()) == over
    priced = {**gone, "average_price": "8"}
    after = legs.reported(over, report(over, origin="probe", **priced), moment())
    assert (after.average_price, after.unpriced) == (dec(8), False)
