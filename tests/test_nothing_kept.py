"""What a runner keeps does not grow with what it lived through, but for its named bounds."""

from __future__ import annotations

import gc
import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from types import FunctionType, ModuleType

import pytest
from prometheus_client import CollectorRegistry

from runner.core.decision import Decision
from runner.core.events import Alert
from runner.core.noticing import Noticing
from runner.core.rules import RuleSet
from runner.metrics.counting import Counting
from runner.rulebook.load import load
from runner.shown import Shown
from runner.venues.paper.exchange import Exchange
from runner.virtual import VirtualClock, VirtualExchange, VirtualRunner

START = 1_763_640_000_000
SECOND = 1_000
ROUNDS = 15
BOUNDS = {
    "runner.core.state.RECENT": 10,
    "runner.core.state.FIRED": 20,
    "runner.core.noticing.MOST_FILLING": 5,
    "runner.journal.writing.MOST_TEXTS": 10,
    "runner.metrics.counting._MOST_ATTEMPTS": 10,
    "runner.shown.MOST_RUNS": 10,
    "runner.venues.binance_usdm.liveness.REMEMBERED": 10,
}
"""How much is remembered on purpose; here so little that a round or two fill it."""

RULES = """\
version: 1
dead_man: {{symbols: [BTCUSDT], countdown: 2m, refresh: 30s}}
rules:
  - id: bracket
    symbol: BTCUSDT
    when: [{{webhook: {{path: bracket, secret: s, body: {{n: number}}}}}}]
    do:
      - bracket:
          entry: {{side: buy, type: market, quantity: 0.01}}
          stop: {{trigger_price: =mark * 0.99}}
          target: {{price: =mark * 1.001}}
  - id: rest
    symbol: BTCUSDT
    when: [{{webhook: {{path: rest, secret: s, body: {{n: number}}, dedupe: [n]}}}}]
    do: [{{place: {{side: buy, type: limit, price: =mark * 0.9, quantity: 0.01}}}}]
  - id: clear
    symbol: BTCUSDT
    when: [{{webhook: {{path: clear, secret: s, body: {{n: number}}}}}}]
    do: [{{cancel: {{rule: rest}}}}]
  - id: seldom
    symbol: BTCUSDT
    when: [{{webhook: {{path: clear, secret: s, body: {{n: number}}}}}}]
    cooldown: 1h
    do: [{{notify: seldom}}]
  - id: cross
    symbol: BTCUSDT
    when: [{{price: {{crosses_above: 70500, rearm: 70300}}}}]
    do:
      - place: {{side: buy, type: limit, price: 65000, quantity: 0.01, time_in_force: ioc}}
  - id: far
    symbol: BTCUSDT
    when: [{{price: {{crosses_above: {level}}}}}]
    do: [{{notify: far}}]
  - id: due
    symbol: BTCUSDT
    when: [{{schedule: {{every: 10s}}}}]
    do: [{{notify: due}}]
"""


class Life:
    """A runner with all that looks at its decisions, and rounds in which everything happens."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = VirtualClock(START)
        self.paper = Exchange(balance={"USDT": Decimal(100_000)}, accounts=(), now=START)
        self.exchange = VirtualExchange(self.paper, self.clock)
        self.price(70_000)
        self.rounds = 0
        self.outcomes: Counter[str] = Counter()
        self.noticing = Noticing(lambda _: "", "here")
        self.looking = (Shown(self.clock.wall), Counting(CollectorRegistry()))
        self.runner = VirtualRunner(
            folder / "journal.db",
            self.rules(),
            self.exchange,
            self.clock,
            observers=[self.looking[0], self.looking[1].count, self.told],
        )
        self.wait(2)

    def told(self, decisions: Sequence[Decision]) -> None:
        """The notices are made, and nobody is sent any."""
        for _ in self.noticing.notices(decisions, self.clock.now):
            pass

    def rules(self) -> RuleSet:
        """Other rules with each round."""
        path = self.folder / "rules.yaml"
        path.write_text(RULES.format(level=80_000 + self.rounds))
        loaded = load(path)
        assert loaded.rules is not None, loaded.diagnostics
        return loaded.rules

    def price(self, price: int) -> None:
        """Everybody trades at this price now."""
        self.exchange.price("BTCUSDT", price=Decimal(price))

    def wait(self, seconds: int) -> None:
        """Time passes."""
        self.runner.advance(self.clock.now + seconds * SECOND)

    def alert(self, path: str) -> None:
        """One alert of this round."""
        digest = hashlib.sha256(f"{path}{self.rounds}".encode()).hexdigest()
        alert = Alert(path, {"n": Decimal(self.rounds)}, digest, self.clock.now, None)
        answer = self.runner.ask(alert)
        assert answer is not None
        self.outcomes[f"{path} {answer.outcome}"] += 1

    def round(self) -> None:
        """Fills, cancels, refusals, repeats, crossings, a break of the streams, a reload."""
        self.rounds += 1
        for path in ("bracket", "rest", "rest"):
            self.alert(path)
        self.wait(1)
        for price in (70_200, 70_600, 70_000):
            self.price(price)
            self.wait(1)
        self.alert("clear")
        self.wait(1)
        self.runner.break_off()
        self.wait(1)
        self.runner.rejoin(self.clock.now)
        self.price(70_000)
        self.wait(3)
        self.runner.reload(self.rules())
        self.wait(3)

    def live(self, rounds: int) -> Counter[str]:
        """So many rounds, and a minute in which nothing happens; what is kept then, by type."""
        for _ in range(rounds):
            self.round()
        self.wait(65)
        return self.kept()

    def kept(self) -> Counter[str]:
        """What is kept now, by type."""
        runner = self.runner
        roots = (runner.engine, runner.dispatcher, runner.venue, runner.journal, self.noticing)
        return kept([*roots, *self.looking], beyond=[self.clock, self.exchange, self.paper])


def kept(roots: Sequence[object], beyond: Sequence[object]) -> Counter[str]:
    """How many objects of each type can be reached from the roots, without what is `beyond`.

    Only ours and the interpreter's own are gone through: what libraries keep is theirs to bound.
    """
    seen = {id(each): each for each in beyond}
    found: Counter[str] = Counter()
    waiting = list(roots)
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, (type, ModuleType)):
            continue
        seen[id(one)] = one
        found[type(one).__qualname__] += 1
        if isinstance(one, FunctionType):
            waiting += [*(one.__closure__ or ()), *(one.__defaults__ or ())]
        elif type(one).__module__.split(".")[0] in ("runner", "builtins", "collections"):
            waiting += gc.get_referents(one)
    return found


@pytest.fixture
def life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Life]:
    """A runner that remembers little on purpose; ended afterwards."""
    for name, most in BOUNDS.items():
        monkeypatch.setattr(name, most)
    made = Life(tmp_path)
    yield made
    made.runner.crash()


def test_what_is_kept_does_not_grow(life: Life) -> None:
    """Alerts, orders, fills, refusals, notices, breaks and reloads leave nothing behind for ever.

    One thing kept of each round would be as many more of a type as there were rounds.
    """
    first = life.live(ROUNDS)
    second = life.live(ROUNDS)
    grown = {name: count - first[name] for name, count in second.items()}
    assert {name: more for name, more in grown.items() if more >= ROUNDS // 3} == {}
    assert life.outcomes == {
        "bracket fired": 2 * ROUNDS,
        "rest fired": 2 * ROUNDS,
        "rest duplicate": 2 * ROUNDS,
        "clear fired": 2 * ROUNDS,
    }
    assert not life.runner.engine.state.runs


def test_what_is_kept_would_be_found(life: Life) -> None:
    """The count sees one string more for each round, wherever in the runner it is kept."""
    life.live(1)
    first = life.kept()
    life.runner.engine.state.doubtful.update(f"run-{n}" for n in range(ROUNDS))
    assert life.kept() - first == {"str": ROUNDS}
