"""Kill while the exchange is slow, wants silence, or has banned us: what leaves, what is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from click.testing import Result

from runner.killing import leave_request
from tests.cli.calling import call
from tests.crash.stage import GUARDED_BRACKET, PATIENCE, Stage
from tests.crash.test_kill_switch import PANIC, give_hook, seen, status
from tests.support import eventually

RULES = (
    GUARDED_BRACKET
    + """\
  - id: more
    symbol: ETHUSDT
    when:
      - webhook: {path: more, secret: tv, body: {action: {one_of: [buy]}}}
    do:
      - place: {side: buy, type: market, quantity: 0.01}
"""
)
GONE = {"LIMIT": "CANCELED", "MARKET": "FILLED", "STOP": "CANCELED"}
BANNED = "NOTHING CAN BE SENT NOW: the exchange wants silence (429, or a ban: 418) until "
OPEN = {"LIMIT": "NEW", "MARKET": "FILLED", "STOP": "NEW"}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A bracket with both exits on the book, under a countdown."""
    stage = Stage(tmp_path / "runner", RULES)
    give_hook(stage)
    stage.run()
    assert stage.alert({"action": "buy"}) is not None
    eventually(lambda: seen(stage) == OPEN, PATIENCE)
    yield stage
    stage.stop()


def log(stage: Stage) -> str:
    """What the runner wrote."""
    return (stage.folder.parent / "run.log").read_text()


def test_the_cancels_overtake_answers_that_hang(stage: Stage) -> None:
    """Every order lane waits for an answer; the kill has a connection of its own."""
    stage.fault(kind="hang", ms=30_000, count=0, match="POST /fapi/v1/order")
    body = {"secret": "stage-token", "action": "buy"}
    requests.post(stage.url("/hook/more"), json=body, timeout=PATIENCE)
    leave_request(stage.folder)
    eventually(lambda: seen(stage) | {"MARKET": "FILLED"} == GONE, PATIENCE)


def test_after_a_429_the_cancels_leave_when_the_exchange_allows_them(stage: Stage) -> None:
    """Nothing is sent into the silence, which would be a ban; then everything, by itself."""
    stage.fault(kind="refuse", status=429, code=-1003, retry_after=4, match="countdownCancelAll")
    eventually(lambda: "answered 429" in log(stage), PATIENCE)
    killed = call("kill", "--yes", "--reason", "drill", "--dir", stage.folder)
    eventually(lambda: seen(stage)["STOP"] == "CANCELED", PATIENCE)
    assert killed.exit_code in (0, 1), killed.output
    eventually(lambda: seen(stage)["LIMIT"] == "CANCELED", PATIENCE)
    assert status(stage)["killed"]["why"] == "drill"


def test_under_a_ban_it_says_that_nothing_can_be_sent_and_what_protects(stage: Stage) -> None:
    """The countdown runs out on the exchange and takes the plain orders; the kill is latched."""
    stage.fault(kind="refuse", status=418, code=-1003, retry_after=600, match="countdownCancelAll")
    eventually(lambda: "answered 418" in log(stage), PATIENCE)
    told: list[Result] = []
    words = ("kill", "--yes", "--reason", "drill", "--dir", stage.folder)
    asking = threading.Thread(target=lambda: told.append(call(*words)))
    asking.start()
    eventually(lambda: "kill: nothing can be sent" in log(stage), PATIENCE)
    eventually(lambda: seen(stage)["LIMIT"] != "NEW", PATIENCE)
    asking.join(PATIENCE)
    said = log(stage)
    assert "a countdown on the exchange cancels without us" in said
    assert seen(stage)["STOP"] == "NEW"
    assert status(stage)["killed"]["why"] == "drill"
    assert told[0].exit_code == 1
    assert BANNED in told[0].output
    assert "Under a ban (418) nothing can be sent until it ends" in told[0].output


def test_under_a_ban_a_webhook_is_told_the_same(stage: Stage) -> None:
    """Its answer says until when nothing leaves, and whose countdown protects."""
    stage.fault(kind="refuse", status=418, code=-1003, retry_after=600, match="countdownCancelAll")
    eventually(lambda: "answered 418" in log(stage), PATIENCE)
    body = {"secret": PANIC, "reason": "by phone"}
    answer = requests.post(stage.url("/hook/panic"), json=body, timeout=PATIENCE)
    assert answer.status_code == 200
    [told] = answer.json()["rules"]
    assert BANNED in told["detail"]
    assert "the countdown of BTCUSDT protects" in told["detail"]
    assert status(stage)["killed"]["who"] == "hook panic"
