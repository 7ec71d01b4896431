"""Answers of the order path as events: placing, cancelling, asking. Total: no body can raise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Literal

from runner.core.events import ExecutionReport
from runner.core.lifecycle import Answer, Shape, Transport, classify
from runner.core.orders import (
    AmendCall,
    AmendIntent,
    CancelCall,
    Family,
    OrderIntent,
    Outcome,
    PlaceCall,
    ProbeCall,
    Setting,
    SettingCall,
    SettingIntent,
)
from runner.venues import RawAnswer
from runner.venues.binance_usdm.codes import KNOWN_CODES
from runner.venues.binance_usdm.cures import cure
from runner.venues.binance_usdm.wire_values import decimal, integer, label, mapping, parse

GONE = frozenset({-2011, -2013})
"""A cancel's target is not open: filled, cancelled, triggered, or not there yet."""
NO_SUCH_ORDER = -2013

Origin = Literal["answer", "stream", "probe"]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer read once: what the transport proves, and the JSON in it (None when none)."""

    transport: Transport
    status: int
    value: Any
    detail: str

    def part(self, value: Any, shape: Shape) -> Answer:
        """One part of it as the classifier looks at it."""
        fields = mapping(value)
        return Answer(
            self.transport, self.status, integer(fields.get("code")), self.message(value), shape
        )

    def message(self, value: Any) -> str:
        """The exchange's words, else how the transport failed, else what came instead."""
        if self.transport != "ok":
            return self.detail or self.transport
        text = mapping(value).get("msg")
        return text if isinstance(text, str) else f"HTTP {self.status} without a message"


def read(answer: RawAnswer) -> Reply:
    """Parse the body; a broken transport has none."""
    value = parse(answer.body) if answer.transport == "ok" else None
    return Reply(answer.transport, answer.status, value, answer.detail)


def placed(call: PlaceCall, reply: Reply, asked_time: int) -> list[ExecutionReport]:
    """One report for each leg, in order, whatever came back."""
    parts = _parts(call, reply)
    legs = zip(call.intents, call.attempts, parts, strict=True)
    return [_leg(reply, part, leg, attempt, asked_time) for leg, attempt, part in legs]


def _parts(call: PlaceCall, reply: Reply) -> list[Any]:
    """Each leg's own part; a whole answer that is no list speaks for every leg.

    A short, long or reordered list proves nothing about any leg (design: exactly once, 9).
    """
    legs = call.intents
    if len(legs) == 1 or not isinstance(reply.value, list):
        return [reply.value] * len(legs)
    parts = reply.value
    if len(parts) == len(legs) and all(map(_in_its_place, parts, legs)):
        return parts
    return [None] * len(legs)


def _in_its_place(part: Any, leg: OrderIntent) -> bool:
    return _shape(part, leg.family, leg.client_order_id, leg.symbol) in ("order", "error")


def _leg(
    reply: Reply, part: Any, leg: OrderIntent, attempt: int, asked_time: int
) -> ExecutionReport:
    shape = _shape(part, leg.family, leg.client_order_id, leg.symbol)
    answer = reply.part(part, shape)
    outcome = classify(answer, KNOWN_CODES)
    if outcome is Outcome.ACCEPTED:
        return known(part, leg.family, "answer", asked_time, attempt)
    about = (leg.client_order_id, leg.symbol)
    return _verdict(about, "answer", outcome, answer, asked_time, attempt)


def canceled(call: CancelCall, reply: Reply, asked_time: int) -> list[ExecutionReport]:
    """The cancel's own report, and on success the target's."""
    intent, fields = call.intent, mapping(reply.value)
    done = _cancel_shape(call, fields)
    answer = reply.part(fields, done)
    outcome = classify(answer, KNOWN_CODES)
    if done == "error" and answer.code in GONE and reply.status < 500:
        outcome = Outcome.REJECTED
    about = (intent.client_order_id, intent.symbol)
    own = _verdict(about, "answer", outcome, answer, asked_time, call.attempt)
    if outcome is not Outcome.ACCEPTED:
        return [own]
    own = replace(own, order_status="DONE", code=None, message=None)
    if intent.target is None:
        return [own]
    if intent.family is Family.ALGO:
        # the answer names no status: `{"code": "200", "msg": "success"}` means canceled
        fields = {**fields, "algoStatus": "CANCELED", "symbol": intent.symbol}
    return [own, known(fields, intent.family, "answer", asked_time, None)]


def _cancel_shape(call: CancelCall, fields: Mapping[str, Any]) -> Shape:
    """`code` 200 is success, as a number or as text."""
    target = call.intent.target
    success = integer(fields.get("code")) == 200
    if target is None:
        return "order" if success else _error_shape(fields)
    if call.intent.family is Family.ALGO:
        fits = success and fields.get("clientAlgoId") == target
        return "order" if fits else _error_shape(fields)
    return _shape(fields, Family.ORDER, target, call.intent.symbol)


def amended(call: AmendCall, reply: Reply, asked_time: int) -> list[ExecutionReport]:
    """The change's own report, and on success the order's as it is now.

    "Nothing changes" is success; what is not on the book any more cannot be changed.
    """
    intent = call.intent
    shape = _shape(reply.value, Family.ORDER, intent.target, intent.symbol)
    answer = reply.part(reply.value, shape)
    outcome = classify(answer, KNOWN_CODES)
    if shape == "error" and reply.status < 500:
        outcome = _AMEND_CODES.get(answer.code or 0, outcome)
    own = _own(intent, outcome, answer, asked_time, call.attempt)
    if outcome is not Outcome.ACCEPTED or shape != "order":
        return [own]
    return [own, known(mapping(reply.value), Family.ORDER, "answer", asked_time, None)]


_AMEND_CODES = {
    -5027: Outcome.ACCEPTED,
    # another change of it is under way: this one was not taken
    -5043: Outcome.NOT_ACCEPTED,
    **dict.fromkeys(GONE, Outcome.REJECTED),
}


def set_up(call: SettingCall, reply: Reply, asked_time: int) -> list[ExecutionReport]:
    """The setting's own report; "no need to change" is success."""
    fields = mapping(reply.value)
    code = integer(fields.get("code"))
    done = code == 200 or (call.intent.setting is Setting.LEVERAGE and "leverage" in fields)
    shape: Shape = "order" if done and reply.value is not None else _error_shape(fields)
    answer = reply.part(fields, shape)
    outcome = classify(answer, KNOWN_CODES)
    if shape == "error" and code in UNCHANGED and reply.status < 500:
        outcome = Outcome.ACCEPTED
    return [_own(call.intent, outcome, answer, asked_time, call.attempt)]


UNCHANGED = frozenset({-4046, -4059, -4171})
"""No need to change the margin type, the position mode, the multi-assets mode."""


def _own(
    intent: AmendIntent | SettingIntent,
    outcome: Outcome,
    answer: Answer,
    asked_time: int,
    attempt: int,
) -> ExecutionReport:
    about = (intent.client_order_id, intent.symbol)
    own = _verdict(about, "answer", outcome, answer, asked_time, attempt)
    if outcome is not Outcome.ACCEPTED:
        return own
    return replace(own, order_status="DONE", code=None, message=None)


def probed(call: ProbeCall, reply: Reply, asked_time: int) -> list[ExecutionReport]:
    """The order as it stands, ABSENT, or UNKNOWN when the question itself failed."""
    shape = _shape(reply.value, call.family, call.client_order_id, call.symbol)
    answer = reply.part(reply.value, shape)
    if shape == "order" and reply.status == 200:
        found = known(reply.value, call.family, "probe", asked_time, None)
        return [replace(found, asked_time=asked_time)]
    absent = shape == "error" and answer.code == NO_SUCH_ORDER and reply.status in (200, 400)
    outcome = Outcome.ABSENT if absent else Outcome.UNKNOWN
    about = (call.client_order_id, call.symbol)
    report = _verdict(about, "probe", outcome, answer, asked_time, None)
    return [replace(report, asked_time=asked_time)]


def known(
    fields: Mapping[str, Any],
    family: Family,
    origin: Origin,
    asked_time: int,
    attempt: int | None,
) -> ExecutionReport:
    """An order as an answer states it; today's placing answers carry no average price."""
    stated = algo_state(fields) if family is Family.ALGO else order_state(fields)
    names = ("clientAlgoId", "algoId") if family is Family.ALGO else ("clientOrderId", "orderId")
    return ExecutionReport(
        client_order_id=label(fields.get(names[0])) or "",
        origin=origin,
        outcome=Outcome.ACCEPTED,
        event_time=integer(fields.get("updateTime")) or asked_time,
        attempt=attempt,
        order_id=label(fields.get(names[1])),
        order_status=stated.status,
        cumulative_quantity=stated.quantity,
        average_price=stated.price,
        symbol=label(fields.get("symbol")) or "",
    )


@dataclass(frozen=True, slots=True)
class Stated:
    """Status, executed quantity and average price; None where the answer is silent."""

    status: str | None
    quantity: Decimal | None
    price: Decimal | None


def order_state(fields: Mapping[str, Any]) -> Stated:
    """Of an order of the classic family."""
    price = decimal(fields.get("avgPrice"))
    return Stated(label(fields.get("status")), decimal(fields.get("executedQty")), price or None)


def algo_state(fields: Mapping[str, Any]) -> Stated:
    """Of a conditional order; before the trigger `actualQty` may repeat the asked quantity."""
    status, price = label(fields.get("algoStatus")), decimal(fields.get("actualPrice"))
    executed = decimal(fields.get("actualQty")) if price else price
    return Stated(
        algo_status(status, executed, decimal(fields.get("quantity"))), executed, price or None
    )


def algo_status(
    status: str | None, executed: Decimal | None, quantity: Decimal | None
) -> str | None:
    """FINISHED says "filled or cancelled in the matching engine": the quantity tells which.

    A closePosition order has no quantity of its own: any execution is all of it. Source:
    user-data-streams, Event: Algo Order Update.
    """
    if status != "FINISHED" or executed is None:
        return status
    return "FILLED" if executed > 0 and executed >= (quantity or 0) else "CANCELED"


def _shape(value: Any, family: Family, client_order_id: str, symbol: str) -> Shape:
    """`order` only when it is the one we mean: our id, our symbol, an id of the exchange."""
    if value is None:
        return "none"
    fields = mapping(value)
    own, theirs = (
        ("clientAlgoId", "algoId") if family is Family.ALGO else ("clientOrderId", "orderId")
    )
    meant = fields.get(own) == client_order_id and fields.get("symbol") == symbol
    if meant and label(fields.get(theirs)) is not None and integer(fields.get("code")) is None:
        return "order"
    return _error_shape(fields)


def _error_shape(fields: Mapping[str, Any]) -> Shape:
    """`{code, msg}`; with an order's own fields beside it, it is neither."""
    code = integer(fields.get("code"))
    mixed = "clientOrderId" in fields or "orderId" in fields
    return "other" if code is None or code == 200 or mixed else "error"


def _verdict(
    about: tuple[str, str],
    origin: Origin,
    outcome: Outcome,
    answer: Answer,
    asked_time: int,
    attempt: int | None,
) -> ExecutionReport:
    client_order_id, symbol = about
    message = answer.message
    if outcome is Outcome.REJECTED and answer.code not in (None, NO_SUCH_ORDER):
        message = f"{message} ({cure(answer.code or 0)})"
    return ExecutionReport(
        client_order_id,
        origin,
        outcome,
        asked_time,
        attempt,
        code=answer.code,
        message=message,
        symbol=symbol,
    )
