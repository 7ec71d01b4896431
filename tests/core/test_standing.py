"""How a rule stands now: the reason it does not fire, with the values that it sees."""

from __future__ import annotations

from typing import Any

import pytest

from runner.core.events import Command
from runner.core.formula import NUMBER
from runner.core.rules import Rule
from tests.core.trigger_factories import START, Bench, build, condition, price, rule

SECOND = 1_000


def look(bench: Bench, at: int, rule_id: str = "r") -> dict[str, Any]:
    """What the rule says of itself when a person asks."""
    told = bench.process(Command("look", f"look-{at}", "ann", at, rule_id=rule_id), at)
    [record] = [each for each in told.records if each.kind == "command"]
    assert record.data["done"], record.text
    found: dict[str, Any] = record.data["rules"][rule_id][0]
    return found


def crossing(**more: Any) -> Rule:
    """A rule on a cross above 100 that must stay there for 5 s."""
    return rule("r", price(crosses_above=100, rearm=95, **{"for": "5s"}), **more)


def test_a_cross_that_did_not_happen_is_told_with_the_price() -> None:
    """No price, not crossed, waiting, not armed: each with its values."""
    bench = Bench(crossing())
    assert look(bench, START)["reason"] == "no data"
    bench.price(99, START)
    found = look(bench, START + 1)
    assert (found["reason"], found["text"]) == ("", "mark 99 has not crossed above 100")
    bench.price(101, START + SECOND)
    found = look(bench, START + 4 * SECOND)
    assert found["reason"] == "waiting"
    assert found["text"] == "mark 101 went above 100 3 s ago, must stay for 5 s"
    for number in range(2, 8):
        bench.price(101, START + number * SECOND)
    found = look(bench, START + 8 * SECOND)
    assert found["reason"] == "not armed"
    assert found["text"].startswith("mark 101 must be below 95 first")


def test_a_price_that_is_past_at_first_waits_for_a_step() -> None:
    """Being past the level is no cross."""
    bench = Bench(crossing())
    bench.price(101, START)
    assert "is past above 100 already" in look(bench, START + 1)["text"]


def test_an_old_price_is_told_as_such() -> None:
    """It is not acted on, so it is not what keeps the rule."""
    bench = Bench(crossing())
    bench.price(99, START)
    found = look(bench, START + 3_600 * SECOND)
    assert (found["reason"], found["triggers"][0]["reason"]) == ("stale data", "stale data")
    assert "no mark price since 2023-11-14 22:13:20 UTC, 1 h ago: blind until" in found["text"]
    bench.view.board.forget()
    assert look(bench, START + 3_601 * SECOND)["reason"] == "stale data"


def test_conditions_are_told_with_their_values() -> None:
    """Holds, does not hold, depends on the event, has no value."""
    conditions = (
        condition("mark > 50"),
        condition("mark > 150"),
        condition("trigger.price > mark", price=NUMBER),
        condition("last > 1"),
    )
    bench = Bench(crossing(conditions=conditions))
    bench.price(99, START)
    found = look(bench, START + 1)["conditions"]
    assert [each["reason"] for each in found] == ["", "if", "no data", "no data"]
    assert found[1]["text"] == "99 > 150"
    assert found[2]["text"] == "depends on the event"


def test_what_shuts_a_rule_goes_before_what_it_waits_for() -> None:
    """Disabled, before the price."""
    bench = Bench(crossing(enabled=False))
    bench.price(99, START)
    found = look(bench, START + 1)
    assert found["reason"] == "disabled"
    assert found["triggers"][0]["text"] == "mark 99 has not crossed above 100"


@pytest.mark.parametrize(
    ("trigger", "says"),
    [
        (price(closes_above=100, on="1m"), "no price came yet to compare: the close of 1m"),
        (price(trails="2%"), "no mark price came yet"),
        (price(moves="2% within 5m"), "no price came yet"),
        (build("webhook", {"path": "hook", "secret": "tv"}), "waits for an alert on hook"),
        (build("schedule", {"every": "15m"}), "waits for its next time, dealt with until"),
        (build("system", "started"), "waits for system"),
        (build("dead_man", {"heartbeat": {"webhook": "b", "every": "5m"}}), "last alert on b"),
        (price(crosses_above="=position.entry_price"), "no data for position.entry_price"),
    ],
)
def test_every_kind_of_trigger_says_what_it_waits_for(trigger: Any, says: str) -> None:
    """Before anything happened."""
    assert says in look(Bench(rule("r", trigger)), START)["text"]


def test_a_silence_that_was_told_waits_for_the_next_alert() -> None:
    """A trail says from where, a lost heartbeat that it is lost."""
    bench = Bench(rule("r", price(trails="2%")))
    bench.price(99, START)
    assert look(bench, START + 1)["text"] == "mark 99, trails from 99"


def test_a_rule_that_does_not_run_is_refused() -> None:
    """The answer names those that do."""
    bench = Bench(crossing())
    told = bench.process(Command("look", "k", "ann", START, rule_id="x"), START)
    [record] = [each for each in told.records if each.kind == "command"]
    assert (record.data["done"], record.text) == (False, "no rule x runs (known: r)")
