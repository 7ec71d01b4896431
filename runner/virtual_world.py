"""The world of a virtual runner: a clock that is a number, a network, the exchange in process."""

from __future__ import annotations

import heapq
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import parse_qsl

from runner.connecting import PAPER_KEY, PAPER_SECRET
from runner.venues import RawAnswer, SignedRequest
from runner.venues.paper.auth import KeyRing
from runner.venues.paper.exchange import Exchange
from runner.venues.paper.gateway import Gateway as PaperGateway
from runner.venues.paper.gateway import Request
from runner.venues.paper.state import MarketEvent


@dataclass(slots=True)
class VirtualClock:
    """Time as a number, and what is planned to happen at a time (ms).

    `offset` is how far our wall clock is off: it can be set, the time that passes cannot.
    """

    now: int
    offset: int = 0
    _planned: list[tuple[int, int, Callable[[], object]]] = field(default_factory=list)
    _order: Callable[[], int] = field(default_factory=lambda: itertools.count().__next__)

    def read(self) -> int:
        """The time that passes: the exchange's clock, and our monotonic one."""
        return self.now

    def wall(self) -> int:
        """What our wall clock says."""
        return self.now + self.offset

    def plan(self, at: int, action: Callable[[], object]) -> None:
        """Do this at that time; equal times in the order of planning."""
        heapq.heappush(self._planned, (max(at, self.now), self._order(), action))

    def next_at(self) -> int | None:
        """When the next planned thing happens."""
        return self._planned[0][0] if self._planned else None

    def run_due(self) -> None:
        """Do what is planned up to now."""
        while self._planned and self._planned[0][0] <= self.now:
            heapq.heappop(self._planned)[2]()


class Network(Protocol):
    """What becomes of requests and messages on their way; a simulation puts faults here."""

    def carry(self, signed: SignedRequest, wire: Wire) -> None:
        """Take one request to the exchange, or not, and its answer back, or not."""

    def tell(self, text: str, hear: Callable[[str], object], clock: VirtualClock) -> None:
        """Take one stream message to the runner, or not."""


class Wire:
    """One request's way, as a Network sees it."""

    def __init__(
        self,
        clock: VirtualClock,
        signed: SignedRequest,
        execute: Callable[[SignedRequest], RawAnswer],
        answer: Callable[[SignedRequest, RawAnswer], None],
    ) -> None:
        """`execute` is the exchange, `answer` the runner's end."""
        self.clock = clock
        self._signed = signed
        self._execute = execute
        self._answer = answer

    def execute(self) -> RawAnswer:
        """The exchange takes the request now."""
        return self._execute(self._signed)

    def answer(self, answer: RawAnswer) -> None:
        """The runner reads this answer now."""
        self._answer(self._signed, answer)


class Calm:
    """Nothing is lost: an answer comes after `latency` ms, messages at once."""

    def __init__(self, latency: int = 1) -> None:
        """`latency` is one way, in ms."""
        self._latency = latency

    def carry(self, signed: SignedRequest, wire: Wire) -> None:
        """There and back."""
        del signed
        clock, latency = wire.clock, self._latency

        def arrive() -> None:
            answer = wire.execute()
            clock.plan(clock.now + latency, lambda: wire.answer(answer))

        clock.plan(clock.now + latency, arrive)

    def tell(self, text: str, hear: Callable[[str], object], clock: VirtualClock) -> None:
        """At once."""
        clock.plan(clock.now, lambda: hear(text))


class VirtualExchange:
    """The paper exchange in this process, behind the same door as over HTTP."""

    def __init__(self, exchange: Exchange, clock: VirtualClock) -> None:
        """Wrap an engine whose clock is ours."""
        self.exchange = exchange
        self._clock = clock
        exchange.open_account(PAPER_KEY, clock.now)
        ring = KeyRing({PAPER_KEY: PAPER_SECRET})
        for name in ring.accounts():
            exchange.open_account(name, clock.now)
        self.gateway = PaperGateway(exchange, ring, clock.read, limits=True)

    def request(self, method: str, path: str, payload: str) -> RawAnswer:
        """One REST request, as bytes would bring it."""
        answer = self.gateway.handle(
            Request(
                method=method,
                path=path,
                params=dict(parse_qsl(payload, keep_blank_values=True)),
                query=payload.encode(),
                api_key=PAPER_KEY,
            )
        )
        body = json.dumps(answer.document).encode()
        return RawAnswer("ok", answer.status, body, answer.headers)

    def price(self, symbol: str, **prices: object) -> None:
        """Move a symbol's market and tell the streams at once."""
        self.exchange.set_price(symbol, now=self._clock.now, **prices)  # type: ignore[arg-type]
        self.settle(at_once=True)

    def repeat(self) -> None:
        """Every market says again what it said last, as markets in which somebody trades do."""
        state, now = self.exchange.state, self._clock.now
        said = [
            MarketEvent(name, now, market.prints[-1], marked=True, quoted=True)
            for name, market in state.markets.items()
        ]
        self.gateway.streams.publish(said, state, now, at_once=True)

    def expire(self, symbol: str) -> None:
        """The symbol's countdown runs out now."""
        for account in self.exchange.state.accounts.values():
            if symbol in account.countdowns:
                account.countdowns[symbol] = self._clock.now
        self.settle()

    def settle(self, *, at_once: bool = False) -> None:
        """Do what is due, and tell the streams."""
        self.exchange.advance(self._clock.now)
        self.gateway.settle(self._clock.now, at_once=at_once)
        self.gateway.streams.flush(self.exchange.state, self._clock.now)

    def next_at(self) -> int | None:
        """When the exchange has something to do by itself."""
        times = (self.exchange.next_due(), self.gateway.streams.next_candle())
        return min((at for at in times if at is not None), default=None)
