"""The paper exchange with an eye on the journal: what it is asked for must stand in there."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from runner.connecting import PAPER_KEY, PAPER_SECRET
from runner.venues import RawAnswer
from runner.venues.paper.account import Account
from runner.venues.paper.auth import KeyRing
from runner.venues.paper.gateway import Gateway, Request
from runner.venues.paper.listen_keys import LIFE
from runner.venues.paper.orders import Fill
from runner.virtual import VirtualClock, VirtualExchange
from tests.exchanges import bottomless

PRICES: Mapping[str, Decimal] = {"BTCUSDT": Decimal(70_000), "ETHUSDT": Decimal(3_500)}
CHANGING = frozenset(
    {
        "/fapi/v1/order",
        "/fapi/v1/batchOrders",
        "/fapi/v1/algoOrder",
        "/fapi/v1/allOpenOrders",
        "/fapi/v1/algoOpenOrders",
    }
)
"""Where POST places and DELETE cancels: each such request is an attempt of the journal."""


class _Queueing(Gateway):
    """A gateway behind which requests may wait for the engine."""

    admitted_at: int | None = None

    def _admit(self, request: Request, now: int) -> tuple[str, int | None]:
        return super()._admit(request, now if self.admitted_at is None else self.admitted_at)


class Witness(VirtualExchange):
    """Notes in `wrong`, at the moment it happens, each request that breaks a promise."""

    def __init__(self, clock: VirtualClock, journal: Path, wrong: list[str]) -> None:
        """An exchange of two symbols; `journal` is read, never written."""
        engine = bottomless(clock.now, lambda symbol: PRICES.get(symbol, Decimal(100)), PRICES)
        super().__init__(engine, clock)
        ring = KeyRing({PAPER_KEY: PAPER_SECRET})
        self.gateway: _Queueing = _Queueing(engine, ring, clock.read, limits=True)
        self.clock = clock
        self.wrong = wrong
        self.accepted: Counter[str] = Counter()
        self.accepted_at: dict[str, int] = {}
        self.trace = hashlib.sha256()
        self.stale: set[str] = set()
        """What left a runner after another had taken the lead over."""
        self._refusal: RawAnswer | None = None
        self.placed: Counter[tuple[str, ...]] = Counter()
        self._journal = journal
        self._reader = self._look()

    def _look(self) -> sqlite3.Connection:
        return sqlite3.connect(f"file:{self._journal}?mode=ro", uri=True, isolation_level=None)

    def copy(self) -> bytes:
        """The journal's file as of now, as a backup has it."""
        return self._reader.serialize()

    def put_back(self, copy: bytes) -> None:
        """A copy takes the place of the journal, which nobody uses now."""
        self._reader.close()
        for name in ("-wal", "-shm"):
            self._journal.with_name(self._journal.name + name).unlink(missing_ok=True)
        self._journal.write_bytes(copy)
        self._reader = self._look()

    def close(self) -> None:
        """Look into the journal no more."""
        self._reader.close()

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """What the journal says: committed rows only, for this is another connection."""
        return self._reader.execute(statement, values).fetchall()

    def refused(self, answer: RawAnswer, execute: Callable[[], RawAnswer]) -> RawAnswer:
        """Answer so instead of executing; the adapter learns from it as from any answer."""
        self._refusal = answer
        try:
            return execute()
        finally:
            self._refusal = None

    def admitted(self, at: int, execute: Callable[[], RawAnswer]) -> RawAnswer:
        """Execute what the gateway let through at an earlier time."""
        self.gateway.admitted_at = at
        try:
            return execute()
        finally:
            self.gateway.admitted_at = None

    def request(self, method: str, path: str, payload: str) -> RawAnswer:
        """One request; a journal without its attempt is a broken promise (send after commit)."""
        if self._refusal is not None:
            return self._refusal
        changes = path in CHANGING and method != "GET"
        if changes:
            self._look_up(method, path, payload)
        answer = super().request(method, path, payload)
        if answer.status in (418, 429):
            self.wrong.append(f"{method} {path} was more than the limits allow: {answer.status}")
        if changes:
            self._count(method, answer)
            if payload in self.stale and answer.status == 200:
                self.wrong.append(f"{method} {path} of a leader that was replaced was accepted")
        self.trace.update(f"{self.clock.now}{method}{path}{answer.status}".encode())
        return answer

    def _look_up(self, method: str, path: str, payload: str) -> None:
        sha256 = hashlib.sha256(payload.encode()).hexdigest()
        if not self.rows("SELECT 1 FROM attempts WHERE payload_sha256 = ? LIMIT 1", sha256):
            self.wrong.append(f"{method} {path} arrived, the journal has no such attempt")

    def _count(self, method: str, answer: RawAnswer) -> None:
        if method != "POST" or answer.status != 200:
            return
        document = json.loads(answer.body)
        for one in document if isinstance(document, list) else [document]:
            key = one.get("clientOrderId") or one.get("clientAlgoId")
            if key is None:
                continue
            self.accepted[key] += 1
            self.accepted_at.setdefault(key, self.clock.now)
            if self.accepted[key] > 1:
                self.wrong.append(f"{key} was accepted for the {self.accepted[key]}. time")
            self._count_identity(key)

    def _count_identity(self, key: str) -> None:
        """Whatever ids say: for one event one leg is accepted once, also after a restore."""
        found = self.rows(
            "SELECT rule_id, trigger, runs.symbol, event_key, legs.name FROM legs JOIN runs "
            "USING (run_id) WHERE client_order_id = ?",
            key,
        )
        for identity in found:
            self.placed[identity] += 1
            if self.placed[identity] > 1:
                what = f"{'/'.join(identity)} ({key})"
                self.wrong.append(f"{what} was accepted for the {self.placed[identity]}. time")

    def lose_key(self) -> None:
        """The user stream's key expires: its listeners are told, and hear nothing more."""
        for key in self.gateway.listen_keys.expire(self.clock.now + LIFE):
            self.gateway.streams.expire_key(key, self.clock.now)

    def trades(self) -> list[Fill]:
        """Every fill of the account, oldest first."""
        return [fill for one in self._accounts() for fill in one.fills]

    def positions(self) -> dict[str, Decimal]:
        """How much of each symbol the account holds; sold is less than nothing."""
        return {
            name: sum((one.amount(name, "BOTH") for one in self._accounts()), Decimal(0))
            for name in PRICES
        }

    def _accounts(self) -> list[Account]:
        return list(self.exchange.state.accounts.values())

    def executed(self) -> dict[str, Decimal]:
        """How much of each order was filled, by client order id."""
        return {one.client_order_id: one.executed for one in self.exchange.orders()}
