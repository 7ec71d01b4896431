"""What a report means for the legs it speaks of, and the lines it leaves in the journal."""

from __future__ import annotations

from decimal import Decimal

from runner.core import legs
from runner.core.decision import FINAL, AttemptOutcome, FillRow, Leg, Reason, Unseen
from runner.core.events import ExecutionReport, OpenOrders
from runner.core.figures import figure
from runner.core.legs import Moment
from runner.core.orders import (
    AmendIntent,
    CancelIntent,
    Intent,
    OrderIntent,
    OrderState,
    Outcome,
    Side,
)
from runner.core.state import Work
from runner.core.values import replace
from runner.core.wording import change_words, leg_words, state_words


def report(work: Work, namespace: str, event: ExecutionReport, moment: Moment) -> None:
    """One report: its fill is kept, its leg moves, a cancel that found nothing asks why."""
    leg = work.leg(event.client_order_id)
    if event.fill is not None and event.client_order_id.startswith(f"r1-{namespace}-"):
        symbol = leg.intent.symbol if leg else event.symbol
        work.decision.fills.append(FillRow(event.client_order_id, symbol, event.fill))
    if leg is None:
        return
    if event.attempt is not None:
        work.decision.outcomes.append(_outcome(event, event.attempt, moment.now))
    after = legs.reported(leg, event, moment)
    if after != leg:
        change(work, leg, legs.again(after, moment) if _too_early(work, after, event) else after)
    if isinstance(leg.intent, AmendIntent) and event.outcome is Outcome.ACCEPTED:
        _amended(work, leg.intent)
    _note_fill(work, leg.intent, after.cumulative_quantity - leg.cumulative_quantity, event)
    if event.outcome is Outcome.REJECTED and isinstance(leg.intent, CancelIntent):
        _ask_for_target(work, leg.intent, moment)


def _amended(work: Work, amend: AmendIntent) -> None:
    """From now on the order is what the exchange made of it."""
    target = work.leg(amend.target)
    if target is not None and isinstance(target.intent, OrderIntent):
        intent = replace(target.intent, price=amend.price, quantity=amend.quantity)
        work.put_leg(replace(target, intent=intent))


def _outcome(event: ExecutionReport, attempt: int, now: int) -> AttemptOutcome:
    return AttemptOutcome(
        event.client_order_id, attempt, event.outcome, event.code, event.message or "", now
    )


def _note_fill(work: Work, intent: Intent, filled: Decimal, event: ExecutionReport) -> None:
    """An answer is often here before the stream states the position: whoever sizes must know."""
    if filled <= 0 or not isinstance(intent, OrderIntent):
        return
    size = filled if intent.side is Side.BUY else -filled
    # the trade's own time: a message about it may be younger than the one about the position
    at = event.event_time if event.fill is None else event.fill.event_time
    if not intent.protective:
        work.state.flats.note_fill(intent.client_order_id, at)
    work.unseen.append(Unseen(intent.symbol, intent.position_side, size, at, intent.protective))


def _too_early(work: Work, cancel: Leg, event: ExecutionReport) -> bool:
    """A cancel that found nothing while its target may still come to the book is not done."""
    if not isinstance(cancel.intent, CancelIntent) or event.outcome is not Outcome.REJECTED:
        return False
    target = work.leg(cancel.intent.target or "")
    return cancel.state is OrderState.DONE and target is not None and target.open


def _ask_for_target(work: Work, intent: CancelIntent, moment: Moment) -> None:
    """A cancel found nothing: what became of its target is asked."""
    target = work.leg(intent.target or "")
    if target is not None and target.state is OrderState.LIVE:
        work.put_leg(replace(target, next_at=moment.now))


def open_orders(work: Work, namespace: str, event: OpenOrders, moment: Moment) -> None:
    """A reading of what is open: own LIVE orders that it does not list are asked for."""
    for order in event.orders:
        report(work, namespace, order, moment)
    listed = {order.client_order_id for order in event.orders}
    for leg in list(work.state.legs.values()):
        if leg.client_order_id not in listed and _covered(leg, event):
            work.put_leg(replace(leg, next_at=moment.now))


def _covered(leg: Leg, event: OpenOrders) -> bool:
    """A LIVE order that this reading should have listed: it was there before it began."""
    return (
        leg.state is OrderState.LIVE
        and leg.intent.family is event.family
        and event.symbol in (None, leg.intent.symbol)
        and (leg.signed_time or 0) <= event.asked_time
    )


def lapse(work: Work, moment: Moment) -> None:
    """What is planned and was not sent in time is never sent."""
    for known in list(work.state.restless.values()):
        leg = work.leg(known.client_order_id) or known
        late = leg.deadline is not None and moment.now >= leg.deadline
        if late and leg.state is OrderState.PLANNED and not leg.unasked:
            change(work, leg, legs.lapsed(leg, moment, "too late to send"))


def change(work: Work, before: Leg, after: Leg) -> None:
    """Change a leg, and say in the journal what changed."""
    work.put_leg(after)
    who = {
        "rule_id": work.rule_id(after.run_id),
        "symbol": after.intent.symbol,
        "run_id": after.run_id,
        "client_order_id": after.client_order_id,
    }
    priced = before.average_price is None and after.average_price is not None
    if after.cumulative_quantity != before.cumulative_quantity or priced:
        price = f" @ {figure(after.average_price)}" if after.average_price else ""
        text = f"{leg_words(after.name)}: {figure(after.cumulative_quantity)} filled{price}"
        work.record("fill", text, **who)
    if after.state is before.state:
        return
    reason = str(after.code) if after.code is not None else ""
    known = f"order {after.order_id}" if after.order_id and not before.order_id else ""
    detail = f" ({after.message or known})" if after.message or known else ""
    work.record(
        "state",
        f"{leg_words(after.name)}: {change_words(before.state, after.state)}{detail}",
        reason=reason,
        data={"before": before.state.value, "after": after.state.value},
        **who,
    )
    if before.state in FINAL:
        text = (
            f"CRITICAL {leg_words(after.name)} of {who['symbol']} was taken for lost and shows up "
            f"at the exchange after all: {state_words(after.state)}; look at your position"
        )
        work.record("notify", text, **{**who, "reason": "critical"})
    if after.state is OrderState.PARKED:
        text = (
            f"CRITICAL {leg_words(after.name)} of {who['symbol']} is parked, it may be at the "
            f"exchange or not: {after.message}; look there for {after.client_order_id}, then say "
            "what you found with runner resolve"
        )
        work.record("notify", text, **{**who, "reason": Reason.PARKED.value})
