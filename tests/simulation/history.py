"""One seeded history: events, faults, crashes and restarts, then calm; and what must hold."""

from __future__ import annotations

import hashlib
import random
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from pathlib import Path

from runner.audit import differences
from runner.core.decision import UNSETTLED, Decision
from runner.core.events import Alert, StreamState
from runner.core.lifecycle import Timing
from runner.core.rules import RuleSet
from runner.journal import JournalReader
from runner.rulebook.load import load
from runner.venues.paper.exchange import Exchange
from runner.venues.paper.symbols import built_in
from runner.virtual import VirtualClock, VirtualExchange, VirtualRunner
from tests.simulation import cheap
from tests.simulation.faults import Faulty, Rates

START = 1_760_000_000_000
PRICES = {"BTCUSDT": Decimal(70_000), "ETHUSDT": Decimal(3_500)}

RULES = """\
version: 1
dead_man: {symbols: [BTCUSDT], countdown: 2m, refresh: 30s}
rules:
  - id: batch
    symbol: ETHUSDT
    when: [{webhook: {path: batch, secret: tv, body: {n: number}}}]
    do:
      - place:
          - {side: buy, type: limit, price: =mark * 0.9, quantity: 0.1}
          - {side: buy, type: limit, price: =mark * 0.8, quantity: 0.1}
          - {side: buy, type: market, quantity: 0.1}
  - id: single
    symbol: ETHUSDT
    when: [{webhook: {path: single, secret: tv, body: {n: number}}}]
    do:
      - place: {side: buy, type: market, quantity: 0.01}
      - notify: bought
  - id: bracket
    symbol: BTCUSDT
    when:
      - webhook: {path: bracket, secret: tv, body: {n: number}}
      - price: {crosses_above: 70200, rearm: 69900}
    do:
      - bracket:
          entry: {side: buy, type: market, quantity: 0.01}
          stop: {trigger_price: =mark * 0.99}
          target: {price: =mark * 1.01}
  - id: sweep
    symbol: ETHUSDT
    when: [{schedule: {every: 3m}}]
    do: [{cancel: all}, {close: {type: market}}]
"""


CALM_STEP = 30_000
CALM_AT_MOST = 600_000
"""Within this the fence, the proof of absence and what follows from it must be over (G3)."""


class Crash(BaseException):
    """The process dies here; nothing that catches errors may catch it."""


def rule_set() -> RuleSet:
    """The rules of every history."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rules.yaml"
        path.write_text(RULES)
        loaded = load(path)
    assert loaded.rules is not None, loaded.diagnostics
    return loaded.rules


@dataclass(frozen=True, slots=True)
class Story:
    """Which history: the seed says all; `steps` and `off` (kinds of faults) make it smaller."""

    seed: int
    steps: int | None = None
    off: frozenset[str] = frozenset()


@dataclass(slots=True)
class Outcome:
    """What a history came to: `wrong` is empty when every promise held."""

    story: Story
    wrong: list[str] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    steps: int = 0
    crashes: int = 0
    orders: int = 0
    virtual_ms: int = 0
    trace: str = ""


class History:
    """Runs one story."""

    def __init__(self, story: Story, rules: RuleSet, folder: Path) -> None:
        """A quiet exchange, a runner about to start, and dice."""
        self.dice = random.Random(story.seed)
        self.rules = rules
        self.rates = Rates.drawn(self.dice)
        self.steps = self.dice.randint(5, 25)
        if story.steps is not None:
            self.steps = min(self.steps, story.steps)
        for kind in story.off:
            setattr(self.rates, kind, 0.0)
        self.clock = VirtualClock(START)
        engine = Exchange(
            {name: one for name, one in built_in().items() if name in PRICES},
            balance={"USDT": Decimal(1_000_000)},
            accounts=(),
            brackets=(),
            price_of=lambda symbol: PRICES.get(symbol, Decimal(100)),
            level_quantity=None,
            now=START,
        )
        self.exchange = VirtualExchange(engine, self.clock)
        self.network = Faulty(self.dice, self.rates, self._accepted_at)
        self.journal = folder / "journal.db"
        self.journal.write_bytes(cheap.empty_journal("main", START))
        self.outcome = Outcome(story)
        self.answered: dict[str, str] = {}
        self.sent: list[Alert] = []
        self.prices = dict(PRICES)
        self._trace = hashlib.sha256()
        self.runner: VirtualRunner | None = None

    def _accepted_at(self, client_order_id: str) -> int | None:
        for order in self.exchange.exchange.orders():
            if order.client_order_id == client_order_id:
                return order.time
        for account in self.exchange.exchange.state.accounts.values():
            for algo in account.algos.values():
                if algo.client_algo_id == client_order_id:
                    return algo.create_time
        return None

    def run(self) -> Outcome:
        """Storm, then calm, then the reckoning."""
        for _ in range(self.steps):
            self._step()
            self.outcome.steps += 1
        self.network.calm = True
        self.rates.crash = 0.0
        self._restart_if_dead()
        self._send_again_what_was_refused()
        for _ in range(CALM_AT_MOST // CALM_STEP):
            self._reconnect()
            self._pass(CALM_STEP)
            if self._settled():
                break
        self._reckon()
        return self.outcome

    def _settled(self) -> bool:
        """Nothing is open any more but what waits on the book, nothing is on its way."""
        runner = self.runner
        return runner is not None and not (
            any(leg.state in UNSETTLED for leg in runner.engine.state.legs.values())
            or any(runner.engine.questions.asked)
        )

    # the storm

    def _step(self) -> None:
        self._restart_if_dead()
        self._pass(self.dice.choice((10, 500, 5_000, 30_000)))
        if self.runner is not None and self.dice.random() < 0.2:
            self._reconnect()
        action = self.dice.random()
        if action < 0.5:
            self._alert()
        elif action < 0.9:
            self._move()
        elif self.rates.crash:
            self._die()

    def _guarded(self, act) -> None:  # type: ignore[no-untyped-def]
        """Whatever the runner does may end in its death."""
        try:
            act()
        except Crash:
            self._die()

    def _pass(self, ms: int) -> None:
        runner, until = self.runner, self.clock.now + ms
        if runner is None:
            self.clock.now = until
            return
        self._guarded(lambda: runner.advance(until))
        self.clock.now = max(self.clock.now, until)

    def _alert(self) -> None:
        path = self.dice.choice(("batch", "single", "bracket"))
        number = len(self.sent)
        alert = Alert(path, {"n": Decimal(number)}, f"{number:064d}", self.clock.now)
        self.sent.append(alert)
        self._post(alert)
        if self.dice.random() < 0.3:
            self._post(alert)

    def _post(self, alert: Alert) -> None:
        runner = self.runner
        if runner is None:
            return

        def ask() -> None:
            answer = runner.ask(alert)
            if answer is not None:
                self.answered.setdefault(alert.body_hash, answer.outcome)

        self._guarded(ask)

    def _move(self) -> None:
        symbol = self.dice.choice(list(self.prices))
        change = Decimal(self.dice.randint(-120, 120)) / 10_000
        self.prices[symbol] = (PRICES[symbol] * (1 + change)).quantize(Decimal("0.1"))
        self._guarded(lambda: self.exchange.price(symbol, price=self.prices[symbol]))
        self._pass(10)

    def _reconnect(self) -> None:
        """The user stream breaks and comes back: what was missed is asked for."""
        runner = self.runner
        if runner is not None:
            state = StreamState("user", True, self.clock.now, self.clock.now - 1_000)
            runner.dispatcher.post(state)
            self._pass(1)

    def _die(self) -> None:
        if self.runner is not None:
            self.runner.crash()
            self.runner = None
            self.outcome.crashes += 1

    def _restart_if_dead(self) -> None:
        if self.runner is not None:
            return
        self.clock.now += self.dice.choice((0, 1_000, 20_000, 100_000))
        self.clock.run_due()
        while self.runner is None:
            self._guarded(self._start)

    def _start(self) -> None:
        self.runner = None
        self.runner = VirtualRunner(
            self.journal,
            self.rules,
            self.exchange,
            self.clock,
            network=self.network,
            timing=Timing(),
            observers=[self._observe],
            on_commit=self._perhaps_crash,
        )

    def _perhaps_crash(self, point: str) -> None:
        del point
        if self.rates.crash and self.dice.random() < self.rates.crash / 3:
            raise Crash

    def _observe(self, decisions: Sequence[Decision]) -> None:
        for decision in decisions:
            for record in decision.records:
                self._trace.update(f"{record.at}{record.kind}{record.text}{record.run_id}".encode())

    # the reckoning

    def _send_again_what_was_refused(self) -> None:
        """The sender got no 200: it sends again, and every alert gets an answer in the end."""
        for alert in self.sent:
            if alert.body_hash not in self.answered:
                self._post(alert)

    def _reckon(self) -> None:
        outcome = self.outcome
        assert self.runner is not None
        seen = self.exchange.exchange
        accepted = [order.client_order_id for order in seen.orders() if not order.algo_id]
        accepted += [
            algo.client_algo_id for a in seen.state.accounts.values() for algo in a.algos.values()
        ]
        with JournalReader.open(self.journal) as journal:
            orders = [order for order in journal.orders() if order["kind"] == "order"]
            runs = journal.runs()
        outcome.wrong += differences(orders, accepted, "main")
        for order in orders:
            if order["state"] in ("PLANNED", "SENDING", "UNKNOWN"):
                outcome.wrong.append(f"{order['leg']} {order['client_order_id']} never settled")
        keys = Counter((r["rule_id"], r["trigger"], r["symbol"], r["event_key"]) for r in runs)
        outcome.wrong += [f"{key} fired {n} times" for key, n in keys.items() if n > 1]
        missing = [a.body_hash for a in self.sent if a.body_hash not in self.answered]
        outcome.wrong += [f"alert {key[-4:]} has no answer" for key in missing]
        outcome.faults = self.network.counts
        outcome.orders = len(accepted)
        outcome.virtual_ms = self.clock.now - START
        outcome.trace = self._trace.hexdigest()
        self.runner.crash()


def play(story: Story, rules: RuleSet) -> Outcome:
    """One history in a folder of its own, in memory where the machine has such a place."""
    with cheap.openings(), cheap.folder() as folder:
        return History(story, rules, folder).run()


def shrunk(outcome: Outcome, rules: RuleSet, tries: int = 60) -> Outcome:
    """The smallest history found that still goes wrong: fewer steps, fewer kinds of faults."""
    smaller = True
    while smaller:
        smaller = False
        for story in _smaller(outcome):
            tries -= 1
            found = play(story, rules) if tries >= 0 else None
            if found is not None and found.wrong:
                outcome, smaller = found, True
                break
    return outcome


def _smaller(outcome: Outcome) -> Iterator[Story]:
    story, steps = outcome.story, outcome.steps
    for fewer in sorted({steps // 2, steps * 3 // 4, steps - 1}):
        if 0 <= fewer < steps:
            yield replace(story, steps=fewer)
    for kind in fields(Rates):
        if kind.name not in story.off:
            yield replace(story, off=story.off | {kind.name})
