"""The paper exchange as a server: REST, streams and the WebSocket API on one loopback port."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from .auth import Credential, KeyRing
from .control import Control
from .exchange import Exchange
from .gateway import Gateway
from .market import Source, Walk
from .memory import Memory
from .orders import RETENTION
from .rest import WS_API_PATH, Listener
from .streams import CONNECTION_LIFE
from .symbols import Symbol, built_in, read_symbols

_LOG = logging.getLogger(__name__)

# How often paced streams are looked through, and the longest sleep without anything to do (ms).
_FLUSH_EVERY = 100


def system_clock() -> int:
    """Return the wall clock (ms)."""
    return time.time_ns() // 1_000_000


class PaperServer:
    """Serves an exchange until stopped.

    `symbols` is an exchangeInfo document or None for the built-in twelve; `keys` maps API keys to
    secrets (or to a PEM public key); `market` is where prices come from, a seeded walk by default;
    `state_file` keeps orders and positions over a kill; `control` adds `/paper/…` for tests.
    Queries show orders as they were `read_lag` ms ago and forget them after `retention` (ms; those
    never filled, any other); WebSockets end after `connection_life` (ms); `faults` are to come.
    """

    def __init__(
        self,
        symbols: Mapping[str, Any] | None = None,
        keys: Mapping[str, str | Credential] | None = None,
        market: Source | None = None,
        port: int = 0,
        host: str = "127.0.0.1",
        *,
        control: bool = False,
        state_file: Path | str | None = None,
        balance: str = "10000",
        limits: bool = True,
        clock: Callable[[], int] | None = None,
        brackets: list[Mapping[str, Any]] | None = None,
        level_quantity: Decimal | None = None,
        read_lag: int = 0,
        retention: tuple[int, int] = RETENTION,
        connection_life: int = CONNECTION_LIFE,
        faults: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self._clock = clock or system_clock
        self._market: Source = market or Walk()
        ring = KeyRing(keys or {"paper-key": "paper-secret"})
        table: dict[str, Symbol] = read_symbols(symbols) if symbols else built_in()
        now = self._clock()
        self._market.start(now, table)
        self.exchange = Exchange(
            table,
            balance={"USDT": Decimal(balance)},
            accounts=(),
            brackets=brackets or (),
            price_of=self._market.first_price,
            level_quantity=level_quantity,
            now=now,
        )
        self.exchange.state.read_lag = read_lag
        self.exchange.state.retention = retention
        self._memory = Memory(Path(state_file), self.exchange) if state_file else None
        if self._memory is not None and self._memory.load():
            for name, one in self.exchange.state.markets.items():
                self._market.moved(name, one.last)
        for name in ring.accounts():
            self.exchange.open_account(name, now)
        if self._memory is not None:
            self._memory.compact()
        self._gateway = Gateway(
            self.exchange,
            ring,
            self._clock,
            limits=limits,
            memory=self._memory,
            connection_life=connection_life,
        )
        for fault in faults:
            self._gateway.faults.add(fault)
        switch = Control(self._gateway) if control else None
        self._listener = Listener((host, port), self._gateway, switch)
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    @property
    def addresses(self) -> dict[str, str]:
        """Return the addresses to put into a client's configuration."""
        host, port = self._listener.server_address[:2]
        host = host.decode() if isinstance(host, bytes) else host
        return {
            "rest": f"http://{host}:{port}",
            "streams": f"ws://{host}:{port}",
            "ws_api": f"ws://{host}:{port}{WS_API_PATH}",
        }

    def start(self) -> PaperServer:
        """Begin to serve and to move prices; returns itself."""
        listen = threading.Thread(
            target=self._listener.serve_forever,
            kwargs={"poll_interval": 0.05},
            name="paper-listener",
            daemon=True,
        )
        beat = threading.Thread(target=self._beat, name="paper-market", daemon=True)
        self._threads = [listen, beat]
        for thread in self._threads:
            thread.start()
        return self

    def stop(self) -> None:
        """End every connection and stop; what was accepted is in the state file."""
        self._stopping.set()
        with self._gateway.lock:
            self._gateway.streams.close_all()
        if self._threads:
            self._listener.shutdown()
        self._listener.server_close()
        self._listener.hang_up()
        for thread in self._threads:
            thread.join(timeout=5)
        if self._memory is not None:
            self._memory.close()

    def __enter__(self) -> PaperServer:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def set_price(self, symbol: str, price: Decimal | str) -> None:
        """Move a symbol's mark and last price now, and tell the streams at once."""
        value = Decimal(price)
        with self._gateway.lock:
            now = self._clock()
            self.exchange.set_price(symbol, price=value, now=now)
            self._market.moved(symbol, value)
            self._gateway.settle(now, at_once=True)

    def tick(self, now: int) -> None:
        """Do what is due at `now`: price moves, countdowns, expiries, paced streams."""
        gateway = self._gateway
        with gateway.lock:
            for move in self._market.due(now):
                if move.symbol in self.exchange.state.symbols:
                    self.exchange.apply(move, now)
                gateway.settle(now, at_once=self._market.at_once)
            self.exchange.advance(now)
            gateway.settle(now)
            gateway.streams.end_old(now)
            for key in gateway.listen_keys.expire(now):
                gateway.streams.expire_key(key, now)
            gateway.streams.flush(self.exchange.state, now)

    def _beat(self) -> None:
        while not self._stopping.is_set():
            pause = _FLUSH_EVERY
            try:
                pause = self._beat_once()
            except Exception:  # noqa: BLE001 (the market must go on and the reason be seen)
                _LOG.exception("the paper exchange's market failed; it goes on with the next beat")
            self._stopping.wait(pause / 1000)

    def _beat_once(self) -> int:
        """Do what is due and return how long to sleep (ms)."""
        now = self._clock()
        self.tick(now)
        with self._gateway.lock:
            times = [self._market.next_at(), self.exchange.next_due()]
        soonest = min((one for one in times if one is not None), default=now + _FLUSH_EVERY)
        return min(max(soonest - self._clock(), 1), _FLUSH_EVERY)
