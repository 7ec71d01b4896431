"""HTTP and WebSocket upgrades on one port: from bytes to requests and back."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from wsproto.utilities import RemoteProtocolError

from .control import Control
from .errors import ApiError, refuse
from .faults import Fault
from .gateway import Answer, Gateway, Request
from .numbers import Json
from .sockets import MAX_INCOMING, Peer
from .streams import dump
from .ws_api import WsSession

_LOG = logging.getLogger(__name__)

WS_API_PATH = "/ws-fapi/v1"
_UNKNOWN = "Unknown error, please check your request or try again later."
_FAILED = "An unknown error occured while processing the request."
_MAX_BODY = 1_000_000
_REASONS = {one.value: one.phrase for one in HTTPStatus}


class Listener(ThreadingHTTPServer):
    """The listening socket; each connection gets a thread."""

    daemon_threads = True
    request_queue_size = 128
    block_on_close = False

    def __init__(self, address: tuple[str, int], gateway: Gateway, control: Control | None) -> None:
        self.gateway = gateway
        self.control = control
        self.connections: set[socket.socket] = set()
        super().__init__(address, Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that hangs up is everyday; real errors answer 500."""

    def hang_up(self) -> None:
        """End every open connection."""
        for connection in list(self.connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                # It ended on its own.
                continue


class Handler(BaseHTTPRequestHandler):
    """One connection: requests one after another, or a WebSocket for the rest of its life."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Listener

    def setup(self) -> None:
        """Note the connection, so that a stopping server can end it."""
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        """Forget the connection."""
        self.server.connections.discard(self.connection)
        super().finish()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the parent's name)
        """Keep quiet: the exchange is loopback only and its orders can be asked for."""

    def do_GET(self) -> None:
        """Answer a GET, or turn the connection into a WebSocket."""
        if self.headers.get("Upgrade", "").lower() == "websocket":
            self._upgrade()
        else:
            self._exchange()

    def do_POST(self) -> None:
        """Answer a POST."""
        self._exchange()

    def do_PUT(self) -> None:
        """Answer a PUT."""
        self._exchange()

    def do_DELETE(self) -> None:
        """Answer a DELETE, with or without a body."""
        self._exchange()

    def _exchange(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > _MAX_BODY:
            self.close_connection = True
            self._send(413, {"code": -1101, "msg": "Too many parameters."})
            return
        body = self.rfile.read(int(length))
        path, _, query = self.path.partition("?")
        if path.startswith("/paper/") and self.server.control is not None:
            self._send(*self.server.control.answer(self.command, path, body))
            return
        try:
            raw_query = query.encode("latin-1")
            params = _params(raw_query, body)
        except ApiError as refusal:
            self._send(refusal.status, refusal.body())
            return
        request = Request(
            method=self.command,
            path=path,
            params=params,
            query=raw_query,
            body=body,
            api_key=self.headers.get("X-MBX-APIKEY", "").strip(),
            address=str(self.client_address[0]),
        )
        try:
            self._answer(request)
        except ConnectionError:
            # The client is gone; there is nobody to answer.
            self.close_connection = True
        except Exception:  # noqa: BLE001 (a bug must be seen, and be no riddle to the client)
            _LOG.exception("the paper exchange failed on %s %s", self.command, path)
            self._send(500, {"code": -1000, "msg": _FAILED})

    def _answer(self, request: Request) -> None:
        fault = self._fault(request)
        if fault is None:
            self._reply(self.server.gateway.handle(request))
        else:
            self._befall(fault, request)

    def _befall(self, fault: Fault, request: Request) -> None:
        """Answer a request as its fault wants it."""
        headers = {"Retry-After": str(fault.retry_after)} if fault.retry_after else {}
        if fault.kind == "delay":
            time.sleep(fault.ms / 1000)
        if fault.kind in ("drop_request", "refuse"):
            if fault.kind == "drop_request":
                self._hang_up()
            else:
                self._send(fault.status, {"code": fault.code, "msg": fault.msg}, headers)
            return
        answer = Answer(200, None)
        if fault.execute or fault.kind not in ("reject_503_unknown", "answer"):
            answer = self.server.gateway.handle(request)
        if fault.kind == "reject_503_unknown":
            self._send(503, {"code": -1000, "msg": _UNKNOWN})
        elif fault.kind == "answer":
            self._write(self._packed(fault.status, fault.body.encode(), headers))
        elif fault.kind == "drop_answer":
            self._hang_up()
        elif fault.kind == "cut_answer":
            self._write(self._packed(answer.status, dump(answer.document).encode())[:-8])
            self._hang_up()
        elif fault.kind == "slow":
            for byte in self._packed(answer.status, dump(answer.document).encode(), answer.headers):
                self._write(bytes([byte]))
                time.sleep(fault.ms / 1000)
        else:
            time.sleep(fault.ms / 1000 if fault.kind == "hang" else 0)
            self._reply(answer)

    def _fault(self, request: Request) -> Fault | None:
        text = f"{request.method} {request.path} " + " ".join(
            f"{name}={value}" for name, value in request.params.items()
        )
        with self.server.gateway.lock:
            return self.server.gateway.faults.next_for(text)

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _reply(self, answer: Answer) -> None:
        self._send(answer.status, answer.document, answer.headers)

    def _send(self, status: int, document: Json, headers: Mapping[str, str] | None = None) -> None:
        # One write: head and body leave in one segment.
        self._write(self._packed(status, dump(document).encode(), headers))

    def _write(self, data: bytes) -> None:
        self.wfile.write(data)

    def _packed(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
        """Return a whole answer as it goes over the wire."""
        lines = [
            f"HTTP/1.1 {status} {_REASONS.get(status, '')}",
            "Content-Type: application/json;charset=UTF-8",
            f"Content-Length: {len(body)}",
            f"Date: {self.date_time_string()}",
            *(f"{name}: {text}" for name, text in (headers or {}).items()),
        ]
        if self.close_connection:
            lines.append("Connection: close")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body

    def _upgrade(self) -> None:
        self.close_connection = True
        parts = urlsplit(self.path)
        is_api = parts.path.rstrip("/") == WS_API_PATH
        limit = None if is_api else MAX_INCOMING
        try:
            peer = Peer(self.connection, self.headers.items(), self.path, max_incoming=limit)
        except RemoteProtocolError:
            self._send(400, {"code": -1000, "msg": "Not a WebSocket handshake."})
            return
        if is_api:
            self._serve_api(peer)
        else:
            self._serve_streams(peer, parts.path, parts.query)

    def _serve_api(self, peer: Peer) -> None:
        try:
            session = WsSession(self.server.gateway, peer, str(self.client_address[0]))
        except ApiError as refusal:
            self._send(refusal.status, refusal.body())
            return
        streams = self.server.gateway.streams
        try:
            if peer.accept():
                with self.server.gateway.lock:
                    streams.opened(peer, self.server.gateway.clock())
                peer.serve(session.answer)
        finally:
            with self.server.gateway.lock:
                streams.gone(peer)

    def _serve_streams(self, peer: Peer, path: str, query: str) -> None:
        gateway = self.server.gateway
        # The client must not miss what happens between its handshake and its first subscription,
        # and must not get data before the handshake: `send` only queues until `serve` writes.
        with gateway.lock:
            subscriber = gateway.streams.connect(peer, path, query)
            gateway.streams.opened(peer, gateway.clock())
        if subscriber is None:
            gateway.streams.gone(peer)
            self._send(404, {"code": -5000, "msg": f"Path {path}, Method GET is invalid"})
            return

        def on_text(text: str) -> None:
            with gateway.lock:
                gateway.streams.command(subscriber, text)

        try:
            if peer.accept():
                peer.serve(on_text)
        finally:
            with gateway.lock:
                gateway.streams.disconnect(subscriber)
                gateway.streams.gone(peer)


def _params(query: bytes, body: bytes) -> dict[str, str]:
    """Return the parameters of query and body; where both have one, the query's is used.

    Whatever the content type says, the body is read as a form; the exchange reads no other.
    Raises -1101 for a parameter that one of them has twice.
    """
    both: dict[str, str] = {}
    for part in (body, query):
        pairs = parse_qsl(part.decode("utf-8", "replace"), keep_blank_values=True)
        if len({name for name, _ in pairs}) < len(pairs):
            raise refuse(-1101)
        both.update(pairs)
    return both
