"""`notify`, `enable` and `disable`: part of the same commit."""

from __future__ import annotations

from runner.core.rules import Progress
from tests.core.factories import Bench, built, context, problems, rule, rule_set


def test_places_are_filled_in_and_a_missing_value_stops_nothing() -> None:
    """Telling never stops a run: `?` where there is no value."""
    action = built("notify", "{symbol} at {mark}, funding {funding_rate}, {mark > 1}")
    step = action.step(context(action))
    assert step.progress is Progress.DONE
    assert step.notes == ("BTCUSDT at 70000, funding ?, True",)
    assert len(action.formulas()) == 4


def test_a_name_that_does_not_exist_is_found_when_the_rule_is_read() -> None:
    """With its column."""
    assert problems("notify", "hello {nobody} and {nowhere}") == ["formula", "formula"]


def test_a_brace_without_its_other_is_found_when_the_rule_is_read() -> None:
    """A message that would show a name in the place of its value is a mistake."""
    for text in ("bought at {trigger.price", "bought at mark}", "{{mark}}"):
        assert problems("notify", text)
    assert problems("notify", "{mark} and {symbol}") == []


def test_rules_are_switched_and_stay_so_across_a_restart() -> None:
    """Disabled for every symbol until enabled; what is so already leaves no line."""
    rules = rule_set(
        rule("off", built("disable", ["tell"])),
        rule("on", built("enable", "tell")),
        rule("tell", built("notify", "hello")),
    )
    bench = Bench(rules)

    def told() -> int:
        return sum(r.text == "hello" for r in bench.journal.records)

    bench.fire("tell", "1")
    bench.fire("off", "1")
    bench.restart()
    bench.fire("tell", "2")
    assert told() == 1
    bench.fire("off", "2")
    bench.fire("on", "1")
    bench.fire("tell", "3")
    assert told() == 2
    lines = [r.text for r in bench.journal.records if r.kind == "state"]
    assert lines == ["tell disabled", "tell enabled"]
    assert rules.rules["off"].actions[0].formulas() == ()
