"""A client for tests on real sockets: signs as documented, hides nothing."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Any
from urllib.parse import urlencode

import requests
import websocket

from runner.venues.paper.server import PaperServer

KEYS = {"K": "S"}


class Client:
    """Calls a server with key K and secret S."""

    def __init__(self, server: PaperServer) -> None:
        self.addresses = server.addresses
        self.streams: list[websocket.WebSocket] = []
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["X-MBX-APIKEY"] = "K"

    def raw(
        self,
        method: str,
        path: str,
        query: str = "",
        body: str | bytes | None = None,
        **headers: str,
    ) -> requests.Response:
        """Send a request exactly as written."""
        address = f"{self.addresses['rest']}{path}" + (f"?{query}" if query else "")
        prepared = self.session.prepare_request(requests.Request(method, address, data=body))
        prepared.url = address
        prepared.headers.update(headers)
        return self.session.send(prepared, timeout=10)

    def signed(self, method: str, path: str, **params: Any) -> requests.Response:
        """Send a signed request with its parameters in the query."""
        return self.raw(method, path, sign(urlencode(stamped(params))))

    def order(self, **change: Any) -> requests.Response:
        """Place a resting limit order."""
        terms = {
            "symbol": "BTCUSDT",
            "side": "BUY",
            "type": "LIMIT",
            "timeInForce": "GTC",
            "quantity": "0.010",
            "price": "69000",
        }
        return self.signed("POST", "/fapi/v1/order", **(terms | change))

    def listen_key(self) -> str:
        """Start a user stream."""
        return str(self.raw("POST", "/fapi/v1/listenKey").json()["listenKey"])

    def stream(self, path: str) -> websocket.WebSocket:
        """Connect to a stream address."""
        stream = websocket.create_connection(f"{self.addresses['streams']}{path}", timeout=5)
        self.streams.append(stream)
        return stream

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exception: object) -> None:
        self.session.close()
        for stream in self.streams:
            stream.shutdown()  # type: ignore[no-untyped-call]  # its stubs do not tell


def stamped(params: dict[str, Any]) -> dict[str, Any]:
    """Return parameters with the present time."""
    return {"timestamp": time.time_ns() // 1_000_000, "recvWindow": 5000} | params


def signature(payload: str, secret: str = "S") -> str:
    """Return the HMAC-SHA256 of a payload."""
    return hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


def sign(payload: str, secret: str = "S") -> str:
    """Return a payload with its signature behind."""
    return f"{payload}&signature={signature(payload, secret)}"


def heard(socket: websocket.WebSocket, count: int = 1) -> list[Any]:
    """Return the next messages of a stream; raises a timeout when they do not come."""
    return [json.loads(socket.recv()) for _ in range(count)]


def silent(socket: websocket.WebSocket, seconds: float = 0.2) -> bool:
    """Return whether a stream says nothing for a while."""
    socket.settimeout(seconds)
    try:
        socket.recv()
    except websocket.WebSocketTimeoutException:
        return True
    finally:
        socket.settimeout(5)
    return False
