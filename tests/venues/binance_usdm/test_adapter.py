"""The adapter as a whole, on answers that a test writes: start, signing, limits, the clock."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import pytest

from runner.core.events import CallFailed, DeadManReport, ExecutionReport, OpenOrders
from runner.core.instruments import Instrument
from runner.core.lifecycle import Timing
from runner.core.orders import (
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
)
from runner.core.prices import PriceBoard
from runner.errors import ConfigurationError, VenueError
from runner.venues import RawAnswer, SignedRequest, Venue
from runner.venues.binance_usdm.adapter import DEAD_MAN_WINDOW, INFO_AGE, BinanceUsdm
from runner.venues.binance_usdm.presets import Addresses
from runner.venues.gate import Gate
from runner.venues.registry import VENUES

NOW = 1_700_000_000_000
ORDER = OrderIntent("r1-a", "BTCUSDT", Side.BUY, OrderType.LIMIT, Decimal(1), Decimal(5))
EXIT = OrderIntent("r1-e", "BTCUSDT", Side.SELL, OrderType.MARKET, Decimal(1), reduce_only=True)
PLACE = PlaceCall((ORDER,), (1,))
INFO = {
    "symbols": [
        {
            "symbol": "BTCUSDT",
            "status": "TRADING",
            "filters": [
                {"filterType": "PRICE_FILTER", "tickSize": "0.1"},
                {"filterType": "LOT_SIZE", "stepSize": "0.001"},
                {"filterType": "NOVEL"},
            ],
        }
    ],
    "rateLimits": [
        {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 10}
    ],
}


def _json(value: Any, status: int = 200, **headers: str) -> RawAnswer:
    return RawAnswer("ok", status, json.dumps(value).encode(), headers)


class Bench:
    """The adapter with a scripted transport and clocks that a test moves."""

    def __init__(self) -> None:
        self.monotonic = 5_000
        self.trip = 20
        self.ahead = 250
        self.sent: list[tuple[str, str, str]] = []
        self.answers: dict[str, RawAnswer] = {
            "/fapi/v1/exchangeInfo": _json(INFO),
            "/fapi/v1/positionSide/dual": _json({"dualSidePosition": True}),
        }
        self.venue = BinanceUsdm(
            Addresses("http://127.0.0.1:1", "ws://127.0.0.1:1", "ws://127.0.0.1:1"),
            " key ",
            "secret",
            Timing(),
            wall=lambda: NOW + self.monotonic,
            monotonic=lambda: self.monotonic,
            transport=self,
        )

    def exchange(self, method: str, path: str, payload: str, gate: Gate | None = None) -> RawAnswer:
        self.sent.append((method, path, payload))
        self.monotonic += self.trip // 2
        if path == "/fapi/v1/time" and path not in self.answers:
            answer = _json({"serverTime": NOW + self.monotonic + self.ahead})
        else:
            answer = self.answers.get(path, RawAnswer("broken", detail="no script"))
        self.monotonic += self.trip // 2
        return answer

    def do(self, call: Any, answer: RawAnswer | None = None) -> list[Any]:
        """Sign, send and interpret."""
        signed = self.venue.sign(self.venue.request(call))
        if answer is not None:
            self.answers[signed.path] = answer
        return self.venue.interpret(signed, self.venue.send(signed))


@pytest.fixture
def bench() -> Bench:
    """A connected adapter."""
    made = Bench()
    made.venue.connect()
    made.sent.clear()
    return made


def test_it_is_a_venue() -> None:
    """The protocol holds, and the registry names it."""
    venue: Venue = Bench().venue
    registered: object = VENUES["binance_usdm"]
    assert registered is type(venue)
    assert -1021 in venue.known_codes


def test_connecting_reads_clock_symbols_and_position_mode(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Five round trips, the symbols, the mode; unknown filters are one log line."""
    bench = Bench()
    with pytest.raises(VenueError, match="connect first"):
        bench.venue.instruments()
    assert bench.venue.clock_uncertainty() is None
    bench.venue.connect()
    assert [path for _, path, _ in bench.sent] == ["/fapi/v1/time"] * 5 + [
        "/fapi/v1/exchangeInfo",
        "/fapi/v1/positionSide/dual",
    ]
    assert set(bench.venue.instruments()) == {"BTCUSDT"}
    assert bench.venue.hedge_mode is True
    assert bench.venue.clock_uncertainty() == 11
    assert bench.venue.server_time() == NOW + bench.monotonic + 250
    assert caplog.text.count("NOVEL") == 1


@pytest.mark.parametrize(
    ("path", "answer", "words"),
    [
        ("/fapi/v1/exchangeInfo", RawAnswer("not_sent", detail="refused"), "check the network"),
        ("/fapi/v1/exchangeInfo", RawAnswer("ok", 403, b"<html>"), "HTTP 403"),
        ("/fapi/v1/exchangeInfo", RawAnswer("ok", 200, b"<html>"), "HTTP 200"),
        ("/fapi/v1/exchangeInfo", _json({}), "no exchange we know"),
        (
            "/fapi/v1/positionSide/dual",
            _json({"code": -2015, "msg": "Invalid API-key"}, 401),
            "live or demo",
        ),
        ("/fapi/v1/positionSide/dual", _json({"code": -1022, "msg": "x"}, 400), "secret"),
        ("/fapi/v1/positionSide/dual", _json({"code": -9, "msg": "x"}, 400), "status page"),
    ],
)
def test_a_start_that_fails_names_the_cure(path: str, answer: RawAnswer, words: str) -> None:
    """What happened, to what, and what to do; never a signature."""
    bench = Bench()
    bench.answers[path] = answer
    with pytest.raises(VenueError, match=words) as failed:
        bench.venue.connect()
    assert path in str(failed.value) or "127.0.0.1" in str(failed.value)
    assert "signature" not in str(failed.value)


@pytest.mark.parametrize("key", ["", " ", "two words", "schlüssel"])
def test_a_key_that_cannot_be_one(key: str) -> None:
    """Refused before anything is sent, without quoting it."""
    with pytest.raises(ConfigurationError, match="copy it again") as refused:
        BinanceUsdm(
            Addresses("http://127.0.0.1:1", "", ""), key, "s", Timing(), lambda: 0, lambda: 0
        )
    assert not key.strip() or key not in str(refused.value)


def test_a_signed_request(bench: Bench) -> None:
    """Parameters, recvWindow, timestamp, signature last; the hash is of exactly these bytes."""
    signed = bench.venue.sign(bench.venue.request(PLACE))
    body, signature = signed.payload.rsplit("&signature=", 1)
    assert body == (
        "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=5"
        f"&newClientOrderId=r1-a&recvWindow=3000&timestamp={bench.venue.server_time()}"
    )
    assert signature == hmac.new(b"secret", body.encode(), hashlib.sha256).hexdigest()
    assert signed.payload_sha256 == hashlib.sha256(signed.payload.encode()).hexdigest()
    assert signed.timestamp == bench.venue.server_time()
    assert (signed.recv_window, signed.signed_monotonic) == (3_000, bench.monotonic)
    assert signature not in repr(signed)
    assert bench.sent == []


def test_request_ids_differ(bench: Bench) -> None:
    """Two signatures in the same millisecond are two requests."""
    request = bench.venue.request(PLACE)
    assert bench.venue.sign(request).request_id != bench.venue.sign(request).request_id


def test_a_refresh_has_a_narrow_window(bench: Bench) -> None:
    """A delayed old refresh must not overwrite a newer one."""
    signed = bench.venue.sign(bench.venue.request(DeadManCall("BTCUSDT", 60_000)))
    assert signed.recv_window == DEAD_MAN_WINDOW
    assert "recvWindow=2000" in signed.payload


def test_a_question_without_parameters_and_one_without_signature(bench: Bench) -> None:
    """No leading `&`; the time is asked without a signature."""
    signed = bench.venue.sign(bench.venue.request(ReadCall("account")))
    assert signed.payload.startswith("recvWindow=3000&timestamp=")
    assert bench.venue.sign(bench.venue.request(TimeCall())).payload == ""


def test_the_representation_holds_no_secret(bench: Bench) -> None:
    """Key and secret are in no repr."""
    assert repr(bench.venue) == "BinanceUsdm(http://127.0.0.1:1)"


def test_each_kind_of_call_comes_back_as_its_event(bench: Bench) -> None:
    """Order, cancel, probe, reading, countdown and time, from signed bytes to events."""
    order = {"clientOrderId": "r1-a", "symbol": "BTCUSDT", "orderId": 7, "status": "NEW"}
    (placed,) = bench.do(PLACE, _json(order))
    assert isinstance(placed, ExecutionReport)
    assert placed.outcome is Outcome.ACCEPTED
    cancel = CancelIntent("r1-x", "BTCUSDT", Family.ORDER, "r1-a")
    assert len(bench.do(CancelCall(cancel, 1))) == 2
    probe = ProbeCall("r1-a", "BTCUSDT", Family.ORDER)
    (absent,) = bench.do(probe, _json({"code": -2013, "msg": "x"}, 400))
    assert absent.outcome is Outcome.ABSENT
    (reading,) = bench.do(ReadCall("open_orders"), _json([]))
    assert isinstance(reading, OpenOrders)
    (countdown,) = bench.do(
        DeadManCall("BTCUSDT", 1), _json({"symbol": "BTCUSDT", "countdownTime": "1"})
    )
    assert isinstance(countdown, DeadManReport)
    assert bench.do(TimeCall()) == []
    (failure,) = bench.do(TimeCall(), RawAnswer("broken", detail="reset"))
    assert isinstance(failure, CallFailed)


def test_the_clock_follows_time_answers(bench: Bench) -> None:
    """A shorter round trip replaces the estimate, a longer one does not."""
    bench.trip, bench.ahead = 4, 240
    bench.do(TimeCall())
    assert bench.venue.clock_uncertainty() == 3
    assert bench.venue.server_time() == NOW + bench.monotonic + 240
    bench.trip, bench.ahead = 2_000, 900
    bench.do(TimeCall())
    assert bench.venue.server_time() == NOW + bench.monotonic + 240


@pytest.mark.parametrize("code", [-1021, -5028])
@pytest.mark.parametrize("wrap", [lambda one: one, lambda one: [one, one]])
def test_a_complaint_about_the_time_is_heeded_at_once(
    bench: Bench, code: int, wrap: Callable[[Any], Any]
) -> None:
    """The clock is read anew before the next order is signed, however long the trip."""
    bench.ahead, bench.trip = -4_000, 100
    other = OrderIntent("r1-b", "BTCUSDT", Side.BUY, OrderType.LIMIT, Decimal(1), Decimal(5))
    call = PLACE if wrap(1) == 1 else PlaceCall((ORDER, other), (1, 1))
    body = wrap({"code": code, "msg": "Timestamp for this request ..."})
    reports = bench.do(call, _json(body, 400 if wrap(1) == 1 else 200))
    assert {one.outcome for one in reports} == {Outcome.NOT_ACCEPTED}
    assert bench.sent[-1][1] == "/fapi/v1/time"
    assert bench.venue.server_time() == NOW + bench.monotonic - 4_000


def test_room_is_counted_by_the_limits_of_the_exchange(bench: Bench) -> None:
    """ExchangeInfo says ten orders a minute: eight entries, then only exits."""
    assert [bench.venue.room(PLACE) for _ in range(9)] == [True] * 8 + [False]
    assert bench.venue.room(PlaceCall((EXIT,), (1,)))


def test_silence_after_429(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing leaves until the time named; what was signed comes back as not sent."""
    (report,) = bench.do(PLACE, _json({"code": -1003, "msg": "x"}, 429, **{"retry-after": "3"}))
    assert report.outcome is Outcome.NOT_ACCEPTED
    bench.sent.clear()
    (report,) = bench.do(PLACE)
    assert report.outcome is Outcome.NOT_SENT
    assert bench.sent == []
    assert not bench.venue.room(PLACE)
    bench.monotonic += 4_000
    assert bench.venue.room(PLACE)
    assert "429" in caplog.text


def test_a_ban_silences_the_streams_and_the_clock_too(bench: Bench) -> None:
    """Every further call prolongs a ban: no listen key, no time, until it is over."""
    bench.do(PLACE, _json({"code": -1003, "msg": "banned"}, 418, **{"retry-after": "300"}))
    bench.sent.clear()
    user = bench.venue.user_stream(lambda _: None)
    with pytest.raises(VenueError, match="silence for another"):
        user.address()
    (failure,) = bench.do(TimeCall())
    assert isinstance(failure, CallFailed)
    assert bench.sent == []


def test_streams_are_made_for_this_account(bench: Bench) -> None:
    """They start nothing by themselves; from then on accepted orders must show up there."""
    posted: list[Any] = []
    market = bench.venue.market_stream(
        frozenset({("BTCUSDT", "mark")}), PriceBoard(1_000), posted.append
    )
    user = bench.venue.user_stream(posted.append)
    assert len(market.links) == 1
    order = {"clientOrderId": "r1-a", "symbol": "BTCUSDT", "orderId": 7, "status": "NEW"}
    bench.answers["/fapi/v1/listenKey"] = _json({"listenKey": "k"})
    user.address()
    bench.do(PLACE, _json(order))
    bench.monotonic += 10_001
    assert user.idle() == "1 accepted orders were not told of"
    assert posted == []


def test_an_answer_without_a_round_trip_tells_no_time(bench: Bench) -> None:
    """A transport that does not say when it sent cannot set the clock."""
    signed: SignedRequest = bench.venue.sign(bench.venue.request(TimeCall()))
    (failure,) = bench.venue.interpret(signed, _json({"serverTime": 1}))
    assert isinstance(failure, CallFailed)


def _renamed(status: str) -> dict[str, Any]:
    """The same exchange with another status, and a symbol more."""
    symbols: Any = INFO["symbols"]
    row: dict[str, Any] = {**symbols[0], "status": status}
    return {**INFO, "symbols": [row, {**row, "symbol": "ETHUSDT"}]}


def _traded(held: Mapping[str, Instrument]) -> list[str]:
    return [symbol for symbol, instrument in held.items() if instrument.tradable]


def test_symbols_are_read_anew_each_hour(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """With a question for the time; whoever holds the symbols sees the newer ones."""
    held = bench.venue.instruments()
    bench.answers["/fapi/v1/exchangeInfo"] = _json(_renamed("SETTLING"))
    bench.do(TimeCall())
    assert _traded(held) == ["BTCUSDT"]
    bench.monotonic += INFO_AGE
    bench.do(TimeCall())
    assert _traded(held) == []
    assert [*held] == ["BTCUSDT", "ETHUSDT"]
    assert len(held) == 2
    assert caplog.text.count("NOVEL") == 0


def test_symbols_that_cannot_be_read_anew_stay(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """The last ones hold for another hour; the log tells."""
    held = bench.venue.instruments()
    bench.answers["/fapi/v1/exchangeInfo"] = RawAnswer("ok", 503, b"")
    bench.monotonic += INFO_AGE
    bench.do(TimeCall())
    bench.do(TimeCall())
    asked = [path for _, path, _ in bench.sent if path == "/fapi/v1/exchangeInfo"]
    assert len(asked) == 1
    assert _traded(held) == ["BTCUSDT"]
    assert "not read anew" in caplog.text
