"""What systemd hears, and that nothing breaks where it does not listen."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from runner.ops.notify_systemd import Pulse, notify, watchdog_seconds


@pytest.mark.parametrize("abstract", [False, True])
def test_assignments_arrive_as_one_datagram(tmp_path: Path, abstract: bool) -> None:
    """At a path, or in the abstract namespace, which systemd writes with @."""
    name = f"@runner-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(name.replace("@", "\0", 1))
        systemd.settimeout(10)
        assert notify("READY=1", "STATUS=läuft", environ={"NOTIFY_SOCKET": name})
        assert systemd.recv(1000).decode() == "READY=1\nSTATUS=läuft"


@pytest.mark.parametrize("address", ["", "relative", "/nowhere/notify", "vsock:2:1234"])
def test_where_nobody_listens_nothing_happens(address: str) -> None:
    """Outside systemd, and when its socket is gone."""
    assert notify("WATCHDOG=1", environ={"NOTIFY_SOCKET": address}) is False
    assert notify("WATCHDOG=1", environ={}) is False


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_is_fed_twice_as_often_as_asked(
    environ: dict[str, str], expected: float | None
) -> None:
    """Half of WATCHDOG_USEC, in seconds, when it is meant for this process."""
    assert watchdog_seconds(environ) == expected


def test_the_watchdog_is_fed_only_while_the_dispatcher_turns() -> None:
    """At the first turn, then every so often; a dispatcher that hangs gets no more beats."""
    beats: list[int] = []
    pulse = Pulse(lambda: beats.append(1), 15.0)
    for turned_at in (1_000, 1_500, 15_999, 16_000, 16_000, 16_000):
        pulse.feed(turned_at)
    assert len(beats) == 2
    pulse.feed(1_000)  # the clock was set back: it turned all the same
    assert len(beats) == 3
    Pulse(lambda: beats.append(1), None).feed(1_000)
    assert len(beats) == 3
