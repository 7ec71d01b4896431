"""REST on real sockets: keys, signatures, the time window, forms of parameters, headers."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from runner.venues.paper.market import Still
from runner.venues.paper.server import PaperServer
from tests.venues.paper.client import KEYS, Client, sign, signature, stamped


@pytest.fixture(scope="module")
def server() -> Iterator[PaperServer]:
    """A paper exchange with prices that stay, shared by the tests of this file."""
    with PaperServer(keys=KEYS, market=Still(), balance="1000000", limits=False) as running:
        yield running


@pytest.fixture
def client(server: PaperServer) -> Iterator[Client]:
    """A client with key K."""
    with Client(server) as connected:
        yield connected


def code(answer: Any) -> tuple[int, int]:
    """Return the HTTP status and the code of a refusal."""
    return answer.status_code, answer.json()["code"]


def test_public_calls_need_no_key(client: Client) -> None:
    """Time, ping and the twelve symbols for anyone."""
    client.session.headers.pop("X-MBX-APIKEY")
    assert client.raw("GET", "/fapi/v1/ping").json() == {}
    assert client.raw("GET", "/fapi/v1/time").json()["serverTime"] > 1_700_000_000_000
    assert client.raw("GET", "/api/v3/time").json()["serverTime"] > 1_700_000_000_000
    info = client.raw("GET", "/fapi/v1/exchangeInfo").json()
    assert len(info["symbols"]) == 12
    assert {one["rateLimitType"] for one in info["rateLimits"]} == {"REQUEST_WEIGHT", "ORDERS"}


@pytest.mark.parametrize(("key", "expected"), [("", -2014), ("a b", -2014), ("unknown", -2015)])
def test_a_wrong_key_is_401(client: Client, key: str, expected: int) -> None:
    """Malformed and unknown keys have their own codes."""
    client.session.headers["X-MBX-APIKEY"] = key
    assert code(client.order()) == (401, expected)
    assert code(client.raw("POST", "/fapi/v1/listenKey")) == (401, expected)


def test_a_wrong_signature_is_refused(client: Client) -> None:
    """-1022, for another secret and for a changed payload."""
    query = urlencode(stamped({"symbol": "BTCUSDT"}))
    assert code(client.raw("GET", "/fapi/v1/openOrders", sign(query, "other"))) == (400, -1022)
    changed = sign(query).replace("BTCUSDT", "ETHUSDT")
    assert code(client.raw("GET", "/fapi/v1/openOrders", changed)) == (400, -1022)


def test_the_signatures_hex_may_be_upper_case(client: Client) -> None:
    """Upper or lower case: the documents say it does not matter."""
    query = urlencode(stamped({}))
    assert client.raw(
        "GET", "/fapi/v1/openOrders", f"{query}&signature={signature(query).upper()}"
    ).ok


@pytest.mark.parametrize("missing", ["timestamp", "signature"])
def test_what_a_signed_call_lacks_is_named(client: Client, missing: str) -> None:
    """-1102 with the parameter's name."""
    query = urlencode({} if missing == "timestamp" else stamped({}))
    query = sign(query) if missing == "timestamp" else query
    answer = client.raw("GET", "/fapi/v1/openOrders", query.lstrip("&"))
    assert code(answer) == (400, -1102)
    assert f"'{missing}'" in answer.json()["msg"]


@pytest.mark.parametrize(
    ("offset", "window", "text"),
    [
        (-6000, 5000, "Timestamp for this request is outside of the recvWindow."),
        (-200, 100, "Timestamp for this request is outside of the recvWindow."),
        (1500, 5000, "Timestamp for this request was 1000ms ahead of the server's time."),
    ],
)
def test_a_time_outside_the_window_is_refused_in_the_documented_words(
    client: Client, offset: int, window: int, text: str
) -> None:
    """-1021 for too old and for more than a second ahead."""
    now = client.raw("GET", "/fapi/v1/time").json()["serverTime"]
    answer = client.order(timestamp=now + offset, recvWindow=window)
    assert code(answer) == (400, -1021)
    assert answer.json()["msg"] == text


def test_parameters_come_in_query_form_or_both(client: Client) -> None:
    """What is signed is query and body joined without `&`."""
    params = stamped({"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"})
    rest = {"quantity": "0.010", "price": "69000"}
    first, second = urlencode(params), urlencode(rest)
    whole = sign(f"{first}&{second}")
    assert client.raw("POST", "/fapi/v1/order", "", whole).ok
    mixed = f"{second}&signature={signature(first + second)}"
    assert client.raw("POST", "/fapi/v1/order", first, mixed).ok
    in_query = f"{first}&signature={signature(first + second)}"
    assert client.raw("POST", "/fapi/v1/order", in_query, second).ok


def test_the_query_wins_over_the_body(client: Client) -> None:
    """Sent in both, "the query string parameter will be used"."""
    query = urlencode(stamped({"symbol": "BTCUSDT"}))
    body = "symbol=NOPE"
    answer = client.raw(
        "GET", "/fapi/v1/openOrders", f"{query}&signature={signature(query + body)}", body
    )
    assert answer.ok


@pytest.mark.parametrize(
    "content_type", ["application/x-www-form-urlencoded", "application/json", "text/plain", ""]
)
def test_the_content_type_does_not_matter(client: Client, content_type: str) -> None:
    """A form is read whatever it is called."""
    body = sign(urlencode(stamped({"symbol": "BTCUSDT"})))
    answer = client.raw(
        "DELETE", "/fapi/v1/allOpenOrders", "", body, **{"Content-Type": content_type}
    )
    assert answer.json()["code"] == 200


@pytest.mark.parametrize("encode", [quote, str])
def test_batch_orders_come_percent_encoded_or_raw(client: Client, encode: Any) -> None:
    """Both forms are signed as they are sent."""
    legs = json.dumps(
        [{"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.010"}],
        separators=(",", ":"),
    )
    query = f"batchOrders={encode(legs)}&{urlencode(stamped({}))}"
    with socket.create_connection(address_of(client), timeout=5) as connection:
        request = (
            f"POST /fapi/v1/batchOrders?{sign(query)} HTTP/1.1\r\nHost: x\r\n"
            "X-MBX-APIKEY: K\r\nConnection: close\r\n\r\n"
        )
        connection.sendall(request.encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert b" 200 " in answer.split(b"\r\n", 1)[0]
    assert b'"orderId"' in answer


def address_of(client: Client) -> tuple[str, int]:
    """Return host and port of the server."""
    host, _, port = client.addresses["rest"].removeprefix("http://").partition(":")
    return host, int(port)


def test_a_repeated_identical_request_is_executed_again(client: Client) -> None:
    """The exchange does not remember signatures: the same bytes place two orders."""
    terms = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.010"}
    query = sign(urlencode(stamped(terms)))
    ids = {client.raw("POST", "/fapi/v1/order", query).json()["orderId"] for _ in range(2)}
    assert len(ids) == 2


def test_one_connection_serves_many_requests(client: Client) -> None:
    """HTTP/1.1 keep-alive: errors do not end the connection either."""
    with socket.create_connection(address_of(client), timeout=5) as connection:
        stream = connection.makefile("rb")
        for path, status in (("/fapi/v1/time", b"200"), ("/nothing", b"404")) * 3:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert status in stream.readline()
            length = 0
            while (line := stream.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            stream.read(length)


def test_an_unknown_path_is_404(client: Client) -> None:
    """With the method and the path in the text."""
    answer = client.raw("GET", "/fapi/v9/order")
    assert code(answer) == (404, -5000)
    assert answer.json()["msg"] == "Path /fapi/v9/order, Method GET is invalid"
    assert code(client.raw("GET", "/paper/orders")) == (404, -5000)


def test_a_body_that_is_too_large_is_413(client: Client) -> None:
    """More than a megabyte is not read."""
    with socket.create_connection(address_of(client), timeout=5) as connection:
        connection.sendall(
            b"POST /fapi/v1/order HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n"
        )
        assert b" 413 " in connection.recv(1000)


def test_answers_carry_weight_and_order_counts(client: Client) -> None:
    """The weight with every answer, the counts with order calls; a batch counts 5 and 1."""
    before = client.order()
    after = client.order()
    for name in ("X-MBX-ORDER-COUNT-10S", "X-MBX-ORDER-COUNT-1M"):
        assert int(after.headers[name]) >= 1
        assert int(before.headers[name]) >= 1
    assert "X-MBX-ORDER-COUNT-1M" not in client.raw("GET", "/fapi/v1/time").headers
    assert int(client.raw("GET", "/fapi/v1/time").headers["X-MBX-USED-WEIGHT-1M"]) >= 1


def test_the_listen_key_lives_as_documented(client: Client) -> None:
    """POST gives the same key while it lives; PUT answers it; after DELETE PUT is -1125."""
    key = client.listen_key()
    assert client.listen_key() == key
    assert client.raw("PUT", "/fapi/v1/listenKey").json() == {"listenKey": key}
    assert client.raw("DELETE", "/fapi/v1/listenKey").json() == {}
    assert code(client.raw("PUT", "/fapi/v1/listenKey")) == (400, -1125)
    assert client.listen_key() != key


MARKET_CALLS = [
    ("/fapi/v1/depth?symbol=BTCUSDT&limit=5", lambda body: len(body["bids"]) == 5),
    ("/fapi/v1/premiumIndex?symbol=BTCUSDT", lambda body: body["markPrice"] == "70000.00000000"),
    ("/fapi/v1/premiumIndex", lambda body: len(body) == 12),
    ("/fapi/v1/ticker/price?symbol=BTCUSDT", lambda body: body["price"] == "70000.00"),
    ("/fapi/v2/ticker/price", lambda body: len(body) == 12),
    ("/fapi/v1/ticker/bookTicker?symbol=BTCUSDT", lambda body: body["askPrice"] == "70000.10"),
    ("/fapi/v1/ticker/24hr?symbol=BTCUSDT", lambda body: body["lastPrice"] == "70000.00"),
    ("/fapi/v1/klines?symbol=BTCUSDT&interval=1m", lambda body: len(body[-1]) == 12),
    ("/fapi/v1/trades?symbol=BTCUSDT&limit=1", lambda body: body[0]["price"] == "70000.00"),
    ("/fapi/v1/aggTrades?symbol=BTCUSDT", lambda body: body[0]["p"] == "70000.00"),
    ("/fapi/v1/fundingRate?symbol=BTCUSDT&limit=3", lambda body: len(body) == 3),
    ("/fapi/v1/fundingInfo", lambda body: body == []),
    ("/fapi/v1/openInterest?symbol=BTCUSDT", lambda body: body["symbol"] == "BTCUSDT"),
]


@pytest.mark.parametrize(("path", "check"), MARKET_CALLS)
def test_market_data_has_its_documented_shape(client: Client, path: str, check: Any) -> None:
    """Each call answers about the price the market stands at."""
    answer = client.raw("GET", *path.split("?"))
    assert answer.ok, answer.text
    assert check(answer.json())


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/fapi/v1/depth?symbol=BTCUSDT&limit=7", -4021),
        ("/fapi/v1/depth", -1102),
        ("/fapi/v1/klines?symbol=BTCUSDT&interval=2m", -1120),
        ("/fapi/v1/ticker/price?symbol=NOPE", -1121),
        ("/fapi/v1/trades?symbol=BTCUSDT&limit=x", -1100),
    ],
)
def test_bad_market_questions_are_refused(client: Client, path: str, expected: int) -> None:
    """Each with its code."""
    assert code(client.raw("GET", *path.split("?"))) == (400, expected)


@pytest.mark.parametrize("query", ["symbol=BTCUSDT&symbol=BTCUSDT", "limit=5&symbol=A&limit=5"])
def test_a_parameter_sent_twice_is_refused(client: Client, query: str) -> None:
    """-1101."""
    assert code(client.raw("GET", "/fapi/v1/depth", query)) == (400, -1101)


def test_a_failure_of_the_exchange_itself_is_500(
    server: PaperServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """-1000, an unknown outcome, and the next request is answered as ever."""

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("broken")

    with monkeypatch.context() as patch:
        patch.setattr(server.exchange, "request", broken)
        assert code(client.raw("GET", "/fapi/v1/time")) == (500, -1000)
    assert client.raw("GET", "/fapi/v1/time").ok
