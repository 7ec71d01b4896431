"""What a person decides about a parked order: it was sent, or it never was."""

from __future__ import annotations

from runner.core.decision import Leg
from runner.core.events import Resolve
from runner.core.legs import Moment
from runner.core.orders import OrderState
from runner.core.state import Work
from runner.core.values import replace
from runner.core.wording import leg_words, state_words

_NOW = {
    "sent": "no longer parked, the exchange is asked what became of it",
    "absent": "no longer parked, nothing is sent for it any more",
}


def resolve(work: Work, event: Resolve, moment: Moment) -> None:
    """PARKED -> LIVE (then the exchange's word counts), or PARKED -> LAPSED (no further send).

    The record with the command's key is the answer to who asked.
    """
    leg = work.leg(event.client_order_id)
    data = {"command": event.command, "done": leg is not None and leg.state is OrderState.PARKED}
    if leg is None:
        text = f"{event.client_order_id} is no order of this journal"
    elif leg.state is not OrderState.PARKED:
        text = f"{leg_words(leg.name)} is not parked: {state_words(leg.state)}"
    else:
        after = _resolved(leg, event, moment)
        work.put_leg(after)
        text = f"{leg_words(leg.name)}: {_NOW[event.verdict]} ({after.message})"
    work.record(
        "command",
        text,
        rule_id="" if leg is None else work.rule_id(leg.run_id),
        symbol="" if leg is None else leg.intent.symbol,
        run_id="" if leg is None else leg.run_id,
        client_order_id=event.client_order_id,
        data=data,
    )


def _resolved(leg: Leg, event: Resolve, moment: Moment) -> Leg:
    told = replace(
        leg, message=f"resolved as {event.verdict}: {event.reason}", updated_at=moment.now
    )
    if event.verdict == "absent":
        return replace(told, state=OrderState.LAPSED)
    return replace(
        told,
        state=OrderState.LIVE,
        next_at=moment.now,
        negatives=0,
        first_negative_time=None,
    )
