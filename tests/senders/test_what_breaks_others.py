"""Bursts, repeats, failures and a kill: each acknowledged alert has exactly its orders, each once.

The scenarios are those on which four programs of the same job were tried (peers.md 6.3 and 6.4).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from threading import Timer
from typing import Any

import pytest
import requests

from tests.crash.stage import TOKEN, Stage
from tests.senders.tradingview import GIVES_UP_AFTER, TRIES, Told, TradingView
from tests.support import eventually

RULES = """\
version: 1
rules:
  - id: numbered
    symbol: ETHUSDT
    when:
      - webhook:
          path: signal
          secret: tv
          body: {n: number, ticker: {one_of: [ETHUSDT]}}
          dedupe: [n, ticker]
    do: [{place: {side: buy, type: market, quantity: 0.1, expires_after: 10m}}]
  - id: other
    symbol: BTCUSDT
    when:
      - webhook:
          path: signal
          secret: tv
          body: {n: number, ticker: {one_of: [BTCUSDT]}}
          dedupe: [n, ticker]
    do: [{place: {side: buy, type: market, quantity: 0.01, expires_after: 10m}}]
"""
PLACING = "POST /fapi/v1/order "
SETTLED_WITHIN = 60.0
TIMENOW = "2026-05-11T14:08:22Z"


class Scene:
    """A runner, an exchange, and TradingView before them."""

    def __init__(self, stage: Stage) -> None:
        """The runner takes alerts."""
        self.stage = stage
        self.sender = TradingView(stage.url("/hook/signal"), TOKEN)
        self.told: list[Told] = []

    def send(self, *alerts: Mapping[str, Any]) -> list[Told]:
        """Send all of them at the same time."""
        told = self.sender.at_once(alerts)
        self.told += told
        return told

    def reckon(self) -> Counter[str]:
        """Check that each acknowledged alert has its one order, once; how the orders ended."""
        runs = {run for told in self.told for run in told.runs if told.outcome == "fired"}
        eventually(lambda: runs <= self.runs_settled(), SETTLED_WITHIN)
        # what waited for its turn is sent after what was acknowledged before it
        eventually(lambda: not self.stage.audit(), SETTLED_WITHIN)
        orders = self.stage.orders()
        by_run = Counter(order["run_id"] for order in orders)
        assert {run: by_run[run] for run in runs} == dict.fromkeys(runs, 1)
        assert set(by_run.values()) <= {1}
        accepted = Counter(self.stage.accepted())
        assert set(accepted.values()) <= {1}
        for told in self.told:
            assert told.status in (0, 200) or told.document["error"], told
        return Counter(f"{order['state']} {order['attempt']}" for order in orders)

    def runs_settled(self) -> set[str]:
        """The runs whose orders have the exchange's verdict."""
        open_states = ("PLANNED", "SENDING", "UNKNOWN")
        return {row["run_id"] for row in self.stage.orders() if row["state"] not in open_states}


def numbered(numbers: Iterable[int], ticker: str = "ETHUSDT") -> list[dict[str, Any]]:
    """Alerts that differ in their number."""
    return [{"n": n, "ticker": ticker, "timenow": TIMENOW} for n in numbers]


def twenty_of_two_symbols() -> list[dict[str, Any]]:
    """As many as may wait for their turn in one rule, for two of them."""
    return numbered(range(100, 110)) + numbered(range(110, 120), "BTCUSDT")


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """A runner and an exchange of their own, started."""
    stage = Stage(tmp_path / "runner", RULES)
    try:
        stage.run()
        yield Scene(stage)
    finally:
        stage.stop()


def test_bursts_and_repeats(scene: Scene) -> None:
    """The same body four times at once is one order; two symbols in one second are two; 20 alerts
    at once are 20 orders, each answered in TradingView's 3 s.
    """
    four = scene.send(*numbered([1]) * 4)
    assert Counter(told.outcome for told in four) == {"fired": 1, "duplicate": 3}
    two = scene.send(*numbered([2]), *numbered([2], "BTCUSDT"))
    assert [told.outcome for told in two] == ["fired", "fired"]
    twenty = scene.send(*twenty_of_two_symbols())
    assert Counter((told.outcome, told.deliveries) for told in twenty) == {("fired", 1): 20}
    assert max(told.slowest for told in scene.told) < GIVES_UP_AFTER
    assert scene.reckon() == {"FILLED 1": 23}


def test_more_than_may_wait_are_refused_with_the_reason(scene: Scene) -> None:
    """20 at once for one symbol of one rule: those that find the queue full are told so, by 200."""
    scene.send(*numbered(range(20)))
    outcomes = Counter(told.outcome for told in scene.told)
    assert outcomes["fired"] + outcomes["not fired"] == 20
    assert outcomes["fired"] >= 10
    for told in scene.told:
        if told.outcome == "not fired":
            assert "queue full" in [rule["reason"] for rule in told.document["rules"]]
    assert scene.reckon() == {"FILLED 1": outcomes["fired"]}


def test_a_503_with_nothing_placed_is_sent_again_once_absence_is_proven(scene: Scene) -> None:
    """The alert is acknowledged once, at once; its order is placed when the exchange is back."""
    fault = {"kind": "reject_503_unknown", "match": PLACING, "execute": False, "count": 2}
    scene.stage.fault(**fault)
    (told,) = scene.send(*numbered([1]))
    assert (told.outcome, told.deliveries) == ("fired", 1)
    assert scene.reckon() == {"FILLED 3": 1}


UNKNOWN_503 = {"kind": "reject_503_unknown", "execute": True}
MINUS_1007 = {"kind": "answer", "status": 408, "body": '{"code":-1007,"msg":"Timeout waiting."}'}


@pytest.mark.parametrize(
    "fault",
    [UNKNOWN_503, MINUS_1007, {"kind": "drop_answer"}, {"kind": "hang", "ms": 120_000}],
    ids=["503", "-1007", "broken off", "never answered"],
)
def test_placed_and_not_told_is_found_and_never_sent_again(
    scene: Scene, fault: dict[str, Any]
) -> None:
    """However long the exchange keeps its orders to itself, each alert has its one order."""
    scene.stage.fault(**fault, match=PLACING, count=0)
    assert {told.outcome for told in scene.send(*numbered(range(3)))} == {"fired"}
    assert scene.reckon() == {"FILLED 1": 3}
    requests.delete(f"{scene.stage.addresses['rest']}/paper/fault", timeout=10)
    scene.send(*numbered([9]))
    assert scene.reckon() == {"FILLED 1": 4}


def test_sigkill_50_ms_after_20_alerts_loses_none_that_was_acknowledged(scene: Scene) -> None:
    """What was answered 200 has its order after the restart; the others heard no 200."""
    timer = Timer(0.05, scene.stage.kill)
    timer.start()
    scene.send(*twenty_of_two_symbols())
    timer.join()
    scene.stage.run()
    scene.reckon()
    # the sender's trader presses the button again: what was lost fires, what was not does not
    before = {n for n, told in enumerate(scene.told) if told.outcome == "fired"}
    again = scene.send(*twenty_of_two_symbols())
    assert {n for n, told in enumerate(again) if told.outcome == "duplicate"} >= before
    scene.reckon()
    assert len(scene.stage.accepted()) == 20


def test_a_runner_that_cannot_take_alerts_is_asked_again(scene: Scene) -> None:
    """While it stops nothing is acknowledged; what a starting one refused with 503 comes again."""
    runner = scene.stage.runner
    assert runner is not None
    runner.terminate()
    (told,) = scene.send(*numbered([1]))
    assert told.outcome in ("", "fired")
    assert told.deliveries <= TRIES
    runner.wait(30)
    scene.stage.run()
    (again,) = scene.send(*numbered([1]))
    assert again.outcome == ("duplicate" if told.outcome else "fired")
    assert sum(scene.reckon().values()) == 1
