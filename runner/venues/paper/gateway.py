"""The way of a request to the engine: key, time, signature, limits, engine, memory, streams."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from .auth import Credential, KeyRing, check_signature, check_window, split_signature
from .errors import ApiError, refuse
from .exchange import Exchange
from .faults import Faults
from .limits import Limits, Throttled
from .listen_keys import ListenKeys
from .memory import Memory
from .numbers import Json
from .operations import OPERATIONS
from .params import Params
from .streams import CONNECTION_LIFE, Streams

# Parameters of the security layer, which no operation reads.
_SECURITY = ("timestamp", "recvWindow", "signature", "apiKey")
_LISTEN_KEY = "/fapi/v1/listenKey"


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came: `params` decoded for reading, `query` and `body` raw for signing."""

    method: str
    path: str
    params: Mapping[str, str]
    query: bytes = b""
    body: bytes = b""
    api_key: str = ""
    address: str = "127.0.0.1"


@dataclass(slots=True)
class Answer:
    """What goes back: a status, a document, and the headers of the limits."""

    status: int
    document: Json
    headers: dict[str, str] = field(default_factory=dict)


class Gateway:
    """Guards the pure engine with one lock, and keeps its memory on disk before answering."""

    def __init__(
        self,
        exchange: Exchange,
        keys: KeyRing,
        clock: Callable[[], int],
        *,
        limits: bool = True,
        memory: Memory | None = None,
        connection_life: int = CONNECTION_LIFE,
    ) -> None:
        self.lock = threading.RLock()
        self.exchange = exchange
        self.keys = keys
        self.skew = 0
        self._clock = clock
        self.limits = Limits(limits)
        self.listen_keys = ListenKeys()
        self.faults = Faults()
        self.streams = Streams(self.listen_keys.account_of, connection_life, self.faults)
        self._memory = memory
        self._stored_version = exchange.state.version

    def clock(self) -> int:
        """Return the exchange's time (ms), as wrong as a test wanted it (`skew`)."""
        return self._clock() + self.skew

    def handle(self, request: Request) -> Answer:
        """Return the answer to a REST request; never raises an ApiError."""
        with self.lock:
            now = self.clock()
            account = ""
            try:
                account, fence = self._admit(request, now)
                document = self._run(request, account, fence, now)
                answer = Answer(200, document)
            except ApiError as refusal:
                answer = Answer(refusal.status, refusal.body())
                if isinstance(refusal, Throttled):
                    answer.headers["Retry-After"] = str(refusal.retry_after)
            self.settle(now)
            answer.headers.update(self._limit_headers(request, account, now))
            return answer

    def _admit(self, request: Request, now: int) -> tuple[str, int | None]:
        """Check who asks and how much; return (account, fence)."""
        is_key_call = request.path == _LISTEN_KEY and request.method in ("POST", "PUT", "DELETE")
        operation = OPERATIONS.get((request.method, request.path))
        if operation is None and not is_key_call:
            raise refuse(-5000, request.path, request.method)
        weight = operation.weight(Params(request.params)) if operation else 1
        self.limits.spend(request.address, weight, now)
        if operation is not None and operation.security == "NONE":
            return "", None
        credential = self.keys.find(request.api_key)
        if operation is None or operation.security == "KEY":
            return credential.account, None
        fence = check_window(request.params, now)
        payload, signature = split_signature(request.query, request.body)
        check_signature(credential, payload, signature)
        if operation.orders != (0, 0):
            self.limits.place(credential.account, operation.orders, now)
        return credential.account, fence

    def _run(self, request: Request, account: str, fence: int | None, now: int) -> Json:
        if request.path == _LISTEN_KEY:
            return self.listen_key(request.method, account, now)
        return self.execute(request.method, request.path, request.params, account, fence, now)

    def execute(
        self,
        method: str,
        path: str,
        params: Mapping[str, str],
        account: str,
        fence: int | None,
        now: int,
    ) -> Json:
        """Run an admitted call on the engine, the parameters of security left out."""
        kept = {name: text for name, text in params.items() if name not in _SECURITY}
        return self.exchange.request(method, path, kept, now=now, account=account, fence=fence)

    def listen_key(self, method: str, account: str, now: int) -> Json:
        """Start (POST), prolong (PUT) or end (DELETE) a user stream; raises -1125."""
        if method == "POST":
            return {"listenKey": self.listen_keys.create(account, now)}
        if method == "PUT":
            return {"listenKey": self.listen_keys.keep_alive(account, now)}
        self.listen_keys.close(account)
        return {}

    def settle(self, now: int, *, at_once: bool = False) -> None:
        """Write what changed to the memory, then tell the streams."""
        state = self.exchange.state
        if self._memory and state.version != self._stored_version:
            self._memory.append()
            self._stored_version = state.version
        events = self.exchange.drain()
        if events:
            self.streams.publish(events, state, now, at_once=at_once)

    def credential(self, api_key: str) -> Credential:
        """Return the credential of an API key; raises -2014, -2015."""
        return self.keys.find(api_key)

    def _limit_headers(self, request: Request, account: str, now: int) -> dict[str, str]:
        used = self.limits.used_weight(request.address, now)
        headers = {"X-MBX-USED-WEIGHT-1M": str(used)}
        operation = OPERATIONS.get((request.method, request.path))
        if account and operation is not None and operation.orders != (0, 0):
            short, long = self.limits.order_counts(account, now)
            headers["X-MBX-ORDER-COUNT-10S"] = str(short)
            headers["X-MBX-ORDER-COUNT-1M"] = str(long)
        return headers
