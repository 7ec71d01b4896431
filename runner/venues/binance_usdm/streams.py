"""Market streams: text -> price -> price board, and the ticks that somebody waits for."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import websocket

from runner.core.events import StreamState
from runner.core.prices import PriceBoard
from runner.core.rules import KLINE
from runner.venues import Post
from runner.venues.binance_usdm.allotment import Connection, Wanted, address, allot
from runner.venues.binance_usdm.link import RENEW, Link, LinkTiming
from runner.venues.binance_usdm.presets import Addresses
from runner.venues.binance_usdm.rest import plain
from runner.venues.binance_usdm.subscriptions import Subscriptions
from runner.venues.binance_usdm.wire_events import Quote, candle, carried, prices
from runner.venues.binance_usdm.wire_values import mapping

log = logging.getLogger(__name__)

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
        self._board = board
        self._post = post
        self._want(wanted)
        self._floor: dict[tuple[str, str], int] = {}
        self._root = addresses.streams
        self._wall = wall
        self._timing = timing or LinkTiming()
        self._changing = threading.Lock()
        self._running = False
        self._feeds = [self._feed(one) for one in allot(wanted)]

    def _want(self, wanted: Wanted) -> None:
        self._wanted = wanted
        series = self._board.series
        self._routes = {
            event: {
                symbol: [(name, series(symbol, source)) for source, name in fields]
                for symbol, fields in symbols.items()
            }
            for event, symbols in carried(wanted).items()
        }

    def _feed(self, connection: Connection) -> _Feed:
        timing = self._timing
        if connection.category == "public":
            timing = replace(timing, stale_after=max(timing.stale_after, QUIET_AFTER))
        return _Feed(connection, self._root, self, self._wall, timing)

    @property
    def links(self) -> list[Link]:
        """The connections, in no order that means anything."""
        return [feed.link for feed in self._feeds]

    @property
    def wanted(self) -> Wanted:
        """The pairs that are read."""
        return self._wanted

    def start(self) -> None:
        """Connect and keep reading in threads of their own."""
        with self._changing:
            self._running = True
            for feed in self._feeds:
                feed.link.start()

    def stop(self) -> None:
        """Disconnect and end the threads."""
        with self._changing:
            self._running = False
            for feed in self._feeds:
                feed.link.stop()

    def change(self, wanted: Wanted) -> None:
        """Read exactly these pairs from now on, over the connections that stand where they can.

        What is read before and after is not interrupted. Raises KeyError, and changes nothing,
        for a source that no stream carries.
        """
        with self._changing:
            planned = allot(wanted, [feed.connection for feed in self._feeds])
            self._want(wanted)
            standing = {feed.connection.name: feed for feed in self._feeds}
            feeds = []
            for one in planned:
                feed = standing.pop(one.name, None)
                if feed is None:
                    feed = self._feed(one)
                    if self._running:
                        feed.link.start()
                feed.change(one)
                feeds.append(feed)
            self._feeds = feeds
            for feed in standing.values():
                feed.end()

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
        if not self._kept(frame, received_at):
            self._heard(frame, received_at)

    def _kept(self, frame: Any, received_at: int) -> bool:
        """True for prices that nobody waits for: nearly every frame, so this is short.

        When it is False some of them may have been kept; to hear them again changes nothing.
        """
        try:
            data = frame["data"]
            event_time = data["E"]
            if event_time.__class__ is not int or data.get("st", 1) != 1 or self._floor:
                return False
            for name, series in self._routes[data["e"]][data["s"]]:
                if not series.keeps(data[name], event_time, received_at):
                    return False
        except (KeyError, TypeError):
            # another frame than those of prices, or an array of them
            return False
        return True

    def _heard(self, frame: Any, received_at: int) -> None:
        """Tell the board of its prices, and whoever waits for them."""
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
    """One connection's listener: what it carries, and when it was last surely alive."""

    def __init__(
        self,
        connection: Connection,
        root: str,
        stream: MarketStream,
        wall: Callable[[], int],
        timing: LinkTiming,
    ) -> None:
        self.connection = connection
        self._root = root
        self._stream = stream
        self._wall = wall
        self._alive_at: int | None = None
        self._away = self._ended = False
        self._list = Subscriptions(connection.names(), timing.answer)
        self.link = Link(connection.name, self, timing)

    def change(self, connection: Connection) -> None:
        """Carry this from now on: asked for by the connection's own thread, within a second."""
        self.connection = connection
        self._list.want(connection.names())

    def end(self) -> None:
        """Nobody needs it any more: that is no break, and not one that goes on."""
        self._ended = True
        self.link.stop()
        if self._away:
            self._tell(True, "no rule needs it any more")

    @property
    def _pairs(self) -> Wanted:
        return self.connection.pairs(self._stream.wanted)

    def address(self) -> str:
        return address(self._root, self.connection.category, self._list.opening())

    def connected(self) -> None:
        self._list.opened()
        self._stream.forget(self._pairs)
        self._away = False
        if not self._ended:
            self._tell(True)

    def lost(self, detail: str) -> None:
        if not self._ended:
            self._away = True
            self._tell(False, detail)

    def _tell(self, connected: bool, detail: str = "") -> None:
        name = self.connection.name
        self._stream.tell(StreamState(name, connected, self._wall(), self._alive_at, detail=detail))

    def renewed(self) -> None:
        self._list.opened()
        self._stream.overlap(self._pairs)

    def message(self, data: bytes) -> str | None:
        self._alive_at = now = self._wall()
        if self._list.settled:
            self._stream.feed(data, now)
            return None
        if not (self._list.waiting and b'"id"' in data and self._answered(data)):
            self._stream.feed(data, now)
        return self._look()

    def idle(self) -> str | None:
        return None if self._list.settled else self._look()

    def _answered(self, data: bytes) -> bool:
        try:
            return self._list.heard(mapping(orjson.loads(data)))
        except orjson.JSONDecodeError:
            return False

    def _look(self) -> str | None:
        """Ask for what is due; a connection that does not do as it is told is replaced.

        The next one takes over with the whole list in its address before this one ends: what is
        read already goes on.
        """
        now, link = time.monotonic(), self.link
        text = self._list.due(now)
        try:
            if text is not None:
                link.send(text, link.generation)
        except (websocket.WebSocketException, OSError) as error:
            return plain(error)
        why = self._list.doubt(now)
        if why is None:
            return None
        log.warning("%s: %s: it is opened anew with all its streams", self.connection.name, why)
        return RENEW


def plan(root: str, wanted: Wanted) -> list[tuple[str, str, Wanted]]:
    """Name, address and (symbol, source) pairs of each connection that these pairs need."""
    return [
        (one.name, address(root, one.category, one.names()), one.pairs(wanted))
        for one in allot(wanted)
    ]
