"""The stream of server-sent events, and how seldom the runner is asked."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.core.decision import Decision, Record
from runner.dashboard.live import MOST_STREAMS
from runner.dashboard.server import DashboardServer, listen
from runner.dashboard.waiting import ACCOUNT, FRESH, Waiting
from tests.dashboard.scene import HASH, PASSWORD, FakeDesk, Scene, scene_of, write
from tests.journal.building import NOW
from tests.support import eventually

PATIENCE = 60.0


@pytest.fixture
def server(folder: Path) -> Iterator[tuple[Scene, DashboardServer]]:
    """A dashboard on a real socket."""
    scene = scene_of(folder)
    served = DashboardServer(scene.dashboard, listen("127.0.0.1", 0))
    served.start()
    yield scene, served
    served.stop()


def opened(served: DashboardServer) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    """A stream of somebody who has logged in, its headers read."""
    host = served.url.removeprefix("http://").rstrip("/")
    connection = http.client.HTTPConnection(host, timeout=PATIENCE)
    headers = {"Origin": f"http://{host}", "Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", "/login", f"password={PASSWORD.replace(' ', '+')}", headers)
    answer = connection.getresponse()
    answer.read()
    cookie = str(answer.headers["Set-Cookie"]).partition(";")[0]
    connection.request("GET", "/stream", headers={"Cookie": cookie})
    return connection, connection.getresponse()


def test_a_change_is_told_with_its_number(server: tuple[Scene, DashboardServer]) -> None:
    """As an event that names the newest record; no cache keeps it."""
    scene, served = server
    connection, stream = opened(served)
    assert stream.headers["Content-Type"].startswith("text/event-stream")
    assert stream.headers["Cache-Control"] == "no-store"
    assert stream.readline() == b"retry: 3000\n"
    write(scene.desk.path, Decision(records=[Record(NOW, "event", "something")]))
    lines = iter(stream.readline, b"")
    assert next(line for line in lines if line.startswith(b"event: changed"))
    assert next(lines) == b"data: 11\n"
    connection.close()


def test_a_stream_ends_with_its_session(server: tuple[Scene, DashboardServer]) -> None:
    """Who is logged out is told nothing more."""
    scene, served = server
    connection, stream = opened(served)
    scene.dashboard.doors.sessions.close_all()
    assert b"event: changed" not in stream.read()
    connection.close()


def test_pages_beyond_the_most_are_told_to_look_themselves(
    server: tuple[Scene, DashboardServer],
) -> None:
    """204: a browser does not come again. The room is free once a page is closed."""
    _, served = server
    streams = [opened(served) for _ in range(MOST_STREAMS)]
    assert {stream.status for _, stream in streams} == {200}
    late, refused = opened(served)
    assert refused.status == 204
    late.close()
    for connection, stream in streams:
        stream.close()
        connection.close()

    def room() -> bool:
        connection, stream = opened(served)
        stream.close()
        connection.close()
        return stream.status == 200

    assert eventually(room, PATIENCE)


def test_the_runner_is_asked_anew_only_when_its_answer_is_old(folder: Path) -> None:
    """Many looks are one question; an answer that is much too old is not shown at all."""
    clock = [NOW]
    noticed: list[int] = []
    desk = FakeDesk(folder, kept=HASH)
    waiting = Waiting(desk, lambda: clock[0], lambda: noticed.append(1))
    assert waiting.account() is None
    assert eventually(lambda: noticed == [1], PATIENCE)
    for _ in range(5):
        told = waiting.account()
        assert told is not None
        assert told["as_of"] == NOW
    assert desk.asked == ["account"]
    clock[0] += ACCOUNT
    assert waiting.account() is not None
    assert eventually(lambda: noticed == [1, 1], PATIENCE)
    desk.held = None
    clock[0] += FRESH
    assert waiting.account() is None
    assert eventually(lambda: len(desk.asked) == 3, PATIENCE)
    assert noticed == [1, 1]


def test_a_command_forgets_what_was_seen_before_it(folder: Path) -> None:
    """Positions of before a flatten are not shown as of now."""
    noticed: list[int] = []
    waiting = Waiting(FakeDesk(folder), lambda: NOW, lambda: noticed.append(1))
    waiting.account()
    assert eventually(lambda: noticed == [1], PATIENCE)
    waiting.forget()
    assert waiting.account() is None
    assert eventually(lambda: noticed == [1, 1], PATIENCE)
