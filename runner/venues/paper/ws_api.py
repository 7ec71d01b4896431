"""The WebSocket API (`/ws-fapi/v1`): the same calls as REST, asked over one connection."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import quote_plus

from .auth import Credential, check_signature, check_window
from .batches import plain
from .errors import ApiError, refuse
from .gateway import Gateway
from .limits import ORDER_LIMITS, WEIGHT_LIMIT
from .numbers import Json, JsonObject
from .operations import OPERATIONS
from .params import Params
from .streams import Recipient, dump

HANDSHAKE_WEIGHT = 5
_CALLS = {
    "ping": ("GET", "/fapi/v1/ping"),
    "time": ("GET", "/fapi/v1/time"),
    "depth": ("GET", "/fapi/v1/depth"),
    "ticker.price": ("GET", "/fapi/v1/ticker/price"),
    "ticker.book": ("GET", "/fapi/v1/ticker/bookTicker"),
    "order.place": ("POST", "/fapi/v1/order"),
    "order.modify": ("PUT", "/fapi/v1/order"),
    "order.cancel": ("DELETE", "/fapi/v1/order"),
    "order.status": ("GET", "/fapi/v1/order"),
    "algoOrder.place": ("POST", "/fapi/v1/algoOrder"),
    "algoOrder.cancel": ("DELETE", "/fapi/v1/algoOrder"),
    "account.balance": ("GET", "/fapi/v2/balance"),
    "account.position": ("GET", "/fapi/v2/positionRisk"),
    "account.status": ("GET", "/fapi/v2/account"),
    "v2/account.balance": ("GET", "/fapi/v3/balance"),
    "v2/account.position": ("GET", "/fapi/v3/positionRisk"),
    "v2/account.status": ("GET", "/fapi/v3/account"),
}
_USER_STREAM = {
    "userDataStream.start": "POST",
    "userDataStream.ping": "PUT",
    "userDataStream.stop": "DELETE",
}


class WsSession:
    """One WebSocket API connection: its logon, and the answers to what it asks."""

    def __init__(self, gateway: Gateway, peer: Recipient, address: str) -> None:
        self._gateway = gateway
        self._peer = peer
        self._address = address
        self._api_key = ""
        self._logon_at = 0
        self._account = ""
        with gateway.lock:
            now = gateway.clock()
            self._connected_at = now
            gateway.limits.spend(address, HANDSHAKE_WEIGHT, now)

    def answer(self, text: str) -> None:
        """Answer one message; one that is no request ends the connection."""
        try:
            request = json.loads(text)
            method = str(request["method"])
            params = request.get("params") or {}
            values = {str(name): plain(value) for name, value in params.items()}
        except (ValueError, TypeError, KeyError, AttributeError):
            self._peer.close(1008, "Invalid request")
            return
        reply: JsonObject = {"id": request.get("id")}
        with self._gateway.lock:
            now = self._gateway.clock()
            try:
                reply |= {"status": 200, "result": self._result(method, values, now)}
            except ApiError as refusal:
                reply |= {"status": refusal.status, "error": refusal.body()}
            self._gateway.settle(now)
            if values.get("returnRateLimits", "true") != "false":
                reply["rateLimits"] = self._rate_limits(method, now)
        self._peer.send(dump(reply))

    def _rate_limits(self, method: str, now: int) -> list[Json]:
        """Return the counts that the call drew on: the account's orders, or the weight."""
        limits = self._gateway.limits
        call = _CALLS.get(method)
        if call is not None and OPERATIONS[call].orders != (0, 0) and self._account:
            short, long = limits.order_counts(self._account, now)
            return [
                _rate_limit("ORDERS", "SECOND", 10, ORDER_LIMITS[0][1], short),
                _rate_limit("ORDERS", "MINUTE", 1, ORDER_LIMITS[1][1], long),
            ]
        used = limits.used_weight(self._address, now)
        return [_rate_limit("REQUEST_WEIGHT", "MINUTE", 1, WEIGHT_LIMIT, used)]

    def _result(self, method: str, values: dict[str, str], now: int) -> Json:
        if method.startswith("session."):
            return self._session(method, values, now)
        if method in _USER_STREAM:
            return self._user_stream(method, values, now)
        call = _CALLS.get(method)
        if call is None:
            raise ApiError(400, -1104, f"Method '{method}' is not known.")
        operation = OPERATIONS[call]
        gateway = self._gateway
        gateway.limits.spend(self._address, operation.weight(Params(values)), now)
        if operation.security == "NONE":
            return gateway.execute(*call, values, "", None, now)
        credential = self._credential(values)
        # The matching engine's own check is documented for the REST calls only.
        check_window(values, now)
        if not (self._api_key and "signature" not in values):
            self._check(credential, values)
        self._account = credential.account
        if operation.orders != (0, 0):
            gateway.limits.place(credential.account, operation.orders, now)
        return gateway.execute(*call, values, credential.account, None, now)

    def _credential(self, values: Mapping[str, str]) -> Credential:
        return self._gateway.credential(values.get("apiKey") or self._api_key)

    @staticmethod
    def _check(credential: Credential, values: Mapping[str, str]) -> None:
        """Check the signature over the sorted parameters, percent-encoded or as they are."""
        signature = values.get("signature")
        if not signature:
            raise refuse(-1102, "signature")
        named = sorted((name, text) for name, text in values.items() if name != "signature")
        raw = "&".join(f"{name}={text}" for name, text in named)
        encoded = "&".join(f"{quote_plus(name)}={quote_plus(text)}" for name, text in named)
        try:
            check_signature(credential, raw.encode(), signature)
        except ApiError:
            check_signature(credential, encoded.encode(), signature)

    def _session(self, method: str, values: dict[str, str], now: int) -> Json:
        self._gateway.limits.spend(self._address, 2, now)
        if method == "session.logon":
            credential = self._gateway.credential(values.get("apiKey", ""))
            if not credential.is_pem:
                raise ApiError(400, -4056, "Invalid api key type.")
            check_window(values, now)
            self._check(credential, values)
            self._api_key, self._logon_at = values["apiKey"], now
        elif method == "session.logout":
            self._api_key, self._logon_at = "", 0
        elif method != "session.status":
            raise ApiError(400, -1104, f"Method '{method}' is not known.")
        return {
            "apiKey": self._api_key or None,
            "authorizedSince": self._logon_at or None,
            "connectedSince": self._connected_at,
            "returnRateLimits": True,
            "serverTime": now,
        }

    def _user_stream(self, method: str, values: dict[str, str], now: int) -> Json:
        self._gateway.limits.spend(self._address, 2, now)
        account = self._credential(values).account
        return self._gateway.listen_key(_USER_STREAM[method], account, now)


def _rate_limit(kind: str, interval: str, number: int, limit: int, count: int) -> JsonObject:
    return {
        "rateLimitType": kind,
        "interval": interval,
        "intervalNum": number,
        "limit": limit,
        "count": count,
    }
