"""The examples of a TLS front before a hook, on loopback; skipped where it is not installed."""

from __future__ import annotations

import http.client
import json
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support import eventually, free_port
from tests.systemd.fronts import (
    EXAMPLES,
    FILES,
    PATIENCE,
    SECOND_HOST,
    Authority,
    Front,
    missing,
    optional,
)

SECRET = "path-token-that-nobody-may-read"
KINDS = ("caddy", "nginx")

Start = Callable[..., Front]


class Hook(BaseHTTPRequestHandler):
    """Answers what it was sent, as far as the test looks at it."""

    def do_POST(self) -> None:
        """The sender's address as the front tells it, and the length of the body."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        told = {"sender": self.headers.get_all("X-Forwarded-For"), "length": len(body)}
        answer = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def do_GET(self) -> None:
        """It lives."""
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing on the test's output."""


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Each front that has an example."""
    kind = str(request.param)
    if why := missing(kind):
        pytest.skip(why)
    return kind


@pytest.fixture
def hook() -> Iterator[ThreadingHTTPServer]:
    """The hook behind it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def start(kind: str, tmp_path: Path, hook: ThreadingHTTPServer) -> Iterator[Start]:
    """Starts the front with the example, changed as the words say, before the hook."""
    running: list[Front] = []

    def begin(hooks: tuple[str, ...] = (), **changes: str) -> Front:
        places = hooks or (f"127.0.0.1:{hook.server_address[1]}",)
        running.append(Front(kind, tmp_path, places, changes))
        return running[-1]

    yield begin
    for front in running:
        front.stop()


def test_an_alert_comes_through_and_tells_who_sent_it(start: Start) -> None:
    """Over TLS, also when the sender claims to be somebody else."""
    front = start()
    status, body = front.ask(f"/hook/{SECRET}", b"x" * 100, X_Forwarded_For="52.89.214.238")
    assert (status, json.loads(body)) == (200, {"sender": ["127.0.0.1"], "length": 100})


def test_nothing_but_alerts_of_their_size_comes_through(start: Start) -> None:
    """Other methods, other paths and large bodies end at the front."""
    front = start()
    answers = {
        what: front.ask(path, b"x" * size, method)[0]
        for what, (method, path, size) in {
            "another method": ("GET", f"/hook/{SECRET}", 0),
            "no path": ("POST", "/", 2),
            "another path": ("POST", "/metrics", 2),
            "an alert": ("POST", f"/hook/{SECRET}", 16_000),
            "a large one": ("POST", f"/hook/{SECRET}", 16_385),
        }.items()
    }
    assert answers.pop("another method") in {403, 404}
    assert answers == {"no path": 404, "another path": 404, "an alert": 200, "a large one": 413}


def test_a_body_that_does_not_tell_its_length_has_the_same_cap(start: Start) -> None:
    """Sent in pieces, too, no more than 16 KiB come through."""
    connection = start().connection()
    pieces = (b"x" * 4_096 for _ in range(10))
    try:
        connection.request("POST", f"/hook/{SECRET}", pieces, encode_chunked=True)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException):
        status = 413  # it was cut off
    finally:
        connection.close()
    assert status >= 400


def test_no_log_shows_a_secret_in_a_path(start: Start, hook: ThreadingHTTPServer) -> None:
    """Neither of what was answered, nor of what was too large, nor of what could not be sent on."""
    front = start()
    assert front.ask(f"/hook/{SECRET}")[0] == 200
    assert front.ask(f"/hook/{SECRET}", b"x" * 40_000)[0] == 413
    assert front.ask(f"/hook/{SECRET}", b"", "GET")[0] >= 400
    assert front.ask(f"/{SECRET}")[0] == 404
    hook.shutdown()
    hook.server_close()
    assert front.ask(f"/hook/{SECRET}")[0] >= 500
    eventually(lambda: len(re.findall(r"\b(?:413|502)\b", front.logs())) >= 2, timeout=60)
    assert SECRET not in front.logs()


def test_the_list_of_senders_keeps_others_out(start: Start, kind: str) -> None:
    """As the example says: take the # away, and only TradingView's addresses come through."""
    beginnings = ("@strangers", "handle @strangers") if kind == "caddy" else ("allow",)
    front = start(**optional(kind, *beginnings))
    assert front.ask(f"/hook/{SECRET}")[0] in {403, 404}


def test_a_certificate_decides_who_comes_through(start: Start, kind: str, tmp_path: Path) -> None:
    """Where it is asked for: signed by the authority, of TradingView, and nobody else."""
    (tmp_path / "theirs").mkdir()
    (tmp_path / "others").mkdir()
    authority, other = Authority(tmp_path / "theirs", "theirs"), Authority(tmp_path / "others", "o")
    beginnings = ("tls {", "@others", "handle @others")
    if kind == "nginx":
        beginnings = ("ssl_client_certificate", "ssl_verify_client", "if (")
    changes = {
        there: here.replace(f"/etc/{kind}/tradingview-ca.pem", str(authority.certificate))
        for there, here in optional(kind, *beginnings).items()
    }
    front = start(**changes)
    path = f"/hook/{SECRET}"
    assert front.ask(path, show=authority.pair("TradingView", "TradingView, Inc."))[0] == 200
    assert front.ask(path, show=authority.pair("else", "Somebody else"))[0] == 404
    for shown in (None, other.pair("forged", "TradingView, Inc.")):
        try:
            assert front.ask(path, show=shown)[0] >= 400
        except (OSError, http.client.HTTPException):
            continue  # not even a handshake


def test_with_a_second_runner_alerts_go_where_somebody_answers(
    start: Start, kind: str, hook: ThreadingHTTPServer
) -> None:
    """As the example says: name both hosts, and the first one may be gone.

    nginx sends an alert on at once; Caddy notices within seconds, and TradingView asks again.
    """
    changes = optional(kind, *SECOND_HOST[kind])
    front = start((f"127.0.0.1:{free_port()}", f"127.0.0.1:{hook.server_address[1]}"), **changes)
    if kind == "caddy":
        eventually(lambda: front.ask(f"/hook/{SECRET}")[0] == 200, timeout=PATIENCE)
    for _ in range(3):
        assert front.ask(f"/hook/{SECRET}")[0] == 200


def test_caddy_sends_no_alert_twice_by_itself() -> None:
    """It would have to keep the body for that, and up to 2.11.1 mixes up what it keeps."""
    text = (EXAMPLES / FILES["caddy"]).read_text("utf-8")
    assert not re.search(r"(?m)^\t*#?(lb_try_|lb_retr|buffer_requests|request_buffers)", text)
