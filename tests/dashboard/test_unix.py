"""The dashboard on a Unix socket: for a proxy, or the end of a tunnel."""

from __future__ import annotations

import http.client
import socket
import stat
from pathlib import Path

import pytest

from runner.dashboard.server import DashboardServer, is_private, leave, listen, url_of
from runner.errors import ConfigurationError
from runner.settings import load
from tests.dashboard.scene import PASSWORD, Scene

PATIENCE = 60.0


class Proxy(http.client.HTTPConnection):
    """Speaks HTTP over the socket's file."""

    def __init__(self, path: Path) -> None:
        """Nothing is sent yet."""
        super().__init__("runner.example.org", timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        """To the file, whatever the host is called."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(str(self._path))

    def ask(self, method: str, path: str, body: str = "", **headers: str) -> tuple[int, str]:
        """Status and cookie of an answer."""
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        self.request(method, path, body or None, named)
        answer = self.getresponse()
        answer.read()
        return answer.status, answer.getheader("Set-Cookie", "")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where the socket is; such paths must be short."""
    return tmp_path / "d.sock"


def test_a_proxy_with_tls_may_come_by_the_socket(door: Scene, place: Path) -> None:
    """What it says of TLS and of the sender counts, though no setting names it."""
    listener = listen(f"unix:{place}", 0)
    assert is_private(listener)
    assert url_of(listener) == f"unix:{place}"
    assert stat.S_IMODE(place.stat().st_mode) == 0o660
    server = DashboardServer(door.dashboard, listener)
    server.start()
    proxy = Proxy(place)
    tls = {"X_Forwarded_Proto": "https", "X_Forwarded_For": "203.0.113.7"}
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    assert proxy.ask("GET", "/login", **tls)[0] == 200
    wrong = {"Origin": "https://runner.example.org", **tls, **form}
    for _ in range(5):
        assert proxy.ask("POST", "/login", "password=wrong", **wrong)[0] == 401
    assert proxy.ask("POST", "/login", f"password={PASSWORD}", **wrong)[0] == 429
    other = {**wrong, "X_Forwarded_For": "203.0.113.8"}
    status, cookie = proxy.ask("POST", "/login", f"password={PASSWORD}", **other)
    assert status == 302
    assert cookie.startswith("__Host-runner=")
    proxy.close()
    server.stop()


def test_a_tunnel_ends_at_the_socket(door: Scene, place: Path) -> None:
    """A browser that calls it localhost is at home; under another name over plain HTTP not."""
    server = DashboardServer(door.dashboard, listen(f"unix:{place}", 0))
    server.start()
    proxy = Proxy(place)
    assert proxy.ask("GET", "/login", Host="localhost:8081")[0] == 200
    assert proxy.ask("GET", "/login")[0] == 403
    proxy.close()
    server.stop()


def test_a_socket_that_was_left_is_replaced_and_one_in_use_is_not(place: Path) -> None:
    """After a kill the file is still there; two dashboards on one file are refused."""
    listen(f"unix:{place}", 0).close()
    assert place.is_socket()
    with listen(f"unix:{place}", 0):
        with pytest.raises(ConfigurationError, match="choose another address"):
            listen(f"unix:{place}", 0)
        assert place.is_socket()
    leave(f"unix:{place}")
    assert not place.exists()
    place.write_text("no socket")
    with pytest.raises(ConfigurationError):
        listen(f"unix:{place}", 0)
    assert place.read_text() == "no socket"


def test_the_setting_may_name_a_socket(tmp_path: Path) -> None:
    """Like an address."""
    (tmp_path / "runner.yaml").write_text("version: 1\ndashboard: unix:/run/runner/d.sock\n")
    assert load(tmp_path).dashboard == ("unix:/run/runner/d.sock", 0)
    (tmp_path / "runner.yaml").write_text("version: 1\ndashboard: 'unix:'\n")
    with pytest.raises(ConfigurationError, match="unix:PATH"):
        load(tmp_path)
