"""What several answers hold: findings, records of the journal, runs, orders."""

from __future__ import annotations

from typing import Final

from runner.cli.answers.words import (
    AMOUNT,
    ANYTHING,
    AT,
    COUNT,
    FLAG,
    INTEGER,
    SPAN,
    TEXT,
    TIME,
    Schema,
    items,
    maybe,
    one_of,
    record,
    said,
)
from runner.core.orders import OrderState

FINDING: Final = record(
    {
        "file": TEXT,
        "line": said(COUNT, "Counted from 1; 0 when it is about the whole file."),
        "column": said(COUNT, "Counted from 1."),
        "length": said(COUNT, "Characters that are meant."),
        "severity": one_of("error", "warning", "note"),
        "code": said(TEXT, "What kind of mistake; docs/errors.md explains each."),
        "message": TEXT,
        "cure": maybe(TEXT),
        "related": items(record({"file": TEXT, "line": COUNT, "text": TEXT})),
    }
)

RECORD: Final = record(
    {
        "seq": said(COUNT, "Grows with each record, never twice."),
        "at": AT,
        "kind": said(TEXT, "fired, refused, sent, state, fill, notify, error …"),
        "text": TEXT,
        "rule_id": TEXT,
        "symbol": TEXT,
        "run_id": TEXT,
        "client_order_id": TEXT,
        "reason": said(TEXT, "A word of docs/reasons.md, or empty."),
        "data": said(ANYTHING, "What else there is to say, by kind."),
    }
)

RUN: Final = record(
    {
        "run_id": TEXT,
        "namespace": TEXT,
        "account": TEXT,
        "rule_id": TEXT,
        "trigger": TEXT,
        "symbol": TEXT,
        "event_key": said(TEXT, "Names the event: the same key never fires the rule twice."),
        "rule_hash": TEXT,
        "fields": said(ANYTHING, "What the event carried."),
        "fired_at": AT,
        "status": one_of("running", "done", "stopped"),
        "step": said(COUNT, "How many actions are done."),
        "watching": items(INTEGER, "Actions whose orders are still followed."),
        "reason": said(TEXT, "Why it was stopped, or what is wrong while it runs."),
    }
)

ATTEMPT: Final = record(
    {
        "attempt": COUNT,
        "request_id": TEXT,
        "timestamp": said(TIME, "The signed time: UTC ms by the exchange's clock."),
        "recv_window": SPAN,
        "payload_sha256": TEXT,
        "signed_at": AT,
        "outcome": said(maybe(TEXT), "Null while it is on its way."),
        "code": maybe(INTEGER),
        "message": maybe(TEXT),
        "answered_at": maybe(AT),
    }
)

FILL: Final = record(
    {
        "symbol": TEXT,
        "trade_id": TEXT,
        "price": AMOUNT,
        "quantity": AMOUNT,
        "commission": AMOUNT,
        "commission_asset": TEXT,
        "realised_pnl": AMOUNT,
        "event_time": TIME,
    }
)

STATE: Final = one_of(*(state.value for state in OrderState))
SIDE: Final = one_of("BUY", "SELL")
PLACED: Final = {
    "type": TEXT,
    "trigger_price": maybe(AMOUNT),
    "time_in_force": maybe(TEXT),
    "reduce_only": FLAG,
    "close_position": FLAG,
    "working_type": maybe(TEXT),
    "price_protect": FLAG,
    "activation_price": maybe(AMOUNT),
    "callback_rate": maybe(AMOUNT),
    "good_till_time": maybe(TIME),
    "price_match": maybe(TEXT),
    "self_trade_prevention": maybe(TEXT),
    "tag": said(TEXT, "The rule's own name for it."),
    "hold_unknown": said(FLAG, "Once proven absent it is not sent again: a person decides."),
    "unfenced": said(FLAG, "It left on a way on which late copies are not refused."),
}
"""What only an order has, not a cancel, a change or a setting."""

_BY_KIND: Final = {
    **PLACED,
    "side": SIDE,
    "quantity": maybe(AMOUNT),
    "price": maybe(AMOUNT),
    "position_side": one_of("BOTH", "LONG", "SHORT"),
    "target": said(maybe(TEXT), "Which order a cancel or a change is about; null: all."),
    "protective": said(FLAG, "Of a change: it can only make a position smaller."),
    "setting": TEXT,
    "value": TEXT,
}


def _with(kind: str, *keys: str) -> Schema:
    """These keys are there for this kind."""
    return {
        "if": {"properties": {"kind": {"const": kind}}},
        "then": {"required": list(keys)},
    }


ORDER: Final = {
    **record(
        {
            "client_order_id": TEXT,
            "kind": one_of("order", "cancel", "change", "setting"),
            "leg": said(TEXT, "Its name within the run."),
            "symbol": TEXT,
            "family": one_of("order", "algo"),
            "run_id": TEXT,
            "state": STATE,
            "planned_at": AT,
            "deadline": maybe(AT),
            "attempt": COUNT,
            "signed_time": maybe(TIME),
            "fence_time": said(maybe(TIME), "After it the exchange refuses the last copy."),
            "negatives": said(COUNT, "How often the exchange did not know it."),
            "first_negative_time": maybe(TIME),
            "next_at": maybe(AT),
            "ask_first": FLAG,
            "order_id": maybe(TEXT),
            "order_status": said(maybe(TEXT), "The exchange's word."),
            "cumulative_quantity": AMOUNT,
            "average_price": maybe(AMOUNT),
            "code": said(maybe(INTEGER), "The exchange's error code."),
            "message": TEXT,
            "updated_at": maybe(AT),
            "rule_id": TEXT,
            "account": TEXT,
            "trigger": TEXT,
            "fired_at": AT,
            "attempts": items(ATTEMPT),
            "fills": items(FILL),
        },
        _BY_KIND,
    ),
    "allOf": [
        _with("order", *PLACED, "side", "quantity", "price", "position_side"),
        _with("cancel", "target"),
        _with("change", "target", "side", "quantity", "price", "protective"),
        _with("setting", "setting", "value", "position_side"),
    ],
}
