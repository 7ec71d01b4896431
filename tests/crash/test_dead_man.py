"""The dead man with real processes: frozen, cut off, without its heartbeat, and stopped."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from runner.core.deadman import TAKEN
from runner.journal import JournalReader
from tests.cli.calling import call
from tests.crash.stage import PATIENCE, TOKEN, Stage
from tests.crash.wire import Cable
from tests.support import eventually

COUNTDOWN = 30_000
"""Longer than a busy machine lets the runner or the exchange stand still."""

RULES = f"""\
version: 1
dead_man: {{symbols: [BTCUSDT], countdown: {COUNTDOWN // 1000}s, refresh: 1s, require: [heartbeat]}}
rules:
  - id: trade
    symbol: BTCUSDT
    when:
      - webhook: {{path: signal, secret: tv, body: {{action: {{one_of: [buy]}}}}}}
    do:
      - bracket:
          entry: {{side: buy, type: market, quantity: 0.01}}
          stop: {{trigger_price: =mark * 0.9}}
          target: {{price: =mark * 1.1}}
  - id: beat
    symbol: BTCUSDT
    when: [{{dead_man: {{heartbeat: {{webhook: beat, every: BEAT, secret: tv}}}}}}]
    do: [{{notify: no heartbeat}}]
  - id: link-lost
    symbol: BTCUSDT
    when: [{{dead_man: expired}}]
    do: [{{disable: [trade]}}]
  - id: was-stopped
    symbol: BTCUSDT
    when: [{{dead_man: expired_while_stopped}}]
    do: [{{notify: it took the orders}}]
"""


@pytest.fixture
def stage(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Stage]:
    """An exchange and a folder; heartbeats are expected as often as the test says, else never."""
    every = getattr(request, "param", "1h")
    stage = Stage(tmp_path / "runner", RULES.replace("BEAT", every))
    yield stage
    stage.stop()


def on_exchange(stage: Stage, kind: str) -> list[str]:
    """The states of the exchange's orders of this type."""
    rest = stage.addresses["rest"]
    told = requests.get(f"{rest}/paper/orders", timeout=PATIENCE).json()["orders"]
    return [order["status"] for order in told if order["type"] == kind]


def guarded(stage: Stage, *, beating: bool = False) -> None:
    """A bracket with both exits on the book, and a countdown that runs."""

    def ready() -> bool:
        if beating:
            beat(stage)
        return live(stage) == {"0.stop@0.01", "0.target@0.01"}

    stage.run()
    assert stage.alert({"action": "buy"}) is not None
    eventually(ready, PATIENCE)
    assert on_exchange(stage, "LIMIT") == ["NEW"]


def beat(stage: Stage) -> None:
    """One heartbeat."""
    answer = requests.post(stage.url("/hook/beat"), json={"secret": TOKEN}, timeout=PATIENCE)
    assert answer.status_code == 200


def live(stage: Stage) -> set[str]:
    """The legs that the journal has on the book."""
    with JournalReader.open(stage.folder / "journal.db") as journal:
        return {order["leg"] for order in journal.orders(state="LIVE")}


def lines(stage: Stage, kind: str) -> list[str]:
    """The texts of the journal's records of this kind."""
    with JournalReader.open(stage.folder / "journal.db") as journal:
        return [record["text"] for record in journal.records(kinds=(kind,))]


def fired(stage: Stage) -> set[str]:
    """The rules that fired."""
    with JournalReader.open(stage.folder / "journal.db") as journal:
        return {run["rule_id"] for run in journal.runs()}


def taken(stage: Stage) -> None:
    """Wait until the exchange has cancelled the target."""
    eventually(lambda: on_exchange(stage, "LIMIT") == ["CANCELED"], PATIENCE)


def told(stage: Stage) -> str:
    """Wait for the line that says what the countdown took."""

    def ended() -> list[str]:
        return [text for text in lines(stage, "dead_man") if "is expired" in text]

    return eventually(ended, PATIENCE)[-1]


def the_truth_is_known(stage: Stage) -> dict[str, Any]:
    """The target is gone by name, the stop stays, nothing was placed again; returns status."""
    eventually(lambda: f"0.target@0.01: {TAKEN}" in lines(stage, "dead_man"), PATIENCE)
    eventually(lambda: live(stage) == {"0.stop@0.01"}, PATIENCE)
    assert len(on_exchange(stage, "LIMIT")) == 1

    def unprotected() -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(call("status", "--dir", stage.folder, "--json").stdout)
        problems = [each for each in answer["problems"] if "there is none now" in each["what"]]
        assert any("runner flatten --symbol BTCUSDT" in each["cure"] for each in problems)
        return answer

    return eventually(unprotected, PATIENCE)


def test_a_frozen_runner_loses_its_orders_on_time_and_tells_the_truth(stage: Stage) -> None:
    """SIGSTOP past the countdown: the exchange cancels, the journal knows what and why after."""
    guarded(stage)
    assert stage.runner is not None
    stage.runner.send_signal(signal.SIGSTOP)
    try:
        taken(stage)
    finally:
        stage.runner.send_signal(signal.SIGCONT)
    assert "the exchange cancelled trade 0.target@0.01" in told(stage)
    eventually(lambda: "link-lost" in fired(stage), PATIENCE)
    status = the_truth_is_known(stage)
    assert status["disabled"]["trade"]["who"] == "rule link-lost"


def test_a_cut_network_does_the_same(stage: Stage) -> None:
    """No byte goes either way past the countdown; then the cable is mended."""
    port = int(stage.addresses["rest"].rpartition(":")[2])
    cable = Cable(port)
    settings = stage.folder / "runner.yaml"
    settings.write_text(settings.read_text().replace(f":{port}", f":{cable.port}"))
    try:
        guarded(stage)
        cable.cut()
        taken(stage)
        cable.mend()
        assert "the exchange cancelled trade 0.target@0.01" in told(stage)
        eventually(lambda: "link-lost" in fired(stage), PATIENCE)
        the_truth_is_known(stage)
    finally:
        cable.close()


@pytest.mark.parametrize("stage", ["20s"], indirect=True)
def test_a_lost_heartbeat_lets_the_countdown_run_out(stage: Stage) -> None:
    """It is required: nobody beats, the refresh is held back, and the journal says why."""
    guarded(stage, beating=True)
    taken(stage)
    told(stage)
    held = [text for text in lines(stage, "dead_man") if "is not refreshed" in text]
    assert "the heartbeat beat is lost" in held[0]
    the_truth_is_known(stage)


def test_a_stop_longer_than_the_countdown_is_no_lost_link(stage: Stage) -> None:
    """What was cancelled is recorded the same; only the rule that asks for it hears of it."""
    guarded(stage)
    assert stage.runner is not None
    stage.runner.send_signal(signal.SIGTERM)
    assert stage.runner.wait(PATIENCE) == 0
    [stopped] = lines(stage, "stopped")
    assert "1 order of BTCUSDT stays; the exchange cancels BTCUSDT at" in stopped
    assert "positions held: BTCUSDT 0.01" in stopped
    taken(stage)
    stage.run()
    assert "while the runner was stopped; the exchange cancelled trade 0.target" in told(stage)
    eventually(lambda: "was-stopped" in fired(stage), PATIENCE)
    assert "link-lost" not in fired(stage)
    assert the_truth_is_known(stage)["disabled"] == {}


@pytest.mark.parametrize("on_stop", ["disarm", "cancel"])
def test_a_stop_can_leave_no_countdown_or_no_order(stage: Stage, on_stop: str) -> None:
    """`disarm`: both exits stay, the countdown is 0. `cancel`: neither is left."""
    settings = stage.folder / "runner.yaml"
    settings.write_text(f"{settings.read_text()}on_stop: {on_stop}\n")
    guarded(stage)
    assert stage.runner is not None
    stage.runner.send_signal(signal.SIGTERM)
    assert stage.runner.wait(PATIENCE) == 0
    with JournalReader.open(stage.folder / "journal.db") as journal:
        assert [each["countdown"] for each in journal.dead_men()] == [0]
    assert on_exchange(stage, "LIMIT") == (["NEW"] if on_stop == "disarm" else ["CANCELED"])
    [text] = lines(stage, "stopped")
    left = "1 order of BTCUSDT stays without a countdown, and 1 conditional"
    assert (left if on_stop == "disarm" else "no order of ours is open") in text
