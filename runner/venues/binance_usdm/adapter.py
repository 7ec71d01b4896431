"""One account on Binance USDⓈ-M: the Venue that the gateway and the dispatcher talk to."""

from __future__ import annotations

import hashlib
import itertools
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from runner.core.events import CallFailed, Event, ExecutionReport
from runner.core.instruments import Instrument
from runner.core.lifecycle import BY_WEBSOCKET, Timing
from runner.core.orders import (
    AmendCall,
    Call,
    CancelCall,
    DeadManCall,
    Lane,
    Outcome,
    PlaceCall,
    ProbeCall,
    ReadCall,
    SettingCall,
    TimeCall,
    lane_of,
)
from runner.core.prices import PriceBoard
from runner.errors import VenueError
from runner.venues import PlacedOrder, Post, RawAnswer, Request, SignedRequest
from runner.venues.binance_usdm import wire_answers, wire_history, wire_orders, wire_reads
from runner.venues.binance_usdm.breaker import Breakers, group_of
from runner.venues.binance_usdm.clock import ServerClock
from runner.venues.binance_usdm.codes import KNOWN_CODES
from runner.venues.binance_usdm.keys import Keys, Transport, slot
from runner.venues.binance_usdm.limits import Budget, Cost, Limit
from runner.venues.binance_usdm.liveness import Liveness
from runner.venues.binance_usdm.presets import Addresses
from runner.venues.binance_usdm.refused import refused
from runner.venues.binance_usdm.rest import Rest
from runner.venues.binance_usdm.streams import MarketStream
from runner.venues.binance_usdm.user_stream import UserStream
from runner.venues.binance_usdm.wire_info import ExchangeInfo, Symbols, exchange_info
from runner.venues.binance_usdm.wire_values import mapping
from runner.venues.binance_usdm.ws_orders import WsOrders, method_of, signed_text
from runner.venues.gate import Gate

log = logging.getLogger(__name__)

DEAD_MAN_WINDOW = 2_000
"""recvWindow of a refresh, in ms: it is all that cuts a delayed old refresh off."""
TIME_SAMPLES = 5
EXCHANGE_INFO = "/fapi/v1/exchangeInfo"
INFO_AGE = 3_600_000
"""Ms after which the symbols are read anew, on the lane of questions."""
TOLD_WITHIN = 10_000
"""ms after an accepted answer by which the user stream must have told of the order."""

_CLOCK_COMPLAINT = re.compile(rb'"code"\s*:\s*"?-(?:1021|5028)\b')


class BinanceUsdm:
    """Fulfils Venue. `wall` and `monotonic` are clocks in ms.

    Signing, translating and reckoning do no I/O; `connect`, `send` and the streams do.
    """

    known_codes = KNOWN_CODES

    def __init__(
        self,
        addresses: Addresses,
        key: str,
        secret: str,
        timing: Timing,
        wall: Callable[[], int],
        monotonic: Callable[[], int],
        transport: Transport | None = None,
    ) -> None:
        """Raises ConfigurationError for a key or secret that cannot be one."""
        self._addresses = addresses
        self._timing = timing
        first = slot(key, secret, lambda key: transport or self._carrier(key))
        self._keys = Keys(first, monotonic, timing.recv_window)
        self._wall = wall
        self._monotonic = monotonic
        ws = addresses.transport == "ws"
        self.ws = WsOrders(addresses.ws_api, timing.answer_deadline) if ws else None
        self._clock = ServerClock()
        self._budget = Budget()
        self._breakers = Breakers()
        self._liveness = Liveness(TOLD_WITHIN)
        self._watched = False
        self._counter = itertools.count()
        self._symbols = Symbols()
        self._remarks: set[str] = set()
        self._info_at = 0
        self.hedge_mode: bool | None = None

    def _carrier(self, key: str) -> Rest:
        return Rest(self._addresses.rest, key, self._timing.answer_deadline)

    def change_key(self, key: str, secret: str) -> None:
        """Sign with this key from now on; what is signed already leaves with the old one.

        Raises ConfigurationError for a key or secret that cannot be one.
        """
        self._keys.change(slot(key, secret, self._carrier))

    def share_limits(self, other: BinanceUsdm) -> None:
        """Count the weight of the address together with another account; before `connect`."""
        self._budget.share(other._budget)

    def __repr__(self) -> str:
        """Without key and secret."""
        return f"BinanceUsdm({self._addresses.rest})"

    @property
    def address(self) -> str:
        """Where REST calls go."""
        return self._addresses.rest

    def connect(self) -> None:
        """Read the clock, the symbols and the position mode.

        Raises VenueError, with the cure, when the exchange cannot be reached or refuses the key.
        """
        for _ in range(TIME_SAMPLES):
            self._read_clock()
            if self.clock_uncertainty() is None:  # who does not answer is not asked five times
                self._start("GET", wire_orders.TIME, "")
        info = self._start("GET", EXCHANGE_INFO, "")
        try:
            self._adopt(exchange_info(info))
        except ValueError as error:
            raise VenueError(f"{self._addresses.rest} is no exchange we know: {error}") from None
        signed, _ = self._signed("", self._timing.recv_window)
        mode = mapping(self._start("GET", "/fapi/v1/positionSide/dual", signed))
        self.hedge_mode = mode.get("dualSidePosition") in (True, "true")
        if self.ws is not None:
            # a connection that stands before it is needed; until then orders go over REST
            self.ws.start()

    def read(self, path: str, parameters: str = "", *, signed: bool = True) -> wire_answers.Reply:
        """One reading (GET), whatever comes of it; for check-ups and starts."""
        payload = self._signed(parameters, self._timing.recv_window)[0] if signed else parameters
        return wire_answers.read(self._exchange("GET", path, payload))

    def permissions(self) -> wire_answers.Reply | None:
        """What the key may do, as the exchange's wallet tells; None where there is none to ask."""
        path = "/sapi/v1/account/apiRestrictions"
        wallet = self._addresses.wallet
        if wallet is None:
            return None
        if not wallet:
            return self.read(path)
        elsewhere = Rest(wallet, self._keys.current.key, self._timing.answer_deadline)
        payload, _ = self._signed("", self._timing.recv_window)
        answer = elsewhere.exchange("GET", path, payload)
        elsewhere.close()
        return wire_answers.read(answer)

    def limits_left(self) -> list[tuple[Limit, int]]:
        """Each rate limit with what is left of it now."""
        return self._budget.left(self.server_time())

    def silence(self) -> int:
        """Ms for which not even a cancel may leave, after a 429 or a ban (418); else 0."""
        return self._budget.paused("urgent", self.server_time())

    def clock_offset(self) -> int:
        """How far this machine's clock is ahead of the exchange's, in ms."""
        return self._wall() - self.server_time()

    def instruments(self) -> Mapping[str, Instrument]:
        """Every symbol of the exchange, as read last. Raises VenueError before `connect`."""
        if not self._symbols:
            raise VenueError("the exchange's symbols are not read yet: connect first")
        return self._symbols

    def _adopt(self, info: ExchangeInfo) -> None:
        for remark in sorted({*info.remarks} - self._remarks):
            log.warning("exchangeInfo: %s", remark)
        self._remarks |= {*info.remarks}
        self._symbols.adopt(info.instruments)
        self._budget.adopt(info.limits)
        self._info_at = self._monotonic()

    def _refresh(self) -> None:
        """Read the symbols anew once they are old: filters, status and limits change."""
        if self._monotonic() - self._info_at < INFO_AGE:
            return
        # whatever comes of it, the next try is as far off
        self._info_at = self._monotonic()
        if not self._budget.room(Cost(1), "probe", self.server_time()):
            return
        reply = self.read(EXCHANGE_INFO, signed=False)
        try:
            self._adopt(exchange_info(reply.value))
        except ValueError:
            log.warning("exchangeInfo was not read anew: %s", reply.message(reply.value))

    def placed(self, symbols: Iterable[str], since: int) -> list[PlacedOrder]:
        """Every order of these symbols since then (server time), and all that is open.

        Raises VenueError with the cure.
        """

        def ask(path: str, parameters: str) -> Any:
            payload, _ = self._signed(parameters, self._timing.recv_window)
            return self._start("GET", path, payload)

        try:
            return wire_history.placed(ask, symbols, since, self.server_time())
        except ValueError as error:
            raise VenueError(f"{self._addresses.rest} told of its orders: {error}") from None

    def request(self, call: Call) -> Request:
        """The call in Binance's words, unsigned; pure."""
        return wire_orders.request(call)

    def sign(self, request: Request) -> SignedRequest:
        """Add recvWindow, timestamp and signature; the time itself is asked without any."""
        call = request.call
        window = DEAD_MAN_WINDOW if isinstance(call, DeadManCall) else self._timing.recv_window
        if isinstance(call, TimeCall):
            payload, timestamp = request.payload, self.server_time()
        else:
            payload, timestamp = self._signed(request.payload, window)
        request_id = f"{timestamp}-{next(self._counter)}"
        method, path = request.method, request.path
        if self.ws is not None and self.ws.ready and (name := method_of(request)) is not None:
            timed = self._timed(request.payload, window, timestamp)
            method, path = BY_WEBSOCKET, name
            keys = self._keys.current
            payload = signed_text(request_id, name, timed, keys.key, keys.signer)
        return SignedRequest(
            request_id=request_id,
            call=call,
            method=method,
            path=path,
            payload=payload,
            timestamp=timestamp,
            recv_window=window,
            payload_sha256=hashlib.sha256(payload.encode()).hexdigest(),
            signed_monotonic=self._monotonic(),
        )

    def _signed(self, payload: str, window: int) -> tuple[str, int]:
        timestamp = self.server_time()
        timed = self._timed(payload, window, timestamp)
        return self._keys.current.sign(timed), timestamp

    @staticmethod
    def _timed(payload: str, window: int, timestamp: int) -> str:
        before = f"{payload}&" if payload else ""
        return f"{before}recvWindow={window}&timestamp={timestamp}"

    def send(self, signed: SignedRequest, gate: Gate | None = None) -> RawAnswer:
        """Write the bytes once, when `gate` lets them, and read the answer.

        Never repeats, raises nothing but Withheld. While the exchange wants silence (429, 418)
        nothing leaves at all.
        """
        lane = lane_of(signed.call)
        answer = self._exchange(signed.method, signed.path, signed.payload, lane, gate)
        if len(answer.body) < 10_000 and _CLOCK_COMPLAINT.search(answer.body):
            log.warning("the exchange disagrees about the time: reading its clock anew")
            self._clock.doubt()
            self._read_clock()
        if isinstance(signed.call, TimeCall):
            self._refresh()
        return answer

    def warm(self) -> None:
        """Open the calling thread's connection or keep it open, within what the limits leave."""
        carrier = self._keys.current.transport
        if isinstance(carrier, Rest) and self._budget.room(Cost(1), "probe", self.server_time()):
            answer = carrier.ping()
            headers = answer.headers or {}
            self._budget.learn(answer.status, headers, answer.body, self.server_time())

    def close(self) -> None:
        """Let go of the connection that orders leave by, where it is the WebSocket API."""
        if self.ws is not None:
            self.ws.stop()

    def _exchange(
        self,
        method: str,
        path: str,
        payload: str,
        lane: Lane = "probe",
        gate: Gate | None = None,
    ) -> RawAnswer:
        pause = self._budget.paused(lane, self.server_time())
        if pause:
            return RawAnswer("not_sent", detail=f"rate limit: silence for another {pause} ms")
        sent = self._monotonic()
        keys = self._keys.of(payload)
        carrier: Transport = (method == BY_WEBSOCKET and self.ws) or keys.transport
        answer = keys.clean(carrier.exchange(method, path, payload, gate), payload)
        received = self._monotonic()
        failed = answer.transport != "ok" or answer.status >= 500
        self._breakers.learn(group_of(method, path), failed=failed, now=received)
        pause = self._budget.learn(
            answer.status, answer.headers or {}, answer.body, self.server_time()
        )
        if pause:
            log.error("the exchange answered %d: nothing is sent for %d ms", answer.status, pause)
        return replace(answer, sent_monotonic=sent, received_monotonic=received)

    def interpret(self, signed: SignedRequest, answer: RawAnswer) -> list[Event]:
        """The answer as events; total, whatever the body holds."""
        call, asked = signed.call, signed.timestamp
        reply = wire_answers.read(answer)
        match call:
            case PlaceCall():
                reports = wire_answers.placed(call, reply, asked)
                self._expect(reports)
                return list(reports)
            case CancelCall():
                return list(wire_answers.canceled(call, reply, asked))
            case AmendCall():
                return list(wire_answers.amended(call, reply, asked))
            case SettingCall():
                return list(wire_answers.set_up(call, reply, asked))
            case ProbeCall():
                return list(wire_answers.probed(call, reply, asked))
            case ReadCall():
                return wire_reads.answered(call, reply, asked)
            case DeadManCall():
                return wire_reads.counted_down(call, reply, asked)
            case TimeCall():
                return self._take_time(call, reply, answer, asked)

    def _expect(self, reports: list[ExecutionReport]) -> None:
        if self._watched:
            now = self._monotonic()
            for report in reports:
                if report.outcome is Outcome.ACCEPTED:
                    self._liveness.expect(report.client_order_id, now)

    def _take_time(
        self, call: TimeCall, reply: wire_answers.Reply, answer: RawAnswer, asked: int
    ) -> list[Event]:
        stated = wire_reads.server_time(reply)
        sent, received = answer.sent_monotonic, answer.received_monotonic
        if stated is None or sent is None or received is None:
            return [CallFailed(call, asked, reply.message(reply.value))]
        self._clock.feed(sent, received, stated)
        return []

    def room(self, call: Call) -> bool:
        """True when breakers and limits leave room for this call now; then it counts as spent."""
        lane, group = lane_of(call), wire_orders.group(call)
        if not self._breakers.allows(group, lane, self._monotonic()):
            return False
        return self._budget.room(wire_orders.cost(call), lane, self.server_time())

    def server_time(self) -> int:
        """The exchange's clock now, estimated, in ms; our own before the first answer."""
        known = self._clock.now(self._monotonic())
        return self._wall() if known is None else known

    def clock_uncertainty(self) -> int | None:
        """How far off `server_time` may be in ms, or None before the first answer."""
        return self._clock.uncertainty(self._monotonic())

    def market_stream(
        self, wanted: frozenset[tuple[str, str]], board: PriceBoard, post: Post
    ) -> MarketStream:
        """A reader of these (symbol, price source) pairs, offering prices to the board."""
        return MarketStream(self._addresses, wanted, board, post, self._wall)

    def user_stream(self, post: Post) -> UserStream:
        """A reader of this account's own events; accepted orders must show up there from now."""
        self._watched = True
        return UserStream(
            self._exchange, self._addresses, post, self._wall, self._monotonic, self._liveness
        )

    def _read_clock(self) -> None:
        answer = self._exchange("GET", wire_orders.TIME, "")
        self._take_time(TimeCall(), wire_answers.read(answer), answer, 0)

    def _start(self, method: str, path: str, payload: str) -> Any:
        """One of the readings at start. Raises VenueError with the cure."""
        answer = self._exchange(method, path, payload)
        reply = wire_answers.read(answer)
        if reply.transport == "ok" and reply.status == 200 and reply.value is not None:
            return reply.value
        raise refused(f"{self._addresses.rest}{path}", reply, self.silence())
