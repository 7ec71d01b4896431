"""Trailing and moving prices through the real path, against references that see every price.

Ticks inside a band never reach the engine: the extremes between them are the price board's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

from hypothesis import given, settings
from hypothesis import strategies as st

from runner.core.decision import Reason
from runner.core.events import Tick
from runner.core.rules import Rule
from tests.core.trigger_factories import (
    STALE_AFTER,
    START,
    SYMBOL,
    Bench,
    fired,
    moment,
    price,
    reasons,
    rule,
)

Happening = tuple[int, str, str]
"""Number of the price, rule id, what: "fired" or "away"."""


class Watcher(Protocol):
    """One rule as design/02 states it, over every single price."""

    def see(self, value: Decimal, at: int, fresh: bool) -> str | None:
        """Take one price; says "fired", "away" or nothing."""


@dataclass
class Trailer:
    """The extreme since it was armed, and how far the price is from it."""

    share: Decimal
    from_high: bool
    fire_after_gap: bool
    extreme: Decimal | None = None

    def see(self, value: Decimal, at: int, fresh: bool) -> str | None:
        del at
        if self.extreme is None:
            self.extreme = value
            return None
        furthest = max if self.from_high else min
        self.extreme = furthest(self.extreme, value)
        sign = -1 if self.from_high else 1
        level = self.extreme * (1 + sign * self.share)
        if value >= level if self.from_high else value <= level:
            return None
        self.extreme = value
        return "away" if fresh and not self.fire_after_gap else "fired"


@dataclass
class Mover:
    """Every price of the window, and the step over the share."""

    share: Decimal
    window: int
    hold: int
    prices: list[tuple[int, Decimal]] = field(default_factory=list)
    was_past: bool | None = None
    crossed_at: int | None = None
    may_fire: bool = True

    def see(self, value: Decimal, at: int, fresh: bool) -> str | None:
        self.prices.append((at, value))
        seen = [each for when, each in self.prices if when >= at - self.window]
        past = value > min(seen) * (1 + self.share) or value < max(seen) * (1 - self.share)
        if self.was_past is None:
            self.was_past = past
            return None
        step = past and not self.was_past and self.may_fire
        self.was_past = past
        if not past:
            self.crossed_at, self.may_fire = None, True
            return None
        if fresh:
            if self.crossed_at is not None and self._silent(at):
                self.crossed_at = at
            return "away" if step else None
        if step and self.hold:
            self.crossed_at = at
            return None
        if step or (self.crossed_at is not None and at - self.crossed_at >= self.hold):
            self.crossed_at, self.may_fire = None, False
            return "fired"
        return None

    def _silent(self, at: int) -> bool:
        return len(self.prices) < 2 or at - self.prices[-2][0] > STALE_AFTER


@dataclass(frozen=True)
class Spec:
    """A rule's name, how it is written, and what watches in its place."""

    name: str
    value: dict[str, Any]
    watcher: Watcher

    def rule(self) -> Rule:
        """The same rule for the engine."""
        return rule(self.name, price(**self.value))


@dataclass(frozen=True)
class Step:
    """A price after a while, a reconnect, or a turn of the dispatcher."""

    what: str
    value: Decimal = Decimal(0)
    after: int = 0


def play(specs: Sequence[Spec], steps: Sequence[Step], *, prompt: bool) -> int:
    """Both ways over the same steps find the same; returns how many prices passed."""
    bench = Bench(*(spec.rule() for spec in specs))
    waiting: deque[tuple[int, Tick]] = deque()
    expected: list[Happening] = []
    found: list[Happening] = []
    now, last, broken, passed = START, None, False, 0

    def turn() -> None:
        while waiting:
            number, tick = waiting.popleft()
            decision = bench.engine.process(tick, moment(tick.received_at))
            bench.journal.keep(decision)
            found.extend((number, run.identity.rule_id, "fired") for run in decision.new_runs)
            found.extend(
                (number, record.rule_id, "away")
                for record in decision.records
                if record.reason == Reason.CROSSED_WHILE_AWAY.value
            )
        bench.publish()

    for number, step in enumerate(steps):
        now += step.after
        if step.what == "turn":
            turn()
        elif step.what == "reconnect":
            bench.board.forget()
            broken = True
        else:
            fresh = last is None or broken or now - last > STALE_AFTER
            last, broken = now, False
            for spec in specs:
                what = spec.watcher.see(step.value, now, fresh)
                if what is not None:
                    expected.append((number, spec.name, what))
            ticks = bench.board.seen(SYMBOL, "mark", step.value, now, now)
            passed += len(ticks)
            waiting.extend((number, tick) for tick in ticks)
            if prompt:
                turn()
    turn()
    assert sorted(found) == sorted(expected)
    return passed


SHARES = st.sampled_from(["0.5", "1", "2", "3"])


@st.composite
def trailers(draw: st.DrawFn) -> list[Spec]:
    """Trailing rules, and one that crosses a level among them."""
    found = []
    for index in range(draw(st.integers(1, 4))):
        text, high, gap = draw(SHARES), draw(st.booleans()), draw(st.booleans())
        value = {
            "trails": f"{text}% from {'high' if high else 'low'}",
            "after_gap": "fire" if gap else "wait",
        }
        watcher = Trailer(Decimal(text) / 100, high, gap)
        found.append(Spec(f"r{index}", value, watcher))
    return found


@st.composite
def movers(draw: st.DrawFn) -> list[Spec]:
    """Rules on moves; some share a window."""
    found = []
    for index in range(draw(st.integers(1, 4))):
        text, window = draw(SHARES), draw(st.sampled_from([1_000, 3_000, 20_000]))
        hold = draw(st.sampled_from([0, 0, 700]))
        value = {"moves": f"{text}% within {window // 1000}s"}
        if hold:
            value["hold"] = f"{hold}ms"
        found.append(Spec(f"r{index}", value, Mover(Decimal(text) / 100, window, hold)))
    return found


PRICE = st.builds(
    Step,
    st.just("price"),
    st.decimals(min_value=95, max_value=105, places=1),
    st.sampled_from([0, 1, 100, 500, 1_000, 1_000, STALE_AFTER, STALE_AFTER + 1]),
)
OTHER = st.one_of(
    st.builds(Step, st.just("turn")), st.builds(Step, st.just("reconnect"), after=st.just(50))
)
STEPS = st.lists(st.one_of(PRICE, PRICE, PRICE, PRICE, PRICE, OTHER), max_size=60)


@settings(max_examples=300)
@given(trailers(), STEPS, st.booleans())
def test_trails_fires_at_the_same_prices(
    specs: list[Spec], steps: list[Step], prompt: bool
) -> None:
    """Whatever the bands held back, and however late the dispatcher is."""
    play(specs, steps, prompt=prompt)


@settings(max_examples=300)
@given(movers(), STEPS, st.booleans())
def test_moves_fires_at_the_same_prices(specs: list[Spec], steps: list[Step], prompt: bool) -> None:
    """The window is reckoned from every price, also those that the bands held back."""
    play(specs, steps, prompt=prompt)


def test_prices_inside_the_trail_are_held_back() -> None:
    """A new high by a hair is kept by the board alone, and counts all the same."""
    bench = Bench(rule("r", price(trails="1%")))
    for at, value in enumerate(["100", "100.05", "100.04", "100.09", "99.5"]):
        bench.price(value, START + at)
    assert bench.price("99.2", START + 10) is None
    # 1 % under 100.09 is 99.0891
    decision = bench.price("99.08", START + 11)
    assert fired(decision) == ["r"]
    assert decision is not None
    assert decision.new_runs[0].fields["extreme"] == Decimal("100.09")
    assert bench.price("98.5", START + 12) is None


def test_prices_inside_a_move_are_held_back() -> None:
    """Only the step over the share, and back, is told."""
    bench = Bench(rule("r", price(moves="2% within 5m")))
    bench.price("100", START)
    assert bench.price("101", START + 1) is None
    assert bench.price("102", START + 2) is not None  # exactly 2 % is not past
    decision = bench.price("102.1", START + 3)
    assert fired(decision) == ["r"]
    assert decision is not None
    fields = decision.new_runs[0].fields
    assert fields["level"] == 100
    assert fields["move"] == Decimal("0.021")
    assert bench.price("103", START + 4) is None
    assert fired(bench.price("100.5", START + 300_003)) == []


def test_the_extreme_survives_a_restart() -> None:
    """What was heard is in the journal; a price far under it then was crossed while away."""
    bench = Bench(rule("r", price(trails="1%")))
    bench.price("100", START)
    bench.price("110", START + 1)
    again = Bench(rule("r", price(trails="1%")), state=bench.state, alive_at=START + 2)
    assert reasons(again.price("100", START + 100)) == ["crossed while away"]
    late = Bench(rule("r", price(trails="1%", after_gap="fire")), state=bench.state)
    late.price("101", START + 200)
    assert fired(late.price("99.5", START + 201)) == ["r"]


def test_an_edited_trail_starts_over() -> None:
    """Another share arms anew at the next price; another gap policy does not."""
    bench = Bench(rule("r", price(trails="1%")))
    bench.price("110", START)
    bench.load(rule("r", price(trails="2%")), now=START + 1)
    assert fired(bench.price("100", START + 2)) == []
    bench.load(rule("r", price(trails="2%", after_gap="fire")), now=START + 3)
    assert fired(bench.price("97", START + 4)) == ["r"]


def test_a_rule_that_is_gone_costs_nothing_more() -> None:
    """Its window is not reckoned any more, and its trail holds nothing up."""
    bench = Bench(rule("r", price(moves="2% within 5m")), rule("s", price(trails="1%")))
    bench.price("100", START)
    bench.load(now=START + 1)
    assert not bench.board.seen(SYMBOL, "mark", Decimal(50), START + 2, START + 2)
    bench.load(rule("r", price(moves="2% within 5m")), now=START + 3)
    assert fired(bench.price("50", START + 4)) == []
    assert fired(bench.price("52", START + 5)) == ["r"]
