"""Three accounts at one address send as much as is allowed: a minute on a virtual clock.

Real engines, journals and adapters against one paper exchange that enforces its limits; however
fast the machine is, what bounds the orders is the runner's own budget.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qsl

import pytest

from runner.connecting import PAPER_SECRET
from runner.core.events import Alert
from runner.core.rules import RuleSet
from runner.journal import JournalReader
from runner.rulebook.load import load
from runner.venues import RawAnswer
from runner.venues.binance_usdm.limits import Budget
from runner.venues.paper.auth import KeyRing
from runner.venues.paper.exchange import Exchange
from runner.venues.paper.gateway import Gateway, Request
from runner.virtual import Calm, VirtualClock, VirtualExchange, VirtualRunner
from tests.exchanges import bottomless
from tests.simulation import cheap

START = 1_760_000_040_000
"""The beginning of a minute, in which all windows begin, too."""

MINUTE = 60_000
NAMES = ("one", "two", "three")
RULES = """\
version: 1
rules:
  - id: churn
    symbol: ETHUSDT
    mode: queued
    when: [{webhook: {path: churn, secret: tv, body: {n: number}, dedupe: [n]}}]
    do:
      - place: {side: buy, type: limit, price: =mark * 0.9, quantity: 0.1, tag: mine}
      - cancel: {tag: mine}
"""
EVERY = 70
"""Ms between two alerts of an account: 857 a minute, of which the address' weight lets fewer be
placed and cancelled.
"""

LATENCY = 17
"""Ms one way: so each process has requests under way of which the others know nothing yet."""

WEIGHT = 2_400
"""What the address has in a minute; a cancel takes 1, and readings take some, too."""


class Shared(Gateway):
    """The exchange that all of them reach at one address; notes what it refuses."""

    def __init__(self, engine: Exchange, clock: VirtualClock) -> None:
        ring = KeyRing(dict.fromkeys(NAMES, PAPER_SECRET))
        for name in ring.accounts():
            engine.open_account(name, clock.now)
        super().__init__(engine, ring, clock.read, limits=True)
        self.limited: list[str] = []
        self.placed: Counter[str] = Counter()
        self.canceled: Counter[str] = Counter()


class Door(VirtualExchange):
    """The same exchange, entered with one account's key."""

    def __init__(self, shared: Shared, clock: VirtualClock, key: str) -> None:
        self.exchange, self.gateway, self._clock, self._key = shared.exchange, shared, clock, key
        self._shared = shared

    def request(self, method: str, path: str, payload: str) -> RawAnswer:
        """One REST request with this key."""
        parameters = dict(parse_qsl(payload, keep_blank_values=True))
        answer = self.gateway.handle(
            Request(method, path, parameters, payload.encode(), api_key=self._key)
        )
        if answer.status in (418, 429):
            self._shared.limited.append(f"{self._key}: {method} {path}: {answer.status}")
        elif path.endswith("/order") and answer.status == 200:
            (self._shared.placed if method == "POST" else self._shared.canceled)[self._key] += 1
        body = json.dumps(answer.document).encode()
        return RawAnswer("ok", answer.status, body, answer.headers)


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> RuleSet:
    """One rule that places far from the market, and cancels."""
    file = tmp_path_factory.mktemp("rules") / "rules.yaml"
    file.write_text(RULES)
    loaded = load(file)
    assert loaded.rules is not None, loaded.diagnostics
    return loaded.rules


class Minute:
    """The three accounts, the exchange, and their clock."""

    def __init__(
        self,
        folder: Path,
        rules: RuleSet,
        stack: ExitStack,
        *,
        together: bool,
        latency: int = LATENCY,
    ) -> None:
        self.clock = VirtualClock(START)
        engine = bottomless(self.clock.now, lambda _: Decimal(3_500), ("ETHUSDT",))
        self.shared = Shared(engine, self.clock)
        self.folder = folder
        self.runners: list[VirtualRunner] = []
        for number, name in enumerate(NAMES):
            door = Door(self.shared, self.clock, name)
            runner = VirtualRunner(
                folder / f"{name}.db",
                rules,
                door,
                self.clock,
                network=Calm(latency),
                namespace=f"n{number}",
            )
            stack.callback(runner.journal.close)
            if together and self.runners:
                runner.venue.share_limits(self.runners[0].venue)
            self.runners.append(runner)
        self.numbers = iter(range(10**6))

    def play(self, until: int, every: int = EVERY) -> None:
        """Let time pass; each account gets an alert every so many ms."""
        alert_at = self.clock.now
        while self.clock.now < until:
            times = [self.clock.next_at(), self.shared_next(), *(r.due_at for r in self.runners)]
            at = min(alert_at, *(time for time in times if time is not None))
            self.clock.now = max(self.clock.now, at)
            if self.clock.now >= alert_at:
                alert_at += every
                self._alert()
            self._step()

    def rest(self) -> None:
        """Let what is under way come to its end, without further alerts."""
        until = self.clock.now + 3 * MINUTE
        while self.clock.now < until and any(runner.busy for runner in self.runners):
            times = [self.clock.next_at(), self.shared_next(), *(r.due_at for r in self.runners)]
            self.clock.now = max(self.clock.now, min(t for t in times if t is not None))
            self._step()

    def shared_next(self) -> int | None:
        """When the exchange does something by itself."""
        return self.runners[0].exchange.next_at()

    def _alert(self) -> None:
        for runner in self.runners:
            number = next(self.numbers)
            fields = {"n": Decimal(number)}
            runner.dispatcher.hand_in(Alert("churn", fields, f"{number:064}", self.clock.now))

    def _step(self) -> None:
        self.clock.run_due()
        self.runners[0].exchange.settle()
        for runner in self.runners:
            if runner.due_at <= self.clock.now:
                runner.turn()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """What is closed at the end."""
    with ExitStack() as opened:
        opened.enter_context(cheap.openings())
        yield opened


def accepted_by(shared: Shared, name: str) -> list[dict[str, Any]]:
    """What an account placed, as the exchange tells of it."""
    account = shared.exchange.state.accounts[name]
    return [
        {"clientOrderId": o.client_order_id, "status": o.status} for o in account.orders.values()
    ]


def known(folder: Path, name: str) -> Sequence[dict[str, Any]]:
    """What an account's journal tells."""
    with JournalReader.open(folder / f"{name}.db") as journal:
        return [row for row in journal.orders() if row["kind"] == "order" and row["attempt"]]


@pytest.mark.parametrize("together", [True, False], ids=["one process", "three processes"])
def test_a_minute_at_the_highest_rate_meets_no_limit(
    tmp_path: Path, rules: RuleSet, stack: ExitStack, together: bool
) -> None:
    """Not one 429, each account's orders in its journal and in no other, and nothing left open."""
    minute = Minute(tmp_path, rules, stack, together=together)
    minute.play(START + MINUTE)
    assert minute.shared.limited == []
    canceled = minute.shared.canceled
    assert WEIGHT * 0.7 < canceled.total() < WEIGHT, canceled
    assert min(canceled.values()) > WEIGHT / 3 * 0.5, "one of them took what was for all"
    minute.rest()
    assert minute.shared.limited == []
    for name in NAMES:
        told = {order["clientOrderId"] for order in accepted_by(minute.shared, name)}
        assert {row["client_order_id"] for row in known(tmp_path, name)} == told


def test_without_the_budget_the_exchange_refuses(
    tmp_path: Path, rules: RuleSet, stack: ExitStack
) -> None:
    """The check sees what the budget is for."""
    with patch.object(Budget, "_fits", lambda *_: True):
        minute = Minute(tmp_path, rules, stack, together=True, latency=1)
        minute.play(START + MINUTE // 6, every=20)
    assert minute.shared.limited
