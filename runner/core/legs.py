"""How one order or cancel moves along its path: every transition a pure function of a Leg."""

from __future__ import annotations

from decimal import Decimal

from runner.core.decision import FINAL, Leg
from runner.core.events import ExecutionReport
from runner.core.lifecycle import Absence, Timing, fenced_by_engine
from runner.core.orders import (
    ORDER_STATUS,
    AmendIntent,
    CancelIntent,
    Family,
    OrderIntent,
    OrderState,
    Outcome,
    SettingIntent,
)
from runner.core.values import dataclass, replace

# Codes by which a cancel or a change learns that its order is not on the book (any more).
NOTHING_TO_CANCEL = frozenset({-2011, -2013})
NO_ORDERS = (CancelIntent, AmendIntent, SettingIntent)
"""Intents that are done once they are answered: nothing of them stays on the book."""


_RANK = {
    "NEW": 1,
    "TRIGGERING": 2,
    "TRIGGERED": 3,
    "PARTIALLY_FILLED": 4,
}


@dataclass(frozen=True, slots=True)
class Moment:
    """Now, on our clock and on the exchange's (both ms), and the waits in force."""

    now: int
    server_now: int
    timing: Timing

    def local(self, server_time: int) -> int:
        """Our clock's reading at that server time."""
        return self.now + server_time - self.server_now

    def reached(self, at: int) -> bool:
        """True when this reading of our clock has come.

        Also when it is further off than anything waits: then our clock was set back since it
        was reckoned, and whoever waited for it would wait as much longer.
        """
        return not 0 < at - self.now <= self.timing.longest_wait


def signed(leg: Leg, timestamp: int, moment: Moment, *, fenced: bool = True) -> Leg:
    """PLANNED -> SENDING: the signature and its fence become part of the leg before the send.

    Not `fenced`: this copy travels a way on which only the gateway looks at its time. That stays
    with the leg, since a later copy by another way does not call this one back.
    """
    assert leg.state is OrderState.PLANNED
    if not fenced and isinstance(leg.intent, OrderIntent):
        leg = replace(leg, intent=replace(leg.intent, unfenced=True))
    return replace(
        leg,
        state=OrderState.SENDING,
        attempt=leg.attempt + 1,
        signed_time=timestamp,
        fence_time=moment.timing.fence(timestamp),
        negatives=0,
        first_negative_time=None,
        next_at=None,
        updated_at=moment.now,
    )


def recovered(leg: Leg, moment: Moment) -> Leg:
    """After a restart every SENDING leg is UNKNOWN, and what was asked is asked again."""
    if leg.state is OrderState.SENDING:
        return _unknown(leg, moment, first_probe=0)
    if leg.state is OrderState.UNKNOWN:
        return replace(leg, negatives=0, first_negative_time=None, next_at=moment.now)
    return replace(leg, negatives=0, first_negative_time=None)


def taken_back(leg: Leg, now: int, why: str) -> Leg:
    """What is planned and shall not be sent any more: it never leaves (`now` in ms).

    Where a restored journal may have forgotten a send, it is asked for first, and lapses then.
    """
    if leg.unasked:
        return replace(leg, deadline=now, message=why, updated_at=now)
    return replace(leg, state=OrderState.LAPSED, message=why, updated_at=now)


def lapsed(leg: Leg, moment: Moment, why: str) -> Leg:
    """PLANNED -> LAPSED: too late to send what was decided then."""
    return replace(leg, state=OrderState.LAPSED, message=why, updated_at=moment.now)


def parked(leg: Leg, moment: Moment, why: str) -> Leg:
    """UNKNOWN -> PARKED: cannot be proven; no further send, a person decides."""
    return replace(leg, state=OrderState.PARKED, message=why, next_at=None, updated_at=moment.now)


def reported(leg: Leg, report: ExecutionReport, moment: Moment) -> Leg:
    """The leg after a report; the same leg when the report brings nothing new.

    Positive evidence wins from any source and at once; only absence needs patience.
    """
    if report.outcome is Outcome.ACCEPTED:
        return _accepted(leg, report, moment)
    if leg.state in FINAL:
        return leg
    if report.outcome is Outcome.ABSENT:
        return _absent(leg, report, moment)
    if report.origin == "probe":
        return _ask_again(leg, moment)
    if leg.state is not OrderState.SENDING or report.attempt != leg.attempt:
        return leg
    return _answered(leg, report, moment)


def _answered(leg: Leg, report: ExecutionReport, moment: Moment) -> Leg:
    """SENDING and its own answer: what the classifier made of it decides."""
    told = replace(leg, code=report.code, message=report.message or "", updated_at=moment.now)
    match report.outcome:
        case Outcome.REJECTED if isinstance(leg.intent, CancelIntent | AmendIntent):
            gone = report.code in NOTHING_TO_CANCEL
            return replace(told, state=OrderState.DONE if gone else OrderState.REJECTED)
        case Outcome.REJECTED:
            return replace(told, state=OrderState.REJECTED)
        case Outcome.NOT_ACCEPTED | Outcome.NOT_SENT:
            return again(told, moment)
        case _:
            return _unknown(told, moment, moment.timing.first_probe)


def _unknown(leg: Leg, moment: Moment, first_probe: int) -> Leg:
    if isinstance(leg.intent, CancelIntent):
        # a cancel may be repeated without harm: no proof is needed
        return again(leg, moment)
    if isinstance(leg.intent, AmendIntent | SettingIntent):
        return _asked_by_repeating(leg, moment)
    return replace(
        leg,
        state=OrderState.UNKNOWN,
        next_at=moment.now + first_probe,
        updated_at=moment.now,
    )


def _asked_by_repeating(leg: Leg, moment: Moment) -> Leg:
    """Once the first copy can no longer arrive, the same again is the question and its answer.

    Before, a copy on its way could undo what is set later. What adds up is never repeated.
    """
    if isinstance(leg.intent, SettingIntent) and not leg.intent.repeatable:
        return parked(leg, moment, "nobody knows whether it was done: look at the position")
    assert leg.fence_time is not None
    return replace(
        leg,
        state=OrderState.PLANNED,
        deadline=None,
        next_at=moment.local(leg.fence_time) + 1,
        updated_at=moment.now,
    )


def again(leg: Leg, moment: Moment) -> Leg:
    """SENDING -> PLANNED: certainly without effect, to be sent again after a growing wait."""
    steps = moment.timing.back_off
    wait = steps[min(max(leg.attempt, 1), len(steps)) - 1]
    return replace(leg, state=OrderState.PLANNED, next_at=moment.now + wait, updated_at=moment.now)


def _accepted(leg: Leg, report: ExecutionReport, moment: Moment) -> Leg:
    if isinstance(leg.intent, NO_ORDERS):
        if leg.state in FINAL:
            return leg
        return replace(leg, state=OrderState.DONE, next_at=None, updated_at=moment.now)
    after = _forward(leg, report)
    return leg if after == leg else replace(after, updated_at=moment.now)


def _own_verdict(leg: Leg) -> bool:
    """True when not the exchange but we called it finished: lapsed, parked, gone, refused.

    An order that shows up after all is not finished, the exchange's word counts.
    """
    return ORDER_STATUS.get(leg.order_status or "") is not leg.state


def _forward(leg: Leg, report: ExecutionReport) -> Leg:
    """The order-status table only moves forward: late and repeated reports change nothing."""
    status = report.order_status or leg.order_status or "NEW"
    state = ORDER_STATUS.get(status, OrderState.LIVE)
    quantity = max(leg.cumulative_quantity, report.cumulative_quantity or leg.cumulative_quantity)
    after = replace(
        leg,
        cumulative_quantity=quantity,
        average_price=_average(leg, report, quantity),
        order_id=leg.order_id or report.order_id,
    )
    if leg.state in FINAL and not _own_verdict(leg):
        return after  # a late fill corrects the quantity, never the verdict
    newer = state is not OrderState.LIVE or _RANK.get(status, 0) >= _RANK.get(
        leg.order_status or "", 0
    )
    return replace(
        after,
        state=state,
        order_status=status if newer else leg.order_status,
        code=None,
        message=report.message or "",
        next_at=None,
        negatives=0,
        first_negative_time=None,
    )


def _average(leg: Leg, report: ExecutionReport, quantity: Decimal) -> Decimal | None:
    """The average price of all that filled; None when nobody told it yet for that quantity."""
    if report.average_price is not None and (report.cumulative_quantity or 0) >= quantity:
        return report.average_price
    return leg.average_price if quantity == leg.cumulative_quantity else None


def _ask_again(leg: Leg, moment: Moment) -> Leg:
    """A probe without a verdict counts for nothing."""
    if leg.state not in (OrderState.UNKNOWN, OrderState.LIVE):
        return leg
    return replace(leg, next_at=moment.now + moment.timing.probe_retry)


def _absent(leg: Leg, report: ExecutionReport, moment: Moment) -> Leg:
    """One negative answer; only a whole table of them after the fence proves absence."""
    asked = report.asked_time
    if asked is None or leg.state not in (OrderState.UNKNOWN, OrderState.LIVE):
        return _ask_again(leg, moment)
    fence = leg.fence_time if leg.fence_time is not None else asked
    absence = Absence(fence, leg.negatives, leg.first_negative_time).counted(asked, moment.timing)
    if not absence.proven(moment.timing):
        return replace(
            leg,
            negatives=absence.negatives,
            first_negative_time=absence.first_negative_time,
            next_at=moment.local(absence.next_time(moment.timing)) + 1,
        )
    if leg.state is OrderState.LIVE:
        why = "the exchange does not know it any more"
        return replace(
            leg, state=OrderState.CANCELED, message=why, next_at=None, updated_at=moment.now
        )
    return _proven_absent(leg, moment)


def _proven_absent(leg: Leg, moment: Moment) -> Leg:
    """Proven not to exist: send again, lapse, or park."""
    timing = moment.timing
    # never sent by this journal, but asked for first: it cannot be older than its plan
    since = leg.planned_at if leg.signed_time is None else leg.signed_time
    if moment.server_now - since > timing.retention:
        return parked(leg, moment, "sent more than 3 days ago: absence proves nothing any more")
    if not (fenced_by_engine(leg.intent) or leg.intent.protective):
        by_socket = leg.intent.family is Family.ORDER
        kind = "an entry sent over the WebSocket API" if by_socket else "a conditional entry"
        return parked(leg, moment, f"{kind} cannot be proven absent")
    if isinstance(leg.intent, OrderIntent) and leg.intent.hold_unknown:
        why = "it never reached the exchange, and its rule says on_unknown: hold"
        return parked(leg, moment, why)
    if leg.deadline is not None and moment.now >= leg.deadline:
        return lapsed(leg, moment, "never reached the exchange, and now it is too late")
    if leg.attempt >= timing.max_attempts and not leg.intent.protective:
        return parked(leg, moment, f"{leg.attempt} attempts without a verdict")
    return replace(
        leg,
        state=OrderState.PLANNED,
        negatives=0,
        first_negative_time=None,
        next_at=None,
        updated_at=moment.now,
    )
