"""A scene for drills: the runner on the paper exchange, on a clock that only the drill moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from runner.connecting import PAPER_KEY
from runner.core.decision import Decision, Leg, Record
from runner.core.events import Alert, Value
from runner.core.lifecycle import Timing
from runner.core.orders import OrderState
from runner.journal import JournalReader
from runner.rulebook.load import load
from runner.venues.paper.account import Account
from runner.venues.paper.exchange import Exchange
from runner.venues.paper.matching import fill_by_hand
from runner.virtual import VirtualClock, VirtualExchange, VirtualRunner

START = 1_760_000_000_000
SECOND = 1_000
SYMBOL = "BTCUSDT"

ENTERING = """\
  - id: NAME
    symbol: BTCUSDT
    when:
      - webhook:
          path: NAME
          secret: tv
          body: {quantity: number, price: number}
          dedupe_window: 0s
    do:
      - bracket:
          entry: {side: buy, type: limit, price: =trigger.price, quantity: =trigger.quantity}
          stop: {trigger_price: =trigger.price * STOP}
          target: {price: =trigger.price * 1.02}
"""
"""A rule that enters a bracket with the quantity and the price of its alert; STOP is a share."""

OPEN = frozenset({OrderState.PLANNED, OrderState.SENDING, OrderState.UNKNOWN})
"""States in which an order must not stay."""


class Scene:
    """One drill: the market moves, the exchange acts, and what both sides know is compared."""

    def __init__(
        self,
        folder: Path,
        rules: str,
        balance: str = "10000",
        price: str = "70000",
        *,
        hedge: bool = False,
    ) -> None:
        """Start the runner with these rules at this price, the account in hedge mode if asked."""
        path = folder / "rules.yaml"
        path.write_text(rules)
        loaded = load(path)
        assert loaded.rules is not None, loaded.diagnostics
        self.clock = VirtualClock(START)
        self.records: list[Record] = []
        self.paper = Exchange(balance={"USDT": Decimal(balance)}, accounts=(), now=START)
        self.exchange = VirtualExchange(self.paper, self.clock)
        self.price(price)
        self._folder, self._rules = folder, loaded.rules
        if hedge:
            self.by_hand("POST", "positionSide/dual", dualSidePosition="true")
        self.runner = self._started()
        self.wait(3)

    def _started(self) -> VirtualRunner:
        return VirtualRunner(
            self._folder / "journal.db",
            self._rules,
            self.exchange,
            self.clock,
            timing=Timing(probe_offsets=(0, 100, 200, 300)),
            observers=[self._hear],
        )

    def _hear(self, decisions: Sequence[Decision]) -> None:
        self.records += [record for decision in decisions for record in decision.records]

    # the world

    @property
    def account(self) -> Account:
        """The account that the runner trades on."""
        return self.paper.state.accounts[PAPER_KEY]

    def price(self, price: str, **more: Any) -> None:
        """Mark and last move there; the book follows."""
        told = {name: Decimal(str(value)) for name, value in more.items()}
        self.exchange.price(SYMBOL, price=Decimal(price), **told)

    def fill(self, kind: str, quantity: str) -> None:
        """A part of our resting order of this type fills at its price."""
        [order] = [each for each in self.account.open.values() if each.type == kind]
        fill_by_hand(self.paper.state, order, None, Decimal(quantity), self.clock.now)
        self.exchange.settle(at_once=True)

    def by_hand(self, method: str, path: str, **params: Any) -> Any:
        """Somebody uses the exchange's app on the same account."""
        texts = {name: str(value) for name, value in params.items()}
        told = self.paper.request(
            method, f"/fapi/v1/{path}", texts, now=self.clock.now, account=PAPER_KEY
        )
        self.exchange.settle(at_once=True)
        return told

    def stop(self) -> None:
        """The runner is killed; the exchange goes on."""
        self.runner.crash()

    def start(self, after: float = 1) -> None:
        """It is started anew after so many seconds."""
        self.clock.now += int(after * SECOND)
        self.clock.run_due()
        self.runner = self._started()
        self.exchange.repeat()
        self.wait(1)

    def runs(self, rule_id: str) -> list[Mapping[str, Any]]:
        """A rule's runs as the journal has them, oldest first."""
        with JournalReader.open(self._folder / "journal.db") as journal:
            found = [run for run in journal.runs() if run["rule_id"] == rule_id]
        return sorted(found, key=lambda run: run["fired_at"])

    def wait(self, seconds: float) -> None:
        """Time passes; the market repeats its price every second."""
        until = self.clock.now + int(seconds * SECOND)
        while self.clock.now < until:
            self.runner.advance(min(self.clock.now + SECOND, until))
            self.exchange.repeat()
        self.runner.advance(until)

    def alert(self, path: str, **fields: Value) -> str:
        """An alert comes; what its sender is told."""
        number = len(self.records)
        event = Alert(path, fields, f"{number:064x}", self.clock.wall())
        answer = self.runner.ask(event)
        assert answer is not None
        return answer.outcome

    # what both sides know

    def held(self, side: str = "BOTH") -> Decimal:
        """The position on the exchange."""
        return self.account.amount(SYMBOL, side)

    def believed(self) -> Decimal:
        """The position as the runner has it."""
        known = self.runner.engine.world.view.position(SYMBOL)
        return Decimal(0) if known is None else known.size

    def resting(self) -> dict[str, Decimal]:
        """What rests on the exchange, conditional orders too: type to quantity."""
        plain = {order.type: order.quantity for order in self.account.open.values()}
        return plain | {algo.type: algo.quantity for algo in self.account.waiting.values()}

    def legs(self) -> Mapping[str, Leg]:
        """The runner's legs by name, the newest of each."""
        return {leg.name: leg for leg in self.runner.engine.state.legs.values()}

    def texts(self, *kinds: str) -> list[str]:
        """What the journal's log says, of these kinds."""
        return [each.text for each in self.records if each.kind in kinds]

    def says(self, words: str) -> bool:
        """True when the log has these words."""
        return any(words in each.text for each in self.records)

    def placed(self) -> int:
        """How many orders the exchange ever took from us."""
        ours = [order for order in self.paper.orders() if "autoclose" not in order.client_order_id]
        return len(ours)

    def at_rest(self) -> bool:
        """True when nothing hangs: no order is on its way, unknown or about to be sent."""
        return not any(leg.state in OPEN for leg in self.runner.engine.state.legs.values())
