"""The market streams of the rules that run: more of them when rules come, fewer when they go."""

from __future__ import annotations

import threading
import time

from runner.core.prices import PriceBoard
from runner.venues import Post, Venue

Wanted = frozenset[tuple[str, str]]

LOOK_EVERY = 0.02


class Markets:
    """One reader of everything that is wanted, changed while it reads."""

    def __init__(self, venue: Venue, board: PriceBoard, post: Post, wanted: Wanted) -> None:
        """`start` begins to read these pairs."""
        self._board = board
        self._wanted = wanted
        self._reader = venue.market_stream(wanted, board, post)

    def start(self) -> None:
        """Begin to read."""
        self._reader.start()

    def stop(self) -> None:
        """End reading."""
        self._reader.stop()

    @property
    def alive(self) -> bool:
        """False when a thread of the reader died without being stopped."""
        return self._reader.alive

    def cover(self, wanted: Wanted, patience: float) -> None:
        """Read these pairs too; returns when each has a price, or `patience` seconds are over."""
        missing = wanted - self._wanted
        if not missing:
            return
        # what was read long ago is no price to go on from
        self._board.forget(missing)
        self._reader.change(self._wanted | missing)
        self._wanted |= missing
        pause, deadline = threading.Event(), time.monotonic() + patience
        while not self._priced(missing) and time.monotonic() < deadline:
            pause.wait(LOOK_EVERY)

    def _priced(self, pairs: Wanted) -> bool:
        return all(self._board.last(symbol, source) is not None for symbol, source in pairs)

    def release(self, wanted: Wanted) -> None:
        """Read nothing but this any more."""
        unneeded = self._wanted - wanted
        if unneeded:
            self._wanted -= unneeded
            self._reader.change(self._wanted)
