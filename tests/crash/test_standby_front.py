"""Two runners on two addresses behind one front: the leader is killed while alerts come in."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.crash.stage import PATIENCE, TOKEN
from tests.crash.test_standby import Pair, line
from tests.postgres import Server
from tests.support import eventually
from tests.systemd.fronts import SECOND_HOST, Front, missing, optional

HOSTS = ("127.0.0.2", "127.0.0.3")
SENDERS, EACH = 3, 10
"""Each has a rule of its own: no more than 10 alerts may wait for one rule's run."""

KILLED_AFTER = 4
"""Answers to the first sender, which then kills the leader between two of its alerts."""

ORDERS = 2
RULE = """\
  - id: numbered-{at}
    symbol: ETHUSDT
    expires_after: 10m
    when:
      - webhook: {{path: signal-{at}, secret: tv, body: {{n: number}}, dedupe: [n]}}
    do:
      - place:
          - {{side: buy, type: limit, price: =mark * 0.9, quantity: 0.1}}
          - {{side: buy, type: market, quantity: 0.1}}
"""
RULES = "version: 1\nrules:\n" + "".join(RULE.format(at=at) for at in range(SENDERS))


class Sender(threading.Thread):
    """Posts its numbers one after another, each again until it is answered 200."""

    def __init__(self, front: Front, at: int, kill: Callable[[], None] | None = None) -> None:
        super().__init__(daemon=True)
        self.front = front
        self.kill = kill
        self.path = f"/hook/signal-{at}"
        self.outcomes: list[str] = []

    def run(self) -> None:
        """Until all are answered, or for as long as is allowed."""
        deadline = time.monotonic() + 2 * PATIENCE
        for number in range(EACH):
            if self.kill is not None and number == KILLED_AFTER:
                self.kill()
            body = json.dumps({"n": number, "secret": TOKEN}).encode()
            while time.monotonic() < deadline:
                try:
                    status, text = self.front.ask(self.path, body)
                except (OSError, http.client.HTTPException):
                    continue
                if status == 200:
                    self.outcomes.append(json.loads(text)["outcome"])
                    break


@pytest.fixture
def pair(tmp_path: Path, postgres: Server) -> Iterator[Pair]:
    """A stage for two, on an empty database."""
    pair = Pair(tmp_path / "runner", postgres.database(), RULES)
    yield pair
    pair.stop()


@pytest.mark.parametrize("kind", ["caddy", "nginx"])
def test_each_alert_is_one_set_of_orders_whoever_leads(
    pair: Pair, tmp_path: Path, kind: str
) -> None:
    """Nobody's alert is lost or doubled by a kill -9 of the leader, nor refused to its sender."""
    if why := missing(kind):
        pytest.skip(why)
    leader, one = pair.start(HOSTS[0])
    assert line(leader).startswith("READY")
    second, two = pair.start(HOSTS[1])
    assert line(second).startswith("STANDBY")
    folder = tmp_path / "front"
    folder.mkdir()
    places = [urlsplit(address).netloc for address in (one, two)]
    front = Front(kind, folder, places, optional(kind, *SECOND_HOST[kind]))
    try:
        senders = [Sender(front, at, leader.kill if at == 0 else None) for at in range(SENDERS)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join(3 * PATIENCE)
    finally:
        front.stop()
    assert [len(sender.outcomes) for sender in senders] == [EACH] * SENDERS
    eventually(lambda: pair.settled(ORDERS * SENDERS * EACH), PATIENCE)
    assert pair.wrong() == []
    assert len(pair.stage.accepted()) == ORDERS * SENDERS * EACH
