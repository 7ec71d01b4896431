"""`ladder`: limit orders between two prices, all or none."""

from __future__ import annotations

from typing import Any

import pytest

from runner.core.decision import Reason
from runner.core.events import AccountUpdate
from runner.core.orders import OrderIntent, OrderState, PlaceCall, TimeInForce
from runner.core.rules import Progress, Step
from tests.core.factories import (
    START,
    Bench,
    built,
    context,
    dec,
    leg,
    problems,
    rule,
    rule_set,
    view,
)

LADDER: dict[str, Any] = {"side": "buy", "from": 69000, "to": 66000, "orders": 4, "quantity": 1}


def step(**changes: Any) -> Step:
    """What the ladder wants at first."""
    action = built("ladder", {**LADDER, **changes})
    return action.step(context(action))


def rungs(of: Step) -> list[tuple[str, str]]:
    """Price and quantity of each order."""
    found = []
    for planned in of.planned:
        assert isinstance(planned.intent, OrderIntent)
        found.append((f"{planned.intent.price:.1f}", f"{planned.intent.quantity:.3f}"))
    return found


def test_prices_are_even_and_sizes_equal() -> None:
    """Both ends are included; each order is an entry with a deadline of its own."""
    wanted = step()
    prices = ["69000.0", "68000.0", "67000.0", "66000.0"]
    assert rungs(wanted) == [(price, "0.250") for price in prices]
    assert [planned.name for planned in wanted.planned] == ["0.0", "0.1", "0.2", "0.3"]
    assert {planned.deadline for planned in wanted.planned} == {START + 60_000}


def test_weights_share_the_size_out() -> None:
    """From the first order to the last, each rounded toward zero."""
    assert [size for _, size in rungs(step(weights=[1, 2, 3, 4]))] == [
        "0.100",
        "0.200",
        "0.300",
        "0.400",
    ]
    thirds = [size for _, size in rungs(step(orders=3))]
    assert thirds == ["0.333"] * 3


def test_upwards_and_by_formulas() -> None:
    """A sell ladder goes up, its prices never cross further than written."""
    wanted = step(**{"side": "sell", "from": "=mark * 1.01", "to": 72000.05, "orders": 2})
    assert [price for price, _ in rungs(wanted)] == ["70700.0", "72000.1"]


def test_a_risk_is_reckoned_from_its_middle_price() -> None:
    """If all fills, the stop costs what was said: 1% of 10000 over 67500 - 66500."""
    world = view()
    world.apply_account(AccountUpdate(dec(10000), dec(10000), START, dec(10000)))
    risk = {"percent": 1, "stop": 66500}
    action = built(
        "ladder",
        {"side": "buy", "from": 68000, "to": 67000, "orders": 2, "risk": risk},
    )
    assert [size for _, size in rungs(action.step(context(action, world=world)))] == ["0.050"] * 2


def test_all_or_none() -> None:
    """One order that is too small keeps all from being sent, and is named."""
    wanted = step(weights=[1000, 1, 1, 1])
    assert (wanted.progress, wanted.reason) == (Progress.FAILED, Reason.NOT_POSSIBLE)
    assert wanted.detail.startswith("order 2 at 68000")
    assert not wanted.planned


def test_batches_of_five() -> None:
    """Seven orders leave in two signed batches."""
    action = built("ladder", {**LADDER, "orders": 7, "time_in_force": "gtx"})
    bench = Bench(rule_set(rule("rule", action)))
    bench.fire("rule")
    calls = bench.calls(PlaceCall)
    assert [len(call.intents) for call in calls if isinstance(call, PlaceCall)] == [5, 2]
    first = calls[0]
    assert isinstance(first, PlaceCall)
    assert first.intents[0].time_in_force is TimeInForce.GTX


def test_it_is_done_when_every_order_has_its_verdict() -> None:
    """Resting is a verdict; a refusal fails it."""
    action = built("ladder", {**LADDER, "orders": 2})
    legs = {name: leg(state=OrderState.LIVE, name=name) for name in ("0.0", "0.1")}
    assert action.step(context(action, legs)).progress is Progress.DONE
    legs["0.1"] = leg(state=OrderState.REJECTED, name="0.1")
    assert action.step(context(action, legs)).reason is Reason.REJECTED


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({}, []),
        ({"to": 69000}, ["range"]),
        ({"weights": [1, 2]}, ["range"]),
        ({"quantity": None}, ["missing-key"]),
        ({"from": "=nobody"}, ["formula"]),
        ({"good_till": "5m"}, ["range"]),
    ],
)
def test_what_is_said_wrong(changes: dict[str, Any], codes: list[str]) -> None:
    """Each mistake has its code."""
    block = {key: value for key, value in {**LADDER, **changes}.items() if value is not None}
    assert problems("ladder", block) == codes
