"""Prices of a real exchange as they happen: its public streams, passed on."""

from __future__ import annotations

import json
import logging
import queue
import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import requests
import websocket

from .moves import Move
from .recordings import frame_move
from .symbols import Symbol, start_price

_LOG = logging.getLogger(__name__)

REST = "https://fapi.binance.com"
STREAMS = "wss://fstream.binance.com"
# How often what came in is taken over (ms), and how long a silent stream is trusted (s).
_EVERY = 20
_PATIENCE = 30.0
_SLOWEST_RETRY = 30.0


class Live:
    """The book's best prices, trades and mark prices of an exchange, over its market streams.

    Without `only`, of the symbols that have a realistic start price.
    """

    at_once = True

    def __init__(
        self, only: Iterable[str] = (), *, rest: str = REST, streams: str = STREAMS
    ) -> None:
        """Read the marks of now. Raises OSError when the exchange does not answer."""
        self._only = tuple(only)
        self._streams = streams
        self._moves: queue.SimpleQueue[Move] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._next = 0
        self._prices = _marks(rest)

    def start(self, now: int, symbols: Mapping[str, Symbol]) -> None:
        """Begin to listen, in two threads that end with the process."""
        chosen = self._only or [name for name in symbols if start_price(name) != 1]
        names = [name.lower() for name in chosen if name in symbols]
        plans = {
            "public": [f"{name}@bookTicker" for name in names],
            "market": [f"{name}@{kind}" for name in names for kind in ("aggTrade", "markPrice@1s")],
        }
        for room, wanted in plans.items():
            address = f"{self._streams}/{room}/stream?streams={'/'.join(wanted)}"
            threading.Thread(
                target=self._listen, args=(address,), name=f"live-{room}", daemon=True
            ).start()
        self._next = now

    def first_price(self, symbol: str) -> Decimal:
        """Return the mark price there was at the beginning."""
        return self._prices.get(symbol) or start_price(symbol)

    def due(self, now: int) -> list[Move]:
        """Return what came in since the last time."""
        self._next = now + _EVERY
        found: list[Move] = []
        while not self._moves.empty():
            found.append(self._moves.get())
        return found

    def next_at(self) -> int | None:
        """Return when it is worth looking again."""
        return self._next

    def moved(self, symbol: str, price: Decimal) -> None:
        """Take note; the exchange goes on as it goes."""

    def stop(self) -> None:
        """Listen no more, from the next message on."""
        self._stop.set()

    def _listen(self, address: str) -> None:
        pause = 1.0
        while not self._stop.is_set():
            try:
                connection = websocket.create_connection(address, timeout=_PATIENCE)
                pause = 1.0
                self._read(connection)
            except (OSError, websocket.WebSocketException, ValueError) as error:
                _LOG.warning("live prices broke off, they go on in %.0f s: %s", pause, error)
            self._stop.wait(pause)
            pause = min(2 * pause, _SLOWEST_RETRY)

    def _read(self, connection: websocket.WebSocket) -> None:
        try:
            while not self._stop.is_set():
                text = connection.recv()
                if not text:
                    raise OSError("the exchange said goodbye")
                document: Any = json.loads(text)
                data = document.get("data", {})
                move = frame_move(0, data) if data.get("st", 1) == 1 else None
                if move is not None:
                    # The book has messages of its own: a trade does not move it.
                    self._moves.put(replace(move, keep_book=True))
        finally:
            connection.shutdown()  # type: ignore[no-untyped-call]  # its stubs do not tell


def _marks(rest: str) -> dict[str, Decimal]:
    answer = requests.get(f"{rest}/fapi/v1/premiumIndex", timeout=10)
    try:
        answer.raise_for_status()
        return {row["symbol"]: Decimal(row["markPrice"]) for row in answer.json()}
    except (requests.RequestException, ValueError, KeyError, TypeError) as error:
        raise OSError(f"{rest} tells no prices: {error}") from error
