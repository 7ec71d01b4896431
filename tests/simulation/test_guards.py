"""Seeded histories of the whole runner under guards: no fault lets an order pass a limit."""

from __future__ import annotations

import json
import os
from contextlib import AbstractContextManager
from decimal import Decimal
from pathlib import Path
from unittest.mock import patch

import pytest

from runner.core.exposure import Ahead, Pending
from runner.core.rules import RuleSet
from runner.venues import RawAnswer
from runner.venues.paper.orders import Order
from tests.simulation import cheap
from tests.simulation.exchange import PRICES, Witness
from tests.simulation.faults import Rates
from tests.simulation.history import History, Outcome, Story, rule_set

SYMBOL = "ETHUSDT"
MOST, OPEN, A_MINUTE = Decimal(7_000), 4, 6
LOWEST = PRICES[SYMBOL] * Decimal("0.987")
"""Prices move 1.2% at most, so a position within the limit is never larger than this allows."""

RULES = rule_set(f"""\
version: 1
guards:
  max_order_notional: 5000
  max_position_notional: {MOST}
  max_orders_per_minute: {A_MINUTE}
  max_open_orders: {OPEN}
rules:
  - id: batch
    symbol: {SYMBOL}
    when: [{{webhook: {{path: batch, secret: tv, body: {{n: number}}, dedupe: [n]}}}}]
    do:
      - place:
          - {{side: buy, type: limit, price: =mark * 0.995, quantity: 0.2}}
          - {{side: buy, type: limit, price: =mark * 0.99, quantity: 0.2}}
          - {{side: buy, type: market, quantity: 0.2}}
  - id: single
    symbol: {SYMBOL}
    when: [{{webhook: {{path: single, secret: tv, body: {{n: number}}, dedupe: [n]}}}}]
    do: [{{place: {{side: buy, type: market, quantity: 0.5}}}}]
  - id: bracket
    symbol: {SYMBOL}
    when: [{{webhook: {{path: bracket, secret: tv, body: {{n: number}}, dedupe: [n]}}}}]
    do:
      - bracket:
          entry: {{side: buy, type: market, quantity: 0.4}}
          stop: {{trigger_price: =mark * 0.99}}
          target: {{price: =mark * 1.01}}
  - id: out
    symbol: {SYMBOL}
    when: [{{schedule: {{every: 3m}}}}]
    do: [{{close: {{type: market}}}}]
""")

HISTORIES = int(os.environ.get("RUNNER_GUARDED_HISTORIES", "12"))
STORM = Rates(lost=0.15, unanswered=0.2, late_order=0.1, unknown_503=0.1, silent=0.3, crash=0.15)


class Guarded(Witness):
    """After every request looks at what may still become true, and for the verdict of each."""

    def request(self, method: str, path: str, payload: str) -> RawAnswer:
        """One request, and what the exchange has after it."""
        known = set(self.accepted)
        answer = super().request(method, path, payload)
        for key in set(self.accepted) - known:
            self._look_for_verdict(key)
        self._look_at_limits()
        return answer

    def _look_for_verdict(self, key: str) -> None:
        said = self.rows(
            "SELECT data FROM records WHERE kind = 'planned' AND client_order_id = ?", key
        )
        words = [json.loads(data)["verdict"] for (data,) in said]
        if not words or not all(word.startswith(("passed", "an exit")) for word in words):
            self.wrong.append(f"{key} left with the verdict {words}")

    def _look_at_limits(self) -> None:
        entries = [order for order in self.exchange.orders() if _may_enter(order)]
        account = next(iter(self.exchange.state.accounts.values()))
        held = account.positions.get(f"{SYMBOL} BOTH")
        size = max(Decimal(0) if held is None else held.amount, Decimal(0))
        size += sum((order.left for order in entries), Decimal(0))
        if size * LOWEST > MOST:
            self.wrong.append(f"{size} {SYMBOL} may be held, the limit is {MOST}")
        if len(entries) > OPEN:
            self.wrong.append(f"{len(entries)} entries are open")

    def per_minute(self) -> None:
        """How many entries were decided within any minute."""
        rows = self.rows("SELECT planned_at, intent FROM legs ORDER BY planned_at")
        entered = [at for at, text in rows if _is_entry(json.loads(text))]
        for first, last in zip(entered, entered[A_MINUTE:], strict=False):
            if last - first < 60_000:
                self.wrong.append(f"more than {A_MINUTE} entries within a minute from {first}")


def _may_enter(order: Order) -> bool:
    return order.is_open and not order.reduce_only and not order.close_position


def _is_entry(intent: dict[str, object]) -> bool:
    closes = intent.get("reduce_only") or intent.get("close_position")
    return "side" in intent and not closes


def play(story: Story, rules: RuleSet = RULES) -> Outcome:
    """One history, watched by a Guarded exchange."""
    with cheap.openings(), cheap.folder() as folder:
        return _Watched(story, rules, folder).run()


class _Watched(History):
    def __init__(self, story: Story, rules: RuleSet, folder: Path) -> None:
        with patch("tests.simulation.history.Witness", Guarded):
            super().__init__(story, rules, folder)

    def _reckon(self) -> None:
        super()._reckon()
        assert isinstance(self.exchange, Guarded)
        self.exchange.per_minute()


def story(seed: int) -> Story:
    """A long storm without a restored journal: what is forgotten cannot be counted."""
    return Story(seed, at_least=30, rates=STORM)


def test_no_history_passes_a_limit(base_seed: int) -> None:
    """Lost answers, late copies, crashes and restarts: the exchange never has too much."""
    orders = 0
    for seed in range(base_seed, base_seed + HISTORIES):
        outcome = play(story(seed))
        assert not outcome.wrong, f"{outcome.story}: {outcome.wrong}"
        orders += outcome.orders
    assert orders > HISTORIES


def no_pending() -> AbstractContextManager[object]:
    """What is not settled, or rests, counts as if it were not there."""
    pending = Ahead.pending

    def none(self: Ahead, symbol: str | None) -> list[Pending]:
        return pending(self, symbol)[:0]

    return patch.object(Ahead, "pending", none)


def test_a_missing_rule_is_noticed(base_seed: int) -> None:
    """Without it some history soon has too much on the exchange."""
    for seed in range(base_seed, base_seed + 200):
        with no_pending():
            found = play(story(seed)).wrong
        if any("may be held" in each or "entries are open" in each for each in found):
            return
    pytest.fail(f"200 histories from seed {base_seed} miss it")
