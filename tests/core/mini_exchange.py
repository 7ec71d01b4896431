"""A modelled exchange in memory: what it accepted, filled and answers, with faults on request."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from runner.core.events import CallDone, Event, ExecutionReport, OpenOrders
from runner.core.orders import (
    Call,
    CancelCall,
    CancelIntent,
    Family,
    OrderIntent,
    OrderType,
    Outcome,
    PlaceCall,
    ProbeCall,
    ReadCall,
    Side,
)
from tests.core.factories import TIMING

Fault = Literal["none", "lost before", "lost after", "later", "busy", "not sent", "refused"]
FAULTS: tuple[Fault, ...] = (
    "none",
    "lost before",
    "lost after",
    "later",
    "busy",
    "not sent",
    "refused",
)
ZERO = Decimal(0)
OPEN = ("NEW", "PARTIALLY_FILLED")


@dataclass(slots=True)
class Booked:
    """One order as the exchange has it."""

    intent: OrderIntent
    status: str = "NEW"
    filled: Decimal = ZERO

    @property
    def open(self) -> bool:
        """True while it is on the book."""
        return self.status in OPEN

    @property
    def left(self) -> Decimal:
        """What it may still fill."""
        return (self.intent.quantity or ZERO) - self.filled


@dataclass(slots=True)
class MiniExchange:
    """One symbol in one-way mode.

    `stream` is what its user stream has said and nobody heard yet; `delayed` are copies still on
    their way to the engine: (arrival, expiry, intent).
    """

    position: Decimal = ZERO
    orders: dict[str, Booked] = field(default_factory=dict)
    accepted: Counter[str] = field(default_factory=Counter)
    stream: list[ExecutionReport] = field(default_factory=list)
    delayed: list[tuple[int, OrderIntent]] = field(default_factory=list)
    market_fills: Decimal = Decimal(1)

    # what arrives

    def carry(self, call: Call, now: int, fault: Fault, delay: int = 0) -> list[Event]:
        """One request and its answer; an answer may say less than what happened."""
        match call:
            case PlaceCall(intents=intents, attempts=attempts):
                legs = zip(intents, attempts, strict=True)
                found = [self._placed(one, n, now, fault, delay) for one, n in legs]
                return [*found, CallDone(call, now)]
            case CancelCall(intent=intent, attempt=attempt):
                return [*self._cancelled(intent, attempt, now, fault), CallDone(call, now)]
            case ProbeCall():
                return [self._probed(call, now, fault), CallDone(call, now)]
            case ReadCall(what="open_orders") if fault == "none":
                return [self._read(call, Family.ORDER, now), CallDone(call, now)]
            case ReadCall(what="open_algo_orders") if fault == "none":
                return [self._read(call, Family.ALGO, now), CallDone(call, now)]
            case _:
                return [CallDone(call, now)]

    def arrive(self, now: int) -> None:
        """Copies that were on their way reach the engine; its own window refuses late ones."""
        due = [intent for at, intent in self.delayed if at <= now]
        self.delayed = [(at, intent) for at, intent in self.delayed if at > now]
        for intent in due:
            self._accept(intent, now)

    def _placed(
        self, intent: OrderIntent, attempt: int, now: int, fault: Fault, delay: int
    ) -> ExecutionReport:
        key = intent.client_order_id
        outcome, code = Outcome.UNKNOWN, -1007
        if fault == "busy":
            outcome, code = Outcome.NOT_ACCEPTED, -1008
        elif fault == "not sent":
            outcome = Outcome.NOT_SENT
        elif fault == "refused":
            outcome, code = Outcome.REJECTED, -2019
        elif fault == "later" and intent.family is Family.ORDER:
            latest = TIMING.recv_window + TIMING.engine_margin
            self.delayed.append((now + min(delay, latest), intent))
        elif fault in ("none", "lost after"):
            refusal = self._accept(intent, now)
            if fault == "none" and refusal == -4116:
                code = refusal
            elif fault == "none" and refusal is not None:
                outcome, code = Outcome.REJECTED, refusal
            elif fault == "none":
                return self._report(key, "answer", now, attempt=attempt)
        return ExecutionReport(key, "answer", outcome, now, attempt, code=code)

    def _accept(self, intent: OrderIntent, now: int) -> int | None:
        """The engine's verdict: None when it took the order, else the code of its no."""
        known = self.orders.get(intent.client_order_id)
        if known is not None and known.open:
            return -4116
        if intent.reduce_only and intent.type is OrderType.MARKET and not self._reduces(intent):
            return -2022
        self.accepted[intent.client_order_id] += 1
        booked = self.orders[intent.client_order_id] = Booked(intent)
        self._tell(intent.client_order_id, now)
        if intent.type is OrderType.MARKET:
            share = Decimal(1) if intent.reduce_only else self.market_fills
            step = Decimal("0.001")
            whole = ((intent.quantity or ZERO) * share).quantize(step)
            self.fill(intent.client_order_id, whole, now)
            if booked.open:
                booked.status = "EXPIRED"
                self._tell(intent.client_order_id, now)
        return None

    def _reduces(self, intent: OrderIntent) -> bool:
        return self.position < 0 if intent.side is Side.BUY else self.position > 0

    def _cancelled(
        self, intent: CancelIntent, attempt: int, now: int, fault: Fault
    ) -> list[ExecutionReport]:
        key = intent.client_order_id
        if fault in ("busy", "not sent"):
            outcome = Outcome.NOT_ACCEPTED if fault == "busy" else Outcome.NOT_SENT
            return [ExecutionReport(key, "answer", outcome, now, attempt)]
        if fault in ("lost before", "later", "refused"):
            return [ExecutionReport(key, "answer", Outcome.UNKNOWN, now, attempt)]
        keys = [key for key, one in self.orders.items() if one.intent.family is intent.family]
        meant = keys if intent.target is None else [intent.target]
        gone = [one for one in meant if one in self.orders and self.orders[one].open]
        for one in gone:
            self.orders[one].status = "CANCELED"
            self._tell(one, now)
        if fault == "lost after":
            return [ExecutionReport(key, "answer", Outcome.UNKNOWN, now, attempt)]
        if intent.target is not None and not gone:
            return [ExecutionReport(key, "answer", Outcome.REJECTED, now, attempt, code=-2011)]
        own = ExecutionReport(key, "answer", Outcome.ACCEPTED, now, attempt, order_status="DONE")
        if intent.target is None:
            return [own]
        return [own, self._report(intent.target, "answer", now)]

    def _probed(self, call: ProbeCall, now: int, fault: Fault) -> ExecutionReport:
        key = call.client_order_id
        if fault not in ("none", "refused"):
            return ExecutionReport(key, "probe", Outcome.UNKNOWN, now, asked_time=now)
        if key not in self.orders:
            return ExecutionReport(key, "probe", Outcome.ABSENT, now, code=-2013, asked_time=now)
        return self._report(key, "probe", now, asked_time=now)

    def _read(self, call: ReadCall, family: Family, now: int) -> OpenOrders:
        listed = tuple(
            self._report(key, "probe", now, asked_time=now)
            for key, one in self.orders.items()
            if one.open and one.intent.family is family
        )
        return OpenOrders(family, call.symbol, listed, now)

    # what the market does

    def fill(self, key: str, quantity: Decimal, now: int) -> None:
        """Fill some of an order; reduce-only never goes beyond flat, the rest of it expires."""
        one = self.orders[key]
        quantity = min(quantity, one.left)
        if one.intent.reduce_only:
            quantity = min(quantity, abs(self.position) if self._reduces(one.intent) else ZERO)
        one.filled += quantity
        self.position += quantity if one.intent.side is Side.BUY else -quantity
        if one.left == 0:
            one.status = "FILLED"
        elif one.intent.reduce_only and self.position == 0:
            one.status = "EXPIRED"
        elif one.filled > 0:
            one.status = "PARTIALLY_FILLED"
        self._tell(key, now)

    def _tell(self, key: str, now: int) -> None:
        self.stream.append(self._report(key, "stream", now))

    def _report(
        self,
        key: str,
        origin: Literal["answer", "stream", "probe"],
        now: int,
        attempt: int | None = None,
        asked_time: int | None = None,
    ) -> ExecutionReport:
        one = self.orders[key]
        return ExecutionReport(
            key,
            origin,
            Outcome.ACCEPTED,
            now,
            attempt,
            order_id="7",
            order_status=one.status,
            cumulative_quantity=one.filled,
            average_price=Decimal(70_000) if one.filled else None,
            asked_time=asked_time,
            symbol=one.intent.symbol,
        )
