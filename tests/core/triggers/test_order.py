"""Trigger `order`: what becomes of a rule's orders fires other rules, in the same commit."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from runner.core.document import Node
from runner.core.events import OrderChanged
from runner.core.rules import Hit, Quiet
from runner.core.triggers.order import build
from tests.core.trigger_factories import SYMBOL, names
from tests.core.trigger_factories import build as build_trigger
from tests.core.triggers.playing import Play

BUY = (
    "buyer | webhook: {path: buy, secret: tv} | "
    "do: [{place: {side: buy, type: limit, price: 69000, quantity: 0.1, tag: grid}}]"
)


def changed(status: str = "filled", **more: Any) -> OrderChanged:
    """A change of an order of the rule grid."""
    given: dict[str, Any] = {
        "rule_id": "grid",
        "symbol": SYMBOL,
        "client_order_id": "r1-main-abc",
        "leg": "entry",
        "status": status,
        "side": "buy",
        "cumulative_quantity": Decimal("0.10"),
        "average_price": Decimal(70_000),
        **more,
    }
    return OrderChanged(**given)


def test_the_key_is_the_order_what_happened_and_how_much() -> None:
    """So that each part of a fill is its own event, and a repetition is none."""
    trigger = build_trigger("order", {"rule": "grid", "status": ["filled", "partly_filled"]})
    found = trigger.match(changed(), {}, names())
    assert isinstance(found, Hit)
    assert found.event_key == "r1-main-abc filled 0.1"
    assert found.detail == "entry of grid filled: buy 0.1"
    assert set(found.fields) == set(trigger.fields)
    more = trigger.match(changed("partly_filled", cumulative_quantity=Decimal(1)), {}, names())
    assert more.event_key == "r1-main-abc partly_filled 1"


def test_a_rejected_order_has_no_price_and_says_why() -> None:
    """A formula that names its price gets "no data"."""
    trigger = build_trigger("order", {"rule": "grid", "status": "rejected"})
    event = changed("rejected", average_price=None, detail="Margin is insufficient.")
    found = trigger.match(event, {}, names())
    assert "price" not in found.fields
    assert found.detail.endswith("(Margin is insufficient.)")


@pytest.mark.parametrize(
    "value",
    [
        {"rule": "grid", "status": "expired"},
        {"rule": "grid", "status": "filled", "leg": "stop"},
        {"tag": "other", "status": "filled"},
    ],
)
def test_other_changes_are_not_meant(value: dict[str, Any]) -> None:
    """Another status, another leg, another tag."""
    assert isinstance(build_trigger("order", value).match(changed(), {}, names()), Quiet)


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ({"status": "filled"}, "missing-key"),
        ({"rule": "grid", "status": "filed"}, "enum"),
        ({"rule": "grid", "status": ["filled", "done"]}, "enum"),
    ],
)
def test_problems(value: dict[str, Any], code: str) -> None:
    """Neither rule nor tag; a word that is no status."""
    node = Node(value)
    assert build(node, "order") is None
    assert [each.code for each in node.problems] == [code]


def test_a_fill_fires_once_with_what_was_filled(tmp_path: Path) -> None:
    """The limit order rests, fires nothing, and fills: the other rule runs, also by the tag."""
    play = Play(
        tmp_path,
        BUY,
        "told | order: {rule: buyer, status: filled}",
        "tagged | order: {tag: grid, status: [filled, cancelled]}",
    )
    play.alert("buy")
    assert play.fired("told") == []
    play.price(68_900)
    play.advance(1_000)
    (fields,) = play.fields("told")
    assert fields["status"] == "filled"
    assert fields["leg"] == "0"
    assert Decimal(fields["quantity"]) == Decimal("0.1")
    assert Decimal(fields["price"]) == 69_000
    assert len(play.fired("tagged")) == 1
    play.restart()
    play.advance(60_000)
    assert len(play.fired("told")) == 1


def test_a_grid_refills_itself(tmp_path: Path) -> None:
    """A rule may listen to its own orders: each fill places the next one."""
    play = Play(
        tmp_path,
        "grid | webhook: {path: go, secret: tv}}, {order: {rule: grid, status: filled} | "
        "do: [{place: {side: buy, type: limit, price: =mark * 0.99, quantity: 0.01}}]",
    )
    play.alert("go")
    play.prices(69_000, 68_000)
    play.advance(2_000)
    assert len(play.fired("grid")) == 3


def test_a_cancelled_and_a_partly_filled_order(tmp_path: Path) -> None:
    """A fill in parts is told part by part; what a person cancels is told as cancelled."""
    play = Play(
        tmp_path,
        BUY,
        "part | order: {rule: buyer, status: partly_filled}",
        "gone | order: {rule: buyer, status: cancelled}",
        "sweep | webhook: {path: sweep, secret: tv} | do: [{cancel: all}]",
        level_quantity=Decimal("0.03"),
    )
    play.alert("buy")
    play.price(69_000)
    play.advance(1_000)
    parts = len(play.fired("part"))
    play.alert("sweep")
    assert len(play.fired("gone")) == 1
    assert parts == len(play.fired("part"))


def test_a_rejected_order(tmp_path: Path) -> None:
    """The exchange's refusal fires, with the text in the run's detail."""
    play = Play(
        tmp_path,
        "buyer | webhook: {path: buy, secret: tv} | "
        "do: [{place: {side: buy, type: limit, price: 69000, quantity: 900}}]",
        "told | order: {rule: buyer, status: rejected}",
    )
    play.alert("buy")
    (fields,) = play.fields("told")
    assert fields["status"] == "rejected"
