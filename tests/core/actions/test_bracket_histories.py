"""A bracket played to its end: fills in parts, cancels, restarts and losses in between."""

from __future__ import annotations

import random
from decimal import Decimal
from pathlib import Path

import pytest

from runner.core.orders import OrderType
from runner.venues.paper.matching import fill_by_hand
from tests.core.actions.stage import SYMBOL, Lossy, Stage

RULES = """\
version: 1
rules:
  - id: bracket
    symbol: BTCUSDT
    when: [{webhook: {path: enter, secret: tv, body: {n: number}}}]
    do:
      - bracket:
          entry: {side: buy, type: limit, price: 69000, quantity: 1, tag: entry}
          stop: {trigger_price: 68000}
          target: {price: 72000}
  - id: withdraw
    symbol: BTCUSDT
    when: [{webhook: {path: withdraw, secret: tv, body: {n: number}}}]
    do: [{cancel: {tag: entry}}]
"""
STOP = OrderType.STOP_MARKET.value


def fill(stage: Stage, share: Decimal) -> None:
    """A part of what is left of the entry fills on the exchange."""
    for order in stage.engine.orders():
        if order.side == "BUY" and order.is_open:
            left = order.quantity - order.executed
            part = max((left * share).quantize(Decimal("0.001")), Decimal("0.001"))
            fill_by_hand(stage.engine.state, order, None, min(part, left), stage.clock.now)
            stage.exchange.settle(at_once=True)


def exits(stage: Stage) -> tuple[list[Decimal], list[Decimal]]:
    """What the open stops and the open targets would close."""
    open_ = stage.open_on_exchange()
    stops = [one.quantity for one in open_ if one.type == STOP]
    targets = [
        one.quantity - one.executed for one in open_ if one.side == "SELL" and one.type != STOP
    ]
    return stops, targets


def assert_covered(stage: Stage) -> None:
    """One stop and one target for exactly what is held; flat, nothing that could open."""
    held, (stops, targets) = stage.held(), exits(stage)
    assert held >= 0
    if held:
        assert (stops, targets) == ([held], [held])
    else:
        assert (stops, targets) == ([], [])


def play(stage: Stage, dice: random.Random, calm: bool) -> None:
    """One thing happens."""
    match dice.choice(("fill", "fill", "fill", "withdraw", "restart", "wait", "move", "reconnect")):
        case "fill":
            fill(stage, Decimal(dice.randint(5, 100)) / 100)
        case "withdraw" if dice.random() < 0.4:
            stage.alert("withdraw", n=stage.sent, wait=10)
        case "restart":
            stage.restart(dice.choice((0, 1_000, 50_000)))
        case "move":
            around = dice.choice((69_500, 70_500, 71_500, 68_500, 67_500, 72_500))
            if calm or dice.random() < 0.5:
                stage.price(Decimal(around))
        case "reconnect":
            stage.reconnect()
        case _:
            stage.advance(dice.choice((10, 1_000, 30_000)))
    assert stage.held() >= 0


@pytest.mark.parametrize("seed", range(30))
def test_exits_equal_what_filled(tmp_path: Path, seed: int) -> None:
    """After everything that happens, once it has settled: never two stops, never too much."""
    dice = random.Random(seed)
    stage = Stage(RULES, tmp_path)
    stage.alert("enter", n=1)
    for _ in range(dice.randint(3, 12)):
        play(stage, dice, calm=True)
        stage.reconnect()
        stage.price(stage.engine.state.market(SYMBOL).mark)
        stage.advance(5_000)
        assert_covered(stage)


@pytest.mark.parametrize("seed", range(30))
def test_after_losses_it_is_flat_or_protected(tmp_path: Path, seed: int) -> None:
    """Requests, answers and messages get lost on the way; in the end it stands as if none had."""
    dice = random.Random(1_000 + seed)
    network = Lossy(dice, dice.choice((0.05, 0.2, 0.4)))
    stage = Stage(RULES, tmp_path, network=network)
    stage.alert("enter", n=1)
    for _ in range(dice.randint(3, 12)):
        play(stage, dice, calm=False)
    network.calm = True
    for _ in range(6):
        stage.reconnect()
        stage.price(stage.engine.state.market(SYMBOL).mark)
        stage.advance(60_000)
    assert_covered(stage)
    assert all(row["state"] not in ("SENDING", "UNKNOWN") for row in stage.orders())
