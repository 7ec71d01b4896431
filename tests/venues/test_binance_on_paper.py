"""The Binance adapter against the paper exchange: real HTTP, real WebSockets, every call."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from runner.core.events import (
    AccountUpdate,
    DeadManReport,
    Event,
    ExecutionReport,
    OpenOrders,
    Positions,
    PositionUpdate,
    StreamState,
    Tick,
)
from runner.core.lifecycle import Timing
from runner.core.orders import (
    Call,
    CancelCall,
    CancelIntent,
    DeadManCall,
    Family,
    OrderIntent,
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
from runner.venues.binance_usdm.adapter import BinanceUsdm
from runner.venues.binance_usdm.presets import reach
from runner.venues.paper.server import PaperServer
from tests.support import eventually

KEYS = {"paper-key": "paper-secret"}


def _adapter(server: PaperServer, secret: str = "paper-secret") -> BinanceUsdm:
    return BinanceUsdm(
        reach(server.addresses, "rest"),
        "paper-key",
        secret,
        Timing(),
        wall=lambda: int(time.time() * 1_000),
        monotonic=lambda: int(time.monotonic() * 1_000),
    )


@pytest.fixture
def paper() -> Iterator[PaperServer]:
    """A paper exchange of its own, on a free port."""
    with PaperServer(keys=KEYS) as server:
        yield server


@pytest.fixture
def venue(paper: PaperServer) -> BinanceUsdm:
    """A connected adapter with a funded account."""
    made = _adapter(paper)
    made.connect()
    return made


def _do(venue: BinanceUsdm, call: Call) -> list[Any]:
    signed = venue.sign(venue.request(call))
    return venue.interpret(signed, venue.send(signed))


def _mark(venue: BinanceUsdm, paper: PaperServer, symbol: str = "BTCUSDT") -> Decimal:
    """A price set for the test, on the symbol's tick."""
    price = venue.instruments()[symbol].round_price(Decimal(70_000), Side.BUY)
    paper.set_price(symbol, price)
    return price


def _limit(name: str, price: Decimal, quantity: str = "0.01", **more: Any) -> OrderIntent:
    return OrderIntent(name, "BTCUSDT", Side.BUY, OrderType.LIMIT, Decimal(quantity), price, **more)


def _market(name: str, side: Side = Side.BUY, **more: Any) -> OrderIntent:
    return OrderIntent(name, "BTCUSDT", side, OrderType.MARKET, Decimal("0.01"), **more)


def _stop(name: str, trigger: Decimal) -> OrderIntent:
    return OrderIntent(
        name,
        "BTCUSDT",
        Side.SELL,
        OrderType.STOP_MARKET,
        Decimal("0.01"),
        trigger_price=trigger,
        reduce_only=True,
        working_type="MARK_PRICE",
    )


def _placed(venue: BinanceUsdm, *intents: OrderIntent) -> list[ExecutionReport]:
    return _do(venue, PlaceCall(intents, (1,) * len(intents)))


def _probe(venue: BinanceUsdm, name: str, family: Family = Family.ORDER) -> ExecutionReport:
    (report,) = _do(venue, ProbeCall(name, "BTCUSDT", family))
    assert isinstance(report, ExecutionReport)
    return report


def test_connecting(venue: BinanceUsdm) -> None:
    """Symbols, the clock within a few ms, and one-way mode."""
    assert venue.instruments()["BTCUSDT"].tradable
    assert venue.hedge_mode is False
    uncertainty = venue.clock_uncertainty()
    assert uncertainty is not None
    assert uncertainty < 1_000
    assert abs(venue.server_time() - time.time() * 1_000) < 1_000
    assert _do(venue, TimeCall()) == []


def test_a_wrong_secret_is_told_with_its_cure(paper: PaperServer) -> None:
    """The start fails, and says that secret and key do not belong together."""
    with pytest.raises(VenueError, match="the secret does not belong to the key"):
        _adapter(paper, "another").connect()


def test_one_limit_order_and_its_probe(venue: BinanceUsdm, paper: PaperServer) -> None:
    """Placed, found by its id, canceled, found canceled; a second cancel is rejected."""
    price = _mark(venue, paper) - 1_000
    (report,) = _placed(venue, _limit("r1-a", price))
    assert (report.outcome, report.order_status) == (Outcome.ACCEPTED, "NEW")
    assert _probe(venue, "r1-a").order_id == report.order_id
    cancel = CancelCall(CancelIntent("r1-x", "BTCUSDT", Family.ORDER, "r1-a"), 1)
    own, target = _do(venue, cancel)
    assert (own.client_order_id, own.order_status) == ("r1-x", "DONE")
    assert (target.client_order_id, target.order_status) == ("r1-a", "CANCELED")
    assert _probe(venue, "r1-a").order_status == "CANCELED"
    (again,) = _do(venue, cancel)
    assert (again.outcome, again.code) == (Outcome.REJECTED, -2011)


@pytest.mark.parametrize("family", list(Family))
def test_an_order_that_was_never_placed_is_absent(venue: BinanceUsdm, family: Family) -> None:
    """-2013 in both families, with the time of the question."""
    report = _probe(venue, "r1-never", family)
    assert report.outcome is Outcome.ABSENT
    assert report.asked_time is not None


def test_a_market_order_answers_when_it_is_filled(venue: BinanceUsdm, paper: PaperServer) -> None:
    """RESULT: status and quantity come with the answer; the position is there."""
    _mark(venue, paper)
    (report,) = _placed(venue, _market("r1-m"))
    assert (report.order_status, report.cumulative_quantity) == ("FILLED", Decimal("0.01"))
    assert _probe(venue, "r1-m").average_price is not None
    (positions,) = _do(venue, ReadCall("positions"))
    assert isinstance(positions, Positions)
    (position,) = positions.positions
    assert (position.symbol, position.size) == ("BTCUSDT", Decimal("0.01"))
    (update,) = _do(venue, ReadCall("positions", "ETHUSDT"))
    assert isinstance(update, PositionUpdate)
    assert update.size == 0
    (account,) = _do(venue, ReadCall("account"))
    assert isinstance(account, AccountUpdate)
    assert account.wallet_balance is not None
    assert account.equity is not None
    assert account.available is not None
    assert 0 < account.available < account.wallet_balance < 10_000


def test_a_batch_with_a_bad_leg(venue: BinanceUsdm, paper: PaperServer) -> None:
    """Good legs stand, bad ones are rejected each with its code, in order."""
    price = _mark(venue, paper) - 1_000
    reports = _placed(
        venue,
        _limit("r1-1", price),
        _limit("r1-2", price, "0.0000001"),
        _market("r1-3"),
        _limit("r1-4", price + 1_500, time_in_force=TimeInForce.GTX),
        _limit("r1-5", price - 1),
    )
    assert [one.outcome for one in reports] == [
        Outcome.ACCEPTED,
        Outcome.REJECTED,
        Outcome.ACCEPTED,
        Outcome.REJECTED,
        Outcome.ACCEPTED,
    ]
    assert [one.code for one in reports] == [None, -1111, None, -5022, None]
    assert reports[2].order_status == "FILLED"
    (reading,) = _do(venue, ReadCall("open_orders", "BTCUSDT"))
    assert isinstance(reading, OpenOrders)
    assert {one.client_order_id for one in reading.orders} == {"r1-1", "r1-5"}


def test_a_symbol_with_chinese_letters(recorded: Path) -> None:
    """Its letters are signed as they are sent: percent-encoded, single and in a batch."""
    info = json.loads(gzip.decompress((recorded / "exchangeInfo-2026-07-03.json.gz").read_bytes()))
    with PaperServer(info, KEYS) as server:
        venue = _adapter(server)
        venue.connect()
        symbol = next(name for name in venue.instruments() if not name.isascii())
        (reading,) = _do(venue, ReadCall("open_orders", symbol))
        assert isinstance(reading, OpenOrders)
        board = PriceBoard(10_000)
        stream = venue.market_stream(frozenset({(symbol, "mark")}), board, print)
        stream.start()
        try:
            mark = eventually(lambda: board.last(symbol, "mark"))
        finally:
            stream.stop()
        assert mark is not None
        price = venue.instruments()[symbol].round_price(mark.value * Decimal("0.97"), Side.BUY)
        quantity = venue.instruments()[symbol].round_quantity(Decimal(20) / price, OrderType.LIMIT)
        orders = tuple(
            OrderIntent(name, symbol, Side.BUY, OrderType.LIMIT, quantity, price)
            for name in ("r1-a", "r1-b", "r1-c")
        )
        reports = _placed(venue, *orders[:2]) + _placed(venue, orders[2])
        assert [one.outcome for one in reports] == [Outcome.ACCEPTED] * 3


def test_a_conditional_order_to_its_end(venue: BinanceUsdm, paper: PaperServer) -> None:
    """Accepted by the algo service, listed there alone, triggered by the mark, found filled."""
    mark = _mark(venue, paper)
    _placed(venue, _market("r1-m"))
    (report,) = _placed(venue, _stop("r1-s", mark - 1_000))
    assert (report.outcome, report.order_status) == (Outcome.ACCEPTED, "NEW")
    (classic,) = _do(venue, ReadCall("open_orders"))
    (algo,) = _do(venue, ReadCall("open_algo_orders"))
    assert classic.orders == ()
    assert [one.client_order_id for one in algo.orders] == ["r1-s"]
    paper.set_price("BTCUSDT", mark - 1_100)
    found = eventually(
        lambda: (one := _probe(venue, "r1-s", Family.ALGO)).order_status == "FILLED" and one
    )
    assert isinstance(found, ExecutionReport)
    assert found.cumulative_quantity == Decimal("0.01")


def test_a_conditional_order_is_canceled(venue: BinanceUsdm, paper: PaperServer) -> None:
    """By its own id, and all of a symbol at once."""
    mark = _mark(venue, paper)
    _placed(venue, _market("r1-m"))
    for name in ("r1-s", "r1-t"):
        _placed(venue, _stop(name, mark - 1_000))
    one = CancelCall(CancelIntent("r1-x", "BTCUSDT", Family.ALGO, "r1-s"), 1)
    assert [report.order_status for report in _do(venue, one)] == ["DONE", "CANCELED"]
    everything = CancelCall(CancelIntent("r1-y", "BTCUSDT", Family.ALGO), 1)
    assert [report.order_status for report in _do(venue, everything)] == ["DONE"]
    assert _probe(venue, "r1-t", Family.ALGO).order_status == "CANCELED"
    (again,) = _do(venue, one)
    assert (again.outcome, again.code) == (Outcome.REJECTED, -2011)


def test_cancel_all(venue: BinanceUsdm, paper: PaperServer) -> None:
    """Every open order of the symbol goes."""
    price = _mark(venue, paper) - 1_000
    _placed(venue, _limit("r1-1", price), _limit("r1-2", price))
    everything = CancelCall(CancelIntent("r1-y", "BTCUSDT", Family.ORDER), 1)
    assert [report.order_status for report in _do(venue, everything)] == ["DONE"]
    (reading,) = _do(venue, ReadCall("open_orders"))
    assert reading.orders == ()


def test_the_countdown(venue: BinanceUsdm, paper: PaperServer) -> None:
    """Set, then left alone: the exchange cancels; set to 0, nothing happens."""
    price = _mark(venue, paper) - 1_000
    _placed(venue, _limit("r1-a", price))
    (report,) = _do(venue, DeadManCall("BTCUSDT", 50))
    assert isinstance(report, DeadManReport)
    assert (report.accepted, report.countdown) == (True, 50)
    eventually(lambda: _probe(venue, "r1-a").order_status == "CANCELED")
    (report,) = _do(venue, DeadManCall("BTCUSDT", 0))
    assert (report.accepted, report.countdown) == (True, 0)
    (report,) = _do(venue, DeadManCall("NOSUCHUSDT", 60_000))
    assert isinstance(report, DeadManReport)
    assert not report.accepted


def test_headers_feed_the_budget(venue: BinanceUsdm) -> None:
    """The paper exchange counts like the real one; the adapter still has room."""
    for _ in range(3):
        _do(venue, ReadCall("open_orders"))
    assert venue.room(ReadCall("open_orders"))


def test_the_user_stream_tells_the_whole_story(venue: BinanceUsdm, paper: PaperServer) -> None:
    """New, filled with its trade, position and balance; a triggered stop under its own id."""
    mark = _mark(venue, paper)
    posted: list[Event] = []
    stream = venue.user_stream(posted.append)
    stream.start()
    try:
        eventually(lambda: any(isinstance(one, StreamState) for one in posted))
        _placed(venue, _market("r1-m"))
        _placed(venue, _stop("r1-s", mark - 1_000))
        paper.set_price("BTCUSDT", mark - 1_100)
        eventually(lambda: _statuses(posted, "r1-s")[-1:] == ["FILLED"])
        eventually(lambda: "TRIGGERED" in _statuses(posted, "r1-s"))
    finally:
        stream.stop()
    assert _statuses(posted, "r1-m")[-1] == "FILLED"
    fills = [one.fill for one in posted if isinstance(one, ExecutionReport) and one.fill]
    assert len({fill.trade_id for fill in fills}) == len(fills) >= 2
    assert sum(fill.quantity for fill in fills) == Decimal("0.02")
    sizes = [one.size for one in posted if isinstance(one, PositionUpdate)]
    assert sizes[0] == Decimal("0.01")
    assert sizes[-1] == 0
    assert any(isinstance(one, AccountUpdate) for one in posted)


def _statuses(posted: list[Event], name: str) -> list[str | None]:
    return [
        one.order_status
        for one in posted
        if isinstance(one, ExecutionReport) and one.client_order_id == name
    ]


def test_the_market_streams_fill_the_board(venue: BinanceUsdm, paper: PaperServer) -> None:
    """Every source of a symbol arrives, over both categories of address."""
    board = PriceBoard(10_000)
    sources: list[Any] = ["mark", "index", "funding", "last", "bid", "ask"]
    board.publish({("BTCUSDT", "mark"): Band(wide_awake=True)})
    posted: list[Event] = []
    wanted = frozenset(("BTCUSDT", source) for source in sources)
    stream = venue.market_stream(wanted, board, posted.append)
    stream.start()
    try:
        eventually(lambda: all(board.last("BTCUSDT", one) is not None for one in sources))
        assert stream.alive
    finally:
        stream.stop()
    ticks = [one for one in posted if isinstance(one, Tick)]
    assert ticks[0].fresh_start
    assert {one.stream for one in posted if isinstance(one, StreamState)} == {"market", "public"}


def test_streams_come_back_after_the_exchange_went(paper: PaperServer) -> None:
    """A restart of the exchange on the same port: lost, then connected with the gap."""
    venue = _adapter(paper)
    venue.connect()
    port = int(paper.addresses["rest"].rsplit(":", 1)[1])
    posted: list[Event] = []
    board = PriceBoard(10_000)
    stream = venue.market_stream(frozenset({("BTCUSDT", "mark")}), board, posted.append)
    stream.start()
    try:
        eventually(lambda: board.last("BTCUSDT", "mark"))
        paper.stop()
        eventually(lambda: len(posted) >= 2)
        with PaperServer(keys=KEYS, port=port):
            eventually(lambda: len(posted) >= 3)
            stream.stop()
    finally:
        stream.stop()
    states = [one for one in posted if isinstance(one, StreamState)]
    assert [one.connected for one in states[:3]] == [True, False, True]
    assert states[2].gap_from is not None


def test_an_exchange_that_went_is_not_sent(paper: PaperServer) -> None:
    """A closed port proves that nothing left: the order may be sent again later."""
    venue = _adapter(paper)
    venue.connect()
    paper.stop()
    (report,) = _placed(venue, _market("r1-m"))
    assert report.outcome is Outcome.NOT_SENT


def test_a_connection_is_warm_before_it_is_needed(paper: PaperServer, venue: BinanceUsdm) -> None:
    """Warming asks for nothing, costs one weight, and the next order uses the same connection."""
    before = dict(venue.limits_left())
    venue.warm()
    after = dict(venue.limits_left())
    spent = [left - after[limit] for limit, left in before.items()]
    assert sorted(spent) == [0, 0, 1]
    paper.stop()
    venue.warm()
