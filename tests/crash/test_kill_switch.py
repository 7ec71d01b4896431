"""Kill with real processes: while the journal is busy, by command and by webhook, and after it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from runner.killing import leave_request
from tests.cli.calling import call
from tests.crash.stage import PATIENCE, Stage
from tests.support import eventually

PANIC = "panic-secret-123456"

RULES = """\
version: 1
rules:
  - id: trade
    symbol: BTCUSDT
    when:
      - webhook: {path: signal, secret: tv, body: {action: {one_of: [buy]}}}
    do:
      - bracket:
          entry: {side: buy, type: market, quantity: 0.01}
          stop: {trigger_price: =mark * 0.9}
          target: {price: =mark * 1.1}
"""


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A bracket with both exits on the book, and a hook for kill."""
    stage = Stage(tmp_path / "runner", RULES)
    give_hook(stage)
    stage.run()
    assert stage.alert({"action": "buy"}) is not None
    eventually(lambda: seen(stage) == {"LIMIT": "NEW", "MARKET": "FILLED", "STOP": "NEW"}, PATIENCE)
    yield stage
    stage.stop()


def give_hook(stage: Stage) -> None:
    """Let a webhook with a secret of its own give the kill."""
    settings = stage.folder / "runner.yaml"
    commands = "commands: {panic: {command: kill, secret: panic}}\n"
    settings.write_text(settings.read_text() + commands)
    secret = stage.folder / "secrets" / "panic"
    secret.touch(mode=0o600)
    secret.write_text(PANIC)


def seen(stage: Stage) -> dict[str, str]:
    """The exchange's orders: the newest state of each type."""
    told = requests.get(f"{stage.addresses['rest']}/paper/orders", timeout=PATIENCE).json()
    plain = {order["type"]: order["status"] for order in told["orders"]}
    [stop] = told["algos"] or [{"algoStatus": ""}]
    return {**plain, "STOP": stop["algoStatus"]}


def position(stage: Stage) -> list[str]:
    """The closing orders of the journal, by state."""
    return [order["state"] for order in stage.orders() if order["rule_id"] == ":kill"]


def status(stage: Stage) -> dict[str, Any]:
    """What status prints."""
    told: dict[str, Any] = json.loads(call("status", "--dir", stage.folder, "--json").stdout)
    return told


def test_the_cancels_do_not_wait_for_a_busy_journal(stage: Stage) -> None:
    """Somebody holds the journal's lock: every order is cancelled all the same."""
    holder = sqlite3.connect(stage.folder / "journal.db", isolation_level=None)
    try:
        holder.execute("BEGIN IMMEDIATE")
        leave_request(stage.folder)
        gone = {"LIMIT": "CANCELED", "MARKET": "FILLED", "STOP": "CANCELED"}
        eventually(lambda: seen(stage) == gone, PATIENCE)
    finally:
        holder.close()


def test_kill_cancels_closes_and_holds_until_unlock(stage: Stage) -> None:
    """By command: exit 0, flat, latched over a restart; then alerts are taken again."""
    killed = call("kill", "--yes", "--reason", "drill", "--dir", stage.folder)
    assert killed.exit_code == 0, killed.output
    assert "BTCUSDT: BTCUSDT is flat" in killed.output
    assert position(stage) == ["FILLED"]
    assert status(stage)["killed"]["why"] == "drill"
    stage.kill()
    stage.run()
    refused = stage.alert({"action": "buy", "again": "yes"})
    assert refused is not None
    assert refused["rules"][0]["reason"] == "killed"
    unlocked = call("unlock", "--reason", "drill over", "--dir", stage.folder)
    assert unlocked.exit_code == 0, unlocked.output
    assert status(stage)["killed"] is None
    assert stage.audit() == []


def test_kill_may_be_given_again_and_again(stage: Stage) -> None:
    """When all is flat its run is over at once, and the same command still comes by the inbox."""
    for number in range(3):
        killed = call("kill", "--yes", "--dir", stage.folder)
        assert killed.exit_code == 0, killed.output
        assert "no entries until runner unlock" in killed.output
        refused = stage.alert({"action": "buy", "more": str(number)})
        assert refused is not None
        assert refused["rules"][0]["reason"] == "killed"
    stage.kill()
    stage.run()
    assert position(stage) == ["FILLED"]
    assert stage.audit() == []


def test_a_webhook_kills_with_its_own_secret_only(stage: Stage) -> None:
    """404 for any other; 200 and what was begun once it is committed."""
    wrong = requests.post(stage.url("/hook/panic"), json={"secret": "x" * 20}, timeout=PATIENCE)
    assert wrong.status_code == 404
    body = {"secret": PANIC, "reason": "by phone"}
    right = requests.post(stage.url("/hook/panic"), json=body, timeout=PATIENCE)
    assert (right.status_code, right.json()["outcome"]) == (200, "done")
    eventually(lambda: position(stage) == ["FILLED"], PATIENCE)
    assert status(stage)["killed"] | {"at": 0} == {"who": "hook panic", "at": 0, "why": "by phone"}
