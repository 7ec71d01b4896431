"""kill -9 at each point of an alert's way: afterwards there is exactly one set of orders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from runner.failpoints import POINTS
from tests.crash.stage import PATIENCE, Stage
from tests.support import eventually

RULES = """\
version: 1
rules:
  - id: batch
    symbol: ETHUSDT
    when:
      - webhook: {path: signal, secret: tv, body: {n: number}, dedupe: [n]}
    do:
      - place:
          - {side: buy, type: limit, price: =mark * 0.9, quantity: 0.1}
          - {side: buy, type: limit, price: =mark * 0.8, quantity: 0.1}
          - {side: buy, type: market, quantity: 0.1}
"""

BRACKET = """\
version: 1
rules:
  - id: bracket
    symbol: BTCUSDT
    when:
      - webhook: {path: signal, secret: tv, body: {n: number}, dedupe: [n]}
    do:
      - bracket:
          entry: {side: buy, type: market, quantity: 0.01}
          stop: {trigger_price: =mark * 0.9}
          target: {price: =mark * 1.1}
"""

ALERT = {"n": 1}
"""What makes it the same alert is named: on a busy machine the window of 30 s is soon over."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The runner's folder, inside the one for the processes' logs."""
    return tmp_path / "runner"


@pytest.fixture
def batch(folder: Path) -> Iterator[Stage]:
    """A stage whose rule places three orders as one batch."""
    stage = Stage(folder, RULES)
    yield stage
    stage.stop()


@pytest.fixture
def bracket(folder: Path) -> Iterator[Stage]:
    """A stage whose rule places a bracket."""
    stage = Stage(folder, BRACKET)
    yield stage
    stage.stop()


def send_until_answered(stage: Stage) -> str:
    """Post the alert again and again, as a sender does that got no 200; the first outcome."""
    answer = eventually(lambda: stage.alert(ALERT), PATIENCE)
    assert answer is not None
    return str(answer["outcome"])


def check_one_set(stage: Stage, count: int) -> None:
    """Exactly one set of orders, and the alert is known wherever it is sent again."""
    eventually(lambda: stage.settled(count), PATIENCE)
    again = stage.alert(ALERT)
    assert again is not None
    assert again["outcome"] == "duplicate"
    assert len(stage.accepted()) == count
    assert stage.audit() == []


def attempts(stage: Stage) -> list[int]:
    """How often each order was sent, as far as the journal knows."""
    return [order["attempt"] for order in stage.orders()]


@pytest.mark.parametrize("point", POINTS)
def test_an_alert_killed_at_any_point_leaves_one_batch(batch: Stage, point: str) -> None:
    """Wherever the process dies on an alert's way, the restarted one completes it once."""
    batch.run(point)
    batch.armed.touch()
    answered = batch.alert(ALERT)
    batch.died()
    batch.armed.unlink()
    batch.run()
    outcome = send_until_answered(batch)
    assert answered is None or outcome == "duplicate"
    check_one_set(batch, 3)


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("commit", [1, 2, 3])
def test_a_bracket_killed_at_any_point_leaves_one_entry_and_its_exits(
    bracket: Stage, point: str, commit: int
) -> None:
    """The exits of what filled are placed once, however often the process dies on the way."""
    bracket.run(f"{point}:{commit}")
    bracket.armed.touch()
    bracket.alert(ALERT)
    bracket.died()
    bracket.armed.unlink()
    bracket.run()
    send_until_answered(bracket)
    check_one_set(bracket, 3)


def test_a_batch_sent_but_not_answered_when_the_process_dies_is_not_sent_again(
    batch: Stage,
) -> None:
    """Killed between the last byte sent and the first byte read: found, not doubled."""
    batch.run()
    batch.fault(kind="hang", match="batchOrders", ms=20_000)
    assert batch.alert(ALERT)
    eventually(lambda: len(batch.accepted()) == 3, PATIENCE)
    sent = attempts(batch)
    batch.kill()
    batch.run()
    check_one_set(batch, 3)
    assert attempts(batch) == sent


def test_an_answer_that_is_lost_is_asked_for_and_nothing_is_doubled(batch: Stage) -> None:
    """The exchange executes and the connection breaks: the same process finds its orders."""
    batch.run()
    batch.fault(kind="drop_answer", match="batchOrders")
    assert batch.alert(ALERT)
    check_one_set(batch, 3)


def test_a_request_that_never_arrived_is_proven_absent_and_sent_again(batch: Stage) -> None:
    """503 "Unknown error" with nothing executed: after the proof each leg is sent again, alone."""
    batch.run()
    batch.fault(kind="reject_503_unknown", match="batchOrders", execute=False)
    assert batch.alert(ALERT)
    check_one_set(batch, 3)
    assert min(attempts(batch)) >= 2


def test_the_same_alert_three_times_at_once_makes_one_set(batch: Stage) -> None:
    """TradingView sends again what it believes lost: one fires, the others are duplicates."""
    batch.run()
    outcomes = [batch.alert(ALERT) for _ in range(3)]
    assert [answer["outcome"] for answer in outcomes if answer] == [
        "fired",
        "duplicate",
        "duplicate",
    ]
    check_one_set(batch, 3)


def test_sigterm_stops_cleanly_and_the_next_start_doubles_nothing(batch: Stage) -> None:
    """A clean stop exits 0; the journal is whole and nothing is sent twice afterwards."""
    batch.run()
    assert batch.alert(ALERT)
    eventually(lambda: batch.settled(3), PATIENCE)
    assert batch.runner is not None
    batch.runner.terminate()
    assert batch.runner.wait(PATIENCE) == 0
    with pytest.raises(requests.ConnectionError):
        requests.get(batch.url("/readyz"), timeout=PATIENCE)
    batch.run()
    check_one_set(batch, 3)
