"""Sends one request's bytes once over a warm connection and says what is proven about it."""

from __future__ import annotations

import logging
import threading
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool

from runner.core.lifecycle import Transport
from runner.venues import RawAnswer
from runner.venues.binance_usdm.sockets import ONCE, Progress, pool, tls_context
from runner.venues.gate import Gate, Withheld

# At DEBUG urllib3 writes every address, and those of GET and DELETE carry a signature.
logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)

CONNECT_TIMEOUT = 5.0
"""Seconds for a TCP or TLS handshake; nothing of the request has left by then."""

PING = "/fapi/v1/ping"
PING_WITHIN = 2.0
"""Seconds after which a ping is given up: an order may be waiting behind it."""


class _OneHost(HTTPAdapter):
    """requests' adapter, tied to one pool: no look-up by address, proxy or environment."""

    def __init__(self, root: str, connections: HTTPConnectionPool) -> None:
        self._root_length = len(root)
        self._connections = connections
        super().__init__(max_retries=ONCE)

    def get_connection_with_tls_context(self, *_: Any, **__: Any) -> HTTPConnectionPool:
        return self._connections

    def cert_verify(self, *_: Any, **__: Any) -> None:
        """The pool's own context verifies."""

    def request_url(self, request: requests.PreparedRequest, proxies: Any) -> str:  # noqa: ARG002
        return (request.url or "")[self._root_length :]

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:  # noqa: ARG002
        """Status, headers and body; no cookies, no guess at an encoding, no history."""
        response = requests.Response()
        response.status_code = resp.status
        response.headers = resp.headers
        response.raw = resp
        return response

    def close(self) -> None:
        self._connections.close()
        super().close()


class _Lane:
    """One thread's connection and its two prepared requests: with a body, and without."""

    def __init__(self, root: str, key: str, connections: HTTPConnectionPool, progress: Progress):
        self._root = root
        self._progress = progress
        self._adapter = _OneHost(root, connections)
        headers = {"X-MBX-APIKEY": key, "User-Agent": "order-runner", "Accept": "*/*"}
        form = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept-Encoding": "identity",
        }
        self._plain = _prepare("GET", root, {**headers, "Accept-Encoding": "gzip"})
        self._form = _prepare("POST", root, {**headers, **form})

    def exchange(
        self, method: str, path: str, payload: str, seconds: float, gate: Gate | None = None
    ) -> RawAnswer:
        """What goes wrong is told apart by whether the first byte had left.

        Raises nothing but Withheld.
        """
        self._progress.start(seconds, gate)
        try:
            return self._send(self._prepared(method, path, payload), seconds)
        except Withheld:
            raise
        except Exception as error:  # noqa: BLE001  # any failure of the layers below is an answer
            transport: Transport = "broken" if self._progress.begun else "not_sent"
            return RawAnswer(transport, detail=plain(error))

    def _prepared(self, method: str, path: str, payload: str) -> requests.PreparedRequest:
        """POST and PUT carry the payload as body: urllib3 rewrites an address byte by byte."""
        prepared = self._form if method in ("POST", "PUT") else self._plain
        prepared.method = method
        if prepared is self._form:
            prepared.url = self._root + path
            prepared.body = body = payload.encode("ascii")
            prepared.headers["Content-Length"] = str(len(body))
        else:
            prepared.url = f"{self._root}{path}?{payload}" if payload else self._root + path
        return prepared

    def _send(self, prepared: requests.PreparedRequest, seconds: float) -> RawAnswer:
        response = self._adapter.send(
            prepared, stream=True, timeout=(min(CONNECT_TIMEOUT, seconds), seconds)
        )
        body = response.raw.read(decode_content=True)
        headers = {name.lower(): value for name, value in response.headers.items()}
        return RawAnswer("ok", response.status_code, body, headers)

    def close(self) -> None:
        """Close the connection."""
        self._adapter.close()


def _prepare(method: str, root: str, headers: dict[str, str]) -> requests.PreparedRequest:
    """Built once; a plain dictionary is copied for each exchange much faster than requests' own."""
    prepared = requests.Request(method, root + "/", headers=headers).prepare()
    prepared.headers = dict(prepared.headers)  # type: ignore[assignment]  # a mapping of str
    return prepared


class Rest:
    """One account's REST side: a warm connection for each thread that sends.

    Nothing is ever sent twice, redirects are answers, proxies and .netrc are not looked at,
    and an exchange takes at most `deadline` ms from its first byte to its last.
    """

    def __init__(self, root: str, key: str, deadline: int) -> None:
        """`root` is scheme, host and port, without a trailing slash."""
        parts = urlsplit(root)
        self._root = root
        self._key = key
        self._deadline = deadline / 1_000
        self._host, self._port = parts.hostname or "", parts.port
        self._context = tls_context() if parts.scheme == "https" else None
        self._local = threading.local()

    def __repr__(self) -> str:
        """Without the key."""
        return f"Rest({self._root})"

    def exchange(self, method: str, path: str, payload: str, gate: Gate | None = None) -> RawAnswer:
        """Send once, when `gate` lets it, and read the whole answer; raises only Withheld."""
        return self._lane().exchange(method, path, payload, self._deadline, gate)

    def ping(self) -> RawAnswer:
        """Ask for nothing: afterwards the calling thread's connection stands. Never raises."""
        return self._lane().exchange("GET", PING, "", min(PING_WITHIN, self._deadline))

    def _lane(self) -> _Lane:
        lane: _Lane | None = getattr(self._local, "lane", None)
        if lane is None:
            lane = self._local.lane = self._open_lane()
        return lane

    def _open_lane(self) -> _Lane:
        progress = Progress()
        connections = pool(self._host, self._port, self._context, progress)
        return _Lane(self._root, self._key, connections, progress)

    def close(self) -> None:
        """Close the calling thread's connection."""
        lane: _Lane | None = getattr(self._local, "lane", None)
        if lane is not None:
            lane.close()
            del self._local.lane


def plain(error: BaseException) -> str:
    """What went wrong, in words that cannot hold an address or a signature."""
    inner = error
    while (deeper := inner.__cause__ or inner.__context__) is not None:
        inner = deeper
    text = inner.strerror if isinstance(inner, OSError) else None
    names = [type(error).__name__]
    if inner is not error:
        names.append(type(inner).__name__)
    return ": ".join([*names, text] if text else names)
