"""The user stream is dead for a minute: what fills meanwhile gets its exits all the same."""

from __future__ import annotations

import random
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from runner.core.decision import Leg
from runner.core.events import Alert, StreamState
from runner.core.orders import OrderState
from runner.venues.paper.exchange import Exchange
from runner.virtual import Calm, VirtualClock, VirtualExchange, VirtualRunner
from tests.simulation.history import START, rule_set

RULES = """\
version: 1
rules:
  - id: rests
    symbol: BTCUSDT
    when: [{webhook: {path: rests, secret: tv, body: {n: number}, dedupe: [n]}}]
    do:
      - bracket:
          entry: {side: buy, type: limit, price: 69000, quantity: 0.01, expires_after: 10s}
          stop: {trigger_price: 68000}
          target: {price: 75000}
  - id: at-once
    symbol: BTCUSDT
    when: [{webhook: {path: at-once, secret: tv, body: {n: number}, dedupe: [n]}}]
    do: [{place: {side: buy, type: market, quantity: 0.02}}]
"""
SECOND = 1_000
DEAD_FOR = 60 * SECOND
SOON = 5 * SECOND
"""A look every three seconds, one question about what is gone, and the way there and back."""


class Deaf(Calm):
    """Requests go there and back; from then on the user stream says nothing."""

    deaf = False

    def tell(self, text: str, hear: object, clock: VirtualClock) -> None:
        """Prices come as ever."""
        if self.deaf and ("ORDER_TRADE_UPDATE" in text or "ACCOUNT_UPDATE" in text):
            return
        if self.deaf and ("TRADE_LITE" in text or "ALGO_UPDATE" in text):
            return
        super().tell(text, hear, clock)  # type: ignore[arg-type]


@dataclass(slots=True)
class Scene:
    """A runner with a resting bracket, its exchange and its clock."""

    clock: VirtualClock
    exchange: VirtualExchange
    runner: VirtualRunner
    network: Deaf

    def legs(self) -> dict[str, Leg]:
        """Every leg that the runner keeps, by name."""
        return {leg.name: leg for leg in self.runner.engine.state.legs.values()}

    def exits(self) -> int:
        """How many exits stand on the exchange's book."""
        live = [leg for leg in self.legs().values() if leg.intent.protective]
        return sum(leg.state is OrderState.LIVE for leg in live)

    def pass_time(self, ms: int) -> None:
        """Time passes for both; the market repeats its price every second."""
        until = self.clock.now + ms
        while self.clock.now < until:
            self.runner.advance(min(self.clock.now + SECOND, until))
            self.exchange.repeat()


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """The entry rests under the market."""
    clock = VirtualClock(START)
    exchange = VirtualExchange(Exchange(now=START), clock)
    exchange.price("BTCUSDT", price=Decimal(70_000))
    network = Deaf()
    runner = VirtualRunner(
        tmp_path / "journal.db", rule_set(RULES), exchange, clock, network=network
    )
    made = Scene(clock, exchange, runner, network)
    made.pass_time(3 * SECOND)
    runner.ask(Alert("rests", {"n": Decimal(1)}, "0" * 64, clock.wall()))
    made.pass_time(3 * SECOND)
    assert made.legs()["0.entry"].state is OrderState.LIVE
    return made


@pytest.mark.parametrize("seed", range(12))
def test_exits_follow_a_fill_while_the_user_stream_is_dead(scene: Scene, seed: int) -> None:
    """The entry fills at any moment of the minute: its exits stand seconds later, not after it."""
    dice = random.Random(seed)
    fills_after = dice.randint(0, DEAD_FOR - SOON - SECOND)
    now = scene.clock.wall()
    scene.network.deaf = True
    scene.runner.dispatcher.post(StreamState("user", False, now, now, "silent"))
    scene.pass_time(fills_after)
    scene.exchange.price("BTCUSDT", price=Decimal(68_990))
    scene.pass_time(SOON)
    assert scene.legs()["0.entry"].cumulative_quantity == Decimal("0.01")
    assert scene.exits() == 2
    scene.pass_time(DEAD_FOR - SOON - fills_after)
    scene.network.deaf = False
    scene.runner.dispatcher.post(StreamState("user", True, scene.clock.wall(), now))
    scene.pass_time(10 * SECOND)
    assert scene.exits() == 2, "nothing is placed twice once the stream is back"


def test_without_looking_the_exits_would_wait_for_the_stream(scene: Scene) -> None:
    """A stream that nobody knows to be dead: what the looks are for."""
    scene.network.deaf = True
    scene.exchange.price("BTCUSDT", price=Decimal(68_990))
    scene.pass_time(30 * SECOND)
    assert scene.exits() == 0


def test_the_price_of_a_fill_that_only_its_answer_told_is_asked_for(scene: Scene) -> None:
    """The answer to placing says that it filled, and not at what price."""
    scene.network.deaf = True
    scene.runner.ask(Alert("at-once", {"n": Decimal(1)}, "1" * 64, scene.clock.wall()))
    scene.pass_time(SECOND)
    found = scene.runner.engine.state.recent.values()
    (filled,) = [leg for leg in found if leg.state is OrderState.FILLED]
    assert filled.average_price is None
    scene.pass_time(SOON)
    priced = scene.runner.engine.state.recent[filled.client_order_id]
    assert priced.average_price == Decimal("70000.1")
    assert not scene.runner.engine.state.unpriced
