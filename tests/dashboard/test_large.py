"""A runner with 500 rules and 10,000 events: no page reads or writes more than a page."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from runner.cli.desk import FolderDesk
from runner.core.decision import Decision, Record
from runner.dashboard.app import Dashboard
from runner.settings import load
from tests.dashboard.scene import HASH, ORIGIN, PASSWORD, write
from tests.journal.building import NOW

RULES, EVENTS = 500, 10_000
STEPS = 100
"""Instructions of SQLite's machine that are counted as one."""

RULE = """\
  - id: rule-{number}
    symbol: BTCUSDT
    when: [{{price: {{crosses_above: {level}}}}}]
    do: [{{place: {{side: buy, type: market, quantity: 0.01}}}}]
"""
PAGES = (
    *("/", "/rules", "/rules?page=7", "/rules/rule-7", "/events", "/events?rule=rule-3"),
    *("/events?reason=cooldown", "/orders", "/chart", "/journal", "/journal?kind=refused"),
    "/system",
)


@pytest.fixture
def large(folder: Path) -> Path:
    """A folder in which much happened."""
    shutil.rmtree(folder / "rules")
    (folder / "rules").mkdir()
    text = "".join(RULE.format(number=n, level=70_000 + n) for n in range(RULES))
    (folder / "rules" / "many.yaml").write_text(f"version: 1\nrules:\n{text}")
    secret = folder / "secrets" / "dashboard"
    secret.touch(mode=0o600)
    secret.write_text(HASH)
    records = [
        Record(NOW - n, "refused", f"number {n}", f"rule-{n % RULES}", "BTCUSDT", reason="cooldown")
        for n in range(EVENTS)
    ]
    write(folder, Decision(records=records))
    return folder


@contextmanager
def counted() -> Iterator[list[int]]:
    """How much SQLite works meanwhile, whatever the machine; one entry for every `STEPS`."""
    steps: list[int] = []

    def connected(connection: Any, _: object) -> None:
        connection.set_progress_handler(lambda: steps.append(1), STEPS)

    event.listen(Engine, "connect", connected)
    try:
        yield steps
    finally:
        event.remove(Engine, "connect", connected)


def test_every_page_is_quick_whatever_lies_behind_it(large: Path) -> None:
    """Little is sent, little is read, and the processor works for a fraction of a second."""
    desk = FolderDesk(large, load(large))
    desk.warm()
    client = Dashboard(desk).app.test_client()
    client.post("/login", data={"password": PASSWORD}, headers={"Origin": ORIGIN})
    for path in PAGES:
        with counted() as steps:
            began = time.thread_time()
            answer = client.get(path)
            took = time.thread_time() - began
        assert answer.status_code == 200, path
        assert len(answer.data) < 80_000, path
        work = len(steps) * STEPS
        assert 0 < work < 600_000, f"{path}: {work} steps"
        assert took < 1, f"{path} took {took:.2f} s of the processor"
