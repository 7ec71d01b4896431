"""One cell of the table: a runner on a virtual clock, real sockets, one fault, and what came of it.

Engine, dispatcher, journal, adapter, HTTP client and paper exchange are the product's; only time is
ours, so that a wait of a minute costs nothing and the machine's speed decides nothing.
"""

from __future__ import annotations

import json
import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from runner.core.events import Alert
from runner.core.rules import RuleSet
from runner.journal import JournalReader
from runner.rulebook.load import load
from runner.venues import RawAnswer
from runner.venues.binance_usdm.rest import Rest
from runner.virtual import Calm, VirtualClock, VirtualExchange, VirtualRunner
from tests.exchanges import bottomless
from tests.wire.faults import Fault
from tests.wire.server import Answer, FaultServer, Request

START = 1_760_000_000_000
PATIENCE = 900_000
"""Virtual ms in which every order must have found its end."""

STEP = 5_000
PATIENT, HASTY = 120_000, 400
"""Deadlines in real ms: of ordinary answers, and of those that never come."""

MUTE = frozenset({"ORDER_TRADE_UPDATE", "ALGO_UPDATE", "TRADE_LITE", "ACCOUNT_UPDATE"})

RULES = """\
version: 1
{dead_man}
rules:
  - id: single
    symbol: ETHUSDT
    when: [{{webhook: {{path: single, secret: tv}}}}]
    do: [{{place: {{side: buy, type: market, quantity: 0.1, expires_after: 10m}}}}]
  - id: late
    symbol: ETHUSDT
    when: [{{webhook: {{path: late, secret: tv}}}}]
    do: [{{place: {{side: buy, type: market, quantity: 0.1, expires_after: 10s}}}}]
  - id: batch
    symbol: ETHUSDT
    when: [{{webhook: {{path: batch, secret: tv}}}}]
    do:
      - place:
          - {{side: buy, type: limit, price: =mark * 0.97, quantity: 0.1, expires_after: 10m}}
          - {{side: buy, type: limit, price: =mark * 0.96, quantity: 0.1, expires_after: 10m}}
          - {{side: buy, type: market, quantity: 0.1, expires_after: 10m}}
  - id: algo
    symbol: ETHUSDT
    when: [{{webhook: {{path: algo, secret: tv}}}}]
    do:
      - place:
          side: buy
          type: stop_market
          trigger_price: =mark * 1.02
          quantity: 0.1
          expires_after: 10m
  - id: exit
    symbol: ETHUSDT
    when: [{{webhook: {{path: exit, secret: tv}}}}]
    do:
      - place:
          side: sell
          type: stop_market
          trigger_price: =mark * 0.98
          quantity: 0.1
          reduce_only: true
  - id: rest
    symbol: ETHUSDT
    when: [{{webhook: {{path: rest, secret: tv}}}}]
    do: [{{place: {{side: buy, type: limit, price: =mark * 0.97, quantity: 0.1}}}}]
  - id: cancel
    symbol: ETHUSDT
    when: [{{webhook: {{path: cancel, secret: tv}}}}]
    do: [cancel: {{rule: rest}}]
  - id: cancel-algo
    symbol: ETHUSDT
    when: [{{webhook: {{path: cancel-algo, secret: tv}}}}]
    do: [cancel: {{rule: algo}}]
  - id: sweep
    symbol: ETHUSDT
    when: [{{webhook: {{path: sweep, secret: tv}}}}]
    do: [cancel: all]
"""
DEAD_MAN = "dead_man: {symbols: [ETHUSDT], countdown: 2m, refresh: 30s}"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of call: which requests are of it, and the alerts that lead to them.

    `hears`: the user stream tells; else REST alone must find the truth.
    """

    name: str
    method: str
    path: str
    alerts: tuple[str, ...] = ()
    beside: str = ""
    hears: bool = False

    def matches(self, request: Request) -> bool:
        """True for the request that meets the fault."""
        return (request.method, request.path) == (self.method, self.path)

    def counts(self, request: Request) -> bool:
        """True for each request that is one more attempt."""
        return self.matches(request) or (
            bool(self.beside) and (request.method, request.path) == (self.method, self.beside)
        )


ORDER, BATCH, ALGO = "/fapi/v1/order", "/fapi/v1/batchOrders", "/fapi/v1/algoOrder"
KINDS = (
    Kind("single", "POST", ORDER, ("single",)),
    Kind("late", "POST", ORDER, ("late",)),
    Kind("batch", "POST", BATCH, ("batch",), ORDER),
    Kind("algo", "POST", ALGO, ("algo",)),
    Kind("exit", "POST", ALGO, ("single", "exit")),
    Kind("cancel", "DELETE", ORDER, ("rest", "cancel")),
    Kind("cancel algo", "DELETE", ALGO, ("algo", "cancel-algo")),
    Kind("sweep", "DELETE", "/fapi/v1/allOpenOrders", ("rest", "sweep"), hears=True),
    Kind("probe", "GET", ORDER, ("single",)),
    Kind("heartbeat", "POST", "/fapi/v1/countdownCancelAll"),
)


class Deaf(Calm):
    """The user stream is connected and tells nothing: REST alone must find the truth."""

    def tell(self, text: str, hear: Callable[[str], object], clock: VirtualClock) -> None:
        """Market data only."""
        document = json.loads(text)
        if document.get("data", document).get("e") not in MUTE:
            super().tell(text, hear, clock)


class Wired(VirtualExchange):
    """The paper exchange behind a socket on which one request meets a fault."""

    def __init__(self, clock: VirtualClock, kind: Kind, fault: Fault) -> None:
        """Listen; nothing was asked yet."""
        engine = bottomless(clock.now, lambda _: Decimal(4_000))
        super().__init__(engine, clock)
        self._fault = fault
        self.server = FaultServer(self._execute, self._matches, fault.act)
        self.kind = kind
        self.armed = False
        self.sent = 0
        root = self.server.start()
        self._patient, self._hasty = Rest(root, "key", PATIENT), Rest(root, "key", HASTY)
        self._closed = socket.socket()
        self._closed.bind(("127.0.0.1", 0))
        self._nobody = Rest(f"http://127.0.0.1:{self._closed.getsockname()[1]}", "key", PATIENT)

    def close(self) -> None:
        """End every connection."""
        for rest in (self._patient, self._hasty, self._nobody):
            rest.close()
        self._closed.close()
        self.server.stop()

    def _matches(self, request: Request) -> bool:
        return self.armed and self.kind.matches(request)

    def _execute(self, request: Request) -> Answer:
        answer = super().request(request.method, request.path, request.payload)
        return answer.status, dict(answer.headers or {}), answer.body

    def request(self, method: str, path: str, payload: str) -> RawAnswer:
        """One request over the socket; the faulty one over a client that soon gives up."""
        request = Request(method, path, payload)
        self.sent += self.armed and self.kind.counts(request)
        if self.kind.name == "probe" and (method, path) == ("POST", ORDER):
            self._execute(request)
            return RawAnswer("broken", detail="lost on its way back")
        rest = self._patient
        if self.server.waiting and self._matches(request):
            rest = self._hasty if self._fault.endless else rest
            if self._fault.idle:
                self.server.waiting = False
                return self._befallen(request)
            answer = rest.exchange(method, path, payload)
            # what is sent next must find the connection as the fault left it
            assert self.server.acted.wait(PATIENT / 1_000)
            return answer
        return rest.exchange(method, path, payload)

    def _befallen(self, request: Request) -> RawAnswer:
        """The request on a connection of which something has become, or becomes now."""
        rest = self._nobody if self._fault.idle == "refused" else self._patient
        self.server.end_idle(self._fault.idle)
        answer = rest.exchange(request.method, request.path, request.payload)
        assert self._fault.idle != "race" or self.server.acted.wait(PATIENT / 1_000)
        return answer


@dataclass(frozen=True, slots=True)
class Found:
    """What a cell came to: state and attempts of each leg, requests sent, orders that exist."""

    outcome: str
    doubled: list[str]
    followed: bool


def played(kind: Kind, fault: Fault, folder: Path) -> Found:
    """Play a cell to its end."""
    clock = VirtualClock(START)
    exchange = Wired(clock, kind, fault)
    beats = kind.name == "heartbeat"
    rules = rule_set(DEAD_MAN if beats else "")
    exchange.armed = beats
    network = Calm() if kind.hears else Deaf()
    runner = VirtualRunner(folder / "journal.db", rules, exchange, clock, network=network)
    try:
        for alert in kind.alerts[:-1]:
            runner.advance(clock.now + 1_000)
            fire(runner, alert)
        runner.advance(clock.now + 1_000)
        exchange.armed = True
        for alert in kind.alerts[-1:]:
            fire(runner, alert)
        settle(runner, clock)
        return found(runner, exchange, folder / "journal.db")
    finally:
        runner.crash()
        exchange.close()


def found(runner: VirtualRunner, exchange: Wired, journal: Path) -> Found:
    """Look at journal and exchange."""
    dead_men = [known for known in runner.engine.state.dead_men.values() if known.countdown]
    if exchange.kind.name == "heartbeat":
        outcome = f"{'ARMED' if dead_men else 'DISARMED'} {exchange.sent}"
    else:
        with JournalReader.open(journal) as reader:
            rows = reader.orders()
        legs = sorted(rows, key=lambda row: (row["planned_at"], row["leg"]))
        outcome = " ".join(dict.fromkeys(f"{leg['state']} {leg['attempt']}" for leg in legs))
        outcome += f" x{exchange.sent}"
    ids = Counter(order.client_order_id for order in exchange.exchange.orders())
    twice = [name for name, count in ids.items() if count > 1]
    return Found(outcome, twice, any("elsewhere" in one.path for one in exchange.server.seen))


def fire(runner: VirtualRunner, path: str) -> None:
    """Hand an alert in."""
    answer = runner.ask(Alert(path, {}, path, runner.clock.now))
    assert answer is not None
    assert answer.outcome == "fired", answer


def settle(runner: VirtualRunner, clock: VirtualClock) -> None:
    """Let time pass until nothing is open between runner and exchange."""
    until = clock.now + PATIENCE
    awaited = runner.engine.world.rules.dead_men
    while clock.now < until:
        runner.advance(clock.now + STEP)
        states = {leg.state.value for leg in runner.engine.state.restless.values()}
        beats = any(known.countdown for known in runner.engine.state.dead_men.values())
        if not states & {"PLANNED", "SENDING", "UNKNOWN"} and (beats or not awaited):
            break


@cache
def rule_set(dead_man: str) -> RuleSet:
    """The rules of every cell."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "rules.yaml"
        path.write_text(RULES.format(dead_man=dead_man))
        loaded = load(path)
    assert loaded.rules is not None, loaded.diagnostics
    return loaded.rules
