"""The try-out of an account: a tiny order far from the price, placed, seen, and cancelled."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Any

from runner.core.instruments import Instrument
from runner.core.orders import (
    Call,
    CancelCall,
    CancelIntent,
    Family,
    OrderIntent,
    OrderType,
    PlaceCall,
    ProbeCall,
    Side,
    TimeInForce,
)
from runner.errors import VenueError
from runner.venues.binance_usdm import wire_answers
from runner.venues.binance_usdm.adapter import BinanceUsdm
from runner.venues.binance_usdm.cures import cure
from runner.venues.binance_usdm.wire_answers import Reply
from runner.venues.binance_usdm.wire_values import decimal, integer, mapping
from runner.venues.findings import Finding

FAR = Decimal("0.7")
"""Of the mark: a buy there fills only after a fall of 30 % within a second."""

SEEN_WITHIN = 10.0
LOOK_EVERY = 0.1
DUPLICATE = -4116
BY_HAND = "look into the exchange's app, and cancel it there"


def steps(venue: BinanceUsdm, symbol: str) -> Iterator[Finding]:
    """Place and cancel one order on a connected account, a finding a step.

    Its id is not one of the runner's own, so that no start looks for it in the journal. Raises
    VenueError when the symbol cannot be used.
    """
    intent = _order(venue, symbol)
    what = f"buy {intent.quantity:f} {symbol} at {intent.price:f}, post only"
    yield Finding("order", "ok", f"{what}: id {intent.client_order_id}")
    reply, took = _asked(venue, PlaceCall((intent,), (1,)))
    fields = mapping(reply.value)
    accepted = reply.status == 200 and "orderId" in fields
    if accepted:
        yield Finding("placed", "ok", f"order {fields['orderId']}, answered in {took} ms")
        yield _seen(venue, intent)
        yield _twice(venue, intent)
    else:
        code = integer(fields.get("code"))
        text = f"not accepted: {code}: {reply.message(fields)}"
        yield Finding("placed", "wrong", text, cure(code or 0) or "see docs/errors.md", blocks=True)
        if reply.status in range(400, 500):
            return
    yield _canceled(venue, intent)


def _order(venue: BinanceUsdm, symbol: str) -> OrderIntent:
    instrument = venue.instruments().get(symbol)
    if instrument is None or not instrument.tradable:
        raise VenueError(f"{symbol} is not traded there now: name another one with --symbol")
    reply = venue.read("/fapi/v1/premiumIndex", f"symbol={symbol}", signed=False)
    mark = decimal(mapping(reply.value).get("markPrice"))
    if mark is None or mark <= 0:
        raise VenueError(f"there is no mark price of {symbol}: {reply.message(reply.value)}")
    price = instrument.round_price(mark * FAR, Side.BUY)
    return OrderIntent(
        client_order_id=f"tryout-{venue.server_time()}",
        symbol=symbol,
        side=Side.BUY,
        type=OrderType.LIMIT,
        quantity=_smallest(instrument, price),
        price=price,
        time_in_force=TimeInForce.GTX,
        position_side="LONG" if venue.hedge_mode else "BOTH",
    )


def _smallest(instrument: Instrument, price: Decimal) -> Decimal:
    """The least quantity that the exchange takes at this price."""
    worth = instrument.min_notional / price if price else instrument.min_quantity
    step = instrument.step_size
    steps_ = (max(worth, instrument.min_quantity) / step).to_integral_value(ROUND_CEILING)
    return steps_ * step


def _asked(venue: BinanceUsdm, call: Call) -> tuple[Reply, int]:
    """The answer to one request, and how many ms it took."""
    began = time.monotonic_ns()
    reply = wire_answers.read(venue.send(venue.sign(venue.request(call))))
    return reply, (time.monotonic_ns() - began) // 1_000_000


def _seen(venue: BinanceUsdm, intent: OrderIntent) -> Finding:
    """How soon a question finds it: readings of the exchange may lag behind its orders."""
    began = time.monotonic_ns()
    deadline, pause = time.monotonic() + SEEN_WITHIN, threading.Event()
    while True:
        reply, _ = _asked(venue, ProbeCall(intent.client_order_id, intent.symbol, Family.ORDER))
        fields = mapping(reply.value)
        after = (time.monotonic_ns() - began) // 1_000_000
        if reply.status == 200 and "status" in fields:
            return Finding("seen", "ok", f"{fields['status']}, found {after} ms later")
        if time.monotonic() >= deadline:
            text = f"it cannot be found within {SEEN_WITHIN:g} s: {reply.message(fields)}"
            return Finding("seen", "warning", text, "the exchange is slow: try again later")
        pause.wait(LOOK_EVERY)


def _twice(venue: BinanceUsdm, intent: OrderIntent) -> Finding:
    """Whether the exchange keeps a second order with the same id away."""
    reply, _ = _asked(venue, PlaceCall((intent,), (2,)))
    fields: Mapping[str, Any] = mapping(reply.value)
    code = integer(fields.get("code"))
    if code == DUPLICATE:
        return Finding("same id", "ok", f"a second one is refused ({DUPLICATE})")
    if "orderId" in fields:
        text = "the exchange took a second order with the same id: ids do not protect there"
        return Finding("same id", "wrong", text, BY_HAND, blocks=True)
    text = f"a second one is refused otherwise than we know: {code}: {reply.message(fields)}"
    return Finding("same id", "warning", text, "tell us: the runner asks instead of trusting it")


def _canceled(venue: BinanceUsdm, intent: OrderIntent) -> Finding:
    cancel = CancelIntent(
        f"{intent.client_order_id}-c", intent.symbol, Family.ORDER, intent.client_order_id
    )
    reply, took = _asked(venue, CancelCall(cancel, 1))
    fields = mapping(reply.value)
    if reply.status == 200 and fields.get("status") == "CANCELED":
        filled = decimal(fields.get("executedQty")) or Decimal(0)
        if not filled:
            return Finding("cancelled", "ok", f"nothing filled, answered in {took} ms")
        text = f"{filled:f} was filled before: there is a position now"
        return Finding("cancelled", "warning", text, "close it: runner flatten")
    text = f"{intent.client_order_id} may still be open: {reply.message(fields)}"
    return Finding("cancelled", "wrong", text, BY_HAND, blocks=True)
