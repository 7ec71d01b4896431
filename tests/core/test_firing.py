"""Firing: every reason why not, in its order, and answers that tell the sender what came of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from runner.core.decision import RuleMemory, RunStatus
from runner.core.events import Fire, Positions
from runner.core.formula import NUMBER, Formula
from runner.core.rules import ActionContext, Progress, Rule, Step
from runner.core.state import State
from tests.core.trigger_factories import (
    START,
    SYMBOL,
    Bench,
    alert,
    build,
    condition,
    fired,
    moment,
    position,
    price,
    reasons,
    rule,
)

OTHER = "ETHUSDT"
DAY = 86_400_000


@dataclass(frozen=True)
class Standing:
    """An action that stays as it is: still at it, done, or raising."""

    progress: Progress = Progress.WAITING
    broken: bool = False
    kind: ClassVar[str] = "standing"

    def step(self, context: ActionContext) -> Step:
        if self.broken:
            raise ZeroDivisionError
        return Step(self.progress)

    def formulas(self) -> tuple[Formula, ...]:
        return ()


def hook(**value: Any) -> Any:
    """A webhook trigger on the path `hook`."""
    return build("webhook", {"path": "hook", "secret": "tv", **value})


def hooked(rule_id: str = "r", **changes: Any) -> Rule:
    """A rule that fires on every alert."""
    return rule(rule_id, hook(), **changes)


def send(bench: Bench, number: int, after: int = 0) -> Any:
    """An alert unlike the others; returns the answer to its sender."""
    answer = bench.process(alert(n=number), START + after).answer
    assert answer is not None
    return answer


WANTS_LONG = condition("position.size > 0")


def worst(**changes: Any) -> Bench:
    """A rule that has every reason not to fire but those that are changed."""
    everything: dict[str, Any] = {
        "enabled": False,
        "cooldown": 60_000,
        "max_fires": 1,
        "conditions": (WANTS_LONG, condition("position.entry_price > 0")),
        "dry_run": True,
        **changes,
    }
    bench = Bench(hooked(actions=(Standing(),)))
    bench.process(Positions((), START), START)
    bench.process(alert(n=0), START)
    bench.load(hooked(actions=(Standing(),), **everything))
    return bench


def end_runs(bench: Bench) -> None:
    """Take what goes on for done."""
    bench.state.runs.clear()


def test_reasons_are_told_in_their_order() -> None:
    """Duplicate, disabled, still running, cooldown, max fires, if, if failed, dry run, none."""
    bench = worst()
    again = bench.process(alert(n=0), START + 1)
    assert reasons(again) == ["duplicate"]
    assert send(bench, 1).rules[0].reason == "disabled"
    bench = worst(enabled=True)
    answer = send(bench, 2)
    assert answer.rules[0].reason == "still running"
    end_runs(bench)
    answer = send(bench, 3, after=1_000)
    assert (answer.rules[0].reason, answer.rules[0].detail) == (
        "cooldown",
        "59 s of the cooldown are left",
    )
    answer = send(bench, 4, after=60_000)
    assert (answer.rules[0].reason, answer.rules[0].detail) == (
        "max fires",
        "it fired once, max_fires is 1: it is quiet now",
    )
    bench.load(hooked(conditions=(WANTS_LONG,), dry_run=True), now=START)
    answer = send(bench, 5, after=60_000)
    assert (answer.rules[0].reason, answer.rules[0].detail) == (
        "if",
        "position.size > 0 (0 > 0)",
    )
    failing = condition("position.entry_price > 0")
    bench.load(hooked(conditions=(failing,), dry_run=True), now=START)
    answer = send(bench, 6, after=60_000)
    assert answer.rules[0].reason == "if failed"
    assert answer.rules[0].detail.startswith("position.entry_price > 0: ")
    bench.load(hooked(dry_run=True), now=START)
    assert send(bench, 7, after=60_000).rules[0].reason == "dry run"
    bench.load(hooked(), now=START)
    assert send(bench, 8, after=60_000).outcome == "fired"


def test_what_was_refused_changes_no_count() -> None:
    """Refusals neither begin a cooldown nor count as fires."""
    bench = Bench(hooked(dry_run=True, cooldown=60_000, max_fires=1))
    for number in range(3):
        assert send(bench, number).rules[0].reason == "dry run"
    assert bench.state.memories["r", SYMBOL].fires == 0
    assert bench.state.memories["r", SYMBOL].last_fired_at is None


def test_a_cooldown_is_over_exactly_when_it_is_over() -> None:
    """Counted from the last fire, for each symbol alone."""
    bench = Bench(hooked(cooldown=1_000))
    assert send(bench, 0).outcome == "fired"
    assert send(bench, 1, after=999).outcome == "not fired"
    assert send(bench, 2, after=1_000).outcome == "fired"


def test_a_clock_set_back_does_not_bring_a_cooldown_into_being() -> None:
    """A rule without one fires also when its last fire seems to lie ahead."""
    bench = Bench(hooked())
    send(bench, 0)
    assert send(bench, 1, after=-3_600_000).outcome == "fired"


def test_fires_of_a_day_are_counted_anew_each_day() -> None:
    """The day is the UTC day; the total goes on."""
    bench = Bench(hooked(max_fires_per_day=2))
    midnight = START - START % DAY + DAY
    at = [midnight - 3 - START, midnight - 2 - START, midnight - 1 - START, midnight - START]
    outcomes = [send(bench, number, after) for number, after in enumerate(at)]
    assert [one.outcome for one in outcomes] == ["fired", "fired", "not fired", "fired"]
    assert outcomes[2].rules[0].detail == (
        "it fired 2 times today, max_fires is 2 a day: it is quiet until 00:00"
    )
    memory = bench.state.memories["r", SYMBOL]
    assert (memory.fires, memory.fires_today) == (3, 1)


def test_a_switch_outranks_the_file() -> None:
    """What `enable` and `disable` said holds for every symbol, whatever the file says."""
    for written, switched in ((True, False), (False, True)):
        state = State(memories={("r", ""): RuleMemory(enabled=switched)})
        bench = Bench(hooked(enabled=written), state=state)
        assert send(bench, 0).outcome == ("fired" if switched else "not fired")


def test_an_alert_fires_every_rule_and_symbol_it_fits() -> None:
    """One answer for each, in the rules' order; one fired makes the whole fired."""
    bench = Bench(
        rule("a", hook(), symbols=(SYMBOL, OTHER)),
        rule("b", hook(body={"x": "number"})),
        rule("c", hook(), enabled=False),
        rule("d", build("webhook", {"path": "elsewhere", "secret": "tv"})),
    )
    answer = send(bench, 0)
    assert answer.outcome == "fired"
    assert [(one.rule_id, one.symbol, one.outcome, one.reason) for one in answer.rules] == [
        ("a", SYMBOL, "fired", ""),
        ("a", OTHER, "fired", ""),
        ("b", SYMBOL, "not fired", "body does not fit"),
        ("c", SYMBOL, "not fired", "disabled"),
    ]


def test_the_same_alert_again_points_to_its_first_runs() -> None:
    """Each symbol's own; what did not fire then has no run to point to."""
    bench = Bench(rule("a", hook(), symbols=(SYMBOL, OTHER)), rule("c", hook(), enabled=False))
    first = send(bench, 0)
    again = send(bench, 0, after=5_000)
    assert again.outcome == "duplicate"
    assert [one.run_id for one in again.rules] == [one.run_id for one in first.rules]
    assert [bool(one.run_id) for one in again.rules] == [True, True, False]


def test_a_run_of_before_is_found_through_the_journal() -> None:
    """After a restart the engine remembers the alert, and the journal the run."""
    bench = Bench(hooked())
    first = send(bench, 0)
    memories = {key: plain(memory) for key, memory in bench.state.memories.items()}
    after = Bench(hooked(), state=State(memories=memories), journal=bench.journal)
    again = send(after, 0, after=2_000)
    assert again.outcome == "duplicate"
    assert again.rules[0].run_id == first.rules[0].run_id


def plain(memory: RuleMemory) -> RuleMemory:
    """A rule's memory after it went through text, as in the journal."""
    fields = {
        "last_fired_at": memory.last_fired_at,
        "fires": memory.fires,
        "fires_today": memory.fires_today,
        "day": memory.day,
        "enabled": memory.enabled,
        "triggers": {name: dict(own) for name, own in memory.triggers.items()},
    }
    return RuleMemory(**json.loads(json.dumps(fields)))


def test_a_declared_identity_fires_once_for_ever() -> None:
    """Also twice in one turn, before the journal has it, and after a restart."""
    bench = Bench(rule("r", hook(dedupe=["id"])))
    first = bench.engine.process(alert(id="7", n=1), moment(START))
    second = bench.engine.process(alert(id="7", n=2), moment(START))
    assert (fired(first), fired(second)) == (["r"], [])
    assert reasons(second) == ["duplicate"]
    bench.journal.keep(first)
    later = Bench(rule("r", hook(dedupe=["id"])), journal=bench.journal)
    answer = later.process(alert(id="7", n=3), START + DAY).answer
    assert answer is not None
    assert answer.rules[0].run_id == first.new_runs[0].run_id


@pytest.mark.parametrize(
    ("rules", "outcome"),
    [
        ((), "unfit"),
        ((rule("b", hook(body={"x": "number"})),), "unfit"),
        ((rule("b", hook(body={"x": "number"})), hooked("c", enabled=False)), "not fired"),
        ((hooked("c", enabled=False),), "not fired"),
        ((hooked("c"), rule("b", hook(body={"x": "number"}))), "fired"),
    ],
)
def test_one_word_for_the_sender(rules: tuple[Rule, ...], outcome: str) -> None:
    """Unfit only when it fitted nowhere; what was refused for a reason is not fired."""
    bench = Bench(*rules)
    assert send(bench, 0).outcome == outcome
    (row,) = bench.process(alert(n=1), START).alerts
    assert row.outcome == outcome


def test_some_duplicates_among_others_are_not_a_duplicate() -> None:
    """A rule that came since the first copy is asked; its refusal is what the sender hears."""
    bench = Bench(hooked("a"))
    send(bench, 0)
    bench.load(hooked("a"), hooked("b", enabled=False))
    assert send(bench, 0, after=1_000).outcome == "not fired"


def test_nothing_is_half_done_when_something_raises() -> None:
    """A failure in the middle leaves runs, memories and records as before the event."""
    bench = Bench(hooked("a"), hooked("b"))
    memories = dict(bench.state.memories)
    seen = bench.engine.world.seen

    def broken(rule_id: str, *identity: str) -> str | None:
        return seen(rule_id, *identity) if rule_id == "a" else str(1 // 0)

    bench.engine.world.seen = broken
    with pytest.raises(ZeroDivisionError):
        bench.engine.process(alert(n=0), moment(START))
    assert bench.state.memories == memories
    assert bench.state.runs == {}
    told = bench.engine.poisoned(alert(n=0), "trace", moment(START))
    assert told.answer is not None
    assert told.answer.outcome == "not fired"
    bench.engine.world.seen = seen
    assert send(bench, 0).outcome == "fired"


def test_an_action_that_raises_fails_its_own_run_alone() -> None:
    """The other rule fires as if nothing had happened, and the broken run says what it met."""
    bench = Bench(hooked("a"), hooked("b", actions=(Standing(broken=True),)))
    decision = bench.engine.process(alert(n=0), moment(START))
    assert fired(decision) == ["a", "b"]
    stopped = [record for record in decision.records if record.kind == "run"]
    assert any("ZeroDivisionError" in record.text for record in stopped)


def test_conditions_see_what_the_event_carried() -> None:
    """`trigger.*` has the type that the body declares."""
    trigger = hook(body={"price": "number"})
    cheap = condition("trigger.price < 100", price=NUMBER)
    bench = Bench(rule("r", trigger, conditions=(cheap,)))
    assert fired(bench.process(alert(price="99.5"), START)) == ["r"]
    refused = bench.process(alert(price="100"), START)
    assert reasons(refused) == ["if"]
    assert refused.records[-1].text == "trigger.price < 100 (100 < 100)"


def test_a_fire_by_hand_passes_the_same_gates() -> None:
    """Its key makes it repeatable; a disabled rule stays off."""
    bench = Bench(hooked())
    request = Fire("r", SYMBOL, "by-hand-1", START)
    assert fired(bench.process(request, START)) == ["r"]
    assert reasons(bench.process(request, START)) == ["duplicate"]
    bench.load(hooked(enabled=False))
    assert reasons(bench.process(Fire("r", SYMBOL, "by-hand-2", START), START)) == ["disabled"]


def test_a_finished_run_frees_the_rule() -> None:
    """The next event fires again once the first run is over."""
    bench = Bench(hooked(actions=(Standing(Progress.DONE),)))
    decision = bench.process(alert(n=0), START)
    assert [run.status for run in decision.runs.values()] == [RunStatus.DONE]
    assert send(bench, 1).outcome == "fired"


def test_each_symbol_has_a_state_of_its_own() -> None:
    """A run that goes on for one symbol does not hold up another."""
    both = rule(
        "r", price(crosses_above=100), symbols=(SYMBOL, OTHER), actions=(Standing(),), cooldown=9
    )
    bench = Bench(both)
    for symbol in (SYMBOL, OTHER):
        bench.price(99, START, symbol)
        assert fired(bench.price(101, START + 1, symbol)) == ["r"]
    bench.price(99, START + 100)
    assert reasons(bench.price(101, START + 101)) == ["still running"]


def test_a_level_without_a_value_is_told_and_not_taken_for_no() -> None:
    """The tick on which a level lost its value is recorded as `no data`, once."""
    bench = Bench(rule("r", price(crosses_above="=position.entry_price * 1.02")))
    bench.process(Positions((position(1, 100),), START), START)
    bench.price(101, START)
    bench.view.positions.clear()
    assert reasons(bench.price(103, START + 1)) == ["no data"]
    assert bench.price(104, START + 2) is None


def test_a_fire_records_what_its_formulas_saw() -> None:
    """The names of conditions and actions with their values; a name without one is left out."""
    trigger = hook(body={"price": "number"})
    some = condition("trigger.price < 100 and now.hour >= 0 or bid > 1", price=NUMBER)
    bench = Bench(rule("r", trigger, conditions=(some,)))
    (record,) = [r for r in bench.process(alert(price="99.5"), START).records if r.kind == "fired"]
    seen = record.data["seen"]
    assert seen["now.hour"].isdigit()
    assert not {"bid", "trigger.price"} & seen.keys()


@pytest.mark.parametrize("limit", [{"max_fires": 1}, {"max_fires_per_day": 1}])
def test_that_it_fired_often_enough_is_recorded_once(limit: dict[str, Any]) -> None:
    """Crosses that follow leave no line; a per-day limit is said again on the next day."""
    bench = Bench(rule("r", price(crosses_above=100), **limit))
    bench.price(99, START)
    assert fired(bench.price(101, START + 1)) == ["r"]
    said = []
    for number in range(1, 5):
        bench.price(99, START + 10 * number)
        said += reasons(bench.price(101, START + 10 * number + 1))
    assert said == ["max fires"]
    bench.price(99, START + 86_400_000)
    again = bench.price(101, START + 86_400_001)
    assert (fired(again) == ["r"]) == ("max_fires_per_day" in limit)
    assert reasons(again) == []


def test_an_alert_is_told_each_time_that_it_fired_often_enough() -> None:
    """Its sender waits for an answer, and the journal holds it."""
    bench = Bench(hooked(max_fires=1))
    bench.process(alert(n=0), START)
    end_runs(bench)
    for number in (1, 2):
        decision = bench.process(alert(n=number), START + number)
        assert reasons(decision) == ["max fires"]
