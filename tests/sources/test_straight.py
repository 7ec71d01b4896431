"""The straight way gives the app's answers, byte for byte, and holds no thread for an alert."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import json
import random
import re
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing

import pytest

from runner.core.decision import AlertAnswer, RuleAnswer
from runner.core.events import Alert
from runner.sources.door import Reply
from runner.sources.hooks import Hook
from runner.sources.readiness import Readiness
from runner.sources.senders import MOST_REFUSALS
from runner.sources.server import THREADS, HookServer
from runner.sources.texts import TextForm
from runner.sources.webhook import DOOR, create_app
from tests.sources.test_fuzz import SEEDS, bent
from tests.support import eventually

SECRET = "Geheimnis-17"
PATIENCE = 60.0
BENT = 250
DETAIL = 'price is "missing"; ünd mehr'
ANSWERS = {
    "fired": AlertAnswer("fired", (RuleAnswer("tv", "ETHUSDT", "fired", "abcdefghij"),)),
    "not fired": AlertAnswer("not fired", (RuleAnswer("tv", "ETHUSDT", "not fired", detail="ä"),)),
    "unfit": AlertAnswer("unfit", (RuleAnswer("tv", "ETHUSDT", "not fired", detail=DETAIL),)),
    "refused": AlertAnswer("refused", ()),
    "none": None,
}

HandIn = Callable[[Alert], Reply | None]
Serve = Callable[..., HookServer]


def decided(alert: Alert) -> Reply:
    """At once, and as the body wishes."""
    wish = str(alert.fields.get("wish", "fired"))
    if wish == "error":
        raise OSError("disk full")
    reply: Reply = Future()
    reply.set_result(ANSWERS[wish])
    return reply


def asked(alert: Alert) -> AlertAnswer | None:
    """The same for who waits."""
    return decided(alert).result()


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers, and stop them afterwards; `straight` or by workers and the app alone."""
    with ExitStack() as stack:

        def start(hand_in: HandIn = decided, *, straight: bool = True) -> HookServer:
            hooks = {
                "eth": Hook("eth", SECRET.encode()),
                "pairs": Hook("pairs", SECRET.encode(), text=TextForm("pairs", (), "secret")),
            }
            app = create_app(
                lambda: hooks,
                asked,
                lambda: Readiness(True),
                lambda: 1,
                allow=("127.0.0.1", "52.89.214.238"),
                proxies=("127.0.0.1",),
                hand_in=hand_in,
            )
            server = HookServer(app, "127.0.0.1", 0)
            if not straight:
                server._server.add_task = server._server.task_dispatcher.add_task
            server.start()
            stack.callback(server.stop, 0.1)
            return server

        yield start


def said(server: HookServer, data: bytes) -> bytes:
    """All that comes back, without the date; empty when the server hung up."""
    with closing(socket.create_connection(server.address, timeout=PATIENCE)) as link:
        try:
            link.sendall(data)
            link.shutdown(socket.SHUT_WR)
            whole = b"".join(iter(lambda: link.recv(65_536), b""))
        except OSError:
            return b""
    return re.sub(rb"Date: [^\r]+", b"Date: then", whole)


def post(path: str = "/hook/eth", body: bytes = b"{}", *lines: str, version: str = "1.1") -> bytes:
    """A request that ends its connection."""
    ends = [] if any(line.lower().startswith("connection") for line in lines) else ["close"]
    head = [f"POST {path} HTTP/{version}", "Host: x", *lines]
    head += [f"Connection: {word}" for word in ends]
    if not any(line.startswith("Transfer-Encoding") for line in lines):
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*head, "", ""]).encode("latin-1") + body


def right(**fields: str) -> bytes:
    return json.dumps({"secret": SECRET, "action": "buy", **fields}).encode()


def requests() -> Iterator[bytes]:
    """Alerts as they should be, nearly so, and not at all."""
    for wish in (*ANSWERS, "error"):
        yield post("/hook/eth", right(wish=wish))
    signed = hmac.new(SECRET.encode(), b"{}", hashlib.sha256).hexdigest()
    for line in (f"X-Signature: sha256={signed}", "X-Signature: 0", "X-Signature: \xe9"):
        yield post("/hook/eth", b"{}", line)
    for path in (
        *(f"/hook/eth/{SECRET}", "/hook/eth/wrong", "/hook/eth?secret=x", "/hook/%65th"),
        *("//hook/eth", "/hook//eth", "/hook/eth/", "/hook/eth/a/b", "/hook/", "/hook", "/"),
        *(
            "/hook/../eth",
            "/hook/eth/%2e%2e",
            "/hook/%00",
            "/hook/%C3%A9",
            "/hook/eth;x",
            "/hook/|",
        ),
        *("http://x/hook/eth", "/HOOK/eth", "/hook/eth#x", "/livez", "/readyz", "/hook/e%0d%0aX"),
    ):
        yield post(path, right())
        yield post(path, b"{}")
    for method in (b"GET", b"PUT", b"HEAD", b"OPTIONS", b"DELETE", b"PATCH", b"post"):
        yield post("/hook/eth", right()).replace(b"POST", method, 1)
    for version in ("1.0", "1.2", "2.0", "0.9"):
        yield post("/hook/eth", right(), version=version)
    yield post("/hook/eth", right(), "Connection: keep-alive", version="1.0")
    yield post("/hook/eth", right(), "Connection: keep-alive")
    yield post("/hook/eth", right(), "Connection: CLOSE")
    chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(right()), right())
    for coding in ("chunked", "gzip", "chunked, gzip"):
        yield post("/hook/eth", chunked, f"Transfer-Encoding: {coding}")
    yield post("/hook/eth", chunked, "Transfer-Encoding: chunked", version="1.0")
    yield post("/hook/eth", gzip.compress(right()), "Content-Encoding: gzip")
    yield post("/hook/eth", right(), "Connection: upgrade", "Upgrade: websocket")
    yield post("/hook/eth", right(), "Content-Type: application/x-www-form-urlencoded")
    yield post("/hook/eth", right(), "X-Forwarded-For: 9.9.9.9")
    yield post("/hook/eth", right(), "X-Forwarded-For: 9.9.9.9, 52.89.214.238")
    yield post("/hook/eth", right(), "X-Forwarded-For: 9.9.9.9", "X-Forwarded-For: 52.89.214.238")
    yield post("/hook/eth", right(), "Host: ????", "Cookie: session=x", "Expect: 100-continue")
    for body in (b"", b"x" * 16_384, b"x" * 16_385, b"\xff\xfe", b"[1]", b"7", b'{"a": 1, "a": 2}'):
        yield post("/hook/eth", body)
        yield post(f"/hook/eth/{SECRET}", body)
    yield post("/hook/pairs", f"secret={SECRET}; action=buy".encode())
    yield post("/hook/pairs", b"secret=wrong; action=buy")
    yield post(f"/hook/pairs/{SECRET}", b"what is this")
    yield post("/hook/eth", right()) + post("/hook/eth", right(wish="unfit"))
    yield post("/hook/eth", right(), "Connection: keep-alive") * 3 + post("/hook/eth", b"{")


def test_both_ways_give_the_same_answer(serve: Serve, pytestconfig: pytest.Config) -> None:
    """Status, headers and body, byte for byte; also where a sender is told to wait at last."""
    straight, usual = serve(), serve(straight=False)
    dice = random.Random(pytestconfig.option.hypothesis_seed)
    wild = [post("/hook/eth", bent(dice, dice.choice((*SEEDS, right())))) for _ in range(BENT)]
    seen = []
    for data in [*requests(), *wild]:
        one = said(straight, data)
        assert one == said(usual, data), data
        seen.append(one[9:12])
    assert {b"200", b"400", b"404", b"405", b"409", b"413", b"422", b"429", b"503"} <= set(seen)
    assert len(seen) > MOST_REFUSALS
    assert straight._server.task_dispatcher.queue is not usual._server.task_dispatcher.queue


class Held:
    """A runner that decides when it is told to."""

    def __init__(self) -> None:
        """Nothing came."""
        self.replies: list[Reply] = []

    def hand_in(self, alert: Alert) -> Reply:
        """Keep it."""
        del alert
        reply: Reply = Future()
        self.replies.append(reply)
        return reply


def test_200_alerts_wait_for_their_commit_and_hold_no_thread(serve: Serve) -> None:
    """All are in hand before the first is decided: one commit may hold them all."""
    held = Held()
    server = serve(held.hand_in)
    assert THREADS < 200
    with ThreadPoolExecutor(200) as pool:
        posts = [pool.submit(said, server, post("/hook/eth", right())) for _ in range(200)]
        eventually(lambda: len(held.replies) == 200, PATIENCE)
        assert said(server, post("/livez")).startswith(b"HTTP/1.1 405")
        assert not any(one.done() for one in posts)
        for reply in held.replies:
            reply.set_result(ANSWERS["fired"])
        assert {one.result(PATIENCE)[9:12] for one in posts} == {b"200"}


def test_who_waits_too_long_is_asked_to_send_it_again(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """503 after the patience; a commit that comes later changes nothing and is not told."""
    caplog.set_level("INFO")
    held = Held()
    server = serve(held.hand_in)
    server._straight._door.patience = 0.05
    assert said(server, post("/hook/eth", right())).startswith(b"HTTP/1.1 503 ")
    held.replies[0].set_result(ANSWERS["fired"])
    assert said(server, post("/hook/eth", right())).startswith(b"HTTP/1.1 503 ")
    eventually(lambda: len(caplog.records) == 2, PATIENCE)
    told = [(vars(line)["status"], vars(line)["outcome"]) for line in caplog.records]
    assert told == [(503, "not committed")] * len(told)


def test_a_sender_that_went_away_keeps_nobody_waiting(serve: Serve) -> None:
    """Its answer is written to nobody, the next alert is answered."""
    held = Held()
    server = serve(held.hand_in)
    with closing(socket.create_connection(server.address, timeout=PATIENCE)) as link:
        link.sendall(post("/hook/eth", right()))
        eventually(lambda: len(held.replies) == 1, PATIENCE)
    with ThreadPoolExecutor(1) as pool:
        second = pool.submit(said, server, post("/hook/eth", right()))
        eventually(lambda: len(held.replies) == 2, PATIENCE)
        for reply in held.replies:
            reply.set_result(ANSWERS["fired"])
        assert second.result(PATIENCE).startswith(b"HTTP/1.1 200 ")
    assert server.alive


def test_a_long_answer_comes_whole_to_a_slow_reader(serve: Serve) -> None:
    """What the socket does not take at once follows, and only then the connection is closed."""
    rules = tuple(RuleAnswer(f"r{n}", "X", "not fired", detail="x" * 9_000) for n in range(1_000))

    def hand_in(alert: Alert) -> Reply:
        del alert
        reply: Reply = Future()
        reply.set_result(AlertAnswer("not fired", rules))
        return reply

    head, _, body = said(serve(hand_in), post("/hook/eth", right())).partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert len(json.loads(body)["rules"]) == 1_000


def test_a_connection_that_fails_costs_only_itself(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is raised while one is answered, the others go on."""
    server = serve()
    real, failures = server._straight._bytes, iter([True])

    def failing(*args: object) -> tuple[bytes, bool]:
        if next(failures, False):
            raise RuntimeError("unforeseen")
        return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(server._straight, "_bytes", failing)
    assert said(server, post("/hook/eth", right())) == b""
    assert said(server, post("/hook/eth", right())).startswith(b"HTTP/1.1 200 ")


def test_a_stop_lets_who_is_in_hand_be_answered(serve: Serve) -> None:
    """It waits for the commit; where that does not come, a later one wakes nobody."""
    patient, short = Held(), Held()
    servers = serve(patient.hand_in), serve(short.hand_in)
    with ThreadPoolExecutor(4) as pool:
        posts = [pool.submit(said, one, post("/hook/eth", right())) for one in servers]
        eventually(lambda: len(patient.replies) == len(short.replies) == 1, PATIENCE)
        stop = pool.submit(servers[0].stop, PATIENCE)
        servers[1].stop(0.05)
        patient.replies[0].set_result(ANSWERS["fired"])
        stop.result(PATIENCE)
        assert posts[0].result(PATIENCE).startswith(b"HTTP/1.1 200 ")
        assert posts[1].result(PATIENCE) == b""
    short.replies[0].set_result(ANSWERS["fired"])
    assert not any(one.alive for one in servers)


def test_answers_on_the_straight_way_are_counted(serve: Serve) -> None:
    """Whoever counts hears the status and how long it took."""
    server = serve()
    counted: list[tuple[int, float]] = []
    server._server.application.extensions[DOOR].counted.append(lambda *one: counted.append(one))
    said(server, post("/hook/eth", right()))
    said(server, post("/hook/eth", b"{}"))
    eventually(lambda: [status for status, _ in counted] == [200, 404], PATIENCE)
    assert all(0 <= seconds < PATIENCE for _, seconds in counted)
