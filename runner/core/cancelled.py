"""Who took an order off the book: one of our own cancels, or somebody else."""

from __future__ import annotations

from runner.core.decision import Leg
from runner.core.orders import CancelIntent
from runner.core.state import Work


def our_cancel(work: Work, leg: Leg) -> Leg | None:
    """A cancel of ours that was sent, and may have taken this order; None where there was none."""
    for cancel in (*work.state.legs.values(), *work.state.recent.values()):
        intent = cancel.intent
        if not isinstance(intent, CancelIntent) or intent.symbol != leg.intent.symbol:
            continue
        meant = (intent.target or leg.client_order_id) == leg.client_order_id
        if meant and cancel.attempt > 0 and cancel.updated_at >= leg.planned_at:
            return cancel
    return None


def cancelled_by(work: Work, leg: Leg) -> str:
    """Whose cancel of ours that was, as people say it; empty where there was none."""
    cancel = our_cancel(work, leg)
    if cancel is None:
        return ""
    rule_id = work.rule_id(cancel.run_id)
    return f"the rule {rule_id}" if rule_id else "a command"
