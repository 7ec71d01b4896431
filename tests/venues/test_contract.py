"""What the runner relies on at every venue: the same tests for each one in VENUES."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from runner.core.events import (
    AccountUpdate,
    CallFailed,
    DeadManReport,
    Event,
    ExecutionReport,
    OpenOrders,
    Positions,
    StreamState,
)
from runner.core.lifecycle import Timing
from runner.core.orders import (
    Call,
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
    ReadCall,
    Side,
    TimeCall,
    TimeInForce,
)
from runner.core.prices import Band, PriceBoard
from runner.errors import VenueError
from runner.settings.schema import ACCOUNT
from runner.venues import RawAnswer
from runner.venues.binance_usdm.presets import Addresses, reach
from runner.venues.paper.server import PaperServer
from runner.venues.registry import VENUES, Adapter
from tests.support import eventually


@dataclass(frozen=True, slots=True)
class Stand:
    """A venue to be tested, not yet connected, and an order that rests there on the book."""

    venue: Adapter
    symbol: str
    price: Decimal
    quantity: Decimal


def open_venue(name: str, addresses: Addresses) -> Adapter:
    """The venue as the runner opens it, with the paper exchange's key and secret."""
    return VENUES[name](
        addresses,
        "paper-key",
        "paper-secret",
        Timing(),
        lambda: time.time_ns() // 1_000_000,
        lambda: time.monotonic_ns() // 1_000_000,
    )


@contextmanager
def binance_usdm() -> Iterator[Stand]:
    """The Binance adapter, with the paper exchange behind it."""
    with PaperServer(keys={"paper-key": "paper-secret"}) as paper:
        paper.set_price("BTCUSDT", Decimal(70_000))
        venue = open_venue("binance_usdm", reach(paper.addresses, "rest"))
        yield Stand(venue, "BTCUSDT", Decimal(69_000), Decimal("0.01"))


STANDS: dict[str, Callable[[], AbstractContextManager[Stand]]] = {"binance_usdm": binance_usdm}
"""A new venue gets a line here, too."""


@pytest.fixture(params=list(VENUES))
def unconnected(request: pytest.FixtureRequest) -> Iterator[Stand]:
    """Each venue in turn."""
    with STANDS[request.param]() as stand:
        yield stand


@pytest.fixture
def stand(unconnected: Stand) -> Stand:
    """Each venue in turn, connected."""
    unconnected.venue.connect()
    return unconnected


def ask(stand: Stand, call: Call) -> list[Any]:
    """Everything a call leads to: signed, sent, and its answer as events."""
    signed = stand.venue.sign(stand.venue.request(call))
    return stand.venue.interpret(signed, stand.venue.send(signed))


def order(stand: Stand, name: str) -> OrderIntent:
    """A limit order that rests on the book."""
    return OrderIntent(
        f"r1-test-{name}",
        stand.symbol,
        Side.BUY,
        OrderType.LIMIT,
        stand.quantity,
        stand.price,
        time_in_force=TimeInForce.GTC,
    )


def place(stand: Stand, *names: str, attempt: int = 1) -> list[ExecutionReport]:
    """What is reported of these orders, sent together."""
    intents = tuple(order(stand, name) for name in names)
    return ask(stand, PlaceCall(intents, (attempt,) * len(names)))


def calls(stand: Stand) -> list[Call]:
    """One call of each kind."""
    one, other = order(stand, "one"), order(stand, "other")
    return [
        PlaceCall((one,), (1,)),
        PlaceCall((one, other), (1, 2)),
        CancelCall(CancelIntent("r1-test-x", stand.symbol, Family.ORDER, "r1-test-one"), 1),
        CancelCall(CancelIntent("r1-test-y", stand.symbol, Family.ORDER), 1),
        ProbeCall("r1-test-one", stand.symbol, Family.ORDER),
        ReadCall("open_orders"),
        ReadCall("open_algo_orders", stand.symbol),
        ReadCall("positions"),
        ReadCall("account"),
        DeadManCall(stand.symbol, 60_000),
        TimeCall(),
    ]


def test_every_venue_is_tested_and_can_be_named() -> None:
    """Each has a stand here, and runner.yaml knows its name."""
    assert STANDS.keys() == VENUES.keys()
    assert ACCOUNT["properties"]["venue"]["enum"] == list(VENUES)


def test_nothing_is_known_before_connecting(unconnected: Stand) -> None:
    """No symbols, and a clock that is not trusted: nothing would be sent."""
    with pytest.raises(VenueError):
        unconnected.venue.instruments()
    assert unconnected.venue.clock_uncertainty() is None


def test_connecting_reads_symbols_and_clock(stand: Stand) -> None:
    """The order of this test fits its symbol, and the clock is near ours."""
    instrument = stand.venue.instruments()[stand.symbol]
    assert instrument.violation(order(stand, "one"), stand.price) is None
    assert stand.venue.clock_uncertainty() is not None
    assert abs(stand.venue.server_time() - time.time_ns() // 1_000_000) < 2_000


def test_a_request_is_pure(stand: Stand) -> None:
    """The same call gives the same request, which carries its call; a new one is ready to go."""
    for call in calls(stand):
        request = stand.venue.request(call)
        assert request == stand.venue.request(call)
        assert request.call == call


def test_a_signed_request_says_when_it_ends(stand: Stand) -> None:
    """Time and window stand beside it, the hash is of its bytes, and repr does not tell them."""
    signed = [stand.venue.sign(stand.venue.request(call)) for call in calls(stand)]
    assert len({one.request_id for one in signed}) == len(signed)
    for one in signed:
        assert abs(one.timestamp - stand.venue.server_time()) < 2_000
        assert one.recv_window > 0
        assert one.payload_sha256 == hashlib.sha256(one.payload.encode()).hexdigest()
        assert not one.payload or one.payload not in repr(one)


def test_there_is_room(stand: Stand) -> None:
    """A venue that is not busy takes every kind of call."""
    assert [call for call in calls(stand) if not stand.venue.room(call)] == []


def test_an_order_is_accepted_found_and_canceled(stand: Stand) -> None:
    """Each answer comes under our id; the cancel reports itself and its target."""
    (report,) = place(stand, "one", attempt=3)
    assert report.client_order_id == "r1-test-one"
    assert (report.outcome, report.origin, report.attempt) == (Outcome.ACCEPTED, "answer", 3)
    probe = ProbeCall("r1-test-one", stand.symbol, Family.ORDER)
    (found,) = ask(stand, probe)
    assert (found.outcome, found.origin, found.order_status) == (Outcome.ACCEPTED, "probe", "NEW")
    cancel = CancelIntent("r1-test-x", stand.symbol, Family.ORDER, "r1-test-one")
    own, target = ask(stand, CancelCall(cancel, 1))
    assert (own.client_order_id, own.outcome, own.attempt) == ("r1-test-x", Outcome.ACCEPTED, 1)
    assert (target.client_order_id, target.order_status) == ("r1-test-one", "CANCELED")
    (found,) = ask(stand, probe)
    assert found.order_status == OrderState.CANCELED.value


def test_a_batch_is_reported_leg_by_leg(stand: Stand) -> None:
    """In the order in which it was sent; all of it can be canceled at once."""
    reports = place(stand, "one", "two", "three")
    assert [one.client_order_id for one in reports] == [
        "r1-test-one",
        "r1-test-two",
        "r1-test-three",
    ]
    assert {one.outcome for one in reports} == {Outcome.ACCEPTED}
    everything = CancelIntent("r1-test-x", stand.symbol, Family.ORDER)
    (own,) = ask(stand, CancelCall(everything, 1))
    assert own.outcome is Outcome.ACCEPTED
    (reading,) = ask(stand, ReadCall("open_orders"))
    assert reading.orders == ()


def test_one_id_is_one_order(stand: Stand) -> None:
    """The same order sent twice stands once, whatever the second answer is."""
    place(stand, "one")
    place(stand, "one", attempt=2)
    (reading,) = ask(stand, ReadCall("open_orders"))
    assert [one.client_order_id for one in reading.orders] == ["r1-test-one"]


def test_what_was_never_sent_is_absent(stand: Stand) -> None:
    """A probe proves it, and says when the question was asked; canceling it is no success."""
    before = stand.venue.server_time()
    (report,) = ask(stand, ProbeCall("r1-test-never", stand.symbol, Family.ORDER))
    assert report.outcome is Outcome.ABSENT
    assert report.asked_time is not None
    assert report.asked_time >= before
    cancel = CancelIntent("r1-test-x", stand.symbol, Family.ORDER, "r1-test-never")
    (own,) = ask(stand, CancelCall(cancel, 1))
    assert own.outcome is Outcome.REJECTED


def test_the_account_can_be_read(stand: Stand) -> None:
    """Each reading is one event of its kind, with the time of the question."""
    place(stand, "one")
    (orders,) = ask(stand, ReadCall("open_orders", stand.symbol))
    (conditional,) = ask(stand, ReadCall("open_algo_orders"))
    (positions,) = ask(stand, ReadCall("positions"))
    (account,) = ask(stand, ReadCall("account"))
    assert isinstance(orders, OpenOrders)
    assert (orders.family, orders.symbol, len(orders.orders)) == (Family.ORDER, stand.symbol, 1)
    assert isinstance(conditional, OpenOrders)
    assert (conditional.family, conditional.orders) == (Family.ALGO, ())
    assert isinstance(positions, Positions)
    assert isinstance(account, AccountUpdate)
    assert account.available is not None


def test_the_countdown_can_be_set_and_taken_back(stand: Stand) -> None:
    """The answer says what runs now, and since when at the earliest."""
    for countdown in (60_000, 0):
        (report,) = ask(stand, DeadManCall(stand.symbol, countdown))
        assert isinstance(report, DeadManReport)
        assert (report.symbol, report.accepted, report.countdown) == (stand.symbol, True, countdown)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (RawAnswer("not_sent", detail="refused"), Outcome.NOT_SENT),
        (RawAnswer("broken", detail="reset"), Outcome.UNKNOWN),
        (RawAnswer("ok", 500, b""), Outcome.UNKNOWN),
        (RawAnswer("ok", 502, b"<html>Bad Gateway</html>"), Outcome.UNKNOWN),
        (RawAnswer("ok", 200, b"{}"), Outcome.UNKNOWN),
        (RawAnswer("ok", 200, b"[]"), Outcome.UNKNOWN),
        (RawAnswer("ok", 200, b'{"r1-test-'), Outcome.UNKNOWN),
        (RawAnswer("ok", 200, b"\xff\x00null"), Outcome.UNKNOWN),
    ],
    ids=lambda value: (
        f"{value.transport}-{value.status}-{value.body!r}"[:40]
        if isinstance(value, RawAnswer)
        else ""
    ),
)
def test_a_spoilt_answer_proves_nothing(stand: Stand, answer: RawAnswer, outcome: Outcome) -> None:
    """No call raises; every leg is told, none as accepted, rejected or absent."""
    for call in calls(stand):
        events = stand.venue.interpret(stand.venue.sign(stand.venue.request(call)), answer)
        reports = [one for one in events if isinstance(one, ExecutionReport)]
        if isinstance(call, PlaceCall | CancelCall):
            intents = call.intents if isinstance(call, PlaceCall) else (call.intent,)
            assert [one.client_order_id for one in reports] == [i.client_order_id for i in intents]
            assert {one.outcome for one in reports} == {outcome}
        elif isinstance(call, ProbeCall):
            assert {one.outcome for one in reports} <= {outcome, Outcome.UNKNOWN}
        elif isinstance(call, DeadManCall):
            assert [type(one) for one in events] == [CallFailed]
        else:
            assert reports == []
    (failed,) = stand.venue.interpret(
        stand.venue.sign(stand.venue.request(ReadCall("account"))), RawAnswer("broken")
    )
    assert isinstance(failed, CallFailed)


def test_prices_come_to_the_board(stand: Stand) -> None:
    """The market stream offers what was wanted; it lives until it is stopped."""
    board = PriceBoard(10_000)
    board.publish({(stand.symbol, "mark"): Band(wide_awake=True)})
    posted: list[Event] = []
    stream = stand.venue.market_stream(frozenset({(stand.symbol, "mark")}), board, posted.append)
    stream.start()
    try:
        eventually(lambda: board.last(stand.symbol, "mark"))
        assert stream.alive
    finally:
        stream.stop()


def test_the_user_stream_says_that_it_is_there(stand: Stand) -> None:
    """After that nothing is missed: the runner then reads the account."""
    posted: list[Event] = []
    stream = stand.venue.user_stream(posted.append)
    stream.start()
    try:
        eventually(lambda: any(isinstance(e, StreamState) and e.connected for e in posted))
        assert stream.alive
    finally:
        stream.stop()
