"""Every trouble of the user stream for every kind of call: the truth is found, nothing doubled.

The stream is the product's on a real WebSocket; orders, journal and exchange run on a virtual clock
that goes on while the test waits for the socket.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from runner.journal import JournalReader
from runner.venues import RawAnswer
from runner.venues.binance_usdm.link import LinkTiming
from runner.venues.binance_usdm.presets import Addresses
from runner.venues.binance_usdm.user_stream import UserStream
from runner.virtual import VirtualClock, VirtualExchange, VirtualRunner
from tests.exchanges import bottomless
from tests.simulation import cheap
from tests.support import eventually
from tests.wire.broadcast import BREAKING, TROUBLES, Broadcast, Line, Trouble
from tests.wire.scene import DEAD_MAN, START, Deaf, fire, rule_set

TIMING = LinkTiming(
    connect=60.0, socket_timeout=0.02, ping_every=0.1, stale_after=1.0, back_off=0.01
)
WITHIN = 120.0
PLACING = ("/fapi/v1/order", "/fapi/v1/batchOrders", "/fapi/v1/algoOrder")

EXPECTED = {
    # kind of call: state and attempts of its orders and cancels, requests that placed or cancelled
    "single": "FILLED 1 x1",
    "batch": "FILLED 1 x1",
    "algo": "FILLED 1 x1",
    "cancel": "CANCELED 1 DONE 1 x2",
    "probe": "FILLED 1 x1",
    "heartbeat": "ARMED",
}
"""No trouble of the stream changes what becomes of an order, or has anything sent again."""

ALERTS = {"single": "rest", "batch": "batch", "algo": "algo", "cancel": "rest", "probe": "rest"}


class Shared(VirtualExchange):
    """The paper exchange, which the stream's thread asks for listen keys meanwhile."""

    def __init__(self, clock: VirtualClock, lose: bool) -> None:
        """`lose`: the answer to the first placing is lost."""
        engine = bottomless(clock.now, lambda _: Decimal(4_000))
        self.lock = threading.RLock()
        super().__init__(engine, clock)
        self.placed = 0
        self._lose = lose

    def request(self, method: str, path: str, payload: str) -> RawAnswer:
        """One REST request."""
        with self.lock:
            answer = super().request(method, path, payload)
        if method in ("POST", "DELETE") and path in PLACING:
            self.placed += 1
            if self._lose and method == "POST":
                self._lose = False
                return RawAnswer("broken", detail="lost on its way back")
        return answer

    def settle(self, *, at_once: bool = False) -> None:
        """Do what is due, and tell the streams."""
        with self.lock:
            super().settle(at_once=at_once)

    def join(self, line: Line) -> Callable[[], None]:
        """A user stream connected."""
        with self.lock:
            subscriber = self.gateway.streams.connect(line, line.path, line.query)
        assert subscriber is not None

        def leave() -> None:
            with self.lock:
                self.gateway.streams.disconnect(subscriber)

        return leave


class Scene:
    """A runner whose user stream is real."""

    def __init__(self, kind: str, folder: Path) -> None:
        """Started and connected."""
        self.kind = kind
        self.clock = VirtualClock(START)
        self.exchange = Shared(self.clock, kind == "probe")
        self.broadcast = Broadcast(self.exchange.join)
        self.journal = folder / "journal.db"
        rules = rule_set(DEAD_MAN if kind == "heartbeat" else "")
        self.runner = VirtualRunner(self.journal, rules, self.exchange, self.clock, network=Deaf())
        nobody = "http://127.0.0.1:1"
        self.stream = UserStream(
            self.runner.venue._exchange,
            Addresses(nobody, self.broadcast.address, nobody),
            self.runner.dispatcher.post,
            self.clock.wall,
            self.clock.read,
            self.runner.venue._liveness,
            TIMING,
        )
        self.stream.start()
        self.connected(1)

    def connected(self, times: int) -> None:
        """Wait until the stream stands for the so manieth time, and take in that it does."""
        link = self.stream.link
        eventually(lambda: link.generation >= times <= len(self.broadcast.lines), WITHIN)
        self.go_on(500)

    def go_on(self, ms: int) -> None:
        """Let virtual time pass."""
        self.runner.advance(self.clock.now + ms)

    def stop(self) -> None:
        """End all of it."""
        self.stream.stop()
        self.runner.crash()
        self.broadcast.stop()

    def happen(self) -> None:
        """What the stream should tell: fills, a trigger, a cancel."""
        if self.kind in ("single", "batch", "probe"):
            self.exchange.price("ETHUSDT", price=Decimal(3_500))
        elif self.kind == "algo":
            self.exchange.price("ETHUSDT", price=Decimal(4_200))
        elif self.kind == "cancel":
            fire(self.runner, "cancel")
        self.go_on(200)

    def outcome(self) -> str:
        """As in EXPECTED; time passes with each look."""
        self.go_on(2_000)
        if self.kind == "heartbeat":
            armed = any(known.countdown for known in self.runner.engine.state.dead_men.values())
            return "ARMED" if armed else "DISARMED"
        with JournalReader.open(self.journal) as reader:
            rows = sorted(reader.orders(), key=lambda row: (row["planned_at"], row["leg"]))
        states = dict.fromkeys(f"{row['state']} {row['attempt']}" for row in rows)
        return f"{' '.join(states)} x{self.exchange.placed}"


@contextmanager
def played(kind: str, folder: Path) -> Iterator[Scene]:
    """A scene that is ended, however it went."""
    scene = Scene(kind, folder)
    try:
        yield scene
    finally:
        scene.stop()


@pytest.mark.parametrize("kind", EXPECTED)
@pytest.mark.parametrize("trouble", TROUBLES)
def test_no_trouble_of_the_stream_changes_the_end(
    trouble: Trouble, kind: str, tmp_path: Path
) -> None:
    """42 cells: whatever the stream does, each order ends as it did on the exchange, sent once."""
    with cheap.openings(), played(kind, tmp_path) as scene:
        if kind in ALERTS:
            fire(scene.runner, ALERTS[kind])
            scene.go_on(500)
        line = scene.broadcast.lines[0]
        line.trouble = trouble
        scene.happen()
        line.end(trouble)
        line.flush()
        if trouble in BREAKING:
            scene.connected(2)
        eventually(lambda: scene.outcome() == EXPECTED[kind], WITHIN)
        scene.go_on(120_000)
        assert scene.outcome() == EXPECTED[kind]
        ids = Counter(order.client_order_id for order in scene.exchange.exchange.orders())
        assert set(ids.values()) <= {1}
