"""How alerts are answered, counted and timed at the door that all accounts share."""

from __future__ import annotations

import time

from flask import Flask, Response, g, request
from prometheus_client import CollectorRegistry, Counter, Histogram

from runner.metrics.counting import SHORT
from runner.sources.webhook import DOOR


class Answers:
    """Counts and times what comes to /hook/."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Everything begins at 0 with the process."""
        self._count = Counter(
            "runner_webhook_answers", "Answers to alerts.", ["status"], registry=registry
        )
        self._seconds = Histogram(
            "runner_webhook_answer_seconds",
            "From an alert's receipt to its answer.",
            registry=registry,
            buckets=SHORT,
        )

    def attend(self, app: Flask) -> None:
        """Count and time the answers of the app that takes alerts."""

        def begin() -> None:
            g.began_at = time.perf_counter()

        def end(response: Response) -> Response:
            if request.path.startswith("/hook/"):
                self.count(response.status_code, time.perf_counter() - g.began_at)
            return response

        app.before_request(begin)
        app.after_request(end)
        door = app.extensions.get(DOOR)
        if door is not None:
            door.counted.append(self.count)

    def count(self, status: int, seconds: float) -> None:
        """An alert was answered so, after so long."""
        self._count.labels(str(status)).inc()
        self._seconds.observe(seconds)
