"""`trail`: a native trailing stop for what is held."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runner.core.decision import Reason
from runner.core.formula import EvaluationError
from runner.core.orders import Family, OrderIntent, OrderState, OrderType, Side
from runner.core.rules import Progress, Step
from runner.core.view import View
from tests.core.actions.stage import Stage
from tests.core.factories import built, context, dec, instrument, leg, position, problems, view

RULES = """\
version: 1
rules:
  - id: enter
    symbol: BTCUSDT
    when: [{webhook: {path: enter, secret: tv, body: {n: number}}}]
    do:
      - place: {side: buy, type: market, quantity: 0.5}
      - trail: {callback_rate: 1, tag: exit}
"""


def trail(world: View, **more: Any) -> Step:
    """What a trail of 1.5% wants."""
    action = built("trail", {"callback_rate": dec("1.5"), **more})
    return action.step(context(action, world=world))


@pytest.mark.parametrize(("held", "side"), [("0.3", Side.SELL), ("-0.3", Side.BUY)])
def test_the_whole_position_reduce_only(held: str, side: Side) -> None:
    """On the exchange, in the algo service, without a deadline: it is an exit."""
    world = view()
    world.apply_position(position(held))
    (planned,) = trail(world, activation_price=dec("71000.07"), working_type="mark_price").planned
    intent = planned.intent
    assert isinstance(intent, OrderIntent)
    assert (intent.type, intent.family) == (OrderType.TRAILING_STOP_MARKET, Family.ALGO)
    assert (intent.side, intent.quantity) == (side, dec("0.3"))
    assert intent.reduce_only
    assert (intent.callback_rate, intent.working_type) == (dec("1.5"), "MARK_PRICE")
    assert planned.deadline is None


def test_each_side_of_hedge_mode_has_its_own() -> None:
    """A long and a short are trailed apart."""
    world = view()
    world.apply_position(position("1", side="LONG"))
    world.apply_position(position("-2", side="SHORT"))
    assert [planned.name for planned in trail(world).planned] == ["0.long", "0.short"]
    only = trail(world, position_side="long").planned
    assert [planned.name for planned in only] == ["0.long"]


def test_flat_has_nothing_to_trail() -> None:
    """It is done, and says so."""
    done = trail(view())
    assert (done.progress, done.planned) == (Progress.DONE, ())
    assert "no position" in done.detail


def test_it_waits_until_positions_are_known() -> None:
    """Flat would be a guess."""
    world = view()
    world.positions_known = False
    with pytest.raises(EvaluationError):
        trail(world)


def test_what_the_exchange_would_refuse_is_not_possible() -> None:
    """A symbol that does not trade, say."""
    world = view()
    world.apply_position(position("1"))
    world.instruments = {"BTCUSDT": instrument(status="SETTLING")}
    failed = trail(world)
    assert (failed.progress, failed.reason) == (Progress.FAILED, Reason.NOT_POSSIBLE)


def test_it_is_done_when_it_stands() -> None:
    """Resting is its verdict."""
    action = built("trail", {"callback_rate": 1})
    assert len(action.formulas()) == 0
    legs = {"0.both": leg(state=OrderState.LIVE, name="0.both")}
    assert action.step(context(action, legs)).progress is Progress.DONE


@pytest.mark.parametrize(
    ("block", "codes"),
    [
        ({"callback_rate": 1}, []),
        ({"callback_rate": "=1 + 1"}, []),
        ({"callback_rate": 30}, ["range"]),
        ({"callback_rate": "0.05"}, ["range"]),
    ],
)
def test_what_is_said_wrong(block: dict[str, Any], codes: list[str]) -> None:
    """The distance is from 0.1 to 20 percent."""
    exact = {k: v if str(v).startswith("=") else dec(v) for k, v in block.items()}
    assert problems("trail", exact) == codes


def test_a_trailing_exit_right_after_the_entry(tmp_path: Path) -> None:
    """The fill counts before the position shows it, and the exchange closes by itself."""
    stage = Stage(RULES, tmp_path)
    stage.alert("enter", n=1)
    (algo,) = stage.open_on_exchange()
    assert (algo.quantity, algo.reduce_only) == (dec("0.5"), True)
    stage.price("72000")
    stage.price("71200")
    stage.advance(1_000)
    assert stage.held() == 0
    assert {row["state"] for row in stage.orders()} == {"FILLED"}
