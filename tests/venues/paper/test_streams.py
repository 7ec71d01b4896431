"""Streams on real sockets: addresses, categories, subscriptions, and what each message says."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import websocket

from runner.venues.paper.frames import category, open_stream
from runner.venues.paper.market import Still
from runner.venues.paper.server import PaperServer
from tests.venues.paper.client import KEYS, Client, heard, silent


@pytest.fixture
def server() -> Iterator[PaperServer]:
    """A paper exchange with prices that stay until a test moves them."""
    with PaperServer(keys=KEYS, market=Still(), limits=False) as running:
        yield running


@pytest.fixture
def client(server: PaperServer) -> Iterator[Client]:
    """A client with key K."""
    with Client(server) as connected:
        yield connected


def ask(socket: websocket.WebSocket, method: str, params: Any, identity: Any = 1) -> Any:
    """Send a live message and return its answer."""
    socket.send(json.dumps({"method": method, "params": params, "id": identity}))
    return heard(socket)[0]


MESSAGES = {
    "btcusdt@aggTrade": "e E s a p q nq f l T m st",
    "btcusdt@trade": "e E T s t p q X m st",
    "btcusdt@markPrice": "e E s p ap i P r T st",
    "btcusdt@markPrice@1s": "e E s p ap i P r T st",
    "btcusdt@bookTicker": "e u s ps b B a A T E st",
    "btcusdt@depth": "e E T s ps U u pu b a st",
    "btcusdt@depth5@100ms": "e E T s ps U u pu b a st",
    "btcusdt@kline_1m": "e E s k",
    "btcusdt_perpetual@continuousKline_1m": "e E ps ct k",
    "btcusdt@miniTicker": "e E s c o h l v q ps st",
    "btcusdt@ticker": "e E s c o h l v q ps st p P w Q O C F L n",
}


@pytest.mark.parametrize("name", MESSAGES)
def test_each_stream_delivers_its_documented_fields(
    server: PaperServer, client: Client, name: str
) -> None:
    """On its own address, raw under /ws and wrapped under /stream."""
    raw = client.stream(f"/{category(name)}/ws/{name}")
    wrapped = client.stream(f"/{category(name)}/stream?streams={name}")
    server.set_price("BTCUSDT", "70100")
    message = heard(raw)[0]
    assert set(message) == set(MESSAGES[name].split())
    envelope = heard(wrapped)[0]
    assert envelope["stream"] == name
    assert set(envelope["data"]) == set(message)


def test_one_move_tells_price_and_time_alike(server: PaperServer, client: Client) -> None:
    """A move to 70100 is the mark, the trade, and the book around it."""
    names = "btcusdt@markPrice@1s/btcusdt@aggTrade"
    market = client.stream(f"/market/stream?streams={names}")
    public = client.stream("/public/ws/btcusdt@bookTicker")
    server.set_price("BTCUSDT", "70100")
    told = {one["stream"]: one["data"] for one in heard(market, 2)}
    assert told["btcusdt@markPrice@1s"]["p"] == "70100.00000000"
    assert told["btcusdt@aggTrade"]["p"] == "70100.00"
    book = heard(public)[0]
    assert (book["b"], book["a"]) == ("70100.00", "70100.10")


def test_all_market_arrays_carry_what_changed(server: PaperServer, client: Client) -> None:
    """An array stream tells the symbol that moved."""
    market = client.stream("/market/ws/!markPrice@arr@1s")
    server.set_price("ETHUSDT", "3600")

    def prices() -> dict[str, str]:
        return {one["s"]: one["p"] for one in heard(market)[0]}

    told = prices()
    while told.get("ETHUSDT") != "3600.00000000":
        told = prices()


@pytest.mark.parametrize(
    ("address", "delivers"),
    [
        ("/public/ws/btcusdt@bookTicker", True),
        ("/market/ws/btcusdt@aggTrade", True),
        ("/market/ws/btcusdt@bookTicker", False),
        ("/public/ws/btcusdt@aggTrade", False),
        ("/ws/btcusdt@bookTicker", True),
        ("/stream?streams=btcusdt@bookTicker", True),
        ("/ws/btcusdt@aggTrade", False),
        ("/ws/btcusdt@markPrice@1s", False),
        ("/private/ws/btcusdt@bookTicker", False),
    ],
)
def test_an_address_delivers_only_its_category(
    server: PaperServer, client: Client, address: str, delivers: bool
) -> None:
    """A wrong or un-routed address connects and stays silent (since 2026-04-23)."""
    stream = client.stream(address)
    server.set_price("BTCUSDT", "70100")
    assert silent(stream) is not delivers


def test_an_address_that_is_none_is_404(client: Client) -> None:
    """The upgrade is refused."""
    stream = websocket.WebSocket()
    client.streams.append(stream)
    with pytest.raises(websocket.WebSocketBadStatusException, match="404"):
        stream.connect(f"{client.addresses['streams']}/nowhere/ws")  # type: ignore[no-untyped-call]  # no stubs


def test_subscriptions_change_while_connected(server: PaperServer, client: Client) -> None:
    """SUBSCRIBE, LIST_SUBSCRIPTIONS, UNSUBSCRIBE, with ids of any kind echoed."""
    stream = client.stream("/market/ws")
    names = ["btcusdt@aggTrade", "ethusdt@aggTrade"]
    assert ask(stream, "SUBSCRIBE", names, "text") == {"result": None, "id": "text"}
    assert ask(stream, "LIST_SUBSCRIPTIONS", None, 7) == {"result": names, "id": 7}
    assert ask(stream, "UNSUBSCRIBE", names[:1], None) == {"result": None, "id": None}
    server.set_price("BTCUSDT", "70100")
    server.set_price("ETHUSDT", "3600")
    assert heard(stream)[0]["s"] == "ETHUSDT"


def test_the_combined_property_wraps_messages(server: PaperServer, client: Client) -> None:
    """SET_PROPERTY turns a raw connection into a combined one."""
    stream = client.stream("/market/ws/btcusdt@aggTrade")
    assert ask(stream, "GET_PROPERTY", ["combined"])["result"] is False
    assert ask(stream, "SET_PROPERTY", ["combined", True])["result"] is None
    assert ask(stream, "GET_PROPERTY", ["combined"])["result"] is True
    server.set_price("BTCUSDT", "70100")
    assert heard(stream)[0]["stream"] == "btcusdt@aggTrade"


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("SUBSCRIBE", "text"),
        ("DANCE", []),
        ("SET_PROPERTY", ["other", True]),
        ("SUBSCRIBE", [f"s{number}@trade" for number in range(1025)]),
    ],
)
def test_a_bad_live_message_is_answered_with_an_error(
    client: Client, method: str, params: Any
) -> None:
    """The connection lives on."""
    stream = client.stream("/market/ws")
    assert "error" in ask(stream, method, params)
    assert ask(stream, "LIST_SUBSCRIPTIONS", [])["result"] == []


def test_what_is_no_json_ends_the_connection(client: Client) -> None:
    """As the exchange does."""
    stream = client.stream("/market/ws")
    stream.send("hello")
    assert stream.recv_data()[0] == websocket.ABNF.OPCODE_CLOSE


def test_more_than_ten_messages_a_second_end_the_connection(client: Client) -> None:
    """The documented limit of incoming messages."""
    stream = client.stream("/market/ws")
    for _ in range(25):
        stream.send(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": 1}))
    answers = 0
    while stream.recv_data()[0] == websocket.ABNF.OPCODE_TEXT:
        answers += 1
    assert 10 <= answers <= 20


def test_pings_are_answered(client: Client) -> None:
    """A client's ping gets its payload back."""
    stream = client.stream("/market/ws")
    stream.ping("still there?")
    opcode, data = stream.recv_data(control_frame=True)
    assert (opcode, data) == (websocket.ABNF.OPCODE_PONG, b"still there?")


USER_ADDRESSES = [
    "/private/ws?listenKey={key}",
    "/private/ws/{key}",
    "/private/stream?listenKey={key}",
    "/private/stream?streams={key}",
    "/private/ws?listenKey={key}&events=ORDER_TRADE_UPDATE/ACCOUNT_UPDATE",
]


@pytest.mark.parametrize("address", USER_ADDRESSES)
def test_every_form_of_the_private_address_delivers(client: Client, address: str) -> None:
    """Sources disagree about the form, so all of them work."""
    key = client.listen_key()
    user = client.stream(address.format(key=key))
    assert client.order().ok
    message = heard(user)[0]
    if "stream" in message:
        assert message["stream"] == key
        message = message["data"]
    assert message["e"] == "ORDER_TRADE_UPDATE"


def test_a_listen_key_can_be_subscribed(client: Client) -> None:
    """The official SDK's way: connect to /private/stream, then SUBSCRIBE the key."""
    key = client.listen_key()
    user = client.stream("/private/stream")
    ask(user, "SUBSCRIBE", [key])
    client.order()
    assert heard(user)[0]["stream"] == key


@pytest.mark.parametrize("address", ["/ws/{key}", "/public/ws/{key}", "/market/ws/{key}"])
def test_user_events_come_on_the_private_address_only(client: Client, address: str) -> None:
    """The old un-routed address is silent: connected, pinged, no payload."""
    user = client.stream(address.format(key=client.listen_key()))
    client.order()
    assert silent(user)


def test_the_events_parameter_chooses_what_is_told(client: Client) -> None:
    """Only the named events arrive."""
    user = client.stream(f"/private/ws?listenKey={client.listen_key()}&events=ACCOUNT_UPDATE")
    client.order(type="MARKET", timeInForce="", price="")
    assert heard(user)[0]["e"] == "ACCOUNT_UPDATE"
    assert silent(user)


def test_a_closed_listen_key_tells_nothing_more(client: Client) -> None:
    """DELETE ends the stream for every consumer."""
    user = client.stream(f"/private/ws?listenKey={client.listen_key()}")
    client.raw("DELETE", "/fapi/v1/listenKey")
    client.order()
    assert silent(user)


def test_an_unknown_listen_key_connects_and_is_silent(client: Client) -> None:
    """Silence proves nothing, here as on the real exchange."""
    user = client.stream("/private/ws?listenKey=unknown")
    client.order()
    assert silent(user)


def test_an_expired_listen_key_is_told(server: PaperServer, client: Client) -> None:
    """After 60 minutes without a sign of life: listenKeyExpired, then nothing."""
    key = client.listen_key()
    user = client.stream(f"/private/ws?listenKey={key}")
    server.tick(time.time_ns() // 1_000_000 + 61 * 60_000)
    told = heard(user)[0]
    assert (told["e"], told["listenKey"]) == ("listenKeyExpired", key)
    client.order()
    assert silent(user)


def test_a_local_book_can_be_kept_from_the_diffs(server: PaperServer, client: Client) -> None:
    """The documented procedure: buffer, snapshot, drop the old, check pu, apply; it agrees."""
    stream = client.stream("/public/ws/btcusdt@depth@100ms")
    server.set_price("BTCUSDT", "70001")
    snapshot = client.raw("GET", "/fapi/v1/depth", "symbol=BTCUSDT&limit=50").json()
    for price in ("70002", "69990", "70005.5"):
        server.set_price("BTCUSDT", price)
    book = {side: dict(snapshot[side]) for side in ("bids", "asks")}
    last = snapshot["lastUpdateId"]
    previous = 0
    for event in heard(stream, 4):
        if previous:
            assert event["pu"] == previous
        previous = event["u"]
        if event["u"] < last:
            continue
        for name, side in (("b", "bids"), ("a", "asks")):
            for price, quantity in event[name]:
                if float(quantity):
                    book[side][price] = quantity
                else:
                    book[side].pop(price, None)
    now = client.raw("GET", "/fapi/v1/depth", "symbol=BTCUSDT&limit=50").json()
    assert book == {side: dict(now[side]) for side in ("bids", "asks")}


def test_names_of_streams_are_known_by_their_category() -> None:
    """Book data is public, everything else market; unknown names have no stream."""
    assert category("!bookTicker") == category("btcusdt@depth20@500ms") == "public"
    assert category("!markPrice@arr") == category("btcusdt@kline_1m") == "market"
    for name in ("btcusdt@nothing", "btcusdt@kline_7m", "nothing"):
        assert open_stream(name) is None
