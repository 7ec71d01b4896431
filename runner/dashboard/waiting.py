"""How rules stand and what the account holds, asked of the runner seldom and never waited for.

Every question is a record of the journal: pages that refresh themselves must not fill it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from runner.core.decision import RuleMemory
from runner.core.rules import Rule, RuleSet
from runner.core.standing import remembered, standing
from runner.core.state import State
from runner.dashboard.desk import Desk, Plain

EVERY_RULE = 30_000
"""Ms between two questions about all rules, while somebody opens that page."""

ONE_RULE = 10_000
ACCOUNT = 10_000
FRESH = 120_000
"""Ms after which an answer is too old to be shown at all."""

MOST_KEPT = 64


@dataclass(frozen=True, slots=True)
class Stand:
    """How rules stand: as the runner saw at `at` (ms), or from the journal when `at` is None."""

    at: int | None
    rules: Mapping[str, Any]

    def of(self, row: Mapping[str, Any]) -> Plain | None:
        """On one symbol: `reason`, `text`, `triggers`, `conditions`; None when nobody can tell."""
        found = [e for e in self.rules.get(row["rule_id"], ()) if e["symbol"] == row["symbol"]]
        return dict(found[0]) if found else None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the runner said at a time (ms); None when it did not answer."""

    at: int
    told: Plain | None


class Waiting:
    """The newest answers. Any thread may ask; the runner is asked by threads of its own."""

    def __init__(self, desk: Desk, now: Callable[[], int], notice: Callable[[], None]) -> None:
        """`now`: ms; `notice` is called when an answer came, for those who watch."""
        self._desk = desk
        self._now = now
        self._notice = notice
        self._lock = threading.Lock()
        self._answers: dict[str, Answer] = {}
        self._asking: set[str] = set()

    def rules(self) -> Stand:
        """All rules; a question goes out when the answer is old."""
        told = self._answer("rules", EVERY_RULE, self._desk.look)
        return self._from_journal(self._desk.rules()) if told is None else _stand(told)

    def rule(self, rule_id: str) -> Stand:
        """One rule."""
        told = self._answer(f"rule {rule_id}", ONE_RULE, lambda: self._desk.look(rule_id=rule_id))
        if told is not None:
            return _stand(told)
        known = self._desk.rules()
        return self._from_journal({rule_id: known[rule_id]} if rule_id in known else {})

    def levels(self, symbol: str) -> Plain | None:
        """The rules of one symbol with the levels that they wait for; None before an answer."""
        told = self._answer(f"on {symbol}", ONE_RULE, lambda: self._desk.look(symbol=symbol))
        return None if told is None else told.told

    def account(self) -> Plain | None:
        """Positions with their exits, and balances, `as_of` a time (ms); None before an answer."""
        told = self._answer("account", ACCOUNT, self._desk.account)
        return None if told is None else told.told

    def forget(self) -> None:
        """A command was given: what was seen before it is old."""
        with self._lock:
            self._answers.clear()

    def _answer(self, key: str, age: int, ask: Callable[[], Plain | None]) -> Answer | None:
        """The newest answer unless it is much too old; asks anew, aside, when it is `age` old."""
        now = self._now()
        with self._lock:
            known = self._answers.get(key)
            if (known is None or now - known.at >= age) and key not in self._asking:
                self._asking.add(key)
                name = f"look-{key}"
                threading.Thread(target=self._ask, args=(key, ask), name=name, daemon=True).start()
        good = known is not None and known.told is not None and now - known.at < FRESH
        return known if good else None

    def _ask(self, key: str, ask: Callable[[], Plain | None]) -> None:
        told: Plain | None = None
        try:
            told = ask()
        finally:
            with self._lock:
                self._asking.discard(key)
                while len(self._answers) >= MOST_KEPT:
                    self._answers.pop(next(iter(self._answers)))
                self._answers[key] = Answer(self._now(), told)
        if told is not None:
            self._notice()

    def _from_journal(self, rules: Mapping[str, Rule]) -> Stand:
        state = State()
        with self._desk.journal() as journal:
            for each in journal.memories():
                key = (each.pop("rule_id"), each.pop("symbol"))
                state.memories[key] = RuleMemory(**each)
        work, world = remembered(RuleSet(dict(rules)), state, self._now())
        return Stand(
            None,
            {
                rule.id: [standing(work, world, rule, symbol).plain() for symbol in rule.symbols]
                for rule in rules.values()
            },
        )


def _stand(answer: Answer) -> Stand:
    told = answer.told or {}
    return Stand(answer.at, told.get("rules", {}))
