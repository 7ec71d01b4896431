"""The control endpoint and the faults that tests ask for."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from runner.venues.paper.market import Still
from runner.venues.paper.server import PaperServer
from tests.venues.paper.client import KEYS, Client


@pytest.fixture
def client() -> Iterator[Client]:
    """A client of a paper exchange with its control endpoint on."""
    server = PaperServer(keys=KEYS, market=Still(), control=True)
    with server as running, Client(running) as connected:
        yield connected


def control(client: Client, method: str, path: str, **document: Any) -> requests.Response:
    """Call the control endpoint."""
    return client.raw(method, f"/paper/{path}", "", json.dumps(document))


def names(client: Client) -> list[str]:
    """Return the client ids of all orders ever."""
    orders = control(client, "GET", "orders").json()["orders"]
    return [order["clientOrderId"] for order in orders]


def test_a_price_is_set(client: Client) -> None:
    """Mark, last and book move at once."""
    assert control(client, "POST", "price", symbol="BTCUSDT", price="71000").ok
    ticker = client.raw("GET", "/fapi/v1/ticker/price", "symbol=BTCUSDT").json()
    assert ticker["price"] == "71000.00"
    assert control(client, "POST", "price", symbol="BTCUSDT", mark=72000.5).ok
    mark = client.raw("GET", "/fapi/v1/premiumIndex", "symbol=BTCUSDT").json()
    assert mark["markPrice"] == "72000.50000000"


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("price", {"symbol": "NOPE", "price": "1"}),
        ("price", {"symbol": "BTCUSDT", "price": "x"}),
        ("price", {"symbol": "BTCUSDT", "price": "0"}),
        ("price", {"price": "1"}),
        ("fault", {"kind": "earthquake"}),
        ("fault", {"kind": "delay", "seconds": 1}),
    ],
)
def test_a_bad_wish_is_explained(client: Client, path: str, document: dict[str, Any]) -> None:
    """400 with what is wrong."""
    answer = control(client, "POST", path, **document)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_an_unknown_control_path_names_the_known_ones(client: Client) -> None:
    """404 with the list."""
    answer = control(client, "GET", "nothing")
    assert answer.status_code == 404
    assert "/paper/price" in answer.json()["error"]


def test_every_order_ever_is_listed(client: Client) -> None:
    """Open, filled, cancelled and conditional ones, for audits."""
    client.order(newClientOrderId="a")
    client.signed("DELETE", "/fapi/v1/order", symbol="BTCUSDT", origClientOrderId="a")
    client.order(newClientOrderId="b", type="MARKET", price="", timeInForce="")
    client.signed(
        "POST",
        "/fapi/v1/algoOrder",
        algoType="CONDITIONAL",
        symbol="BTCUSDT",
        side="SELL",
        type="STOP_MARKET",
        triggerPrice="69000",
        quantity="0.010",
        clientAlgoId="c",
    )
    assert names(client) == ["a", "b"]
    algos = control(client, "GET", "orders").json()["algos"]
    assert [algo["clientAlgoId"] for algo in algos] == ["c"]


def test_a_dropped_answer_leaves_the_order(client: Client) -> None:
    """The order exists, the sender knows nothing; the next request is as ever."""
    control(client, "POST", "fault", kind="drop_answer", match="POST /fapi/v1/order")
    with pytest.raises(requests.ConnectionError):
        client.order(newClientOrderId="lost")
    assert names(client) == ["lost"]
    assert client.order(newClientOrderId="next").ok


@pytest.mark.parametrize("execute", [True, False])
def test_a_503_says_nothing_about_what_was_done(client: Client, execute: bool) -> None:
    """The documented text of an unknown outcome; executed or not, as asked."""
    control(client, "POST", "fault", kind="reject_503_unknown", match="x503", execute=execute)
    answer = client.order(newClientOrderId="x503")
    assert answer.status_code == 503
    assert answer.json()["msg"] == ("Unknown error, please check your request or try again later.")
    assert names(client) == (["x503"] if execute else [])


def test_a_delay_can_push_a_request_past_its_window(client: Client) -> None:
    """It reaches the gate too late and is not executed."""
    control(client, "POST", "fault", kind="delay", ms=300, match="newClientOrderId=late")
    begun = time.monotonic()
    answer = client.order(newClientOrderId="late", recvWindow=100)
    assert time.monotonic() - begun >= 0.3
    assert answer.json()["code"] == -1021
    assert names(client) == []


def test_a_refusal_comes_as_often_as_asked(client: Client) -> None:
    """Twice the given answer without execution, then as ever; faults can be cleared."""
    fault = {"kind": "refuse", "match": "/order ", "status": 503, "code": -1008, "msg": "throttled"}
    control(client, "POST", "fault", **fault, count=2)
    codes = [client.order().json().get("code") for _ in range(3)]
    assert codes == [-1008, -1008, None]
    control(client, "POST", "fault", **fault, count=9)
    control(client, "DELETE", "fault")
    assert client.order().ok
