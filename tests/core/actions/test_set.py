"""`set`: settings of the exchange, one after the other; what is so already is done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runner.core.decision import Leg, Reason
from runner.core.lifecycle import Timing
from runner.core.orders import OrderState, SettingIntent
from runner.core.rules import Progress, Step
from runner.venues import SignedRequest
from runner.virtual import Calm, Wire
from tests.core.actions.stage import BROKEN, Stage
from tests.core.factories import START, built, context, dec, leg, problems

RULES = """\
version: 1
rules:
  - id: settings
    symbol: BTCUSDT
    when: [{webhook: {path: settings, secret: tv, body: {n: number}}}]
    do:
      - set: {leverage: 7, margin_type: isolated, position_mode: one_way}
  - id: margin
    symbol: BTCUSDT
    when: [{webhook: {path: margin, secret: tv, body: {n: number}}}]
    do:
      - place: {side: buy, type: market, quantity: 0.5}
      - set: {isolated_margin: 100}
"""


class Unanswered(Calm):
    """The next request to one address is carried out, and its answer is lost."""

    path = ""

    def carry(self, signed: SignedRequest, wire: Wire) -> None:
        """As ever, but for that one."""
        if signed.path != self.path:
            super().carry(signed, wire)
            return
        self.path = ""
        clock = wire.clock
        clock.plan(clock.now + 1, wire.execute)
        clock.plan(clock.now + 12_000, lambda: wire.answer(BROKEN))


def step(value: dict[str, Any], *legs: Leg) -> Step:
    """What it wants, given these legs."""
    action = built("set", value)
    return action.step(context(action, {one.name: one for one in legs}))


def settings(of: Step) -> list[tuple[str, str, str]]:
    """Leg, value and side of what is planned."""
    found = []
    for planned in of.planned:
        assert isinstance(planned.intent, SettingIntent)
        found.append((planned.name, planned.intent.value, planned.intent.position_side))
    return found


def done(name: str, state: OrderState = OrderState.DONE, **more: Any) -> Leg:
    """A setting's leg."""
    return leg(state=state, name=f"0.{name}", **more)


def test_one_after_the_other() -> None:
    """The mode before the margin type, that before the margin itself, whatever the order."""
    value = {"leverage": 5, "isolated_margin": -10, "margin_type": "crossed"}
    assert settings(step(value)) == [("0.margin_type", "crossed", "BOTH")]
    after = step(value, done("margin_type"))
    assert settings(after) == [("0.leverage", "5", "BOTH")]
    assert after.planned[0].deadline == START + 60_000
    waiting = step(value, done("margin_type"), done("leverage", OrderState.SENDING))
    assert (waiting.progress, waiting.planned) == (Progress.WAITING, ())
    last = step(value, done("margin_type"), done("leverage"))
    assert settings(last) == [("0.isolated_margin", "-10", "BOTH")]
    both = (done("margin_type"), done("leverage"), done("isolated_margin"))
    assert step(value, *both).progress is Progress.DONE


def test_a_refusal_ends_it() -> None:
    """The rest is not tried."""
    refused = done("position_mode", OrderState.REJECTED, message="open orders exist")
    failed = step({"position_mode": "hedge", "leverage": 5}, refused)
    assert (failed.progress, failed.reason) == (Progress.FAILED, Reason.REJECTED)
    assert failed.detail == "position mode refused by the exchange: open orders exist"


def test_margin_is_moved_on_one_side_of_hedge_mode() -> None:
    """The side is named to the exchange, and only for margin."""
    value = {"leverage": 5, "isolated_margin": "=50 * 2", "position_side": "long"}
    assert settings(step(value)) == [("0.leverage", "5", "BOTH")]
    assert settings(step(value, done("leverage"))) == [("0.isolated_margin", "100", "LONG")]


@pytest.mark.parametrize(
    ("value", "text"),
    [({"leverage": "=2.5"}, "no whole number"), ({"isolated_margin": "=1 - 1"}, "nothing to move")],
)
def test_a_formula_may_give_what_cannot_be(value: dict[str, Any], text: str) -> None:
    """It fails with the number."""
    failed = step(value)
    assert (failed.reason, failed.planned) == (Reason.NOT_POSSIBLE, ())
    assert text in failed.detail


@pytest.mark.parametrize(
    ("block", "codes"),
    [
        ({"leverage": 20}, []),
        ({"leverage": 0}, ["range"]),
        ({"leverage": "2.5"}, ["range"]),
        ({"leverage": 126}, ["range"]),
        ({"leverage": 5, "position_side": "long"}, ["unknown-key"]),
        ({"position_side": "long"}, ["missing-key", "unknown-key"]),
        ({"leverage": "=nobody"}, ["formula"]),
    ],
)
def test_what_is_said_wrong(block: dict[str, Any], codes: list[str]) -> None:
    """Each mistake has its code."""
    exact = {k: dec(v) if str(v)[0].isdigit() else v for k, v in block.items()}
    assert problems("set", exact) == codes


def test_no_need_to_change_is_success(tmp_path: Path) -> None:
    """The second time every one of them is so already, and the run is done all the same."""
    stage = Stage(RULES, tmp_path)
    for _ in range(2):
        stage.alert("settings", n=1)
    assert [run["status"] for run in stage.runs()] == ["done", "done"]
    (account,) = stage.engine.state.accounts.values()
    setting = account.setting("BTCUSDT")
    assert (setting.leverage, setting.isolated, account.hedge) == (7, True, False)


@pytest.mark.parametrize("path", ["/fapi/v1/leverage", "/fapi/v1/marginType"])
def test_a_lost_answer_is_asked_for_by_repeating(tmp_path: Path, path: str) -> None:
    """Once the first copy can no longer arrive: not before its fence."""
    network = Unanswered()
    stage = Stage(RULES, tmp_path, network=network)
    network.path = path
    stage.alert("settings", n=1, wait=12_100)
    assert stage.runs()[-1]["status"] == "running"
    stage.advance(Timing().fence(0))
    assert stage.runs()[-1]["status"] == "done"


@pytest.mark.parametrize("killed", [False, True])
def test_margin_is_never_moved_twice(tmp_path: Path, killed: bool) -> None:
    """Nobody can tell whether it was moved: it is parked, a person looks."""
    network = Unanswered()
    stage = Stage(RULES, tmp_path, network=network)
    stage.alert("settings", n=1)
    network.path = "/fapi/v1/positionMargin"
    stage.alert("margin", n=1, wait=100)
    if killed:
        stage.restart()
    stage.advance(120_000)
    run = stage.runs()[-1]
    assert run["status"] == "stopped"
    assert run["reason"].startswith("parked: isolated margin (action 2) parked, a person must look")
    (account,) = stage.engine.state.accounts.values()
    first = account.position("BTCUSDT", "BOTH").isolated_wallet
    stage.advance(600_000)
    assert account.position("BTCUSDT", "BOTH").isolated_wallet == first


def test_a_refusal_stops_the_run(tmp_path: Path) -> None:
    """The margin type cannot change while a position is held."""
    stage = Stage(RULES, tmp_path)
    stage.alert("margin", n=1)
    stage.alert("settings", n=1)
    assert stage.runs()[-1]["reason"].startswith("rejected: margin type refused by the exchange")
