"""The market streams of the rules that run: more of them when rules come, fewer when they go."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace

from runner.core.events import Event, StreamState
from runner.core.prices import PriceBoard
from runner.venues import Post, Stream, Venue

Wanted = frozenset[tuple[str, str]]

LOOK_EVERY = 0.02


@dataclass(frozen=True, slots=True)
class Reader:
    """One stream and the (symbol, price source) pairs it brings."""

    wanted: Wanted
    stream: Stream


class Markets:
    """Readers beside one another: what is read already is never interrupted for what is new."""

    def __init__(self, venue: Venue, board: PriceBoard, post: Post, wanted: Wanted) -> None:
        """One reader for all of these pairs; `start` begins to read."""
        self._venue = venue
        self._board = board
        self._post = post
        self._count = 0
        self._readers = [self._reader(wanted)]

    def _reader(self, wanted: Wanted) -> Reader:
        self._count += 1
        number = self._count

        def post(event: Event) -> None:
            if isinstance(event, StreamState) and number > 1:
                # connections are told apart by their names
                event = replace(event, stream=f"{event.stream}+{number}")
            self._post(event)

        return Reader(wanted, self._venue.market_stream(wanted, self._board, post))

    def start(self) -> None:
        """Begin to read."""
        for reader in self._readers:
            reader.stream.start()

    def stop(self) -> None:
        """End every reader."""
        for reader in self._readers:
            reader.stream.stop()

    @property
    def alive(self) -> bool:
        """False when a thread of a reader died without being stopped."""
        return all(reader.stream.alive for reader in self._readers)

    def cover(self, wanted: Wanted, patience: float) -> None:
        """Read these pairs too; returns when each has a price, or `patience` seconds are over."""
        missing = wanted - frozenset().union(*(reader.wanted for reader in self._readers))
        if not missing:
            return
        # what was read long ago is no price to go on from
        self._board.forget(frozenset(missing))
        reader = self._reader(missing)
        reader.stream.start()
        self._readers = [*self._readers, reader]
        pause, deadline = threading.Event(), time.monotonic() + patience
        while not self._priced(missing) and time.monotonic() < deadline:
            pause.wait(LOOK_EVERY)

    def _priced(self, pairs: Wanted) -> bool:
        return all(self._board.last(symbol, source) is not None for symbol, source in pairs)

    def release(self, wanted: Wanted) -> None:
        """End the readers that bring nothing of this any more."""
        idle = [reader for reader in self._readers if reader.wanted and not reader.wanted & wanted]
        self._readers = [reader for reader in self._readers if reader not in idle]
        for reader in idle:
            reader.stream.stop()
