"""Whatever comes, the exchange answers with its own codes and stays up."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import pytest
import websocket
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runner.venues.paper.errors import TEXTS as TEXTS_OF_CODES
from runner.venues.paper.errors import ApiError
from runner.venues.paper.market import Still
from runner.venues.paper.operations import OPERATIONS
from runner.venues.paper.server import PaperServer
from runner.venues.paper.streams import MAX_STREAMS, Streams
from tests.venues.paper.client import KEYS, Client, heard, sign, stamped
from tests.venues.paper.desk import Desk
from tests.venues.paper.test_pace import Ear


@pytest.fixture(scope="module")
def server() -> Iterator[PaperServer]:
    """A paper exchange with prices that stay, shared by the tests of this file."""
    with PaperServer(keys=KEYS, market=Still(), limits=False) as running:
        yield running


@pytest.fixture
def client(server: PaperServer) -> Iterator[Client]:
    """A client with key K."""
    with Client(server) as connected:
        yield connected


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"quantity": "1e-3"}, -1100),
        ({"quantity": "1" * 40}, -1100),
        ({"quantity": "0." + "1" * 40}, -1100),
        ({"quantity": "0.0101"}, -1111),
        ({"quantity": "-1"}, -1100),
        ({"quantity": "NaN"}, -1100),
        ({"quantity": "٣"}, -1100),
        ({"quantity": ""}, -1102),
        ({"quantity": "0"}, -4003),
        ({"price": "0"}, -4001),
        ({"price": "69000.05"}, -4014),
        ({"symbol": "NOPEUSDT"}, -1121),
        ({"symbol": ""}, -1102),
        ({"symbol": "比特币USDT"}, -1121),
        ({"side": "HOLD"}, -1117),
        ({"type": "ICEBERG"}, -1116),
        ({"type": "STOP_MARKET"}, -4120),
        ({"timeInForce": "FOREVER"}, -1115),
        ({"positionSide": "UP"}, -4060),
        ({"reduceOnly": "maybe"}, -1130),
        ({"newClientOrderId": "x" * 37}, -4015),
        ({"newClientOrderId": "a b"}, -1100),
        ({"newOrderRespType": "FULL"}, -1136),
        ({"selfTradePreventionMode": "SOME"}, -5039),
        ({"priceMatch": "QUEUE"}, -1106),
        ({"timeInForce": "GTD", "goodTillDate": "1"}, -5040),
        ({"timestamp": 1}, -1021),
        ({"timestamp": "soon"}, -1100),
        ({"timestamp": "9" * 19}, -1021),
        ({"recvWindow": "-5"}, -1100),
    ],
)
def test_a_bad_order_meets_its_code(client: Client, change: dict[str, Any], code: int) -> None:
    """Over the wire, and the next request is answered as ever."""
    assert client.order(**change).json()["code"] == code
    assert client.raw("GET", "/fapi/v1/ping").json() == {}


def test_six_orders_are_too_many_for_a_batch(client: Client) -> None:
    """-4082 with their number; five are answered one by one, whatever they are."""
    leg = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "x"}
    sent = [
        client.signed("POST", "/fapi/v1/batchOrders", batchOrders=legs)
        for legs in (
            json.dumps([leg] * 6),
            json.dumps([leg] * 5),
        )
    ]
    assert sent[0].json() == {"code": -4082, "msg": "Invalid number of batch place orders: 6"}
    assert [one["code"] for one in sent[1].json()] == [-1100] * 5


@pytest.mark.parametrize(
    "legs", ["", "[", "{}", "7", "null", "[1]", '["a"]', "[" * 100_000, "[1e999]", "[[]]"]
)
def test_a_batch_that_is_no_list_of_orders_is_malformed(client: Client, legs: str) -> None:
    """-1102, however it is broken."""
    path = "/fapi/v1/batchOrders"
    body = sign(f"batchOrders={quote(legs)}&timestamp={stamped({})['timestamp']}")
    assert client.raw("POST", path, "", body).json()["code"] == -1102


def test_a_wrong_signature_and_a_stale_time(client: Client) -> None:
    """-1022 and -1021, each in its own words."""
    query = sign("symbol=BTCUSDT&timestamp=1", secret="other")
    assert client.raw("GET", "/fapi/v1/openOrders", query).json()["code"] == -1021
    fresh = sign(urlencode(stamped({})), secret="other")
    assert client.raw("GET", "/fapi/v1/openOrders", fresh).json()["code"] == -1022


def test_more_streams_than_allowed(client: Client) -> None:
    """By message: an error, and those before stay. By address: the connection is ended."""
    many = [f"s{number}@aggTrade" for number in range(MAX_STREAMS + 1)]
    stream = client.stream("/market/ws/btcusdt@aggTrade")
    stream.send(json.dumps({"method": "SUBSCRIBE", "params": many, "id": 1}))
    assert heard(stream)[0]["error"]["code"] == 2
    stream.send(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": 2}))
    assert heard(stream)[0]["result"] == ["btcusdt@aggTrade"]
    stream.send(json.dumps({"method": "SUBSCRIBE", "params": many[:-2], "id": 3}))
    assert heard(stream)[0]["result"] is None
    full = client.stream(f"/market/stream?streams={'/'.join(many)}")
    assert full.recv() == ""


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00\xff\xfe" * 100,
        b"GET\r\n\r\n",
        b"POST /fapi/v1/order HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        b"POST /fapi/v1/order HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"".join(b"H%d: x\r\n" % n for n in range(200)) + b"\r\n",
        b"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n",
        b"BREW /coffee HTTP/1.1\r\n\r\n",
        b"GET /fapi/v1/order?symbol=%ff%fe&timestamp=%00 HTTP/1.1\r\nX-MBX-APIKEY: K\r\n\r\n",
    ],
)
def test_garbage_on_the_socket_ends_that_connection_only(client: Client, garbage: bytes) -> None:
    """Something is answered or nothing; others do not notice."""
    address = urlsplit(client.addresses["rest"])
    with socket.create_connection((address.hostname, address.port), timeout=60) as raw:
        raw.sendall(garbage)
        raw.shutdown(socket.SHUT_WR)
        try:
            while raw.recv(65536):
                pass
        except ConnectionError:
            # Cut off with something unread: fine as well.
            assert garbage
    assert client.raw("GET", "/fapi/v1/ping").json() == {}


@pytest.mark.parametrize("text", ["", "x", "[]", "{}", "null", '{"method": 5}', "[" * 100_000])
@pytest.mark.parametrize("path", ["/market/ws", "/ws-fapi/v1"])
def test_garbage_in_a_websocket_ends_it_or_is_refused(client: Client, path: str, text: str) -> None:
    """A goodbye or an error; the next connection is served."""
    stream = client.stream(path)
    stream.send(text or " ")
    try:
        answer = stream.recv()
    except websocket.WebSocketConnectionClosedException:
        answer = ""
    assert answer == "" or "error" in json.loads(answer)
    assert client.raw("GET", "/fapi/v1/ping").json() == {}


NAMES = """
symbol side type timeInForce quantity price reduceOnly newClientOrderId positionSide orderId
origClientOrderId limit startTime endTime fromId leverage marginType dualSidePosition amount
countdownTime batchOrders orderIdList origClientOrderIdList algoType triggerPrice algoId
clientAlgoId callbackRate activatePrice closePosition workingType priceProtect goodTillDate
priceMatch selfTradePreventionMode newOrderRespType interval pair incomeType autoCloseType
multiAssetsMargin feeBurn page
"""
WORDS = """
BTCUSDT BUY SELL LIMIT MARKET GTC FOK GTX GTD IOC STOP STOP_MARKET TRAILING_STOP_MARKET
0.01 69000 0 -1 1e5 99999999999999999999 true FALSE LONG BOTH a [] [1] {} null 1m 1M
CONDITIONAL MARK_PRICE QUEUE_5 EXPIRE_BOTH ISOLATED CROSSED 20 5 % %s %d 1700000600001
[{"symbol":"BTCUSDT"}] [{}] [null] ["a"] 0.1 10 ²
"""
TEXTS = st.one_of(st.text(max_size=12), st.sampled_from(WORDS.split()))


@given(
    operation=st.sampled_from(sorted(OPERATIONS)),
    params=st.dictionaries(st.sampled_from(NAMES.split()), TEXTS, max_size=9),
    known=st.booleans(),
)
@settings(max_examples=200, deadline=None)
@example(("GET", "/fapi/v1/klines"), {"symbol": "BTCUSDT", "interval": "1m", "limit": "0"}, True)
@example(("GET", "/fapi/v1/depth"), {"symbol": "BTCUSDT", "limit": "0"}, True)
@example(("GET", "/fapi/v1/fundingRate"), {"symbol": "BTCUSDT", "startTime": "9" * 20}, True)
def test_no_parameters_are_too_strange(
    operation: tuple[str, str], params: dict[str, str], known: bool
) -> None:
    """Each call answers or refuses with one of its codes, in a text that is whole."""
    if known:
        params = {"symbol": "BTCUSDT"} | params
    desk = Desk()
    desk.market()
    desk.limit()
    try:
        answer = desk.exchange.request(*operation, params, now=desk.now, account="paper")
    except ApiError as refusal:
        answer = refusal.body()
    code = answer.get("code", 200) if isinstance(answer, dict) else 200
    assert code in (200, "200") or code in TEXTS_OF_CODES
    assert json.dumps(answer)


@given(text=st.one_of(st.text(), st.from_type(type(None)).map(json.dumps)), path=st.text())
@settings(max_examples=200, deadline=None)
def test_no_message_and_no_address_are_too_strange(text: str, path: str) -> None:
    """A live message is answered or ends the connection; an address is one or none."""
    streams = Streams(lambda _: None)
    subscriber = streams.connect(Ear(), "/market/ws", "")
    assert subscriber is not None
    streams.command(subscriber, text)
    streams.connect(Ear(), path, path)
