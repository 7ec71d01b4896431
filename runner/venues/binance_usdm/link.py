"""One WebSocket at a time, kept up: connect, read, notice silence, back off, connect again."""

from __future__ import annotations

import contextlib
import itertools
import logging
import random
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import websocket
from websocket import ABNF

from runner.venues.binance_usdm.frames import Frames
from runner.venues.binance_usdm.rest import plain

log = logging.getLogger(__name__)

RENEW = "renewed before the exchange ends it"


@dataclass(frozen=True, slots=True)
class LinkTiming:
    """All in seconds. `stale_after` of silence means a dead link, whatever TCP says.

    The exchange closes a connection after 24 hours; after `life` another one takes over, which is
    opened before the old one is closed. Where that cannot be had it is tried every `renew_every`.
    `socket_timeout` bounds every read, also one that stalls inside a frame. What is asked on a
    market connection is answered within `answer`.
    """

    connect: float = 10.0
    socket_timeout: float = 1.0
    ping_every: float = 20.0
    stale_after: float = 10.0
    life: float = 23 * 3_600.0
    renew_every: float = 60.0
    back_off: float = 0.5
    back_off_cap: float = 5.0
    answer: float = 5.0


class Listener(Protocol):
    """What hears from a link, all on its thread; a returned text ends the connection.

    `RENEW` as that text has another connection take over first.
    """

    def address(self) -> str:
        """Where to connect now. Raises VenueError when that cannot be had."""

    def connected(self) -> None:
        """A connection stands."""

    def lost(self, detail: str) -> None:
        """It is gone."""

    def renewed(self) -> None:
        """Another connection took over without a gap; what it says first may be known already."""

    def message(self, data: bytes) -> str | None:
        """A text frame."""

    def idle(self) -> str | None:
        """Called between frames, about once per socket timeout."""


class Link:
    """A thread that keeps one connection up; `generation` counts the connections.

    `renewals_failed` counts how often no other could be had in time.
    """

    def __init__(
        self,
        name: str,
        listener: Listener,
        timing: LinkTiming,
        *,
        on_pong: Callable[[], None] | None = None,
    ) -> None:
        """With `on_pong` control frames are a sign of life, where silence is ordinary.

        A market stream on a wrong path answers pings and delivers nothing: there they are not.
        """
        self.generation = 0
        self.renewals_failed = 0
        self._name = name
        self._listener = listener
        self._timing = timing
        self._on_pong = on_pong
        self._stopping = threading.Event()
        self._socket: Frames | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin connecting, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; returns when it is gone or 3 s are over."""
        self._stopping.set()
        link = self._socket
        if link is not None and link.sock is not None:
            with contextlib.suppress(OSError):
                link.sock.shutdown(socket.SHUT_RDWR)
        if self._thread.is_alive():
            self._thread.join(3)

    @property
    def started(self) -> bool:
        """True once `start` was called."""
        return self._thread.ident is not None

    def send(self, text: str, generation: int) -> bool:
        """Write one text frame to the connection of that generation; False when it is gone.

        Raises WebSocketException or OSError when it breaks while writing: bytes may have left.
        """
        link = self._socket
        if link is None or generation != self.generation or link.sock is None:
            return False
        link.send(text)
        return True

    @property
    def alive(self) -> bool:
        """False when the thread died without being stopped."""
        return self._thread.is_alive() or self._stopping.is_set() or self._thread.ident is None

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                self._socket = self._connect()
            except Exception as error:  # noqa: BLE001  # whatever it is, try again later
                failures += 1
                detail = f"cannot connect: {plain(error)}"
                log.warning("%s: %s", self._name, detail)
                if failures == 1 and self.generation == 0:
                    # one that never stood is away, too; a break was told when it came
                    self._listener.lost(detail)
            else:
                failures = 0 if self._serve(self._socket) else failures + 1
            if not self._stopping.is_set():
                self._stopping.wait(self._pause(failures))

    def _pause(self, failures: int) -> float:
        """Full jitter: anything up to twice as much as the last time, capped."""
        timing = self._timing
        return random.uniform(0, min(timing.back_off_cap, timing.back_off * 2 ** min(failures, 10)))

    def _connect(self) -> Frames:
        link = Frames(skip_utf8_validation=True, enable_multithread=True)
        link.settimeout(self._timing.connect)
        link.connect(  # type: ignore[no-untyped-call]  # the library's own gap
            self._listener.address(),
            http_no_proxy=["*"],
            redirect_limit=0,
            sockopt=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        )
        link.settimeout(self._timing.socket_timeout)
        return link

    def _serve(self, link: Frames) -> bool:
        """Read until it ends; True when it delivered anything."""
        self.generation += 1
        log.info("%s: connected (generation %d)", self._name, self.generation)
        reading = _Reading(link, self._listener, self._timing, self._on_pong)
        delivered = False
        try:
            self._listener.connected()
            while (detail := self._read(reading)) == RENEW:
                delivered = delivered or reading.delivered
                reading = self._renewed(reading)
        finally:
            reading.link.shutdown()  # type: ignore[no-untyped-call]  # the library's own gap
        level = logging.INFO if self._stopping.is_set() else logging.WARNING
        log.log(level, "%s: disconnected: %s", self._name, detail)
        self._listener.lost(detail)
        return delivered or reading.delivered

    def _renewed(self, old: _Reading) -> _Reading:
        """The reading of a connection that takes over; the old one where none can be had now.

        What the old one still says is heard before the new one is read: nothing is missed, and
        some of it is said twice.
        """
        try:
            link = self._connect()
        except Exception as error:  # noqa: BLE001  # whatever it is, the old one still works
            self.renewals_failed += 1
            log.warning("%s: cannot be renewed yet: %s", self._name, plain(error))
            old.postpone()
            return old
        old.drain()
        self._socket = link
        self.generation += 1
        old.link.shutdown()  # type: ignore[no-untyped-call]  # the library's own gap
        log.info("%s: renewed (generation %d)", self._name, self.generation)
        self._listener.renewed()
        return _Reading(link, self._listener, self._timing, self._on_pong)

    def _read(self, reading: _Reading) -> str:
        while not self._stopping.is_set():
            ended = reading.stretch()
            if ended is not None:
                return ended
        return "stopped"


class _Reading:
    """One connection's reads and the three clocks beside them: silence, pings, age."""

    def __init__(
        self,
        link: Frames,
        listener: Listener,
        timing: LinkTiming,
        on_pong: Callable[[], None] | None,
    ) -> None:
        self.delivered = False
        self.link = link
        self._listener = listener
        self._timing = timing
        self._on_pong = on_pong
        self._began = self._heard = self._pinged = time.monotonic()

    def postpone(self) -> None:
        """Go on with this connection for a while."""
        self._began = time.monotonic() - self._timing.life + self._timing.renew_every

    def drain(self) -> None:
        """Hear what was already said, for one socket timeout at most."""
        until = time.monotonic() + self._timing.socket_timeout
        while time.monotonic() < until:
            try:
                opcode, data = self.link.recv_data(control_frame=True)
            except (websocket.WebSocketException, OSError, ValueError):
                return
            if opcode == ABNF.OPCODE_CLOSE:
                return
            if opcode == ABNF.OPCODE_TEXT:
                self._listener.message(data)

    def stretch(self) -> str | None:
        """Frames for as long as they come, at most one socket timeout long; then a look around.

        Returns why the connection ends, else None.
        """
        receive, message = self.link.recv_data, self._listener.message
        until = time.monotonic() + self._timing.socket_timeout
        while True:
            texts = self.link.texts()
            try:
                data = next(texts, None)
                opcode = ABNF.OPCODE_TEXT
                if data is None:
                    opcode, data = receive(control_frame=True)
            except websocket.WebSocketTimeoutException:
                return self._look_around(time.monotonic())
            except (websocket.WebSocketException, OSError, ValueError) as error:
                return plain(error)
            now = time.monotonic()
            ended = None
            if opcode == ABNF.OPCODE_TEXT:
                self._heard, self.delivered = now, True
                for text in itertools.chain((data,), texts):
                    ended = message(text)
                    if ended is not None:
                        break
            elif opcode == ABNF.OPCODE_CLOSE:
                ended = "closed by the exchange"
            elif self._on_pong is not None:
                self._heard = now
                self._on_pong()
            if ended is not None or now >= until:
                return ended or self._look_around(now)

    def _look_around(self, now: float) -> str | None:
        timing = self._timing
        if now - self._heard > timing.stale_after:
            return f"silent for {timing.stale_after:g} s"
        if now - self._began > timing.life:
            return RENEW
        if now - self._pinged > timing.ping_every:
            self._pinged = now
            try:
                self.link.ping()
            except (websocket.WebSocketException, OSError) as error:
                return plain(error)
        return self._listener.idle()
