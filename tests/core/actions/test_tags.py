"""Tags: names for orders that belong together; and orders that are held when they are lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.core.decision import Leg
from runner.core.orders import CancelIntent, OrderIntent, OrderState
from runner.core.rules import Progress
from runner.venues import SignedRequest
from runner.virtual import Calm, Wire
from tests.core.actions.stage import BROKEN, Stage
from tests.core.factories import built, context, leg, order, problems

RULES = """\
version: 1
rules:
  - id: grid
    symbol: BTCUSDT
    on_unknown: hold
    when: [{webhook: {path: grid, secret: tv, body: {n: number}}}]
    do:
      - place:
          - {side: buy, type: limit, price: 69000, quantity: 0.1, tag: low}
          - {side: buy, type: limit, price: 69500, quantity: 0.1, tag: high}
  - id: clear
    symbol: BTCUSDT
    when: [{webhook: {path: clear, secret: tv, body: {n: number}}}]
    do: [{cancel: {tag: low}}]
"""


def tagged(tag: str, part: str) -> Leg:
    """An open order with this tag."""
    return leg(order(part, tag=tag), OrderState.LIVE, name=part)


@pytest.mark.parametrize(
    ("block", "wanted"),
    [
        ({"tag": "low"}, ["5.0", "5.2"]),
        ({"rule": "grid"}, ["5.0", "5.1", "5.2"]),
        ({"rule": "grid", "tag": "high"}, ["5.1"]),
        ({"tag": "nowhere"}, []),
    ],
)
def test_a_tag_names_what_is_cancelled(block: dict[str, str], wanted: list[str]) -> None:
    """Of all rules, or of one; what has another tag stays."""
    legs = [tagged("low", "5.0"), tagged("high", "5.1"), tagged("low", "5.2")]
    action = built("cancel", block)
    step = action.step(context(action, open_legs=legs))
    targets = {one.client_order_id for one in legs if one.name in wanted}
    found = {p.intent.target for p in step.planned if isinstance(p.intent, CancelIntent)}
    assert found == targets
    assert (step.progress is Progress.DONE) == (not wanted)
    assert problems("cancel", block) == []


def test_a_tag_outlasts_a_restart(tmp_path: Path) -> None:
    """It is journaled with the order; the exchange never hears of it."""
    stage = Stage(RULES, tmp_path)
    stage.alert("grid", n=1)
    stage.restart()
    stage.alert("clear", n=1)
    (left,) = stage.open_on_exchange()
    assert left.price == 69500


class Losing(Calm):
    """Orders never arrive."""

    def carry(self, signed: SignedRequest, wire: Wire) -> None:
        """As ever, but for what places orders."""
        if signed.method == "POST" and "rder" in signed.path:
            wire.clock.plan(wire.clock.now + 12_000, lambda: wire.answer(BROKEN))
        else:
            super().carry(signed, wire)


@pytest.mark.parametrize("hold", [True, False])
def test_what_was_lost_is_held_or_sent_again(tmp_path: Path, hold: bool) -> None:
    """Proven absent: hold parks it for a person, resend lapses or sends what is not too old."""
    rules = RULES if hold else RULES.replace("on_unknown: hold", "expires_after: 1h")
    stage = Stage(rules, tmp_path, network=Losing())
    stage.alert("grid", n=1)
    stage.restart()
    stage.runner.network = Calm()
    stage.network = Calm()
    stage.advance(120_000)
    states = {row["state"] for row in stage.orders()}
    assert states == ({"PARKED"} if hold else {"LIVE"})
    assert len(stage.open_on_exchange()) == (0 if hold else 2)


def test_an_exit_is_never_held(tmp_path: Path) -> None:
    """A second one cannot add risk, so it is sent again in any case."""
    rules = RULES.replace(", tag: low}", ", tag: low, reduce_only: true}")
    rules = rules.replace("tag: high}", "tag: high, reduce_only: true}")
    stage = Stage(rules, tmp_path)
    stage.alert("grid", n=1, wait=0)
    legs = stage.runner.engine.state.legs.values()
    assert legs
    orders = [one.intent for one in legs if isinstance(one.intent, OrderIntent)]
    assert not any(intent.hold_unknown for intent in orders)
