"""One seeded history: events, faults, crashes and restarts, then calm; and what must hold."""

from __future__ import annotations

import hashlib
import random
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from pathlib import Path

from runner.core.decision import Decision
from runner.core.events import Alert, StreamState
from runner.core.lifecycle import Timing
from runner.core.rules import RuleSet
from runner.errors import JournalRestored, VenueError
from runner.rulebook.load import load
from runner.virtual import VirtualClock, VirtualRunner
from tests.simulation import cheap, promises
from tests.simulation.exchange import PRICES, Witness
from tests.simulation.faults import Faulty, Rates

START = 1_760_000_000_000
HOUR = 3_600_000
PAUSES = (1_000, 4_000, 20_000, 60_000, 200_000)
TIMING = Timing()

RULES = """\
version: 1
dead_man: {symbols: [BTCUSDT], countdown: 2m, refresh: 30s}
rules:
  - id: batch
    symbol: ETHUSDT
    when: [{webhook: {path: batch, secret: tv, body: {n: number}, dedupe: [n]}}]
    do:
      - place:
          - {side: buy, type: limit, price: =mark * 0.9, quantity: 0.1}
          - {side: buy, type: limit, price: =mark * 0.8, quantity: 0.1}
          - {side: buy, type: market, quantity: 0.1}
  - id: single
    symbol: ETHUSDT
    when: [{webhook: {path: single, secret: tv, body: {n: number}, dedupe: [n]}}]
    do:
      - place: {side: buy, type: market, quantity: 0.01}
      - notify: bought
  - id: bracket
    symbol: BTCUSDT
    when:
      - webhook: {path: bracket, secret: tv, body: {n: number}, dedupe: [n]}
      - price: {crosses_above: 70200, rearm: 69900}
    do:
      - bracket:
          entry: {side: buy, type: market, quantity: 0.01}
          stop: {trigger_price: =mark * 0.99}
          target: {price: =mark * 1.01}
  - id: sweep
    symbol: ETHUSDT
    when:
      - schedule: {every: 3m}
      - webhook: {path: sweep, secret: tv, body: {n: number}, dedupe: [n]}
    do: [{cancel: all}, {close: {type: market}}]
"""

RESTORED_AFTER = 60_000
"""Ms that a restore takes: nothing that was sent before is still on its way."""

STEPS = (2, 3, 5, 8, 12, 20)
"""How long a history's storm is: many short ones find more than a few long ones."""

RECONNECT = 5_000
"""Ms between two tries to connect the streams again."""

CALM_STEP = 28_657
"""Ms between two looks whether all is at rest: never in step with what comes every 30 s or 3 min.

In step with it, every look would see the same request on its way, and the last of them an order
that was planned just now.
"""

CALM_AT_MOST = 600_000
"""Within this the fence, the proof of absence and what follows from it must be over (G3)."""

CALM_AFTER_RESTORE = 3_600_000
"""The runs of a rule follow each other, and each is asked for before it sends."""


class Crash(BaseException):
    """The process dies here; nothing that catches errors may catch it."""


def rule_set(text: str = RULES) -> RuleSet:
    """The rules of every history."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rules.yaml"
        path.write_text(text)
        loaded = load(path)
    assert loaded.rules is not None, loaded.diagnostics
    return loaded.rules


@dataclass(frozen=True, slots=True)
class Story:
    """Which history: the seed says all; `steps` and `off` (kinds of faults) make it smaller.

    `at_least` makes the short ones longer, where something must come together.

    `rates`, `timing`, `down` (how long a dead runner may stay down, ms) and `alerts` (which
    paths) narrow a history to what one rule alone protects from.
    """

    seed: int
    steps: int | None = None
    at_least: int = 0
    off: frozenset[str] = frozenset()
    rates: Rates | None = None
    timing: Timing = TIMING
    down: tuple[int, ...] = (0, 1_000, 20_000, 100_000)
    alerts: tuple[str, ...] = ("batch", "single", "bracket")


@dataclass(slots=True)
class Outcome:
    """What a history came to: `wrong` is empty when every promise held.

    `told` is what became of the processes, in order, where there are several.
    """

    story: Story
    wrong: list[str] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    steps: int = 0
    crashes: int = 0
    orders: int = 0
    virtual_ms: int = 0
    trace: str = ""
    told: list[str] = field(default_factory=list)


class History:
    """Runs one story."""

    def __init__(self, story: Story, rules: RuleSet, folder: Path) -> None:
        """A quiet exchange, a runner about to start, and dice."""
        self.dice = random.Random(story.seed)
        self.story = story
        self.rules = rules
        self.rates = Rates.drawn(self.dice)
        self.steps = self.dice.choice(STEPS)
        self._narrow()
        self.clock = VirtualClock(START)
        self.outcome = Outcome(story)
        self.journal = folder / "journal.db"
        self.journal.write_bytes(cheap.empty_journal("main", START))
        self.exchange = Witness(self.clock, self.journal, self.outcome.wrong)
        self.arrows = promises.Arrows(self.clock, self.outcome.wrong)
        self.network = Faulty(self.dice, self.rates, self.exchange, self._reach)
        self.answered: dict[str, str] = {}
        self.sent: list[Alert] = []
        self.prices = dict(PRICES)
        self.copy: bytes | None = None
        self.restored = False
        self._trace = hashlib.sha256()
        self.runner: VirtualRunner | None = None
        self.away: dict[VirtualRunner, int] = {}
        """Whose streams the exchange has ended, and since when they hear nothing."""

    def _narrow(self) -> None:
        story = self.story
        self.rates = replace(story.rates) if story.rates else self.rates
        self.steps = max(self.steps, story.at_least)
        if story.steps is not None:
            self.steps = min(self.steps, story.steps)
        for kind in story.off:
            setattr(self.rates, kind, 0.0)

    def run(self) -> Outcome:
        """Storm, then calm, then the reckoning."""
        try:
            for _ in range(self.steps):
                self._step()
                self.outcome.steps += 1
            self._calm()
            self._reckon()
        except Exception:  # noqa: BLE001 - whatever breaks is this history's finding
            self.outcome.wrong.append(traceback.format_exc(limit=-6))
        finally:
            self._end()
            self.exchange.close()
        return self.outcome

    # the storm

    def _step(self) -> None:
        self._restart_if_dead()
        self._pass(self.dice.choice((10, 500, 5_000, 30_000)))
        if self.dice.random() < 0.2:
            self._reconnect()
        if self._happens("rollback", self.rates.rollback):
            self._copy_or_put_back()
            self._restart_if_dead()
        self._disturb()
        action = self.dice.random()
        if action < 0.4 or not self.sent:
            self._alert()
        elif action < 0.5:
            self._post(self.dice.choice(self.sent))
        elif action < 0.9:
            self._move()
        elif self.rates.crash:
            self._die()

    def _disturb(self) -> None:
        """Our clock is set, our process stands still, our stream breaks off."""
        if self._happens("clock", self.rates.clock):
            self.clock.offset = self.dice.choice((-HOUR, -5_000, 0, 5_000, HOUR))
        if self._happens("pause", self.rates.pause):
            self._guarded(lambda: self._stand_still(self.dice.choice(PAUSES)))
        if self._happens("gap", self.rates.gap) and self.runner is not None:
            self._break_off(self.runner, self.dice.choice((1_000, 20_000, 100_000)))
        self._end_streams(self.runner)

    def _happens(self, kind: str, rate: float) -> bool:
        if self.network.calm or not rate or self.dice.random() >= rate:
            return False
        self.network.counts[kind] += 1
        return True

    def _stand_still(self, ms: int) -> None:
        """SIGSTOP: the world goes on, answers pile up, nothing is decided."""
        until = self.clock.now + ms
        while (at := self._next_outside()) is not None and at <= until:
            self.clock.now = max(at, self.clock.now)
            self.clock.run_due()
            self.exchange.settle()
        self.clock.now = until
        self.exchange.settle()

    def _next_outside(self) -> int | None:
        times = (self.clock.next_at(), self.exchange.next_at())
        return min((at for at in times if at is not None), default=None)

    def _break_off(self, runner: VirtualRunner, ms: int) -> None:
        """Nothing is heard for so long; then the stream is back and what was missed is asked."""
        self.network.deaf_until = self.clock.now + ms
        last = self.clock.wall()

        def back() -> None:
            if runner.alive:
                runner.dispatcher.post(StreamState("user", True, self.clock.wall(), last))

        self.clock.plan(self.network.deaf_until, back)

    def _end_streams(self, runner: VirtualRunner | None) -> None:
        """The exchange ends them: as after 24 hours, or because the user stream's key expired.

        That a key has expired is told, or found out when it cannot be prolonged. Until it has
        connected again, the runner hears nothing.
        """
        if runner is None or runner in self.away:
            return
        if self._happens("key", self.rates.key):
            self.exchange.lose_key()
            found_out = self.dice.choice((10, 60_000))
        elif self._happens("cut", self.rates.cut):
            found_out = 0
        else:
            return
        at, last = self.clock.now + found_out, self.clock.wall()
        self.away[runner] = last
        self.clock.plan(at, lambda: self._broken_off(runner))
        self.clock.plan(at + self.dice.choice((10, 1_000, 20_000)), lambda: self._rejoin(runner))

    def _broken_off(self, runner: VirtualRunner) -> None:
        if runner.alive and runner in self.away:
            runner.break_off()

    def _rejoin(self, runner: VirtualRunner) -> None:
        """Connect again; while a ban keeps it from asking for a key, a little later."""
        if not runner.alive or runner not in self.away:
            return
        runner.break_off()
        try:
            runner.rejoin(self.away[runner])
        except VenueError:
            self.clock.plan(self.clock.now + RECONNECT, lambda: self._rejoin(runner))
        else:
            del self.away[runner]

    def _guarded(self, act: Callable[[], object]) -> None:
        """Whatever the runner does may end in its death."""
        try:
            act()
        except Crash:
            self._die()

    def _pass(self, ms: int) -> None:
        runner, until = self.runner, self.clock.now + ms
        if runner is not None:
            self._guarded(lambda: runner.advance(until))
        self.clock.now = max(self.clock.now, until)

    def _alert(self) -> None:
        self.alerted(self.dice.choice(self.story.alerts))
        if self.dice.random() < 0.3:
            self._post(self.sent[-1])

    def alerted(self, path: str) -> None:
        """A new alert on this path."""
        number = len(self.sent)
        alert = Alert(path, {"n": Decimal(number)}, f"{number:064d}", self.clock.wall())
        self.sent.append(alert)
        self._post(alert)

    def _post(self, alert: Alert) -> None:
        runner = self.runner
        if runner is None:
            return

        def ask() -> None:
            answer = runner.ask(alert)
            if answer is not None:
                self.answered.setdefault(str(alert.fields["n"]), answer.outcome)

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
            now = self.clock.wall()
            runner.dispatcher.post(StreamState("user", True, now, now - 1_000))
            self._pass(1)

    def _die(self) -> None:
        if self.runner is not None:
            self._end()
            self.outcome.crashes += 1

    def _end(self) -> None:
        if self.runner is not None:
            self.runner.crash()
            self.runner = None
            self.network.life += 1

    def _restart_if_dead(self) -> None:
        if self.runner is not None:
            return
        self.clock.now += self.dice.choice(self.story.down)
        self.clock.run_due()
        while self.runner is None:
            self._guarded(self._start)

    def _copy_or_put_back(self) -> None:
        """A backup is made; the next time it takes the journal's place, and time has passed."""
        copy, self.copy = self.copy, None
        if copy is None:
            self.copy = self.exchange.copy()
            return
        self._die()
        self._stand_still(RESTORED_AFTER)
        self.exchange.put_back(copy)
        self.restored = True
        fired = promises.fired(self.exchange)
        self.answered = {n: text for n, text in self.answered.items() if n in fired}

    def _start(self) -> None:
        """A restored journal is refused by whoever may notice, and then accepted by a person."""
        try:
            self._live(accept_restored=False)
        except JournalRestored:
            if not self.restored:
                raise
            self._live(accept_restored=True)

    def _live(self, *, accept_restored: bool) -> None:
        self.network.deaf_until = 0
        self.network.life += 1
        self.runner = VirtualRunner(
            self.journal,
            self.rules,
            self.exchange,
            self.clock,
            network=self.network,
            timing=self.story.timing,
            observers=[self.arrows.observe, self._note],
            on_commit=self._commit,
            witness=self.journal.with_name("witness") if self.rates.rollback else None,
            audit=bool(self.rates.rollback),
            accept_restored=accept_restored,
        )

    def _commit(self, point: str) -> None:
        if point == "after_commit" and self._happens("pause", self.rates.pause / 10):
            self._stand_still(self.dice.choice(PAUSES))
        self._reach("commit.before" if point == "before_commit" else "commit.after")

    def _reach(self, point: str) -> None:
        """A point at which the process may die; the names are those of runner.failpoints."""
        del point
        if not self.network.calm and self.rates.crash and self.dice.random() < self.rates.crash / 8:
            raise Crash

    def _note(self, decisions: Sequence[Decision]) -> None:
        for decision in decisions:
            for record in decision.records:
                self._trace.update(f"{record.at}{record.kind}{record.text}{record.run_id}".encode())

    # the calm

    def _calm(self) -> None:
        self.network.calm = True
        self.network.deaf_until = 0
        self._restart_if_dead()
        for runner in list(self.away):
            self._rejoin(runner)
        self._send_again_what_was_refused()
        longest = CALM_AFTER_RESTORE if self.restored else CALM_AT_MOST
        for _ in range(longest // CALM_STEP):
            self._reconnect()
            self._pass(CALM_STEP)
            if self._settled():
                return
        self.outcome.wrong.append(f"it is not at rest {longest // 1_000} s after the storm")

    def _settled(self) -> bool:
        """Nothing waits for anything but the market, nothing is on its way or to be asked."""
        runner = self.runner
        if runner is None or runner in self.away:
            return False
        state, questions = runner.engine.state, runner.engine.questions
        return not (state.restless or questions.asked or questions.wanted)

    def _send_again_what_was_refused(self) -> None:
        """The sender got no 200: it sends again, and every alert gets an answer in the end."""
        for alert in self.sent:
            if str(alert.fields["n"]) not in self.answered:
                self._post(alert)

    def _reckon(self) -> None:
        outcome = self.outcome
        missing = [n for n in map(str, range(len(self.sent))) if n not in self.answered]
        outcome.wrong += [f"alert {n} has no answer" for n in missing]
        outcome.wrong += promises.at_the_end(self.exchange, self.answered)
        outcome.wrong += promises.sums(self.exchange, self._held())
        outcome.faults = self.network.counts
        outcome.orders = self.exchange.accepted.total()
        outcome.virtual_ms = self.clock.now - START
        self._trace.update(self.exchange.trace.digest())
        outcome.trace = self._trace.hexdigest()

    def _held(self) -> dict[str, Decimal]:
        """What the runner reckons that it holds."""
        found = {name: self.runner and self.runner.view.position(name) for name in PRICES}
        return {name: one.size for name, one in found.items() if one}


def play(story: Story, rules: RuleSet) -> Outcome:
    """One history in a folder of its own, in memory where the machine has such a place."""
    with cheap.openings(), cheap.folder() as folder:
        return History(story, rules, folder).run()


def shrunk(
    outcome: Outcome,
    rules: RuleSet,
    tries: int = 60,
    play: Callable[[Story, RuleSet], Outcome] = play,
) -> Outcome:
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
