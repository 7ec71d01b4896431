"""Faults by command line and by control endpoint: each kind, as a client meets it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from runner.venues.paper.faults import KINDS, Faults, read_fault
from runner.venues.paper.market import Still
from runner.venues.paper.server import PaperServer
from tests.support import eventually
from tests.venues.paper.client import KEYS, Client, heard


@pytest.fixture
def client() -> Iterator[Client]:
    """A client of a paper exchange with its control endpoint on."""
    server = PaperServer(keys=KEYS, market=Still(), control=True)
    with server as running, Client(running) as connected:
        yield connected


def control(client: Client, method: str, path: str, **document: Any) -> Any:
    """Call the control endpoint, which must agree."""
    answer = client.raw(method, f"/paper/{path}", "", json.dumps(document))
    assert answer.ok, answer.text
    return answer.json()


def names(client: Client) -> list[str]:
    """Return the client ids of all orders ever."""
    return [order["clientOrderId"] for order in control(client, "GET", "orders")["orders"]]


@pytest.mark.parametrize(
    ("kind", "executed"), [("drop_request", []), ("drop_answer", ["x"]), ("cut_answer", ["x"])]
)
def test_a_broken_connection_does_not_say_what_was_done(
    client: Client, kind: str, executed: list[str]
) -> None:
    """Before the order, after it, in the middle of its answer: the same to the client."""
    control(client, "POST", "fault", kind=kind, match="POST /fapi/v1/order")
    with pytest.raises(requests.RequestException):
        client.order(newClientOrderId="x")
    assert names(client) == executed


def test_a_slow_answer_is_whole(client: Client) -> None:
    """Byte by byte, but the same."""
    control(client, "POST", "fault", kind="slow", match="newClientOrderId=x", ms=0)
    assert client.order(newClientOrderId="x").json()["clientOrderId"] == "x"


@pytest.mark.parametrize("execute", [True, False])
def test_an_answer_can_be_any_text(client: Client, execute: bool) -> None:
    """A 403 in HTML, as firewalls answer; what is behind it did its work or not."""
    fault = {"kind": "answer", "status": 403, "body": "<html>no</html>", "execute": execute}
    control(client, "POST", "fault", **fault, match="newClientOrderId=x")
    answer = client.order(newClientOrderId="x")
    assert (answer.status_code, answer.text) == (403, "<html>no</html>")
    assert names(client) == (["x"] if execute else [])


def test_a_limit_says_when_to_come_back(client: Client) -> None:
    """429 with Retry-After."""
    fault = {"kind": "refuse", "status": 429, "code": -1003, "retry_after": 7}
    control(client, "POST", "fault", **fault, match="/order ")
    answer = client.order()
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")


def test_a_fault_can_skip_some_and_last_for_ever() -> None:
    """Skip lets the first pass, count 0 never ends."""
    faults = Faults()
    faults.add({"kind": "refuse", "skip": 2, "count": 0})
    assert [faults.next_for("x") is not None for _ in range(5)] == [False, False, True, True, True]
    faults.clear()
    assert faults.next_for("x") is None


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("lose", ["c"]), ("repeat", ["b", "b", "c"]), ("late", ["c", "b"])],
)
def test_messages_are_lost_repeated_and_late(kind: str, expected: list[str]) -> None:
    """Only the message that matches; requests are none of it."""
    faults = Faults()
    faults.add({"kind": kind, "match": "^b$"})
    assert faults.next_for("b") is None
    assert [*faults.told("b"), *faults.told("c")] == expected


def test_the_user_stream_loses_a_message(client: Client) -> None:
    """The fill is never told, what comes after is; then every connection of the room is cut."""
    stream = client.stream(f"/private/ws?listenKey={client.listen_key()}")
    control(client, "POST", "fault", kind="lose", match='"X":"NEW"')
    client.order(newClientOrderId="a")
    client.order(newClientOrderId="b")
    assert heard(stream)[0]["o"]["c"] == "b"
    assert control(client, "DELETE", "streams", room="private") == {"ended": 1}
    assert stream.recv() == ""
    eventually(lambda: control(client, "DELETE", "streams", room="private") == {"ended": 0})


def test_the_clock_can_be_wrong(client: Client) -> None:
    """Five seconds ahead: -1021 for who does not ask for the time."""
    control(client, "POST", "clock", ms=60_000)
    assert client.order().json()["code"] == -1021
    control(client, "POST", "clock", ms=0)
    assert client.order().ok


def test_queries_can_begin_to_lag(client: Client) -> None:
    """An order placed from now on is not found for an hour."""
    control(client, "POST", "lag", ms=3_600_000)
    client.order(newClientOrderId="x")
    found = client.signed("GET", "/fapi/v1/order", symbol="BTCUSDT", origClientOrderId="x")
    assert found.json()["code"] == -2013


def test_a_symbol_is_halted_and_a_position_deleveraged(client: Client) -> None:
    """Through the control endpoint; who holds nothing cannot be deleveraged."""
    client.order(type="MARKET", price="", timeInForce="")
    wish = {"account": "K", "symbol": "BTCUSDT"}
    assert control(client, "POST", "adl", **wish, quantity="0.004") == {"quantity": "0.004"}
    assert control(client, "POST", "adl", **wish) == {"quantity": "0.006"}
    answer = client.raw("POST", "/paper/adl", "", json.dumps(wish))
    assert "holds no BTCUSDT" in answer.json()["error"]
    control(client, "POST", "status", symbol="BTCUSDT", status="SETTLING", price="70001")
    assert client.order().json()["code"] == -4141


def test_a_fault_of_the_command_line() -> None:
    """Kind first, then its fields, numbers and flags as such."""
    assert read_fault("refuse,match=POST /fapi,status=503,execute=false") == {
        "kind": "refuse",
        "match": "POST /fapi",
        "status": 503,
        "execute": False,
    }


@pytest.mark.parametrize(
    "text",
    ["nothing", "delay,ms=soon", "delay,x=1", "delay,execute=yes", "delay,match=(", "delay,"],
)
def test_a_wrong_fault_says_what_would_be_right(text: str) -> None:
    """A kind, a field or a value that is not known."""
    with pytest.raises(ValueError, match=r"use|pattern"):
        read_fault(text)


def test_every_kind_is_told_to_the_reader() -> None:
    """The page of the paper exchange names each kind."""
    page = (Path(__file__).parents[3] / "docs" / "paper.md").read_text("utf-8")
    assert [kind for kind in KINDS if f"`{kind}`" not in page] == []
