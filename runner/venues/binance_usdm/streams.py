"""Market streams: text -> price -> price board, and the ticks that somebody waits for."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import orjson

from runner.core.events import StreamState
from runner.core.prices import PriceBoard
from runner.core.rules import KLINE
from runner.venues import Post
from runner.venues.binance_usdm.link import Link, LinkTiming
from runner.venues.binance_usdm.presets import Addresses
from runner.venues.binance_usdm.wire_events import Quote, candle, prices

log = logging.getLogger(__name__)

Wanted = frozenset[tuple[str, str]]

STREAM_OF: dict[str, tuple[str, str]] = {
    "mark": ("market", "markPrice@1s"),
    "index": ("market", "markPrice@1s"),
    "funding": ("market", "markPrice@1s"),
    "last": ("market", "aggTrade"),
    "bid": ("public", "bookTicker"),
    "ask": ("public", "bookTicker"),
}
"""Price source -> category of address, name of stream: one connection is one category."""


def stream_of(source: str) -> tuple[str, str]:
    """Category and stream of a source. Raises KeyError for one that no stream carries."""
    return ("market", source) if source.startswith(KLINE) else STREAM_OF[source]


PER_CONNECTION = 200
"""The exchange takes 1024 streams a connection; the length of an address is not documented."""

QUIET_AFTER = 60.0
"""Seconds of ordinary silence of a book nobody trades; /public has no stream that beats."""


class MarketStream:
    """Reads the wanted (symbol, source) pairs, over as many connections as they take."""

    def __init__(
        self,
        addresses: Addresses,
        wanted: Wanted,
        board: PriceBoard,
        post: Post,
        wall: Callable[[], int],
        timing: LinkTiming | None = None,
    ) -> None:
        """Raises KeyError for a source that no stream carries."""
        self._wanted = wanted
        self._board = board
        self._post = post
        self._floor: dict[tuple[str, str], int] = {}
        self.links: list[Link] = []
        timing = timing or LinkTiming()
        for name, address, pairs in plan(addresses.streams, wanted):
            patient = replace(timing, stale_after=max(timing.stale_after, QUIET_AFTER))
            listener = _Feed(name, address, pairs, self, wall)
            beats = name.startswith("market")
            self.links.append(Link(name, listener, timing if beats else patient))

    def start(self) -> None:
        """Connect and keep reading in threads of their own."""
        for link in self.links:
            link.start()

    def stop(self) -> None:
        """Disconnect and end the threads."""
        for link in self.links:
            link.stop()

    @property
    def alive(self) -> bool:
        """False when a thread died without being stopped."""
        return all(link.alive for link in self.links)

    def feed(self, text: str | bytes, received_at: int) -> None:
        """Take one frame, whoever read it: a connection, a replay or a test."""
        try:
            frame = orjson.loads(text)
        except orjson.JSONDecodeError:
            log.warning("market stream: a frame that is no JSON was left out")
            return
        quotes = prices(frame, self._wanted)
        if not quotes:
            quotes = self._candle(frame, received_at)
        for symbol, source, price, event_time in quotes:
            if self._floor and self._known(symbol, source, event_time):
                continue
            for tick in self._board.seen(symbol, source, price, event_time, received_at):
                self._post(tick)

    def _candle(self, frame: Any, received_at: int) -> list[Quote]:
        """Tell of a candle that is over; what it shows so far is a price like any other."""
        found = candle(frame, received_at)
        if found is None or (found.symbol, f"{KLINE}{found.interval}") not in self._wanted:
            return []
        if found.closed:
            self._post(found.kline())
        return [(found.symbol, f"{KLINE}{found.interval}", found.close, found.event_time)]

    def overlap(self, pairs: Wanted) -> None:
        """A new connection took over: prices as old as the last one heard were heard already."""
        for pair in pairs:
            last = self._board.last(*pair)
            if last is not None:
                self._floor[pair] = last.event_time

    def _known(self, symbol: str, source: str, event_time: int) -> bool:
        floor = self._floor.get((symbol, source))
        if floor is None:
            return False
        if event_time > floor:
            del self._floor[symbol, source]
            return False
        return True

    def forget(self, pairs: Wanted) -> None:
        """The next price of these (symbol, source) pairs is a fresh start."""
        self._board.forget(pairs)

    def tell(self, state: StreamState) -> None:
        """A connection of ours came or went."""
        self._post(state)


class _Feed:
    """One connection's listener: its address, and when it was last surely alive."""

    def __init__(
        self,
        name: str,
        address: str,
        pairs: Wanted,
        stream: MarketStream,
        wall: Callable[[], int],
    ) -> None:
        self._name = name
        self._address = address
        self._pairs = pairs
        self._stream = stream
        self._wall = wall
        self._alive_at: int | None = None

    def address(self) -> str:
        return self._address

    def connected(self) -> None:
        self._stream.forget(self._pairs)
        self._stream.tell(StreamState(self._name, True, self._wall(), self._alive_at))

    def lost(self, detail: str) -> None:
        self._stream.tell(
            StreamState(self._name, False, self._wall(), self._alive_at, detail=detail)
        )

    def renewed(self) -> None:
        self._stream.overlap(self._pairs)

    def message(self, data: bytes) -> str | None:
        self._alive_at = now = self._wall()
        self._stream.feed(data, now)
        return None

    def idle(self) -> str | None:
        return None


def plan(root: str, wanted: Wanted) -> list[tuple[str, str, Wanted]]:
    """Name, address and (symbol, source) pairs of each connection that these pairs need.

    A connection of trades alone also takes one symbol's mark price: it comes every second, so
    that silence means something.
    """
    by_category: dict[str, set[tuple[str, str]]] = {"market": set(), "public": set()}
    for symbol, source in wanted:
        category, stream = stream_of(source)
        by_category[category].add((symbol, stream))
    found = []
    for category, pairs in by_category.items():
        for number, chunk in enumerate(_chunks(sorted(pairs)), start=1):
            if category == "market" and not any("markPrice" in stream for _, stream in chunk):
                chunk = [*chunk, (chunk[0][0], "markPrice@1s")]  # noqa: PLW2901  # its heartbeat
            name = category if number == 1 else f"{category}-{number}"
            found.append((name, _address(root, category, chunk), _carried(chunk, wanted)))
    return found


def _carried(chunk: list[tuple[str, str]], wanted: Wanted) -> Wanted:
    """The wanted pairs whose prices come over this connection, and no other's."""
    return frozenset(pair for pair in wanted if (pair[0], stream_of(pair[1])[1]) in chunk)


def _chunks(pairs: list[tuple[str, str]]) -> Iterable[list[tuple[str, str]]]:
    return (pairs[at : at + PER_CONNECTION] for at in range(0, len(pairs), PER_CONNECTION))


def _address(root: str, category: str, pairs: list[tuple[str, str]]) -> str:
    """Stream names are lower case; some symbols are Chinese and go percent-encoded."""
    names = "/".join(f"{quote(symbol.lower(), safe='')}@{stream}" for symbol, stream in pairs)
    return f"{root}/{category}/stream?streams={names}"
