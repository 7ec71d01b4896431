"""What the changes of one decision mean as events: orders that filled, failed or ended."""

from __future__ import annotations

from collections.abc import Iterator

from runner.core.decision import Leg
from runner.core.events import OrderChanged, OrderStatus
from runner.core.orders import OrderIntent, OrderState
from runner.core.state import Work

STATUS: dict[OrderState, OrderStatus] = {
    OrderState.FILLED: "filled",
    OrderState.CANCELED: "cancelled",
    OrderState.EXPIRED: "expired",
    OrderState.REJECTED: "rejected",
}


def order_changes(work: Work, told: dict[str, Leg]) -> list[OrderChanged]:
    """What happened to orders since the last call; `told` remembers that between the calls."""
    found: list[OrderChanged] = []
    for key, change in work.decision.legs.items():
        before, after = told.get(key, change.before), change.after
        told[key] = after
        if before is not None and before != after and isinstance(after.intent, OrderIntent):
            found += _changes(work, before, after, after.intent)
    return found


def _changes(work: Work, before: Leg, after: Leg, intent: OrderIntent) -> Iterator[OrderChanged]:
    for status in _statuses(before, after):
        yield OrderChanged(
            work.rule_id(after.run_id),
            intent.symbol,
            after.client_order_id,
            leg_part(after.name),
            status,
            intent.side.value.lower(),
            after.cumulative_quantity,
            after.average_price,
            intent.tag,
            after.message if status == "rejected" else "",
        )


def _statuses(before: Leg, after: Leg) -> Iterator[OrderStatus]:
    """What happened: an order that ends unfilled may have filled in part at the same moment."""
    ended = STATUS.get(after.state) if after.state is not before.state else None
    if after.cumulative_quantity > before.cumulative_quantity and ended != "filled":
        yield "partly_filled"
    if ended is not None:
        yield ended


def leg_part(name: str) -> str:
    """The part of a run that a leg is: `0.stop@0.02` is the stop, `1.0` the first of its kind."""
    return name.partition(".")[2].partition("@")[0]
