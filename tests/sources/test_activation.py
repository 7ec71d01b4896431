"""The socket of a socket unit: taken once, by the process it is meant for."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from runner.sources.activation import passed_on

SERVES = """
import os, socket, urllib.request
os.dup2(int(os.environ.pop("AT")), 3)
os.environ["LISTEN_PID"] = str(os.getpid())
from runner.sources.server import HookServer
from runner.sources.webhook import Readiness, create_app
app = create_app(dict, lambda alert: None, lambda: Readiness(True), lambda: 1)
server = HookServer(app, "x", 1)
server.start()
with urllib.request.urlopen(server.url + "/livez", timeout=30) as answer:
    print(server.url, answer.status, "LISTEN_FDS" in os.environ, os.get_inheritable(3))
server.stop()
"""


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"LISTEN_FDS": "1"},
        {"LISTEN_FDS": "1", "LISTEN_PID": "1"},
        {"LISTEN_FDS": "0", "LISTEN_PID": str(os.getpid())},
        {"LISTEN_FDS": "many", "LISTEN_PID": str(os.getpid())},
    ],
)
def test_without_a_socket_of_ours_nothing_is_taken(environ: dict[str, str]) -> None:
    """Outside systemd, for another process, and for a count that is none; children hear nothing."""
    assert passed_on(environ) is None
    assert "LISTEN_FDS" not in environ


def test_the_server_serves_where_systemd_listens() -> None:
    """The address of the settings is not bound: the alerts come to the socket that was passed."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-c", SERVES],
            env={**os.environ, "LISTEN_FDS": "1", "AT": str(listener.fileno())},
            pass_fds=[listener.fileno()],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.stdout.split() == [f"http://127.0.0.1:{port}", "200", "False", "False"], done.stderr
