"""Orders over the WebSocket API: messages, answers, lost connections, no fence."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from runner.core.decision import Leg
from runner.core.events import ExecutionReport
from runner.core.legs import Moment, reported, signed
from runner.core.lifecycle import BY_WEBSOCKET, Timing, fenced_by_engine
from runner.core.orders import (
    AmendCall,
    AmendIntent,
    CancelCall,
    CancelIntent,
    DeadManCall,
    Family,
    OrderIntent,
    OrderState,
    OrderType,
    Outcome,
    PlaceCall,
    ProbeCall,
    Side,
)
from runner.venues.binance_usdm.adapter import BinanceUsdm
from runner.venues.binance_usdm.link import LinkTiming
from runner.venues.binance_usdm.presets import reach
from runner.venues.binance_usdm.signing import signer
from runner.venues.binance_usdm.ws_orders import WsOrders, answer_of, signed_text
from runner.venues.paper.auth import Credential
from runner.venues.paper.server import PaperServer
from tests.support import eventually
from tests.venues.binance_usdm.wires import RawServer, raw_server, text_frame, upgrade

KEY, SECRET = "paper-key", "paper-secret"
ENTRY = OrderIntent("r1-a", "BTCUSDT", Side.BUY, OrderType.LIMIT, Decimal("0.01"), Decimal(60_000))
STOP = OrderIntent(
    "r1-s",
    "BTCUSDT",
    Side.SELL,
    OrderType.STOP_MARKET,
    Decimal("0.01"),
    trigger_price=Decimal(50_000),
)


def _ms() -> int:
    return time.monotonic_ns() // 1_000_000


@pytest.fixture
def venue() -> Iterator[BinanceUsdm]:
    """An account on a paper exchange whose orders go over the WebSocket API."""
    with PaperServer(keys={KEY: SECRET}) as server:
        made = BinanceUsdm(
            reach(server.addresses, "ws"),
            KEY,
            SECRET,
            Timing(),
            lambda: time.time_ns() // 1_000_000,
            _ms,
        )
        made.connect()
        assert made.ws is not None
        eventually(lambda: made.ws is not None and made.ws.ready)
        yield made
        made.close()


def _do(venue: BinanceUsdm, call: Any) -> tuple[str, list[Any]]:
    """The way the call took, and what came of it."""
    request = venue.sign(venue.request(call))
    return f"{request.method} {request.path}", venue.interpret(request, venue.send(request))


def test_orders_of_both_families_go_over_it(venue: BinanceUsdm) -> None:
    """Placed, changed, asked for over REST, cancelled: the reports are those of REST."""
    way, (placed,) = _do(venue, PlaceCall((ENTRY,), (1,)))
    assert way == "WS order.place"
    assert (placed.outcome, placed.order_status) == (Outcome.ACCEPTED, "NEW")
    amend = AmendIntent("r1-m", "BTCUSDT", "r1-a", Side.BUY, Decimal("0.02"), Decimal(60_001))
    way, (changed, order) = _do(venue, AmendCall(amend, 1))
    assert (way, changed.outcome) == ("WS order.modify", Outcome.ACCEPTED)
    assert order.order_id == placed.order_id
    way, (found,) = _do(venue, ProbeCall("r1-a", "BTCUSDT", Family.ORDER))
    assert (way, found.order_status) == ("GET /fapi/v1/order", "NEW")
    cancel = CancelIntent("r1-c", "BTCUSDT", Family.ORDER, "r1-a")
    way, (own, gone) = _do(venue, CancelCall(cancel, 1))
    assert (way, own.outcome, gone.order_status) == (
        "WS order.cancel",
        Outcome.ACCEPTED,
        "CANCELED",
    )
    way, (stop,) = _do(venue, PlaceCall((STOP,), (1,)))
    assert (way, stop.outcome) == ("WS algoOrder.place", Outcome.ACCEPTED)
    cancel = CancelIntent("r1-d", "BTCUSDT", Family.ALGO, "r1-s")
    way, (own, _) = _do(venue, CancelCall(cancel, 1))
    assert (way, own.outcome) == ("WS algoOrder.cancel", Outcome.ACCEPTED)


def test_an_ed25519_key_signs_each_order_and_needs_no_session() -> None:
    """No logon: an order meets a connection opened a moment ago as well as an old one."""
    ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
    forms = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    private = ed25519.Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes(
        forms.Encoding.PEM, forms.PublicFormat.SubjectPublicKeyInfo
    )
    secret = private.private_bytes(
        forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.NoEncryption()
    )
    with PaperServer(keys={KEY: Credential("one", public.decode())}) as server:
        made = BinanceUsdm(
            reach(server.addresses, "ws"),
            KEY,
            secret.decode(),
            Timing(),
            lambda: time.time_ns() // 1_000_000,
            _ms,
        )
        made.connect()
        carrier = made.ws
        assert carrier is not None
        try:
            eventually(lambda: carrier.ready, 60)
            way, (placed,) = _do(made, PlaceCall((ENTRY,), (1,)))
            assert (way, placed.outcome) == ("WS order.place", Outcome.ACCEPTED)
            old = carrier.link._socket
            assert old is not None
            assert old.sock is not None
            old.sock.shutdown(socket.SHUT_RDWR)
            eventually(lambda: carrier.link.generation == 2 and carrier.ready, 60)
            cancel = CancelIntent("r1-c", "BTCUSDT", Family.ORDER, "r1-a")
            way, (own, _) = _do(made, CancelCall(cancel, 1))
            assert (way, own.outcome) == ("WS order.cancel", Outcome.ACCEPTED)
        finally:
            carrier.stop()


def test_what_has_no_method_there_goes_over_rest(venue: BinanceUsdm) -> None:
    """Batches, cancel-all, countdowns."""
    two = PlaceCall((ENTRY, OrderIntent(**{**_fields(ENTRY), "client_order_id": "r1-b"})), (1, 1))
    assert _do(venue, two)[0] == "POST /fapi/v1/batchOrders"
    everything = CancelCall(CancelIntent("r1-x", "BTCUSDT", Family.ORDER), 1)
    assert _do(venue, everything)[0] == "DELETE /fapi/v1/allOpenOrders"
    assert _do(venue, DeadManCall("BTCUSDT", 0))[0] == "POST /fapi/v1/countdownCancelAll"


def _fields(intent: OrderIntent) -> dict[str, Any]:
    return {name: getattr(intent, name) for name in OrderIntent.__slots__}


def test_a_refusal_is_told_with_its_cure(venue: BinanceUsdm) -> None:
    """The error of the API is the error of REST."""
    tiny = OrderIntent(**{**_fields(ENTRY), "quantity": Decimal("0.0000001")})
    way, (report,) = _do(venue, PlaceCall((tiny,), (1,)))
    assert way == "WS order.place"
    assert report.outcome is Outcome.REJECTED
    assert "(" in str(report.message)


def test_without_a_connection_orders_go_over_rest(venue: BinanceUsdm) -> None:
    """The way out is never closed because the faster one is."""
    assert venue.ws is not None
    venue.ws.stop()
    assert _do(venue, PlaceCall((ENTRY,), (1,)))[0] == "POST /fapi/v1/order"


def test_closing_the_venue_ends_the_connection(venue: BinanceUsdm) -> None:
    """A runner that stops leaves no thread behind that connects again and again."""
    assert venue.ws is not None
    venue.close()
    eventually(lambda: venue.ws is not None and not venue.ws.ready)
    eventually(lambda: "ws-api" not in {each.name for each in threading.enumerate()})


def test_the_counts_of_the_answers_are_heeded(venue: BinanceUsdm) -> None:
    """Orders sent over it use up the same limits."""
    before = {limit.interval: left for limit, left in venue.limits_left() if limit.kind == "orders"}
    _do(venue, PlaceCall((ENTRY,), (1,)))
    after = {limit.interval: left for limit, left in venue.limits_left() if limit.kind == "orders"}
    assert after[60_000] < before[60_000]


def test_the_message_is_signed_over_its_sorted_parameters() -> None:
    """Not encoded, in the order of their names, with key and without the signature."""
    payload = "symbol=BTCUSDT&side=BUY&recvWindow=3000&timestamp=1"
    message = json.loads(signed_text("7", "order.place", payload, "k", signer("s")))
    parameters = message["params"]
    signable = "apiKey=k&recvWindow=3000&side=BUY&symbol=BTCUSDT&timestamp=1"
    assert parameters.pop("signature") == signer("s").sign(signable.encode())
    assert "&".join(f"{name}={value}" for name, value in parameters.items()) == signable
    assert (message["id"], message["method"]) == ("7", "order.place")


def test_answers_as_rest_would_give_them() -> None:
    """Status, body, counts and the end of a pause."""
    answer = answer_of(
        {
            "id": "1",
            "status": 429,
            "error": {
                "code": -1003,
                "msg": "Too many",
                "data": {"serverTime": 1_000, "retryAfter": 3_500},
            },
            "rateLimits": [
                {
                    "rateLimitType": "ORDERS",
                    "interval": "SECOND",
                    "intervalNum": 10,
                    "limit": 300,
                    "count": 7,
                },
                {"rateLimitType": "OTHER"},
            ],
        }
    )
    assert (answer.transport, answer.status) == ("ok", 429)
    assert json.loads(answer.body)["code"] == -1003
    assert answer.headers == {"x-mbx-order-count-10s": "7", "retry-after": "3"}
    assert answer_of({"id": "1", "result": {"a": 1}}).status == 0


SOON = LinkTiming(socket_timeout=0.05, back_off=0.01, back_off_cap=0.02)


def test_a_connection_that_ends_leaves_nobody_waiting() -> None:
    """The request has left and no answer came: nothing is proven, and that is known at once."""

    def behave(server: RawServer, connection: socket.socket, number: int) -> None:
        del number
        connection.sendall(upgrade(server.read(connection)))
        connection.recv(65_536)

    with raw_server(behave) as server:
        carrier = WsOrders(f"ws://127.0.0.1:{server.port}/", 60_000, SOON)
        carrier.start()
        carrier.start()
        eventually(lambda: carrier.ready)
        began = time.monotonic()
        answer = carrier.exchange("WS", "order.place", '{"id":"1"}')
        assert answer.transport == "broken"
        assert time.monotonic() - began < 30
        carrier.stop()
        assert carrier.exchange("WS", "order.place", '{"id":"2"}').transport == "not_sent"


def test_an_answer_that_does_not_come_proves_nothing() -> None:
    """After the deadline the thread is free; what is said meanwhile to others is left out."""
    go = threading.Event()

    def behave(server: RawServer, connection: socket.socket, number: int) -> None:
        del number
        connection.sendall(upgrade(server.read(connection)))
        connection.recv(65_536)
        connection.sendall(text_frame('{"id":"other","status":200,"result":{}}'))
        connection.sendall(text_frame('{"id":null,"status":400,"error":{"msg":"odd"}}'))
        go.wait(30)

    with raw_server(behave) as server:
        carrier = WsOrders(f"ws://127.0.0.1:{server.port}/", 100, SOON)
        carrier.start()
        eventually(lambda: carrier.ready)
        answer = carrier.exchange("WS", "order.place", '{"id":"1"}')
        assert (answer.transport, "in time" in answer.detail) == ("broken", True)
        go.set()
        carrier.stop()


def _absent_leg(intent: OrderIntent, *, fenced: bool) -> Leg:
    """An entry that left, was never answered, and is not found however often it is asked for."""
    timing = Timing()
    leg = Leg(intent, "run", "0.0", OrderState.PLANNED, 0)
    leg = signed(leg, 1_000, Moment(1_000, 1_000, timing), fenced=fenced)
    lost = ExecutionReport("r1-a", "answer", Outcome.UNKNOWN, 1_000, 1)
    leg = reported(leg, lost, Moment(2_000, 2_000, timing))
    now = timing.fence(1_000) + 1
    for _ in range(20):
        report = ExecutionReport("r1-a", "probe", Outcome.ABSENT, now, asked_time=now)
        leg = reported(leg, report, Moment(now, now, timing))
        if leg.state is not OrderState.UNKNOWN:
            return leg
        now += 60_000
    raise AssertionError("no end")


def test_an_entry_without_a_fence_is_parked_and_never_sent_again() -> None:
    """The gateway alone looked at its time: absence is no proof; over REST it is."""
    assert BY_WEBSOCKET == "WS"
    assert _absent_leg(ENTRY, fenced=True).state is OrderState.PLANNED
    parked = _absent_leg(ENTRY, fenced=False)
    assert parked.state is OrderState.PARKED
    assert "WebSocket API" in parked.message
    assert isinstance(parked.intent, OrderIntent)
    assert not fenced_by_engine(parked.intent)


def test_an_exit_without_a_fence_is_sent_again() -> None:
    """A second copy could only shrink the position."""
    exit_ = OrderIntent(**{**_fields(ENTRY), "reduce_only": True})
    assert _absent_leg(exit_, fenced=False).state is OrderState.PLANNED
