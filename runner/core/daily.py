"""The account's result of a UTC day: its equity now, against the equity that the day began with."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from runner.core.decision import RuleMemory
from runner.core.events import AccountUpdate
from runner.core.state import Work
from runner.core.values import dataclass, replace
from runner.core.view import DAY, Opening, View

ACCOUNT = ":account"
"""The rule id (no rule can have it) under which the day's opening equity is remembered."""

KEY = (ACCOUNT, "")


@dataclass(frozen=True, slots=True)
class Transfer:
    """Money that came in (or left, below 0) and that no stated equity shows yet."""

    amount: Decimal
    event_time: int


def opening(memories: Mapping[tuple[str, str], RuleMemory]) -> Opening | None:
    """What the last day that was seen began with; None before the first statement."""
    own = memories.get(KEY, RuleMemory()).triggers.get("day")
    return None if own is None else Opening(own["day"], Decimal(own["equity"]))


def stated(work: Work, view: View, update: AccountUpdate) -> None:
    """Take a statement of the account into the view; the first one of a day opens it.

    The day begins with the equity that was stated last before it, where this process heard it.
    What is deposited or withdrawn moves the opening, as soon as the stated equity shows it.
    """
    waiting = _waiting(work)
    if update.transferred:
        waiting = [*waiting, Transfer(update.transferred, update.event_time)]
    before = view.account.equity if view.account is not None else None
    view.apply_account(update)
    begun = view.opening
    if update.equity is not None:
        day = work.now // DAY
        if begun is None or begun.day != day:
            begun = Opening(day, update.equity if before is None else before)
            # the first equity that is heard of shows what came before it
            waiting = [] if before is None else waiting
        seen = [each for each in waiting if each.event_time <= update.event_time]
        waiting = [each for each in waiting if each not in seen]
        moved = sum((each.amount for each in seen), begun.equity)
        begun = replace(begun, equity=moved)
    view.opening = begun
    _remember(work, begun, waiting)


def _waiting(work: Work) -> list[Transfer]:
    own: Mapping[str, Any] = work.memory(*KEY).triggers.get("transfers", {})
    return [Transfer(Decimal(amount), at) for amount, at in own.get("waiting", ())]


def _remember(work: Work, begun: Opening | None, waiting: list[Transfer]) -> None:
    triggers: dict[str, Mapping[str, Any]] = {}
    if begun is not None:
        triggers["day"] = {"day": begun.day, "equity": str(begun.equity)}
    if waiting:
        told = [[str(each.amount), each.event_time] for each in waiting]
        triggers["transfers"] = {"waiting": told}
    work.put_memory(*KEY, RuleMemory(triggers=triggers))
