"""The Caddy example before a hook, on loopback; skipped where Caddy is not installed."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support import eventually

EXAMPLE = Path(__file__).parents[2] / "systemd" / "front" / "Caddyfile"
SECRET = "path-token-that-nobody-may-read"
PLACES = {"alerts.example.org": "http://127.0.0.1:{front}", "127.0.0.1:8080": "127.0.0.1:{hook}"}

pytestmark = pytest.mark.skipif(shutil.which("caddy") is None, reason="caddy is not installed")


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

    def log_message(self, *_: object) -> None:
        """Nothing on the test's output."""


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Front:
    """A running Caddy with the example, its log and the hook's port."""

    def __init__(self, folder: Path, text: str) -> None:
        self.port, self.hook_port = free_port(), free_port()
        for there, here in PLACES.items():
            assert there in text
            text = text.replace(there, here.format(front=self.port, hook=self.hook_port))
        config = folder / "Caddyfile"
        config.write_text(text.replace("{\n", "{\n\tadmin off\n\tauto_https off\n", 1), "utf-8")
        self.log = folder / "caddy.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                ["caddy", "run", "--config", str(config), "--adapter", "caddyfile"],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={"HOME": str(folder), "PATH": "/usr/bin:/bin"},
            )
        eventually(self.listens, timeout=60)

    def listens(self) -> bool:
        """True once connections are taken."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def ask(
        self, path: str, body: bytes = b"{}", method: str = "POST", **headers: str
    ) -> tuple[int, bytes]:
        """Status and body of the answer; patient, since a slow machine is no fault of Caddy's."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


@pytest.fixture
def front(tmp_path: Path) -> Iterator[Front]:
    """Caddy with the example, before a hook that is not there yet."""
    running = Front(tmp_path, EXAMPLE.read_text("utf-8"))
    yield running
    running.process.terminate()
    running.process.wait(60)


@pytest.fixture
def hook(front: Front) -> Iterator[ThreadingHTTPServer]:
    """The hook behind it."""
    server = ThreadingHTTPServer(("127.0.0.1", front.hook_port), Hook)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_alert_comes_through_and_tells_who_sent_it(
    front: Front, hook: ThreadingHTTPServer
) -> None:
    """Also when the sender claims to be somebody else."""
    status, body = front.ask(f"/hook/{SECRET}", b"x" * 100, X_Forwarded_For="52.89.214.238")
    assert (status, json.loads(body)) == (200, {"sender": ["127.0.0.1"], "length": 100})


@pytest.mark.parametrize(
    ("method", "path", "size", "expected"),
    [
        ("GET", f"/hook/{SECRET}", 0, 404),
        ("POST", "/", 2, 404),
        ("POST", "/metrics", 2, 404),
        ("POST", f"/hook/{SECRET}", 16_000, 200),
        ("POST", f"/hook/{SECRET}", 40_000, 413),
    ],
)
def test_nothing_but_alerts_of_their_size_comes_through(
    front: Front, hook: ThreadingHTTPServer, method: str, path: str, size: int, expected: int
) -> None:
    """Other methods, other paths and large bodies end at the front."""
    assert front.ask(path, b"x" * size, method)[0] == expected


def test_no_log_shows_a_secret_in_a_path(front: Front, hook: ThreadingHTTPServer) -> None:
    """Neither of what was answered, nor of what could not be."""
    assert front.ask(f"/hook/{SECRET}")[0] == 200
    hook.shutdown()
    hook.server_close()
    assert front.ask(f"/hook/{SECRET}")[0] >= 500
    eventually(lambda: front.log.read_text("utf-8").count("/hook/...") >= 2, timeout=60)
    assert SECRET not in front.log.read_text("utf-8")


def test_the_list_of_senders_keeps_others_out(tmp_path: Path) -> None:
    """As the example says: take the # away, and only TradingView's addresses come through."""
    text = re.sub(r"(?m)^\t#(@strangers|handle|\t|\})", r"\t\1", EXAMPLE.read_text("utf-8"))
    assert "\thandle @strangers {\n" in text
    front = Front(tmp_path, text)
    try:
        assert front.ask(f"/hook/{SECRET}")[0] == 404
    finally:
        front.process.terminate()
        front.process.wait(60)
