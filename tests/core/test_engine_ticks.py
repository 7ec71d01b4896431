"""Price rules through the real path, board to band to engine, against a plain reference.

The reference is design/02 read plainly: it keeps the state of every trigger over every single
price, and knows nothing of bands, levels or late dispatchers. Both must fire at exactly the same
prices.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, ClassVar, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.core.decision import Reason, RuleMemory
from runner.core.events import AccountUpdate, Event, Positions, Tick
from runner.core.rules import Match, Memory, Rule, RuleSet
from runner.core.state import State
from runner.core.triggers.price import PriceTrigger
from runner.core.view import Names
from tests.core.trigger_factories import (
    STALE_AFTER,
    START,
    SYMBOL,
    Bench,
    condition,
    fired,
    moment,
    notes,
    position,
    price,
    reasons,
    rule,
)

OTHER = "ETHUSDT"
Happening = tuple[int, str, str]
"""Number of the price, rule id, what: "fired" or "away"."""


@dataclass(frozen=True)
class Spec:
    """A price rule as its author writes it; `rearm` and `hold` (ms) may be left out."""

    name: str
    above: bool
    level: int
    rearm: int | None = None
    hold: int = 0
    fire_after_gap: bool = False
    symbol: str = SYMBOL

    def crossing(self) -> tuple[object, ...]:
        """What makes it another trigger when edited; `for` and `after_gap` do not."""
        return self.symbol, self.above, self.level, self.rearm

    def rule(self) -> Rule:
        """The same rule for the engine."""
        value: dict[str, Any] = {
            "crosses_above" if self.above else "crosses_below": self.level,
            "after_gap": "fire" if self.fire_after_gap else "wait",
        }
        if self.rearm is not None:
            value["rearm"] = self.rearm
        if self.hold:
            value["hold"] = f"{self.hold}ms"
        return rule(self.name, price(**value), symbols=(self.symbol,))


@dataclass
class Watcher:
    """One price trigger, word by word as design/02 states it."""

    spec: Spec
    was_past: bool | None = None
    may_fire: bool = True
    crossed_at: int | None = None

    def see(self, value: int, at: int, fresh: bool, silence: int | None) -> str | None:
        """Take one price; `fresh` is the first after a silence or a new connection."""
        spec = self.spec
        past = value > spec.level if spec.above else value < spec.level
        if self.was_past is None:
            self.was_past = past  # the first price only sets the side
            return None
        step = past and not self.was_past and self.may_fire
        self.was_past = past
        if not past:
            self.crossed_at = None
            beyond = spec.level if spec.rearm is None else spec.rearm
            other_side = value < beyond if spec.above else value > beyond
            self.may_fire = self.may_fire or spec.rearm is None or other_side
            return None
        if fresh and step and not spec.fire_after_gap:
            return "away"
        if step and spec.hold:
            self.crossed_at = at
        elif step:
            return self._fire()
        elif self.crossed_at is not None:
            return self._held(at, fresh, silence)
        return None

    def _held(self, at: int, fresh: bool, silence: int | None) -> str | None:
        assert self.crossed_at is not None
        if fresh:
            if silence is None or silence > STALE_AFTER:
                self.crossed_at = at  # the feed was silent: the wait starts over
            return None
        return self._fire() if at - self.crossed_at >= self.spec.hold else None

    def _fire(self) -> str:
        self.may_fire, self.crossed_at = False, None
        return "fired"


@dataclass
class Reference:
    """All watchers over all prices of all symbols."""

    watchers: dict[str, Watcher] = field(default_factory=dict)
    last_at: dict[str, int] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)

    def load(self, specs: Sequence[Spec]) -> None:
        """State stays under a rule's name unless its trigger was edited."""
        old = self.watchers
        self.watchers = {}
        for spec in specs:
            known = old.get(spec.name)
            if known is None or known.spec.crossing() != spec.crossing():
                known = Watcher(spec)
            known.spec = spec
            self.watchers[spec.name] = known

    def see(self, number: int, symbol: str, value: int, at: int) -> list[Happening]:
        last = self.last_at.get(symbol)
        silence = None if last is None else at - last
        fresh = silence is None or silence > STALE_AFTER or symbol in self.broken
        self.last_at[symbol] = at
        self.broken.discard(symbol)
        found = []
        for name, watcher in sorted(self.watchers.items()):
            if watcher.spec.symbol == symbol:
                what = watcher.see(value, at, fresh, silence)
                if what is not None:
                    found.append((number, name, what))
        return found


@dataclass(frozen=True)
class Step:
    """One thing that happens to the runner."""

    what: Literal["price", "reconnect", "turn", "load", "restart"]
    symbol: str = SYMBOL
    value: int = 0
    after: int = 0
    specs: tuple[Spec, ...] = ()


class RealPath:
    """The market thread and the dispatcher, a turn of which takes everything that waits."""

    def __init__(self, specs: Sequence[Spec], *, prompt: bool) -> None:
        self.prompt = prompt
        self.bench = Bench(*(spec.rule() for spec in specs))
        self.specs = tuple(specs)
        self.waiting: deque[tuple[int, Tick]] = deque()
        self.found: list[Happening] = []
        self.passed = 0

    def see(self, number: int, symbol: str, value: int, at: int) -> None:
        seen = self.bench.board.offer(symbol, "mark", Decimal(value), at, at)
        if seen is not None:
            self.passed += 1
            self.waiting.append((number, seen))
        if self.prompt:
            self.turn()

    def turn(self, at_most: int = 1_000) -> None:
        while self.waiting and at_most:
            number, seen = self.waiting.popleft()
            decision = self.bench.engine.process(seen, moment(seen.received_at))
            self.bench.journal.keep(decision)
            self.found += [(number, run.identity.rule_id, "fired") for run in decision.new_runs]
            self.found += [
                (number, record.rule_id, "away")
                for record in decision.records
                if record.reason == Reason.CROSSED_WHILE_AWAY.value
            ]
            at_most -= 1
        self.bench.publish()

    def load(self, specs: Sequence[Spec], now: int) -> None:
        self.specs = tuple(specs)
        self.bench.load(*(spec.rule() for spec in specs), now=now)

    def restart(self, now: int) -> None:
        """A new process over what the journal kept, as text."""
        memories = {
            key: RuleMemory(triggers=json.loads(json.dumps(dict(memory.triggers))))
            for key, memory in self.bench.state.memories.items()
        }
        self.bench = Bench(
            *(spec.rule() for spec in self.specs),
            now=now,
            alive_at=now,
            state=State(memories=memories),
            journal=self.bench.journal,
        )


def compare(specs: Sequence[Spec], steps: Sequence[Step], *, prompt: bool) -> int:
    """Both ways over the same steps must find the same; returns how many prices passed."""
    reference, path, now = Reference(), RealPath(specs, prompt=prompt), START
    reference.load(specs)
    expected: list[Happening] = []
    for number, step in enumerate(steps):
        now += step.after
        match step.what:
            case "price":
                expected += reference.see(number, step.symbol, step.value, now)
                path.see(number, step.symbol, step.value, now)
            case "reconnect":
                reference.broken.add(step.symbol)
                path.bench.board.forget(frozenset({(step.symbol, "mark")}))
            case "turn":
                path.turn(step.value or 1_000)
            case "load":
                path.turn()  # what waits was decided under the old rules
                reference.load(step.specs)
                path.load(step.specs, now)
            case "restart":
                path.turn()
                for symbol in (SYMBOL, OTHER):
                    reference.broken.add(symbol)
                    reference.last_at[symbol] = now
                path.restart(now)
    path.turn()
    assert sorted(path.found) == sorted(expected)
    return path.passed


LEVELS = st.integers(98, 102)
HOLDS = st.sampled_from([0, 0, 500, 2_000, 7_000])


@st.composite
def specs_of(draw: st.DrawFn, most: int = 5) -> tuple[Spec, ...]:
    """A few rules; several share a level."""
    found = []
    for index in range(draw(st.integers(1, most))):
        above, level = draw(st.booleans()), draw(LEVELS)
        back = draw(st.one_of(st.none(), st.integers(0, 2)))
        rearm = None if back is None else level - back if above else level + back
        found.append(
            Spec(
                f"r{index}",
                above,
                level,
                rearm,
                draw(HOLDS),
                draw(st.booleans()),
                draw(st.sampled_from([SYMBOL, SYMBOL, OTHER])),
            )
        )
    return tuple(found)


PRICE = st.builds(
    Step,
    st.just("price"),
    st.sampled_from([SYMBOL, SYMBOL, SYMBOL, OTHER]),
    st.integers(95, 105),
    st.sampled_from([0, 1, 100, 400, 500, 1_000, 1_000, STALE_AFTER, STALE_AFTER + 1, 9_000]),
)
RECONNECT = st.builds(
    Step, st.just("reconnect"), st.sampled_from([SYMBOL, OTHER]), after=st.sampled_from([0, 700])
)
TURN = st.builds(Step, st.just("turn"), value=st.integers(0, 3))
POOL = tuple(
    Spec(f"r{index}", above, 100, 99 + 2 * (not above), hold)
    for index, (above, hold) in enumerate([(True, 0), (False, 0), (True, 900), (False, 900)])
)
"""Rules that leave with one reload and come back with another."""

SOME = st.lists(st.sampled_from(POOL), unique=True, max_size=4).map(tuple)
LOAD = st.builds(Step, st.just("load"), after=st.just(10), specs=st.one_of(SOME, specs_of(3)))
RESTART = st.builds(Step, st.just("restart"), after=st.sampled_from([10, 6_000]))
WEIGHTED = st.one_of(PRICE, PRICE, PRICE, PRICE, PRICE, PRICE, RECONNECT)


@settings(max_examples=400)
@given(specs_of(), st.lists(WEIGHTED, max_size=60))
def test_a_prompt_dispatcher_fires_at_the_same_prices(
    specs: tuple[Spec, ...], steps: list[Step]
) -> None:
    """With the bands published after every price, no price that matters is held back."""
    compare(specs, steps, prompt=True)


@settings(max_examples=400)
@given(specs_of(), st.lists(st.one_of(WEIGHTED, WEIGHTED, TURN), max_size=60))
def test_a_late_dispatcher_fires_at_the_same_prices(
    specs: tuple[Spec, ...], steps: list[Step]
) -> None:
    """Prices that come while the dispatcher is busy, or between its turns, lose nothing."""
    compare(specs, steps, prompt=False)


@settings(max_examples=300)
@given(
    st.one_of(st.just(POOL), specs_of()),
    st.lists(st.one_of(WEIGHTED, WEIGHTED, TURN, LOAD, RESTART), max_size=50),
    st.booleans(),
)
def test_reloads_and_restarts_lose_nothing(
    specs: tuple[Spec, ...], steps: list[Step], prompt: bool
) -> None:
    """State survives a restart and a reload; an edited, or absent, trigger starts over."""
    compare(specs, steps, prompt=prompt)


def above(level: int | str = 100, **changes: Any) -> Rule:
    """A rule named r that waits for the mark to rise above a level."""
    return rule("r", price(crosses_above=level, **changes))


def test_a_rule_that_was_away_starts_over() -> None:
    """A rule that left with a reload and came back fires neither at once nor from old timers."""
    bench = Bench(above(hold="2s"))
    assert fired(bench.price(99, START)) == []
    assert notes(bench.price(101, START + 100)) == ["crossed"]
    bench.load(now=START + 200)
    bench.price(99, START + 1_000)
    bench.load(above(hold="2s"), now=START + 4_000)
    for at in (4_100, 4_200, 4_300):
        assert fired(bench.price(101, START + at)) == []


def test_a_rule_that_was_away_never_repeats_an_event_key() -> None:
    """Its generation is kept while it is gone: an old key would pass as a duplicate."""
    bench = Bench(above())
    keys = []
    for round_ in range(3):
        at = START + round_ * 1_000
        bench.load(above(), now=at)
        bench.price(99, at + 1)
        decision = bench.price(101, at + 2)
        assert decision is not None
        keys += [run.identity.event_key for run in decision.new_runs]
        bench.load(now=at + 3)
        assert bench.price(99, at + 4) is None or fired(bench.price(99, at + 4)) == []
    assert keys == ["1", "2", "3"]


def test_an_edited_source_stops_listening_to_the_old_one() -> None:
    """A trigger moved from mark to last hears of last prices only."""
    bench = Bench(above(source="mark"))
    bench.price(99, START)
    bench.load(above(source="last"), now=START + 1)
    bench.price(99, START + 2, source="last")
    assert fired(bench.price(101, START + 3, source="mark")) == []
    assert fired(bench.price(101, START + 4, source="last")) == ["r"]


def test_an_edited_level_is_deaf_to_prices_seen_before_it_was_published() -> None:
    """Ticks that waited in the inbox during a reload neither set the side nor fire."""
    bench = Bench(above(100))
    bench.price(95, START)
    board = bench.board
    old = [
        board.offer(SYMBOL, "mark", Decimal(value), START + 1, START + 1) for value in (101, 97, 99)
    ]
    bench.engine.load(RuleSet({"r": above(98)}), moment(START + 2))
    for seen in old:
        assert seen is not None
        assert fired(bench.engine.process(seen, moment(START + 3))) == []
    bench.publish()
    assert fired(bench.price(99, START + 4)) == []
    assert fired(bench.price(97, START + 5)) == []
    assert fired(bench.price(99, START + 6)) == ["r"]


def test_a_level_moves_with_the_position() -> None:
    """`=position.entry_price * 1.02` follows the entry, and hears of the next price at once."""
    bench = Bench(above("=position.entry_price * 1.02"))
    bench.process(Positions((position(1, 100),), START), START)
    assert fired(bench.price(101, START + 1)) == []
    bench.process(position(2, 200, START + 2), START + 2)
    assert fired(bench.price(103, START + 3)) == []
    assert fired(bench.price(203, START + 4)) == []
    assert fired(bench.price(205, START + 5)) == ["r"]


def test_a_level_that_had_no_value_takes_up_where_the_price_is() -> None:
    """After flat and a new entry the side is that of the new level, and it fires again."""
    bench = Bench(above("=position.entry_price * 1.02"))
    bench.process(Positions((position(1, 100),), START), START)
    bench.price(101, START + 1)
    assert fired(bench.price(103, START + 2)) == ["r"]
    bench.process(position(0, 0, START + 3), START + 3)
    assert bench.price(103, START + 4) is None
    bench.process(position(1, 104, START + 5), START + 5)
    assert fired(bench.price(104, START + 6)) == []
    assert fired(bench.price(107, START + 7)) == ["r"]


def test_a_level_follows_the_account() -> None:
    """A level that names the account is reckoned again when the account moves."""
    bench = Bench(above("=account.available / 10"))
    bench.process(AccountUpdate(None, Decimal(1_000), START), START)
    bench.price(99, START + 1)
    bench.process(AccountUpdate(None, Decimal(900), START + 2), START + 2)
    bench.price(80, START + 3)
    assert fired(bench.price(95, START + 4)) == ["r"]


def test_what_raises_leaves_the_levels_as_if_it_had_not_been() -> None:
    """After a trigger failed on a price, the other rules of the symbol still make their step."""
    bench = Bench(above(), rule("poison", Poison(price(crosses_above=100), 101)))
    bench.price(99, START)
    seen = bench.board.offer(SYMBOL, "mark", Decimal(101), START + 1, START + 1)
    assert seen is not None
    before = dict(bench.state.memories)
    with pytest.raises(ZeroDivisionError):
        bench.engine.process(seen, moment(START + 1))
    assert bench.state.memories == before
    assert bench.state.runs == {}
    bench.publish()
    assert fired(bench.price(102, START + 2)) == ["poison", "r"]


def test_a_price_that_came_late_neither_fires_nor_runs_a_timer_out() -> None:
    """A price older than the staleness limit by the exchange's clock only arms."""
    bench = Bench(above())
    bench.price(99, START)
    late = bench.board.offer(SYMBOL, "mark", Decimal(101), START + 1, START + 1)
    assert late is not None
    now = START + 2 + STALE_AFTER
    assert fired(bench.process(late, now, now)) == []


def test_a_refused_fire_needs_a_new_step() -> None:
    """A cross that a condition refused is over; the next one is asked again."""
    small = above()
    bench = Bench(rule("r", small.triggers[0], conditions=(condition("position.size > 0"),)))
    bench.process(Positions((), START), START)
    bench.price(99, START)
    assert reasons(bench.price(101, START + 1)) == ["if"]
    bench.process(position(1, 100, START + 2), START + 2)
    assert fired(bench.price(102, START + 3)) == []
    bench.price(99, START + 4)
    assert fired(bench.price(101, START + 5)) == ["r"]


def test_only_a_price_that_changes_something_is_heard() -> None:
    """Armed, `rearm` is nothing; disarmed, the level is nothing once it was said; a step is one."""
    bench = Bench(rule("r", price(crosses_above=100, rearm=95)))
    heard = [
        value
        for at, value in enumerate((99, 94, 98, 101, 105, 99, 101, 98, 102, 94, 93, 99, 101, 103))
        if bench.price(value, START + at) is not None
    ]
    # the first; fired; under the level; over it, said; armed; fired
    assert heard == [99, 101, 99, 101, 94, 101]


@dataclass(frozen=True)
class Poison:
    """A price trigger that divides by zero at one price."""

    inner: PriceTrigger
    at: int
    kind: ClassVar[str] = "price"

    def __getattr__(self, name: str) -> Any:
        return getattr(object.__getattribute__(self, "inner"), name)

    def match(self, event: Event, memory: Memory, names: Names) -> Match:
        assert isinstance(event, Tick)
        if event.price == self.at:
            raise ZeroDivisionError
        return self.inner.match(event, memory, names)


@pytest.mark.parametrize("count", [10, 1_000])
def test_a_price_that_crosses_nothing_costs_the_same_with_any_number_of_rules(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Held back by its band, no trigger looks; let through by a late band, none looks either."""
    looked: list[str] = []
    match = PriceTrigger.match

    def counted(self: PriceTrigger, event: Event, memory: Memory, names: Names) -> Match:
        looked.append(self.name)
        return match(self, event, memory, names)

    levels = [100 + index for index in range(count)]
    bench = Bench(*(rule(f"r{level}", price(crosses_above=level)) for level in levels))
    bench.price("100.5", START)
    monkeypatch.setattr(PriceTrigger, "match", counted)
    for at in range(1, 20):
        assert bench.price("100.7" if at % 2 else "100.3", START + at) is None
    assert looked == []
    assert fired(bench.price("101.5", START + 21)) == ["r101"]
    assert len(looked) == 1
    # two prices before the dispatcher's turn: the second passes and interests nobody
    seen = [
        bench.board.offer(SYMBOL, "mark", Decimal(value), START + 22, START + 22)
        for value in ("99.5", "99.6")
    ]
    looked.clear()
    for each in seen:
        assert each is not None
        bench.process(each, START + 22)
    assert len(looked) == 2  # r100 and r101, at the first of the two
