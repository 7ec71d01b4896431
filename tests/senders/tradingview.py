"""A sender that behaves like TradingView, as far as its help pages and others' logs tell.

A new connection for each alert, 3 s to answer, the same bytes again 5 s after a 5xx, three times at
most; never again after a time-out, a 504, a 4xx or a broken connection.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import requests

AGAIN_AFTER = 0.5
"""Seconds, where TradingView takes 5."""

GIVES_UP_AFTER = 3.0
TRIES = 4


@dataclass(frozen=True, slots=True)
class Told:
    """What the sender was told at last: status 0 where nothing came; after how many deliveries."""

    status: int
    document: Mapping[str, Any]
    deliveries: int
    slowest: float

    @property
    def outcome(self) -> str:
        """The outcome of a 200; empty for all else."""
        return str(self.document.get("outcome", "")) if self.status == 200 else ""

    @property
    def runs(self) -> list[str]:
        """The runs that it led to."""
        return [rule["run_id"] for rule in self.document.get("rules", ()) if rule.get("run_id")]


class TradingView:
    """Sends alerts to one address."""

    def __init__(self, url: str, secret: str) -> None:
        """Nothing was sent."""
        self._url = url
        self._secret = secret

    def send(self, alert: Mapping[str, Any]) -> Told:
        """Deliver one alert, again and again as TradingView would; what came of it."""
        body = json.dumps({**alert, "secret": self._secret}).encode()
        slowest = 0.0
        delivery = 0
        while True:
            began = time.monotonic()
            status, document = self._deliver(body)
            delivery += 1
            slowest = max(slowest, time.monotonic() - began)
            if not 500 <= status < 600 or status == 504 or delivery == TRIES:
                return Told(status, document, delivery, slowest)
            time.sleep(AGAIN_AFTER)

    def at_once(self, alerts: Sequence[Mapping[str, Any]]) -> list[Told]:
        """Deliver all of them at the same time."""
        with ThreadPoolExecutor(len(alerts)) as pool:
            return list(pool.map(self.send, alerts))

    def _deliver(self, body: bytes) -> tuple[int, dict[str, Any]]:
        headers = {"Content-Type": "application/json", "Connection": "close"}
        try:
            answer = requests.post(self._url, data=body, headers=headers, timeout=GIVES_UP_AFTER)
        except requests.RequestException:
            return 0, {}
        return answer.status_code, answer.json()
