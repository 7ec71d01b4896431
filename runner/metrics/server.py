"""Serves /metrics on an address of its own, never on the one that takes alerts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from wsgiref.simple_server import WSGIServer

from prometheus_client import (
    CollectorRegistry,
    ProcessCollector,
    disable_created_metrics,
    start_http_server,
)

from runner.errors import ConfigurationError
from runner.metrics.answers import Answers
from runner.metrics.by_account import ByAccount
from runner.metrics.counting import Counting
from runner.metrics.readings import Readings, Sources, Waiting
from runner.sources.readiness import Readiness


class MetricsServer:
    """The figures of one runner, and the thread that shows them.

    With several accounts each has a registry of its own; with one the figures say no account.
    """

    def __init__(self, accounts: Sequence[str] = ()) -> None:
        """Counting begins now, showing with `start`."""
        # the process' own start says it for all of them
        disable_created_metrics()  # type: ignore[no-untyped-call]  # theirs has no types
        self.registry = CollectorRegistry()
        self.answers = Answers(self.registry)
        self._parts: dict[str, CollectorRegistry] = {}
        if len(accounts) > 1:
            self._parts = {account: CollectorRegistry() for account in accounts}
            self.registry.register(ByAccount(self._parts))
        self._waiting: dict[str, Waiting] = {}
        self._counting: dict[str, Counting] = {}
        ProcessCollector(registry=self.registry)
        self._server: WSGIServer | None = None
        self._thread: threading.Thread | None = None

    def counting(self, account: str) -> Counting:
        """What counts for an account; the same one each time."""
        if account not in self._counting:
            self._counting[account] = Counting(self._part(account))
        return self._counting[account]

    def wait_for(self, account: str, readiness: Callable[[], Readiness]) -> None:
        """Show of an account that could not begin yet that it is not ready, until it is `read`."""
        self._waiting[account] = Waiting(readiness)
        self._part(account).register(self._waiting[account])

    def read(self, account: str, sources: Sources) -> None:
        """Show how these stand, too."""
        if account in self._waiting:
            self._part(account).unregister(self._waiting.pop(account))
        self._part(account).register(Readings(sources))

    def _part(self, account: str) -> CollectorRegistry:
        return self._parts.get(account, self.registry)

    def start(self, host: str, port: int) -> None:
        """Serve; port 0 takes a free one. Raises ConfigurationError when that cannot be."""
        try:
            self._server, self._thread = start_http_server(port, host, self.registry)
        except OSError as error:
            raise ConfigurationError(
                f"cannot show metrics on {host}:{port}: {error.strerror or error}. Stop the "
                "program that uses it, or choose another address for metrics in runner.yaml"
            ) from error

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        assert self._server is not None
        host, port = self._server.server_address[:2]
        return str(host), int(port)

    @property
    def alive(self) -> bool:
        """True while it serves."""
        return self._thread is not None and self._thread.is_alive()

    def stop(self) -> None:
        """Serve no more."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join(5)
            self._server.server_close()
