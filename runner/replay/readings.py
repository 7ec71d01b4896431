"""When a replay reads the clock and the account: as the daemon, where it may tell anything new."""

from __future__ import annotations

from runner.core.orders import Call, ReadCall, TimeCall
from runner.core.rules import Priced, Rule, RuleSet
from runner.replay.series import DAY
from runner.venues.paper.account import Account
from runner.venues.paper.state import State

ACCOUNT_EVERY = 60_000
CLOCK_EVERY = 3_600_000
"""Ms; a clock that nobody compares is trusted for less than three hours."""


class Readings:
    """Remembers what was read when."""

    def __init__(self, state: State, account: Account, rules: RuleSet) -> None:
        """Nothing was read yet."""
        self._reckoned = any(_reckons(rule) for rule in rules.rules.values())
        self._state = state
        self._account = account
        self._clock_at = self._account_at = 0
        self._version = -1

    def due(self, now: int) -> list[Call]:
        """What is asked at this moment (UTC ms)."""
        calls: list[Call] = []
        if now - self._clock_at >= CLOCK_EVERY:
            self._clock_at = now
            calls.append(TimeCall())
        if now - self._account_at >= ACCOUNT_EVERY and self._may_differ(now):
            self._account_at, self._version = now, self._state.version
            calls.append(ReadCall("account"))
        return calls

    def _may_differ(self, now: int) -> bool:
        """Without a position prices change nothing; each day begins with a reading."""
        if not self._reckoned:
            return False
        held = any(one.amount for one in self._account.positions.values())
        return held or self._version != self._state.version or now // DAY != self._account_at // DAY


def _reckons(rule: Rule) -> bool:
    """True where a rule may look at the account's money: in a formula, a size, a level, a guard."""
    return (
        any(name.startswith("account.") for name in rule.named)
        or any(isinstance(action, Priced) and action.sources for action in rule.actions)
        or any(getattr(trigger, "moving", False) for trigger in rule.triggers)
        or rule.limits.written
        or rule.own_limits.written
    )
