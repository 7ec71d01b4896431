"""The test bench itself: waiting has a deadline, and no way leads off this machine."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from hypothesis import core, settings

from tests.support import eventually, free_port

# TEST-NET-1 (RFC 5737): nobody has this address.
ELSEWHERE = ("192.0.2.1", 443)


@pytest.fixture
def stream() -> Iterator[socket.socket]:
    with socket.socket() as opened:
        opened.settimeout(5)
        yield opened


def test_eventually_returns_the_first_true_answer() -> None:
    """A false answer and a failed assertion are asked again; the true answer is returned."""
    answers = iter([0, None, 7, 8])

    def check() -> int | None:
        answer = next(answers)
        assert answer is not None
        return answer

    assert eventually(check) == 7


def test_eventually_gives_up_with_the_last_answer() -> None:
    """When the time is over, the message names the check and what it said last."""
    with pytest.raises(AssertionError, match=r"not within 0\.0 s: .*last answer: \[\]"):
        eventually(list, timeout=0.0)


def test_eventually_lets_other_errors_through() -> None:
    """An error in the check itself is no reason to wait."""
    with pytest.raises(ZeroDivisionError):
        eventually(lambda: 1 // 0)


def test_loopback_is_open(stream: socket.socket) -> None:
    """A test may listen on 127.0.0.1 and connect to itself."""
    with socket.create_server(("127.0.0.1", free_port())) as server:
        stream.connect(server.getsockname())
        assert stream.getpeername() == server.getsockname()


def test_other_machines_are_out_of_reach(stream: socket.socket) -> None:
    """Connecting, sending a datagram and looking up a name elsewhere are refused unsent."""
    with pytest.raises(RuntimeError, match=r"192\.0\.2\.1.*stay on 127"):
        stream.connect(ELSEWHERE)
    with pytest.raises(RuntimeError):
        stream.connect_ex(ELSEWHERE)
    with (
        socket.socket(type=socket.SOCK_DGRAM) as datagrams,
        pytest.raises(RuntimeError),
    ):
        datagrams.sendto(b"x", ELSEWHERE)
    with pytest.raises(RuntimeError, match=r"exchange\.example"):
        socket.getaddrinfo("exchange.example", 443)


def test_generated_examples_are_new_each_time(request: pytest.FixtureRequest) -> None:
    """CI looks for new failures too, and the seed that repeats them is known."""
    profile = settings.get_profile("runner")
    assert settings.get_current_profile_name() == "runner"
    assert (profile.derandomize, profile.print_blob, profile.deadline) == (False, True, None)
    seed = request.config.option.hypothesis_seed
    assert getattr(request.config, "workerinput", {}).get("hypothesis_seed", seed) == seed
    assert core.global_force_seed == int(seed)
