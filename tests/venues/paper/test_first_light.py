"""The paper exchange from outside: a signed order over HTTP, its events over WebSockets."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
import websocket

from runner.venues.paper.market import Still
from runner.venues.paper.server import PaperServer


@pytest.fixture
def server() -> Iterator[PaperServer]:
    """A paper exchange with one key and prices that stay."""
    with PaperServer(keys={"K": "S"}, market=Still(), control=True) as running:
        yield running


def signed(server: PaperServer, method: str, path: str, **params: Any) -> requests.Response:
    """Send a signed request as the documents describe it."""
    params |= {"timestamp": time.time_ns() // 1_000_000, "recvWindow": 5000}
    query = urlencode(params)
    signature = hmac.new(b"S", query.encode(), hashlib.sha256).hexdigest()
    address = f"{server.addresses['rest']}{path}?{query}&signature={signature}"
    return requests.request(method, address, headers={"X-MBX-APIKEY": "K"}, timeout=5)


def test_an_order_is_accepted_and_told_to_the_user_stream(server: PaperServer) -> None:
    """A limit order rests, its NEW event arrives; the price comes, its fill events arrive."""
    answer = requests.post(
        f"{server.addresses['rest']}/fapi/v1/listenKey", headers={"X-MBX-APIKEY": "K"}, timeout=5
    )
    key = answer.json()["listenKey"]
    user = websocket.create_connection(
        f"{server.addresses['streams']}/private/ws?listenKey={key}", timeout=5
    )
    placed = signed(
        server,
        "POST",
        "/fapi/v1/order",
        symbol="BTCUSDT",
        side="BUY",
        type="LIMIT",
        timeInForce="GTC",
        quantity="0.010",
        price="69900",
        newClientOrderId="first",
    )
    assert placed.status_code == 200, placed.text
    server.set_price("BTCUSDT", "69800")
    events = [json.loads(user.recv()) for _ in range(4)]
    user.close()
    assert [event["e"] for event in events] == [
        "ORDER_TRADE_UPDATE",
        "TRADE_LITE",
        "ACCOUNT_UPDATE",
        "ORDER_TRADE_UPDATE",
    ]
    assert events[0]["o"]["X"] == "NEW"
    assert events[3]["o"]["X"] == "FILLED"
