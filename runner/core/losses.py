"""What the account lost on the day and from its highest, and since when nothing may be opened."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from runner.core.decision import RuleMemory
from runner.core.state import Work
from runner.core.values import dataclass, replace
from runner.core.view import DAY, Opening, View

ZERO = Decimal(0)

LOSSES: Final = ":losses"
"""The rule id (no rule can have it) under which losses and what they closed are remembered."""

KEY = (LOSSES, "")


@dataclass(frozen=True, slots=True)
class Losses:
    """The largest loss of a UTC day and the equity that it began with; the highest equity ever,
    since the last unlock, and how far it has been under that.

    They never get smaller before the day, or the unlock, is over: a limit that was reached once
    stays reached while the account recovers.
    """

    day: int
    begun: Decimal
    lost: Decimal
    peak: Decimal
    drawdown: Decimal

    def lost_on(self, now: int) -> Decimal:
        """The largest loss of today."""
        return self.lost if self.day == now // DAY else ZERO

    def begun_on(self, now: int) -> Decimal:
        """The equity that today began with."""
        return self.begun if self.day == now // DAY else self.begun - self.lost

    def stated(self, equity: Decimal, opening: Opening, moved: Decimal) -> Losses:
        """After a statement; `moved` was deposited (or withdrawn, below 0) with it."""
        same = self.day == opening.day
        lost = max(opening.equity - equity, self.lost if same else ZERO, ZERO)
        peak = max(self.peak + moved, equity)
        drawdown = max(self.drawdown, peak - equity)
        return Losses(opening.day, opening.equity, lost, peak, drawdown)


def known(memories: Mapping[tuple[str, str], RuleMemory]) -> Losses | None:
    """What is remembered; None before the first statement of the account."""
    own = memories.get(KEY, RuleMemory()).triggers.get("account")
    if own is None:
        return None
    figures = {name: Decimal(own[name]) for name in ("begun", "lost", "peak", "drawdown")}
    return Losses(own["day"], **figures)


def unhurt(view: View, now: int) -> Losses | None:
    """Nothing lost so far, for whoever looks at an account without its journal."""
    equity = None if view.account is None else view.account.equity
    return None if equity is None else Losses(now // DAY, equity, ZERO, equity, ZERO)


def now_known(work: Work) -> Losses | None:
    """The same, as this decision has it."""
    return known({KEY: work.memory(*KEY)})


def stated(work: Work, equity: Decimal | None, opening: Opening | None, moved: Decimal) -> None:
    """The account was stated: remember what it lost."""
    if equity is None or opening is None:
        return
    before = now_known(work) or Losses(opening.day, opening.equity, ZERO, equity, ZERO)
    _keep(work, "account", _plain(before.stated(equity, opening, moved)))


def forgive(work: Work, equity: Decimal | None) -> bool:
    """A person unlocks: the highest equity is what it is now. False when there was no drawdown."""
    before = now_known(work)
    if before is None or not before.drawdown:
        return False
    peak = before.peak - before.drawdown if equity is None else equity
    _keep(work, "account", _plain(replace(before, peak=peak, drawdown=ZERO)))
    return True


def closed(memories: Mapping[tuple[str, str], RuleMemory]) -> Mapping[str, str]:
    """The limits on losses that are reached, by guard and place, each with its sentence."""
    return memories.get(KEY, RuleMemory()).triggers.get("reached", {})


def close(work: Work, reached: Mapping[str, str]) -> None:
    """Remember which limits are reached."""
    _keep(work, "reached", reached)


def _plain(losses: Losses) -> dict[str, Any]:
    figures = ("begun", "lost", "peak", "drawdown")
    return {"day": losses.day, **{name: str(getattr(losses, name)) for name in figures}}


def _keep(work: Work, name: str, own: Mapping[str, Any]) -> None:
    memory = work.memory(*KEY)
    work.put_memory(*KEY, replace(memory, triggers={**memory.triggers, name: own}))
