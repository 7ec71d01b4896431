"""Twice the allowed rate for a minute of virtual time, and bans: what leaves, what does not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal

import pytest

from runner.connecting import PAPER_KEY, PAPER_SECRET
from runner.core.lifecycle import Timing
from runner.core.orders import (
    Call,
    CancelCall,
    CancelIntent,
    DeadManCall,
    Family,
    OrderIntent,
    OrderType,
    PlaceCall,
    ReadCall,
    Side,
    TimeCall,
)
from runner.venues import RawAnswer
from runner.venues.binance_usdm.adapter import BinanceUsdm
from runner.venues.binance_usdm.presets import Addresses
from runner.venues.gate import Gate
from runner.venues.paper.exchange import Exchange
from runner.venues.paper.symbols import built_in, start_price
from runner.virtual import VirtualClock, VirtualExchange

START = 1_763_640_000_000  # a whole minute
MINUTE = 60_000


class Wire:
    """The paper exchange in this process; counts what it is sent and what it answers."""

    def __init__(self, exchange: VirtualExchange) -> None:
        self.sent: list[str] = []
        self.statuses: Counter[int] = Counter()
        self.instead: RawAnswer | None = None
        self._exchange = exchange

    def exchange(self, method: str, path: str, payload: str, gate: Gate | None = None) -> RawAnswer:
        self.sent.append(f"{method} {path}")
        answer = self.instead or self._exchange.request(method, path, payload)
        self.statuses[answer.status] += 1
        return answer


class Bench:
    """A connected adapter on a clock that the test moves."""

    def __init__(self) -> None:
        self.clock = VirtualClock(START - MINUTE)
        symbols = {"ETHUSDT": built_in()["ETHUSDT"]}
        engine = Exchange(symbols, accounts=(), price_of=start_price, now=self.clock.now)
        self.wire = Wire(VirtualExchange(engine, self.clock))
        self.venue = BinanceUsdm(
            Addresses("http://paper", "ws://paper", "ws://paper"),
            PAPER_KEY,
            PAPER_SECRET,
            Timing(),
            self.clock.wall,
            self.clock.read,
            self.wire,
        )
        self.venue.connect()
        self.clock.now = START
        self.numbers: Iterator[int] = iter(range(1_000_000))

    def offer(self, call: Call) -> bool:
        """Do the call if there is room, as the dispatcher does."""
        if not self.venue.room(call):
            return False
        signed = self.venue.sign(self.venue.request(call))
        self.venue.interpret(signed, self.venue.send(signed))
        return True

    def order(self, *, exit_: bool = False) -> PlaceCall:
        """A limit order far below the market, or one that only reduces."""
        name = f"r1-{next(self.numbers)}"
        price = Decimal(2_900)
        intent = OrderIntent(
            name,
            "ETHUSDT",
            Side.BUY,
            OrderType.LIMIT,
            Decimal("0.01"),
            price,
            reduce_only=exit_,
        )
        return PlaceCall((intent,), (1,))

    def cancel(self) -> CancelCall:
        """A cancel of everything of the symbol, as the kill sends it."""
        name = f"r1-{next(self.numbers)}"
        return CancelCall(CancelIntent(name, "ETHUSDT", Family.ORDER), 1)


@pytest.fixture
def bench() -> Bench:
    """A fresh exchange with its real limits."""
    return Bench()


def test_twice_the_allowed_rate_meets_no_429(bench: Bench) -> None:
    """Entries at 600 in 10 s and readings at 4,800 weight a minute; what is urgent gets through."""
    done: Counter[str] = Counter()
    offered: Counter[str] = Counter()
    for step in range(0, MINUTE, 50):
        bench.clock.now = START + step
        calls: list[tuple[str, Call]] = [("entry", bench.order()) for _ in range(3)]
        if step % 500 == 0:
            calls.append(("reading", ReadCall("open_orders")))
        if step % 1_000 == 0:
            calls.append(("cancel", bench.cancel()))
            calls.append(("exit", bench.order(exit_=True)))
        if step % 3_000 == 0:
            calls.append(("dead man", DeadManCall("ETHUSDT", 120_000)))
        if step % 10_000 == 9_500:
            # the kill at the worst moment: the window is nearly spent
            calls += [("kill", bench.cancel()) for _ in range(2)]
            calls += [("kill", bench.order(exit_=True)) for _ in range(5)]
        for name, call in calls:
            offered[name] += 1
            done[name] += bench.offer(call)
    assert bench.wire.statuses[429] == bench.wire.statuses[418] == 0
    for urgent in ("cancel", "exit", "dead man", "kill"):
        assert done[urgent] == offered[urgent]
    assert done["entry"] >= 900
    assert done["entry"] < offered["entry"] / 2
    assert done["reading"] * 40 >= 1_400
    assert done["reading"] < offered["reading"] / 2


def test_after_a_ban_nothing_leaves_until_its_end(bench: Bench) -> None:
    """No order, cancel, countdown, reading or time; then the urgent lane goes first."""
    until = START + 300_000
    body = f'{{"code":-1003,"msg":"Way too many requests; IP banned until {until}."}}'
    bench.wire.instead = RawAnswer("ok", 418, body.encode())
    assert bench.offer(bench.order())
    bench.wire.instead = None
    bench.wire.sent.clear()
    for now in range(START, until, 1_000):
        bench.clock.now = now
        calls = (bench.order(), bench.cancel(), DeadManCall("ETHUSDT", 120_000), TimeCall())
        for call in (*calls, ReadCall("positions")):
            assert not bench.offer(call)
            signed = bench.venue.sign(bench.venue.request(call))
            assert bench.venue.send(signed).transport == "not_sent"
    assert bench.wire.sent == []
    bench.clock.now = until
    assert not bench.offer(bench.order())
    assert bench.offer(bench.cancel())
    bench.clock.now = until + 1_001
    assert bench.offer(bench.order())


def test_a_429_stops_everything_for_as_long_as_it_says(bench: Bench) -> None:
    """Retry-After is kept; afterwards the urgent lane goes first."""
    bench.wire.instead = RawAnswer("ok", 429, b'{"code":-1003,"msg":"x"}', {"retry-after": "7"})
    assert bench.offer(bench.order())
    bench.wire.instead = None
    bench.clock.now = START + 6_999
    assert not bench.offer(bench.cancel())
    bench.clock.now = START + 7_000
    assert bench.offer(bench.cancel())
    assert not bench.offer(bench.order())


def test_while_orders_only_fail_the_kill_still_tries(bench: Bench) -> None:
    """Five answers of 503: entries wait, readings go on, exits and cancels leave."""
    bench.wire.instead = RawAnswer("ok", 503, b'{"msg":"Service Unavailable."}')
    assert [bench.offer(bench.order()) for _ in range(6)] == [True] * 5 + [False]
    assert bench.offer(bench.order(exit_=True))
    assert bench.offer(bench.cancel())
    bench.wire.instead = None
    assert bench.offer(ReadCall("positions"))
    bench.clock.now += 1_000
    assert bench.offer(bench.order())
    assert bench.offer(bench.order())
