"""Whatever is sent to the hook: none gets in without the secret, none fails, none fills the disk.

50,000 requests in all: most against the app in this process, some over a real socket. A third of
them are bodies that people really send, bent; the others are made up.
"""

from __future__ import annotations

import json
import logging
import random
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import closing

import pytest
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from runner.core.decision import AlertAnswer
from runner.core.events import Alert
from runner.sources.hooks import Hook
from runner.sources.readiness import Readiness
from runner.sources.senders import MINUTE, MOST_TOLD
from runner.sources.server import HookServer
from runner.sources.webhook import create_app
from tests.figures import report

SECRET = "Geheimnis-17-das-niemand-kennt"
MADE_UP, BENT = 1_500, 44_500
OVER_SOCKETS = 4_000
EXPECTED = frozenset({400, 404, 405, 413, 415, 429, 431, 501})

WORDS = st.sampled_from(
    ["secret", "action", "n", "buy", "NaN", "1e999999", "{{close}}", "\x00", "\ud800", "0" * 400]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | WORDS,
    lambda below: st.lists(below, max_size=4) | st.dictionaries(WORDS | st.text(max_size=8), below),
    max_leaves=12,
)
BODIES = st.binary(max_size=200) | JSON.map(lambda tree: json.dumps(tree).encode())
PATHS = st.sampled_from(
    [
        *("/hook/eth", "/hook/eth/", "/hook/eth/guess", "/hook//eth", "/hook/../eth", "/hook/%00"),
        *("/hook/eth/%2e%2e", "/hook/eth?secret=x", "/hook/ETH", "/hook/eth;x", "/hook/e%0d%0aX"),
        *(
            "/",
            "/livez/x",
            "/readyz/",
            "/hook",
            "/hook/" + "a" * 900,
            "//hook/eth",
            "/hook/eth/a/b",
        ),
    ]
)
HEADERS = st.dictionaries(
    st.sampled_from(
        ["X-Forwarded-For", "X-Signature", "Content-Type", "X-Real-IP", "Forwarded", "Cookie"]
    ),
    st.sampled_from(
        ["52.89.214.238", "sha256=" + "0" * 64, "sha256=", "application/json", "text/plain", ",,,"]
    )
    | st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30),
    max_size=3,
)
METHODS = st.sampled_from(["POST"] * 12 + ["GET", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH"])


class World:
    """An app whose runner counts what got in; time stands still, so the log may say little."""

    def __init__(self) -> None:
        """Nobody knocked."""
        self.alerts: list[Alert] = []
        self.statuses: Counter[int] = Counter()
        hooks = {"eth": Hook("eth", SECRET.encode())}
        self.app: Flask = create_app(
            lambda: hooks, self.submit, lambda: Readiness(True), lambda: MINUTE
        )

    def submit(self, alert: Alert) -> AlertAnswer:
        """An alert got in."""
        self.alerts.append(alert)
        return AlertAnswer("fired", ())


@pytest.fixture(scope="module")
def world() -> World:
    """One app for every request, as in a runner's life."""
    return World()


@pytest.fixture
def told() -> Iterator[list[logging.LogRecord]]:
    """What is logged meanwhile."""
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign,assignment]  # a list will do
    root = logging.getLogger()
    root.addHandler(handler)
    yield records
    root.removeHandler(handler)


def knock(world: World, method: str, path: str, headers: dict[str, str], body: bytes) -> None:
    """One request; it must be refused, in JSON, with a reason."""
    client = world.app.test_client()
    answer = client.open(path, method=method, headers=headers, data=body)
    world.statuses[answer.status_code] += 1
    assert answer.status_code in EXPECTED, (answer.status_code, method, path, headers, body)
    if method != "HEAD":
        assert answer.get_json()["error"]
    assert SECRET not in answer.get_data(as_text=True)


def test_made_up_requests_get_nothing_but_a_reason(
    world: World, told: list[logging.LogRecord]
) -> None:
    """In this process; Hypothesis shrinks what it finds."""

    @settings(
        max_examples=MADE_UP,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(METHODS, PATHS, HEADERS, BODIES)
    def made_up(method: str, path: str, headers: dict[str, str], body: bytes) -> None:
        knock(world, method, path, headers, body)

    made_up()
    assert world.alerts == []
    assert len(told) <= MOST_TOLD


def bent(dice: random.Random, body: bytes) -> bytes:
    """A body with some bytes changed, cut, doubled or moved."""
    data = bytearray(body)
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(data) + 1)
        match dice.randrange(4):
            case 0:
                data[at : at + dice.randint(1, 5)] = b""
            case 1:
                data[at:at] = dice.randbytes(dice.randint(1, 4))
            case 2:
                data[at : at + 1] = bytes([dice.randrange(256)])
            case _:
                data[at:at] = data[: dice.randint(0, 40)]
    return bytes(data)


SEEDS = (
    b'{"secret": "guess", "action": "buy", "n": 1, "time": "2026-05-11T14:08:22Z"}',
    b'{"strategy": {"order_action": "buy", "order_contracts": 0.5}, "passphrase": "x"}',
    b"secret=guess action=buy quantity=0.01",
    b'{"n": [1, {"a": [[[[[[]]]]]]}], "secret": {"secret": ""}}',
)


def test_bent_alerts_get_nothing_but_a_reason(
    world: World, told: list[logging.LogRecord], request: pytest.FixtureRequest
) -> None:
    """44,500 times what people send, bent; the seed is Hypothesis' own and printed."""
    dice = random.Random(request.config.option.hypothesis_seed)
    for _ in range(BENT):
        body = bent(dice, dice.choice(SEEDS))
        knock(world, "POST", dice.choice(["/hook/eth", "/hook/eth/guess", "/hook/no"]), {}, body)
    assert world.alerts == []
    assert len(told) <= MOST_TOLD
    answer = world.app.test_client().post(f"/hook/eth/{SECRET}", data=b'{"n": 1}')
    assert answer.status_code == 200
    report(request, "hook", {"hostile requests": BENT, "that got in": 0})


def raw(dice: random.Random) -> bytes:
    """Bytes that are nearly a request."""
    body = bent(dice, dice.choice(SEEDS))
    length = dice.choice([len(body), len(body), 0, len(body) - 1, 10**9, -1])
    lines = [
        b"POST /hook/eth HTTP/1.1",
        b"Host: x",
        b"Content-Length: %d" % length,
        b"Connection: close",
    ]
    if dice.random() < 0.2:
        lines.insert(2, b"Transfer-Encoding: " + dice.choice([b"chunked", b"gzip", b"chunked, x"]))
    if dice.random() < 0.2:
        lines[0] = dice.choice(
            [b"GET / HTTP/9", b"\x16\x03\x01", b"POST  /hook", b"PRI * HTTP/2.0"]
        )
    whole = b"\r\n".join([*lines, b"", body])
    return bent(dice, whole) if dice.random() < 0.5 else whole


def test_nearly_requests_over_sockets_get_nothing(request: pytest.FixtureRequest) -> None:
    """The server answers or hangs up, and answers a right alert after all of them."""
    world = World()
    server = HookServer(world.app, "127.0.0.1", 0)
    server.start()
    dice = random.Random(request.config.option.hypothesis_seed)
    statuses: Counter[str] = Counter()
    try:
        for _ in range(OVER_SOCKETS):
            with closing(socket.create_connection(server.address, timeout=30)) as link:
                statuses[said_to(link, raw(dice))] += 1
        with closing(socket.create_connection(server.address, timeout=30)) as link:
            right = f"POST /hook/eth/{SECRET} HTTP/1.0\r\nContent-Length: 2\r\n\r\n{{}}".encode()
            assert said_to(link, right) == "200"
    finally:
        server.stop(0.1)
    assert len(world.alerts) == 1
    statuses.pop("", None)
    assert {int(status) for status in statuses} <= EXPECTED | {505}
    report(request, "hook", {"hostile requests": OVER_SOCKETS})


def said_to(link: socket.socket, data: bytes) -> str:
    """Send, end our side, and return the status of the answer; empty when it hung up."""
    try:
        link.sendall(data)
        link.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: link.recv(65_536), b""))
    except OSError:
        return ""
    return answer[9:12].decode() if answer.startswith(b"HTTP/1.") else ""
