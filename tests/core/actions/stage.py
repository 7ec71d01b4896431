"""A runner with one account on a virtual clock, for tests that play an action to its end."""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from runner.core.decision import AlertAnswer
from runner.core.events import Alert, StreamState
from runner.core.lifecycle import Timing
from runner.core.rules import RuleSet
from runner.journal import JournalReader
from runner.rulebook.load import load
from runner.venues import RawAnswer, SignedRequest
from runner.venues.paper.exchange import Exchange
from runner.venues.paper.symbols import built_in
from runner.virtual import Calm, Network, VirtualClock, VirtualExchange, VirtualRunner, Wire

START = 1_760_000_000_000
SYMBOL = "BTCUSDT"
PRICE = Decimal(70_000)
BROKEN = RawAnswer("broken", detail="timed out")


def rules_of(text: str, folder: Path) -> RuleSet:
    """The rules of a file with this text."""
    path = folder / "rules.yaml"
    path.write_text(text)
    loaded = load(path)
    assert loaded.rules is not None, [found.message for found in loaded.diagnostics]
    return loaded.rules


class Lossy:
    """A network that loses requests, answers and messages, by dice; `calm` ends it."""

    def __init__(self, dice: random.Random, share: float) -> None:
        """`share` of everything that goes over it comes to harm."""
        self._dice = dice
        self._share = share
        self.calm = False

    def carry(self, signed: SignedRequest, wire: Wire) -> None:
        """There and back, or only there, or not at all, or late, or with a strange answer."""
        del signed
        clock = wire.clock
        harm = "" if self.calm else self._harm()

        def arrive() -> None:
            answer = RawAnswer("ok", 503, b"{}") if harm == "refused" else wire.execute()
            if harm == "unanswered":
                clock.plan(clock.now + 12_000, lambda: wire.answer(BROKEN))
            else:
                clock.plan(clock.now + 1, lambda: wire.answer(answer))

        if harm == "lost":
            clock.plan(clock.now + 12_000, lambda: wire.answer(BROKEN))
        else:
            clock.plan(clock.now + (2_500 if harm == "late" else 1), arrive)

    def _harm(self) -> str:
        kinds = ("lost", "unanswered", "late", "refused")
        return self._dice.choice(kinds) if self._dice.random() < self._share else ""

    def tell(self, text: str, hear: Callable[[str], object], clock: VirtualClock) -> None:
        """At once, or never."""
        if self.calm or self._dice.random() >= self._share / 2:
            clock.plan(clock.now, lambda: hear(text))


class Stage:
    """A calm exchange at one price, unless a network brings faults."""

    def __init__(
        self,
        rules: str,
        folder: Path,
        *,
        network: Network | None = None,
        level_quantity: Decimal | None = None,
    ) -> None:
        """Started and read in."""
        self.rules = rules_of(rules, folder)
        self.clock = VirtualClock(START)
        self.engine = Exchange(
            built_in(),
            balance={"USDT": Decimal(1_000_000)},
            accounts=(),
            brackets=(),
            price_of=lambda _: PRICE,
            level_quantity=level_quantity,
            now=START,
        )
        self.exchange = VirtualExchange(self.engine, self.clock)
        self.network = network or Calm()
        self.file = folder / "journal.db"
        self.sent = 0
        self.runner = self._started()
        self.advance(3_000)
        self.price(PRICE)

    def _started(self) -> VirtualRunner:
        return VirtualRunner(
            self.file,
            self.rules,
            self.exchange,
            self.clock,
            network=self.network,
            timing=Timing(),
        )

    def restart(self, away: int = 1_000) -> None:
        """Killed, and started again after a while (ms)."""
        self.runner.crash()
        self.clock.now += away
        self.clock.run_due()
        self.runner = self._started()
        self.advance(100)
        self.price(self.engine.state.market(SYMBOL).mark)

    def advance(self, ms: int) -> None:
        """Time passes."""
        self.runner.advance(self.clock.now + ms)

    def reconnect(self) -> None:
        """The user stream breaks and comes back: what was missed is asked for."""
        now = self.clock.now
        self.runner.dispatcher.post(StreamState("user", True, now, now - 1_000))
        self.advance(100)

    def price(self, price: Decimal | str | int, symbol: str = SYMBOL) -> None:
        """The market moves, and the streams tell."""
        self.exchange.price(symbol, price=Decimal(price))
        self.advance(10)

    def alert(
        self, path: str, event_time: int | None = None, wait: int = 1_000, **fields: Any
    ) -> AlertAnswer:
        """An alert comes in; returns what its sender is told."""
        self.sent += 1
        values = {k: v if isinstance(v, str) else Decimal(str(v)) for k, v in fields.items()}
        alert = Alert(path, values, f"{self.sent:032d}" * 2, self.clock.now, event_time)
        answer = self.runner.ask(alert)
        assert answer is not None
        self.advance(wait)
        return answer

    def held(self, side: str = "BOTH", symbol: str = SYMBOL) -> Decimal:
        """What the account holds on the exchange."""
        (account,) = self.engine.state.accounts.values()
        return account.amount(symbol, side)

    def orders(self) -> list[dict[str, Any]]:
        """Every order row of the journal."""
        with JournalReader.open(self.file) as journal:
            return list(journal.orders())

    def runs(self) -> list[dict[str, Any]]:
        """Every run of the journal."""
        with JournalReader.open(self.file) as journal:
            return list(journal.runs())

    def open_on_exchange(self) -> list[Any]:
        """What rests there, of both families."""
        (account,) = self.engine.state.accounts.values()
        return [*account.open.values(), *account.waiting.values()]
