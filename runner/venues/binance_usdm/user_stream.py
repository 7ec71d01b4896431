"""The account's own events: listen key, connection, and the proof that silence is silence."""

from __future__ import annotations

import logging
from collections.abc import Callable

from runner.core.events import ExecutionReport, StreamState
from runner.errors import VenueError
from runner.venues import Post, RawAnswer
from runner.venues.binance_usdm.link import Link, LinkTiming
from runner.venues.binance_usdm.liveness import Liveness
from runner.venues.binance_usdm.presets import Addresses
from runner.venues.binance_usdm.wire_answers import read
from runner.venues.binance_usdm.wire_events import unwrapped, user_events
from runner.venues.binance_usdm.wire_orders import LISTEN_KEY
from runner.venues.binance_usdm.wire_values import integer, label, mapping, parse

log = logging.getLogger(__name__)

Ask = Callable[[str, str, str], RawAnswer]
"""Method, path, payload -> answer: a REST call that needs no signature."""

KEEP_ALIVE = 30 * 60_000
"""A listen key lives an hour; it is kept alive every half (ms)."""
KEEP_ALIVE_RETRY = 60_000
INVALID_LISTEN_KEY = -1125

USER_TIMING = LinkTiming(ping_every=10.0, stale_after=25.0)
"""Pongs come every 10 s even when nothing happens to the account: without them it is away, and
orders are asked for instead."""


class UserStream:
    """One account's user stream, renewed whenever its key or its connection ends."""

    def __init__(
        self,
        ask: Ask,
        addresses: Addresses,
        post: Post,
        wall: Callable[[], int],
        monotonic: Callable[[], int],
        liveness: Liveness,
        timing: LinkTiming = USER_TIMING,
    ) -> None:
        """`ask` sends one REST call with the account's key."""
        self._ask = ask
        self._addresses = addresses
        self._post = post
        self._wall = wall
        self._monotonic = monotonic
        self._liveness = liveness
        self._alive_at: int | None = None
        self._keep_alive_at = 0
        self.link = Link("user", self, timing, on_pong=self._answered)

    def start(self) -> None:
        """Connect and keep reading in a thread of its own."""
        self.link.start()

    def stop(self) -> None:
        """Disconnect and end the thread."""
        self.link.stop()

    @property
    def alive(self) -> bool:
        """False when the thread died without being stopped."""
        return self.link.alive

    def address(self) -> str:
        """A fresh key's address: asking while one is valid returns that one and extends it."""
        reply = read(self._ask("POST", LISTEN_KEY, ""))
        key = label(mapping(reply.value).get("listenKey"))
        if reply.status != 200 or key is None:
            raise VenueError(f"no listen key for the user stream: {reply.message(reply.value)}")
        self._keep_alive_at = self._monotonic() + KEEP_ALIVE
        return self._addresses.user(key)

    def connected(self) -> None:
        """Tell of the connection, and since when events may be missing."""
        self._liveness.forgive()
        self._post(StreamState("user", True, self._wall(), self._alive_at))
        self._alive_at = self._wall()

    def lost(self, detail: str) -> None:
        """Tell of the break."""
        self._post(StreamState("user", False, self._wall(), self._alive_at, detail=detail))

    def renewed(self) -> None:
        """Nothing was missed: events that come twice change nothing."""

    def message(self, data: bytes) -> str | None:
        """Post what the message means; an ended key ends the connection."""
        self._alive_at = self._wall()
        return self.feed(data)

    def _answered(self) -> None:
        """A quiet account says nothing for hours; an answered ping tells that nothing is lost."""
        self._alive_at = self._wall()

    def feed(self, text: str | bytes) -> str | None:
        """Take one message, whoever read it; returns why the connection must be renewed."""
        frame = parse(text)
        kind = unwrapped(frame).get("e")
        if kind == "listenKeyExpired":
            return "the listen key expired"
        if kind == "MARGIN_CALL":
            log.warning("user stream: %s", kind)
        elif kind == "ACCOUNT_CONFIG_UPDATE":
            log.info("user stream: leverage or multi-assets mode was changed")
        for event in user_events(frame):
            if isinstance(event, ExecutionReport):
                self._liveness.saw(event.client_order_id)
            self._post(event)
        return None

    def idle(self) -> str | None:
        """Keep the key alive; doubt a stream that keeps an accepted order to itself."""
        now = self._monotonic()
        late = self._liveness.overdue(now)
        if late:
            return f"{late} accepted orders were not told of"
        return self._keep_alive() if now >= self._keep_alive_at else None

    def _keep_alive(self) -> str | None:
        reply = read(self._ask("PUT", LISTEN_KEY, ""))
        if integer(mapping(reply.value).get("code")) == INVALID_LISTEN_KEY:
            return "the listen key is not valid any more"
        kept = reply.status == 200
        self._keep_alive_at = self._monotonic() + (KEEP_ALIVE if kept else KEEP_ALIVE_RETRY)
        if not kept:
            log.warning("user stream: key not kept alive: %s", reply.message(reply.value))
        return None
