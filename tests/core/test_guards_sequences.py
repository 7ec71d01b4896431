"""Whatever happens in whatever order: no order leaves without a verdict, none passes a limit."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.core.decision import Decision, Leg, Record
from runner.core.events import AccountUpdate, Event, Resolve
from runner.core.exposure import Ahead, Pending
from runner.core.limits import Limits, Most
from runner.core.loading import Reload
from runner.core.orders import OrderIntent, OrderState, PlaceCall, Side
from runner.core.rules import RuleSet
from runner.core.state import Work
from tests.core.factories import Bench, built, dec, position, rule, rule_set
from tests.core.mini_exchange import FAULTS, ZERO, Fault, MiniExchange

MARK, HIGH = 70_000, 71_000
MOST, OPEN, A_MINUTE = 142_000, 4, 6
LIMITS = Limits(
    max_order_notional=dec(80_000),
    max_position_notional=dec(MOST),
    max_orders_per_minute=A_MINUTE,
    max_open_orders=OPEN,
    max_daily_loss=Most(dec(500)),
)


def order(side: str, quantity: str, price: int | None = None) -> dict[str, Any]:
    """A rule's order, at market without a price."""
    plain = {"side": side, "type": "limit" if price else "market", "quantity": dec(quantity)}
    return {**plain, "price": price} if price else plain


ACTIONS = {
    "buy": built("place", order("buy", "0.3")),
    "rest": built("place", order("buy", "0.5", 69_000)),
    "much": built("place", order("buy", "1.1", 69_000)),
    "pair": built("place", [order("buy", "0.4", 69_000), order("buy", "0.4")]),
    "short": built("place", order("sell", "0.6", HIGH)),
    "exit": built("close", {"type": "market"}),
    "clear": built("cancel", "all"),
}


def rules(text: str) -> RuleSet:
    """The same rules, as a file that was edited and loaded again has them."""
    made = (
        rule(name, action, limits=LIMITS, text=f"{name} {text}", text_hash=f"{name} {text}")
        for name, action in ACTIONS.items()
    )
    return rule_set(*made)


@dataclass(slots=True)
class World:
    """A runner, its exchange, and what is between them."""

    bench: Bench = field(default_factory=lambda: Bench(rules("first")))
    exchange: MiniExchange = field(default_factory=MiniExchange)
    answers: list[Event] = field(default_factory=list)
    lost_at: int | None = None
    legs: int = 0

    def __post_init__(self) -> None:
        self.state(10_000)

    def state(self, equity: int) -> None:
        """The account is stated."""
        amount, now = dec(equity), self.bench.now
        self.bench.tell(AccountUpdate(amount, amount, now, equity=amount))

    def turn(self, fault: Fault) -> None:
        """Everything that may leave leaves; its answers come when somebody hears them."""
        for call in self.bench.calls():
            self.bench.send(call)
            self.answers += self.exchange.carry(call, self.bench.now, fault, 4_000)
        if fault == "lost after":
            self.exchange.stream = []

    def hear(self) -> None:
        """Answers and the user stream."""
        self.bench.tell(*self.answers, *self.exchange.stream)
        self.answers, self.exchange.stream = [], []

    def fill(self) -> None:
        """Some of whatever rests."""
        for key, one in self.exchange.orders.items():
            if one.open:
                self.exchange.fill(key, Decimal("0.2"), self.bench.now)

    def restart(self) -> None:
        """What was on its way to the runner is gone, and the account is read."""
        self.answers, self.exchange.stream = [], []
        self.bench.restart()
        self.hold()
        self.state(10_000)

    def hold(self) -> None:
        """A reading of the positions."""
        self.bench.hold(position(str(self.exchange.position), at=self.bench.now))

    def reload(self, text: str) -> None:
        """The files were edited."""

        def told(*_: object) -> Record:
            return Record(self.bench.now, "reload", "again")

        self.bench.tell(Reload(rules(text), told))

    def lose(self) -> None:
        """The account loses, recovers by the next statement, and stays reduce-only."""
        self.state(9_400)
        self.lost_at = self.bench.now if self.lost_at is None else self.lost_at
        self.state(10_000)

    def step(self, what: str, fault: Fault, number: int) -> None:
        """One thing happens."""
        acts: dict[str, Callable[[], Any]] = {
            "turn": lambda: self.turn(fault),
            "hear": self.hear,
            "fill": self.fill,
            "hold": self.hold,
            "restart": self.restart,
            "reload": lambda: self.reload(str(number)),
            "lose": self.lose,
            "soon": lambda: self.bench.pass_time(5_000),
            "late": lambda: self.bench.pass_time(40_000),
        }
        if what in ACTIONS:
            self.bench.fire(what, str(number))
        else:
            acts[what]()
        self.bench.now += 10
        self.exchange.arrive(self.bench.now)

    def check(self) -> None:
        """Position and open entries, their number and their rate, by what the exchange has."""
        booked = [one for one in self.exchange.orders.values() if one.open]
        pending = [(one.intent, one.left) for one in booked]
        coming = [one for _, one in self.exchange.delayed]
        pending += [(i, i.quantity or ZERO) for i in coming if self._first(i)]
        entries = [(intent, left) for intent, left in pending if not intent.protective]
        assert len(entries) <= OPEN
        for side, sign, price in ((Side.BUY, 1, MARK), (Side.SELL, -1, HIGH)):
            held = max(sign * self.exchange.position, ZERO) * MARK
            flying = sum((left for intent, left in entries if intent.side is side), ZERO)
            assert held + flying * price <= MOST, (side, held, flying)
        entered = [one for one in self.bench.journal.legs.values() if not one.intent.protective]
        now = self.bench.now
        assert sum(one.planned_at > now - 60_000 for one in entered) <= A_MINUTE
        if self.lost_at is not None:
            assert all(one.planned_at <= self.lost_at for one in entered)

    def _first(self, intent: OrderIntent) -> bool:
        return intent.client_order_id not in self.exchange.orders


WORDS = ["turn", "turn", "turn", "hear", "hear", "fill", "hold", "restart", "reload", "lose"]
STEPS = st.lists(
    st.tuples(st.sampled_from([*ACTIONS, *WORDS, "soon", "late"]), st.sampled_from(FAULTS)),
    max_size=40,
)


def with_verdict(decision: Decision) -> None:
    """Each new order carries its verdict in the very decision that is committed as one."""
    said = {r.client_order_id: r.data for r in decision.records if r.kind == "planned"}
    for key, change in decision.legs.items():
        if change.before is None and isinstance(change.after.intent, OrderIntent):
            word = said[key]["verdict"]
            exit_ = change.after.intent.protective
            assert word.startswith("an exit" if exit_ else "passed"), word


def play(steps: list[tuple[str, Fault]]) -> None:
    """One history; raises AssertionError where a limit is passed."""
    world = World()
    commit = world.bench.journal.commit

    def watched(decision: Decision) -> None:
        with_verdict(decision)
        commit(decision)

    with patch.object(type(world.bench.journal), "commit", lambda _, decision: watched(decision)):
        for number, (what, fault) in enumerate(steps):
            world.step(what, fault, number)
            world.check()


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_no_sequence_passes_a_limit(steps: list[tuple[str, Fault]]) -> None:
    """Alerts, fills, lost and late answers, restarts, reloads, exits, cancels and losses."""
    play(steps)


def only_the_book() -> AbstractContextManager[object]:
    """What is not on the book for certain is not counted."""
    pending = Ahead.pending

    def sure(self: Ahead, symbol: str | None) -> list[Pending]:
        return [each for each in pending(self, symbol) if each.order.price is None]

    return patch.object(Ahead, "pending", sure)


def alone() -> AbstractContextManager[object]:
    """The orders of one decision do not count for each other."""
    return patch.object(Ahead, "passed", lambda *_: None)


def believed() -> AbstractContextManager[object]:
    """What filled and is not part of a stated position is forgotten."""
    return patch.object(Work, "unseen_size", lambda *_, **__: ZERO)


def forgetful() -> AbstractContextManager[object]:
    """A recovery of the account makes up for its loss."""
    return patch("runner.core.losses.Losses.lost_on", lambda *_: ZERO)


def unclear_is_nothing() -> AbstractContextManager[object]:
    """An order whose answer was lost counts as if it had not got there."""
    unsure = Work.unsure_legs

    def sure(self: Work, symbol: str | None) -> list[Leg]:
        return [leg for leg in unsure(self, symbol) if leg.state is not OrderState.UNKNOWN]

    return patch.object(Work, "unsure_legs", sure)


MUTANTS = [
    (unclear_is_nothing, "much lost hear rest pair turn"),
    (only_the_book, "much turn hear much turn"),
    (alone, "much rest pair turn hear"),
    (believed, "much turn hear fill fill fill fill fill fill hear much turn"),
    (forgetful, "lose buy"),
]


@pytest.mark.parametrize(("mutant", "story"), MUTANTS)
def test_each_rule_of_the_reckoning_is_needed(
    mutant: Callable[[], AbstractContextManager[object]], story: str
) -> None:
    """Without it this sequence passes a limit, with it the very same one does not."""
    steps: list[tuple[str, Fault]] = [
        ("turn", "lost after") if word == "lost" else (word, "none") for word in story.split()
    ]
    play(steps)
    with mutant(), pytest.raises(AssertionError):
        play(steps)


def test_a_parked_entry_counts_over_a_restart_until_a_person_says_what_became_of_it() -> None:
    """Its run is over, it may be on the book all the same."""
    stop = {"side": "buy", "type": "stop_market", "trigger_price": 71_000, "quantity": dec("1.5")}
    limits = Limits(max_position_notional=dec(MOST))
    lost = rule("lost", built("place", stop), limits=limits)
    bench = Bench(rule_set(lost, rule("next", ACTIONS["much"], limits=limits)))
    bench.fire("lost")
    [call] = bench.calls(PlaceCall)
    bench.send(call)
    exchange = MiniExchange()
    bench.tell(*exchange.carry(call, bench.now, "lost before"))
    for _ in range(30):
        bench.pass_time(10_000)
        for call in bench.calls():
            bench.send(call)
            bench.tell(*exchange.carry(call, bench.now, "none"))
    parked = bench.journal.named("0.0")
    assert parked.state is OrderState.PARKED
    bench.restart()
    bench.hold()
    bench.fire("next", "1")
    assert "max_position_notional" in list(bench.journal.runs.values())[-1].reason
    bench.tell(Resolve(parked.client_order_id, "absent", "not there", "c1"))
    bench.fire("next", "2")
    assert list(bench.journal.runs.values())[-1].reason == ""
