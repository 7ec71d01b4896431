"""Keeps one symbol's local order book: the stream of its changes, and snapshots when needed."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from urllib.parse import quote

from runner.venues.binance_usdm.link import Link, LinkTiming
from runner.venues.binance_usdm.local_book import LocalBook, change
from runner.venues.binance_usdm.presets import Addresses
from runner.venues.binance_usdm.wire_answers import Reply
from runner.venues.binance_usdm.wire_values import mapping, parse

log = logging.getLogger(__name__)

Read = Callable[[str, str], Reply]
"""Path and parameters -> the answer of an unsigned reading."""

DEPTH = "/fapi/v1/depth"
LEVELS = 1_000
ASK_EVERY = 1.0
"""Seconds between two snapshots at least: one weighs 20 of the 2,400 a minute."""

BOOK_TIMING = LinkTiming(stale_after=60.0)


class BookStream:
    """One connection to `<symbol>@depth@100ms`; `book` is whole while `book.ready`.

    After a missed message, and after every connection, it starts over from a snapshot.
    """

    def __init__(
        self, addresses: Addresses, symbol: str, read: Read, timing: LinkTiming = BOOK_TIMING
    ) -> None:
        """`read` asks one unsigned question, on the connection's own thread."""
        self.book = LocalBook()
        self.snapshots = 0
        self._symbol = symbol
        self._read = read
        name = quote(symbol.lower(), safe="")
        self._address = f"{addresses.streams}/public/ws/{name}@depth@100ms"
        self._asked = 0.0
        self.link = Link(f"book-{symbol}", self, timing)

    def start(self) -> None:
        """Connect and keep the book in a thread of its own."""
        self.link.start()

    def stop(self) -> None:
        """Disconnect and end the thread."""
        self.link.stop()

    @property
    def alive(self) -> bool:
        """False when the thread died without being stopped."""
        return self.link.alive

    def address(self) -> str:
        """Where the changes are told."""
        return self._address

    def connected(self) -> None:
        """What was told before is of no use: messages were missed."""
        self.book = LocalBook()

    def renewed(self) -> None:
        """Nothing was missed, and what is told twice is left out."""

    def lost(self, detail: str) -> None:
        """The book is not that of the exchange any more."""
        log.info("book of %s: %s", self._symbol, detail)
        self.book = LocalBook()

    def message(self, data: bytes) -> str | None:
        """Take one change; ask for a snapshot where one is needed."""
        one = change(parse(data))
        if one is not None:
            self.book.take(one)
            self._align()
        return None

    def idle(self) -> str | None:
        """Nothing is due between messages: a snapshot without a change is of no use."""
        return None

    def _align(self) -> None:
        now = time.monotonic()
        if not self.book.needs_snapshot or now - self._asked < ASK_EVERY:
            return
        self._asked = now
        self.snapshots += 1
        reply = self._read(DEPTH, f"symbol={quote(self._symbol, safe='')}&limit={LEVELS}")
        try:
            self.book.align(mapping(reply.value))
        except ValueError:
            log.warning("book of %s: no snapshot: %s", self._symbol, reply.message(reply.value))
