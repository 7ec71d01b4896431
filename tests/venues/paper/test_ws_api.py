"""The WebSocket API: the same calls as REST, signed over the sorted parameters."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import websocket

from runner.venues.paper.auth import Credential
from runner.venues.paper.market import Still
from runner.venues.paper.server import PaperServer
from tests.venues.paper.client import Client, heard, signature, silent


@pytest.fixture
def ed25519() -> tuple[Any, str]:
    """A private Ed25519 key and its public half as PEM."""
    module = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
    serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    private = module.Ed25519PrivateKey.generate()
    pem = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private, pem.decode()


@pytest.fixture
def server(ed25519: tuple[Any, str]) -> Iterator[PaperServer]:
    """A paper exchange with an HMAC and an Ed25519 key for one account."""
    keys = {"K": Credential("one", "S"), "E": Credential("one", ed25519[1])}
    with PaperServer(keys=keys, market=Still()) as running:
        yield running


@pytest.fixture
def api(server: PaperServer) -> Iterator[websocket.WebSocket]:
    """A connection to the WebSocket API."""
    connection = websocket.create_connection(server.addresses["ws_api"], timeout=5)
    yield connection
    connection.close()


def ask(api: websocket.WebSocket, method: str, identity: Any = "1", **params: Any) -> Any:
    """Send a request and return its answer."""
    api.send(json.dumps({"id": identity, "method": method, "params": params}))
    return heard(api)[0]


def signed(params: dict[str, Any]) -> dict[str, Any]:
    """Return parameters with key, time and signature."""
    whole = {"apiKey": "K", "timestamp": time.time_ns() // 1_000_000} | params
    payload = "&".join(f"{name}={whole[name]}" for name in sorted(whole))
    return whole | {"signature": signature(payload)}


ORDER = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.010",
    "price": "69000",
}


def test_an_answer_has_the_documented_envelope(api: websocket.WebSocket) -> None:
    """The id echoed, status, result, rateLimits."""
    answer = ask(api, "ticker.price", identity=17, symbol="BTCUSDT")
    assert set(answer) == {"id", "status", "result", "rateLimits"}
    assert (answer["id"], answer["status"]) == (17, 200)
    assert answer["result"]["price"] == "70000.00"
    assert answer["rateLimits"][0]["limit"] == 2400


def test_an_order_is_placed_asked_for_changed_and_cancelled(api: websocket.WebSocket) -> None:
    """order.place, order.status, order.modify, order.cancel."""
    placed = ask(api, "order.place", **signed(ORDER))["result"]
    assert placed["status"] == "NEW"
    named = {"symbol": "BTCUSDT", "orderId": placed["orderId"]}
    assert ask(api, "order.status", **signed(named))["result"]["avgPrice"] == "0.00000"
    changed = {**named, "side": "BUY", "quantity": "0.010", "price": "69100"}
    assert ask(api, "order.modify", **signed(changed))["result"]["price"] == "69100.00"
    assert ask(api, "order.cancel", **signed(named))["result"]["status"] == "CANCELED"


def test_conditional_orders_have_their_methods(api: websocket.WebSocket) -> None:
    """algoOrder.place and algoOrder.cancel."""
    terms = {
        "algoType": "CONDITIONAL",
        "symbol": "BTCUSDT",
        "side": "SELL",
        "type": "STOP_MARKET",
        "triggerPrice": "69000",
        "quantity": "0.010",
    }
    placed = ask(api, "algoOrder.place", **signed(terms))["result"]
    ended = ask(api, "algoOrder.cancel", **signed({"algoId": placed["algoId"]}))
    assert ended["result"]["code"] == "200"


@pytest.mark.parametrize(
    "method",
    [
        "account.balance",
        "account.position",
        "account.status",
        "v2/account.balance",
        "v2/account.position",
        "v2/account.status",
    ],
)
def test_account_questions_are_answered(api: websocket.WebSocket, method: str) -> None:
    """Balance, positions and account in both versions."""
    assert ask(api, method, **signed({}))["status"] == 200


@pytest.mark.parametrize("method", ["ping", "time"])
def test_calls_without_parameters(api: websocket.WebSocket, method: str) -> None:
    """No key, no parameters."""
    assert ask(api, method)["status"] == 200


def test_market_questions_are_answered(api: websocket.WebSocket) -> None:
    """Depth and ticker.book."""
    assert len(ask(api, "depth", symbol="BTCUSDT", limit=5)["result"]["bids"]) == 5
    assert ask(api, "ticker.book", symbol="BTCUSDT")["result"]["bidPrice"] == "70000.00"


def test_refusals_carry_status_and_code(api: websocket.WebSocket) -> None:
    """Error instead of result."""
    wrong = signed(ORDER) | {"signature": "00"}
    assert ask(api, "order.place", **wrong)["error"]["code"] == -1022
    without = {name: text for name, text in signed(ORDER).items() if name != "signature"}
    assert ask(api, "order.place", **without)["error"]["code"] == -1102
    stop = ask(api, "order.place", **signed(ORDER | {"type": "STOP"}))
    assert (stop["status"], stop["error"]["code"]) == (400, -4120)
    assert ask(api, "no.such")["status"] == 400
    assert ask(api, "session.dance")["status"] == 400


def test_what_is_no_request_ends_the_connection(api: websocket.WebSocket) -> None:
    """Neither JSON nor a request."""
    api.send("hello")
    assert api.recv_data()[0] == websocket.ABNF.OPCODE_CLOSE


def test_the_rate_limits_can_be_left_out(api: websocket.WebSocket) -> None:
    """returnRateLimits=false."""
    assert "rateLimits" not in ask(api, "time", returnRateLimits=False)


def test_the_user_stream_is_started_prolonged_and_stopped(
    server: PaperServer, api: websocket.WebSocket
) -> None:
    """The key works on the private address; after stop, ping is -1125."""
    key = ask(api, "userDataStream.start", apiKey="K")["result"]["listenKey"]
    assert ask(api, "userDataStream.ping", apiKey="K")["result"] == {"listenKey": key}
    with Client(server) as client:
        user = client.stream(f"/private/ws?listenKey={key}")
        ask(api, "order.place", **signed(ORDER))
        assert heard(user)[0]["e"] == "ORDER_TRADE_UPDATE"
        assert ask(api, "userDataStream.stop", apiKey="K")["result"] == {}
        assert ask(api, "userDataStream.ping", apiKey="K")["error"]["code"] == -1125
        ask(api, "order.place", **signed(ORDER))
        assert silent(user)


def test_an_ed25519_key_logs_on_and_signs_no_more(
    api: websocket.WebSocket, ed25519: tuple[Any, str]
) -> None:
    """After session.logon only the timestamp is needed; session.logout ends it."""
    params = {"apiKey": "E", "timestamp": time.time_ns() // 1_000_000}
    payload = "&".join(f"{name}={params[name]}" for name in sorted(params))
    proof = base64.b64encode(ed25519[0].sign(payload.encode())).decode()
    answer = ask(api, "session.logon", **params, signature=proof)["result"]
    assert answer["apiKey"] == "E"
    now = time.time_ns() // 1_000_000
    assert ask(api, "order.place", timestamp=now, **ORDER)["status"] == 200
    assert ask(api, "session.status")["result"]["authorizedSince"]
    assert ask(api, "session.logout")["result"]["apiKey"] is None
    assert ask(api, "order.place", timestamp=now, **ORDER)["error"]["code"] == -2014


def test_an_hmac_key_cannot_log_on(api: websocket.WebSocket) -> None:
    """Only Ed25519 keys are supported for session.logon."""
    assert ask(api, "session.logon", **signed({}))["error"]["code"] == -4056
