"""The exchange's memory on disk: written before the answer, read after a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from runner.venues.paper.exchange import Exchange
from runner.venues.paper.market import Still
from runner.venues.paper.memory import Memory
from runner.venues.paper.server import PaperServer
from tests.venues.paper.client import KEYS, Client
from tests.venues.paper.desk import START, Desk


def restored(path: Path) -> Exchange:
    """Return a new exchange that has read the file."""
    exchange = Exchange(now=START)
    assert Memory(path, exchange).load()
    return exchange


def test_a_log_of_changes_restores_the_same_as_a_snapshot(tmp_path: Path) -> None:
    """Orders, fills, positions, countdowns and settings, each written as it changed."""
    desk = Desk()
    memory = Memory(tmp_path / "state", desk.exchange)
    memory.append()
    steps: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "leverage", {"symbol": "BTCUSDT", "leverage": 10}),
        ("POST", "countdownCancelAll", {"symbol": "BTCUSDT", "countdownTime": 60000}),
    ]
    for method, path, params in steps:
        desk.call(method, path, **params)
        memory.append()
    for action in (
        lambda: desk.limit(newClientOrderId="rests"),
        lambda: desk.market(quantity="0.020"),
        lambda: desk.algo("SELL", "STOP_MARKET", triggerPrice="69500", clientAlgoId="stop"),
        lambda: desk.algo("SELL", "TRAILING_STOP_MARKET", callbackRate="5"),
        lambda: desk.price("69400"),
        lambda: desk.market("SELL", quantity="0.004"),
        lambda: desk.wait(60_000),
    ):
        action()
        memory.append()
    memory.close()
    assert restored(tmp_path / "state").snapshot() == desk.exchange.snapshot()


def test_a_cut_off_last_line_is_dropped(tmp_path: Path) -> None:
    """Its request never got an answer."""
    desk = Desk()
    memory = Memory(tmp_path / "state", desk.exchange)
    memory.append()
    desk.limit(newClientOrderId="kept")
    memory.append()
    before = desk.exchange.snapshot()
    desk.limit(newClientOrderId="cut")
    memory.append()
    memory.close()
    whole = (tmp_path / "state").read_bytes()
    (tmp_path / "state").write_bytes(whole[:-20])
    assert restored(tmp_path / "state").snapshot() == before


def test_a_long_log_becomes_a_snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file does not grow without end."""
    monkeypatch.setattr("runner.venues.paper.memory.MAX_LOG", 5_000)
    desk = Desk()
    memory = Memory(tmp_path / "state", desk.exchange)
    for _ in range(50):
        desk.market(quantity="0.001")
        desk.market("SELL", quantity="0.001")
        memory.append()
    memory.close()
    lines = (tmp_path / "state").read_text().splitlines()
    assert len(lines) < 10
    assert restored(tmp_path / "state").snapshot() == desk.exchange.snapshot()


@pytest.mark.parametrize(
    ("text", "match"),
    [('{"version": 99}\n', "has version 99"), ("{}\n", "not a paper exchange's memory")],
)
def test_another_file_is_refused_with_a_cure(tmp_path: Path, text: str, match: str) -> None:
    """Another version, or no memory at all."""
    (tmp_path / "state").write_text(text)
    with pytest.raises(ValueError, match=match):
        restored(tmp_path / "state")


def test_a_server_goes_on_where_the_last_one_stopped(tmp_path: Path) -> None:
    """Orders, position and price come back; the same key acts for the same account."""
    path = tmp_path / "state"
    first = PaperServer(keys=KEYS, market=Still(), state_file=path)
    with first, Client(first) as client:
        client.order(newClientOrderId="rests")
        client.order(type="MARKET", price="", timeInForce="")
    second = PaperServer(keys=KEYS, market=Still(), state_file=path)
    with second, Client(second) as client:
        orders = client.signed("GET", "/fapi/v1/openOrders").json()
        assert [order["clientOrderId"] for order in orders] == ["rests"]
        held = client.signed("GET", "/fapi/v3/positionRisk").json()
        assert Decimal(held[0]["positionAmt"]) == Decimal("0.010")
        assert client.order(newClientOrderId="rests").json()["code"] == -4116


PROGRAM = """
import sys, threading
from runner.venues.paper.market import Still
from runner.venues.paper.server import PaperServer
server = PaperServer(keys={"K": "S"}, market=Still(), state_file=sys.argv[1]).start()
import json
print(json.dumps(server.addresses), flush=True)
threading.Event().wait()
"""


class Killed:
    """The addresses of a paper exchange in a process of its own."""

    def __init__(self, path: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.addresses = json.loads(self.process.stdout.readline())

    def kill(self) -> None:
        """End the process without a word."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.communicate(timeout=10)


def test_what_was_answered_survives_sigkill(tmp_path: Path) -> None:
    """Every acknowledged order is there after `kill -9`, once."""
    path = tmp_path / "state"
    expected: list[str] = []
    for life in range(3):
        running: Any = Killed(path)
        with Client(running) as client:
            found = client.signed("GET", "/fapi/v1/openOrders").json()
            assert [order["clientOrderId"] for order in found] == expected
            for number in range(5):
                name = f"{life}-{number}"
                assert client.order(newClientOrderId=name, quantity="0.001").ok
                expected.append(name)
        running.kill()
