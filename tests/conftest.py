"""What holds for every test: loopback only, a printed Hypothesis seed, the recorded data."""

from __future__ import annotations

import ipaddress
import os
import random
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.figures import pytest_terminal_summary  # noqa: F401 - a hook: it prints the figures
from tests.postgres import Server, programs, server

REPOSITORY = Path(__file__).resolve().parent.parent

# Loaded by name, so that CI looks for new failures too: Hypothesis' own profile for CI would
# repeat the same examples for ever.
settings.register_profile("runner", print_blob=True, deadline=None, derandomize=False)
settings.load_profile("runner")
SEED = "hypothesis_seed"


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Choose the Hypothesis seed, unless it is given, and shut the way out of the machine."""
    if config.option.hypothesis_seed is None:
        chosen = str(random.SystemRandom().randrange(2**32))
        config.option.hypothesis_seed = getattr(config, "workerinput", {}).get(SEED, chosen)
    _stay_on_loopback()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist the seed; it would choose its own."""
    node.workerinput[SEED] = node.config.option.hypothesis_seed


def pytest_report_header(config: pytest.Config) -> str:
    """Print the seed, so that a failure elsewhere can be repeated here."""
    seed = config.option.hypothesis_seed
    return f"hypothesis seed: repeat with --hypothesis-seed={seed}"


@pytest.fixture
def recorded() -> Path:
    """The folder of recorded exchange data: RUNNER_DATA, or shared/data beside the repository."""
    default = REPOSITORY.parent / "shared" / "data"
    folder = Path(os.environ.get("RUNNER_DATA") or default)
    if not folder.is_dir():
        pytest.skip(f"no recorded data in {folder}: set RUNNER_DATA to its folder")
    return folder


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL server, one for each worker; skipped where its programs are missing."""
    binaries = programs()
    if binaries is None:
        pytest.skip("no PostgreSQL server on this machine: apt-get install postgresql")
    with server(binaries) as running:
        yield running


def _stay_on_loopback() -> None:
    """Make this process unable to reach another machine, for its whole life.

    Not a fixture: fixtures of wider scope and threads that outlive their test are held too.
    """
    if hasattr(socket.socket, "loopback_only"):
        return

    def guarded(name: str) -> Callable[..., Any]:
        original = getattr(socket.socket, name)

        def call(self: socket.socket, *args: Any) -> Any:
            if self.family in (socket.AF_INET, socket.AF_INET6):
                _refuse_unless_local(args[-1][0])
            return original(self, *args)

        return call

    for name in ("connect", "connect_ex", "sendto"):
        setattr(socket.socket, name, guarded(name))
    look_up = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host is not None:
            _refuse_unless_local(host, literal=True)
        return look_up(host, *args, **kwargs)

    socket.getaddrinfo = getaddrinfo
    socket.socket.loopback_only = True  # type: ignore[attr-defined]  # a mark for the second call


def _refuse_unless_local(host: str | bytes, *, literal: bool = False) -> None:
    """Raise RuntimeError for a host off this machine; `literal` lets any numeric address pass.

    RuntimeError, because code under test rightly catches OSError and tries again.
    """
    name = host.decode() if isinstance(host, bytes) else host
    if name in ("", "localhost", socket.gethostname()):
        return
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        address = None
    if address is not None and (literal or address.is_loopback or address.is_unspecified):
        return
    raise RuntimeError(f"a test tried to reach {name!r}: tests stay on 127.0.0.1")
