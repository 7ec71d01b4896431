"""Orders over the WebSocket API: the same calls as REST, asked by name over one open connection."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

import orjson
import websocket

from runner.venues import RawAnswer, Request
from runner.venues.binance_usdm.link import Link, LinkTiming
from runner.venues.binance_usdm.signing import Signer
from runner.venues.binance_usdm.wire_orders import ALGO, ORDER
from runner.venues.binance_usdm.wire_values import integer, mapping
from runner.venues.gate import Gate, opened

log = logging.getLogger(__name__)

METHODS: Mapping[tuple[str, str], str] = {
    ("POST", ORDER): "order.place",
    ("PUT", ORDER): "order.modify",
    ("DELETE", ORDER): "order.cancel",
    ("POST", ALGO): "algoOrder.place",
    ("DELETE", ALGO): "algoOrder.cancel",
}
"""What goes over the WebSocket API; batches, cancel-all, settings and questions go over REST."""

WS_TIMING = LinkTiming(socket_timeout=0.5, stale_after=60.0)
"""Pongs come every 20 s even when nothing is asked."""

_COUNTS = {
    ("REQUEST_WEIGHT", "MINUTE"): "x-mbx-used-weight-{}m",
    ("ORDERS", "SECOND"): "x-mbx-order-count-{}s",
    ("ORDERS", "MINUTE"): "x-mbx-order-count-{}m",
}


def method_of(request: Request) -> str | None:
    """The API's name for a request; None when it goes over REST."""
    return METHODS.get((request.method, request.path))


def signed_text(request_id: str, method: str, payload: str, key: str, signer: Signer) -> str:
    """The message whose bytes leave: parameters sorted by name, signed as `name=value&…`.

    `payload` is percent-encoded and holds recvWindow and timestamp already. Source:
    websocket-api-general-info, SIGNED request security.
    """
    parameters = dict(parse_qsl(payload, keep_blank_values=True)) | {"apiKey": key}
    parameters = dict(sorted(parameters.items()))
    signable = "&".join(f"{name}={value}" for name, value in parameters.items())
    parameters["signature"] = unquote(signer.sign(signable.encode()))
    message = {"id": request_id, "method": method, "params": parameters}
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"))


def answer_of(frame: Mapping[str, Any]) -> RawAnswer:
    """A message of the API as REST would have answered: status, body, counts as headers."""
    status = integer(frame.get("status")) or 0
    error = frame.get("error")
    body = frame.get("result") if error is None else error
    return RawAnswer("ok", status, orjson.dumps(body), _headers(frame, mapping(error)))


def _headers(frame: Mapping[str, Any], error: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    limits = frame.get("rateLimits")
    for row in map(mapping, limits if isinstance(limits, list) else ()):
        kind = str(row.get("rateLimitType")), str(row.get("interval"))
        number, count = integer(row.get("intervalNum")), integer(row.get("count"))
        if kind in _COUNTS and number is not None and count is not None:
            found[_COUNTS[kind].format(number)] = str(count)
    data = mapping(error.get("data"))
    now, until = integer(data.get("serverTime")), integer(data.get("retryAfter"))
    if now is not None and until is not None:
        found["retry-after"] = str(max(-(-(until - now) // 1_000), 0))
    return found


@dataclass(slots=True)
class _Wait:
    """One request on its way, and its answer once it is there."""

    generation: int
    over: threading.Event = field(default_factory=threading.Event)
    answer: RawAnswer | None = None


class _Gone(Exception):
    """The connection that a request was meant for; nothing of it left."""


class WsOrders:
    """One connection that is always open, shared by every lane: answers are told apart by id."""

    def __init__(self, address: str, deadline: int, timing: LinkTiming = WS_TIMING) -> None:
        """`deadline` (ms) is how long an answer may take."""
        self._address = address
        self._deadline = deadline / 1_000
        self._lock = threading.Lock()
        self._waiting: dict[str, _Wait] = {}
        self._up = False
        self.link = Link("ws-api", self, timing, on_pong=lambda: None)

    def start(self) -> None:
        """Connect, in a thread of its own; again when it already runs does nothing."""
        if not self.link.started:
            self.link.start()

    def stop(self) -> None:
        """Disconnect and end the thread."""
        self.link.stop()

    @property
    def ready(self) -> bool:
        """True while the connection stands: until then orders go over REST."""
        return self._up and self.link.alive

    def exchange(self, method: str, path: str, payload: str, gate: Gate | None = None) -> RawAnswer:
        """Send one message once, when `gate` lets it, and wait for its answer.

        Never repeats; raises nothing but Withheld.
        """
        del method, path
        request_id = str(mapping(orjson.loads(payload)).get("id"))
        wait = _Wait(self.link.generation)
        with self._lock:
            self._waiting[request_id] = wait
        try:
            return self._exchange(payload, wait, gate or opened())
        finally:
            with self._lock:
                self._waiting.pop(request_id, None)

    def _exchange(self, payload: str, wait: _Wait, gate: Gate) -> RawAnswer:
        if not self.ready:
            return RawAnswer("not_sent", detail="the WebSocket API is not connected")
        try:
            gate.leave(lambda: self._write(payload, wait))
        except _Gone:
            return RawAnswer("not_sent", detail="the WebSocket API is not connected")
        except (websocket.WebSocketException, OSError) as error:
            return RawAnswer("broken", detail=f"the WebSocket API broke: {type(error).__name__}")
        if not wait.over.wait(self._deadline):
            return RawAnswer("broken", detail="no answer over the WebSocket API in time")
        return wait.answer or RawAnswer("broken", detail="the WebSocket API hung up")

    def _write(self, payload: str, wait: _Wait) -> None:
        if not self.link.send(payload, wait.generation):
            raise _Gone

    # what the link tells, on its own thread

    def address(self) -> str:
        """Where to connect."""
        return self._address

    def connected(self) -> None:
        """Requests may leave over it from now on."""
        self._up = True

    def lost(self, detail: str) -> None:
        """Whoever waits for an answer will get none: nobody knows what became of it."""
        del detail
        self._up = False
        with self._lock:
            for wait in self._waiting.values():
                wait.over.set()

    def renewed(self) -> None:
        """Requests leave over the new connection; answers of the old one were waited for."""

    def message(self, data: bytes) -> str | None:
        """Hand an answer to who waits for it; anything else is left out."""
        try:
            frame = mapping(orjson.loads(data))
        except orjson.JSONDecodeError:
            return "a message that is no JSON"
        with self._lock:
            wait = self._waiting.get(str(frame.get("id")))
        if wait is not None:
            wait.answer = answer_of(frame)
            wait.over.set()
        elif frame.get("error") is not None:
            log.warning("WebSocket API: %s", mapping(frame.get("error")).get("msg"))
        return None

    def idle(self) -> str | None:
        """Nothing to do between messages."""
        return None
