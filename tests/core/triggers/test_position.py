"""Trigger `position`: opened and closed by steps, incidents once, results by the mark price."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from runner.core.decision import Reason
from runner.core.document import Node
from runner.core.events import PositionIncident, Positions, PositionUpdate
from runner.core.rules import Hit, Match, Memory, Miss, Quiet
from runner.core.triggers.position import build
from runner.core.view import scope
from tests.core.trigger_factories import (
    START,
    SYMBOL,
    Bench,
    fired,
    names,
    position,
    reasons,
    rule,
)
from tests.core.trigger_factories import build as build_trigger
from tests.core.triggers.playing import Play


def held(size: int, side: str = "BOTH", reading: bool = False) -> PositionUpdate:
    """A position of this signed size."""
    return PositionUpdate(
        SYMBOL, side, Decimal(size), Decimal(100), Decimal(0), START, reading=reading
    )


def after(value: Any, *updates: PositionUpdate, memory: Memory | None = None) -> Match:
    """What the last of these statements led to."""
    trigger = build_trigger("position", value)
    found: Match = Quiet(memory or {})
    for each in updates:
        found = trigger.match(each, found.memory, names())
    return found


def test_the_first_statement_only_sets_the_side() -> None:
    """A rule that is new does not fire for what is there already."""
    assert isinstance(after("opened", held(1)), Quiet)
    found = after("opened", held(0), held(1))
    assert isinstance(found, Hit)
    assert found.event_key == "1"
    assert found.fields == {"what": "opened", "side": "long", "size": 1, "price": 100}
    assert found.detail == "long position opened"


def test_more_of_a_position_is_no_step() -> None:
    """Only flat, long and short count."""
    assert isinstance(after("opened", held(0), held(1), held(3)), Quiet)
    assert isinstance(after("closed", held(0), held(3), held(1)), Quiet)


def test_turning_around_closes_one_and_opens_the_other() -> None:
    """Both words fire, each with its own side."""
    opened, closed = (after(what, held(2), held(-1)) for what in ("opened", "closed"))
    assert isinstance(opened, Hit)
    assert isinstance(closed, Hit)
    assert opened.fields["side"] == "short"
    assert closed.fields["side"] == "long"
    assert isinstance(after("closed", held(0), held(-1), held(0)), Hit)


def test_the_sides_of_hedge_mode_are_apart() -> None:
    """The long side opens while the short one stays."""
    found = after("opened", held(-1, "SHORT"), held(0, "LONG"), held(1, "LONG"))
    assert isinstance(found, Hit)
    assert found.memory["sides"] == {"SHORT": "short", "LONG": "long"}


def test_what_only_a_reading_shows_follows_after_gap() -> None:
    """Nobody listened when it happened."""
    found = after("closed", held(1), held(0, reading=True))
    assert isinstance(found, Miss)
    assert found.reason is Reason.CROSSED_WHILE_AWAY
    assert isinstance(after("closed", held(1), held(0, reading=True), held(0)), Quiet)
    fire = {"is": "closed", "after_gap": "fire"}
    assert isinstance(after(fire, held(1), held(0, reading=True)), Hit)


def incident(what: Any, key: str = "autoclose-1", size: int = 2) -> PositionIncident:
    """Something the exchange did."""
    return PositionIncident(what, SYMBOL, "BOTH", Decimal(size), Decimal(90), key, START)


def test_an_incident_fires_once() -> None:
    """Several messages about one closing order are one incident."""
    trigger = build_trigger("position", "liquidation")
    found = trigger.match(incident("liquidation"), {}, names())
    assert isinstance(found, Hit)
    assert found.event_key == "liquidation autoclose-1"
    assert found.fields == {"what": "liquidation", "side": "long", "size": 2, "price": 90}
    assert isinstance(trigger.match(incident("liquidation"), found.memory, names()), Quiet)
    assert isinstance(trigger.match(incident("adl"), {}, names()), Quiet)
    short = trigger.match(incident("liquidation", "b", -1), found.memory, names())
    assert short.fields["side"] == "short"


def test_a_rule_that_comes_while_a_position_is_held_sees_it_close() -> None:
    """At load it takes over where the position stands."""
    bench = Bench()
    bench.process(Positions((position(1),), START), START)
    bench.load(rule("r", build_trigger("position", "closed")), now=START + 1)
    assert fired(bench.process(position(0, at=START + 2), START + 2)) == ["r"]


def test_a_position_that_is_gone_from_a_reading_was_closed_while_away() -> None:
    """A reading lists only what is held."""
    bench = Bench(rule("r", build_trigger("position", "closed")))
    bench.process(Positions((position(1),), START), START)
    assert reasons(bench.process(Positions((), START + 1), START + 1)) == ["crossed while away"]


def test_a_loss_is_a_level_of_the_mark_price() -> None:
    """Long 2 at 100: a loss of more than 10 is a mark under 95; equal is not past."""
    bench = Bench(rule("r", build_trigger("position", {"loss": Decimal(10)})))
    bench.process(Positions((position(2, 100),), START), START)
    bench.price(100, START + 1)
    assert bench.price("95.5", START + 2) is None
    assert fired(bench.price(95, START + 3)) == []
    decision = bench.price("94.5", START + 4)
    assert fired(decision) == ["r"]
    assert decision is not None
    fields = decision.new_runs[0].fields
    assert fields == {"what": "loss", "result": 11, "level": 10, "price": Decimal("94.5")}
    assert fired(bench.price(90, START + 5)) == []
    bench.price(96, START + 6)
    assert fired(bench.price(94, START + 7)) == ["r"]


def test_a_profit_of_a_short_position_follows_its_size() -> None:
    """Short 1 at 100 has a profit of 10 under 90; with 2 more at 100 already under 97."""
    bench = Bench(rule("r", build_trigger("position", {"profit": Decimal(10)})))
    bench.process(Positions((position(-1, 100),), START), START)
    bench.price(100, START + 1)
    assert fired(bench.price(91, START + 2)) == []
    bench.price(99, START + 3)
    bench.process(position(-3, 100, START + 4), START + 4)
    bench.price(98, START + 5)
    assert fired(bench.price(96, START + 6)) == ["r"]


def test_a_flat_account_has_no_result() -> None:
    """Nothing is waited for until a position is there, and its first price only sets the side."""
    bench = Bench(rule("r", build_trigger("position", {"loss": Decimal(10), "rearm": Decimal(5)})))
    bench.price(100, START)
    assert bench.price(1, START + 1) is None
    bench.process(Positions((position(1, 100),), START + 2), START + 2)
    assert fired(bench.price(80, START + 3)) == []
    bench.price(99, START + 4)
    assert fired(bench.price(80, START + 5)) == ["r"]
    bench.price(94, START + 6)
    assert fired(bench.price(80, START + 7)) == []


def test_hedged_sides_count_together() -> None:
    """Equal sides have a result that stands still: nothing to wait for."""
    bench = Bench(rule("r", build_trigger("position", {"loss": "=account.equity * 0 + 10"})))
    both = (held(2, "LONG"), held(-2, "SHORT"))
    bench.process(Positions(both, START), START)
    assert bench.price(100, START + 1) is None


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("open", "enum"),
        ({}, "missing-key"),
        ({"loss": Decimal(1), "profit": Decimal(1)}, "missing-key"),
        ({"is": "opened", "for": "5s"}, "unknown-key"),
        ({"loss": Decimal(-5)}, "range"),
        ({"loss": "=mark / 2"}, "formula"),
        ({"loss": "=marc"}, "formula"),
    ],
)
def test_problems(value: Any, code: str) -> None:
    """Unknown words, two ways at once, keys that do not go together, levels that never come."""
    node = Node(value, scope=scope())
    build(node, "position")
    assert [each.code for each in node.problems] == [code]


BUY = (
    "buyer | webhook: {path: buy, secret: tv} | "
    "do: [{place: {side: buy, type: market, quantity: 0.1}}]"
)
SELL = "seller | webhook: {path: sell, secret: tv} | do: [{close: {type: market}}]"


def test_positions_of_the_exchange(tmp_path: Path) -> None:
    """Opened by a fill, in loss by the price, closed by an order: each once."""
    play = Play(
        tmp_path,
        BUY,
        SELL,
        "opened | position: opened",
        "closed | position: closed",
        "loss | position: {loss: 100}",
    )
    play.alert("buy")
    assert [fields["side"] for fields in play.fields("opened")] == ["long"]
    play.prices(69_500, 68_500)
    assert len(play.fired("loss")) == 1
    play.alert("sell")
    assert len(play.fired("closed")) == 1
    play.restart()
    play.advance(10_000)
    assert [len(play.fired(name)) for name in ("opened", "closed", "loss")] == [1, 1, 1]


def test_what_happened_while_the_runner_was_away(tmp_path: Path) -> None:
    """The position was closed by hand meanwhile: recorded, or fired."""
    play = Play(
        tmp_path,
        BUY,
        "waits | position: closed",
        "fires | position: {is: closed, after_gap: fire}",
    )
    play.alert("buy")
    play.runner.crash()
    (account,) = play.engine.state.accounts.values()
    for held_position in account.positions.values():
        held_position.amount = Decimal(0)
    play.restart(away=5_000)
    assert len(play.fired("fires")) == 1
    assert play.fired("waits") == []
    assert "crossed while away" in play.refused()
