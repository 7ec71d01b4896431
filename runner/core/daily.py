"""The account's result of a UTC day: its equity now, against the equity that the day began with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from runner.core.decision import RuleMemory
from runner.core.events import AccountUpdate
from runner.core.figures import figure
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


def counted_until(memories: Mapping[tuple[str, str], RuleMemory]) -> int | None:
    """The exchange's time up to which every transfer is in what is remembered; None: unknown."""
    until = memories.get(KEY, RuleMemory()).triggers.get("day", {}).get("until")
    return None if until is None else int(until)


def stated(work: Work, view: View, update: AccountUpdate) -> Decimal:
    """Take a statement of the account into the view; the first one of a day opens it.

    The day begins with the equity that was stated last before it, where this process heard it.
    What is deposited or withdrawn moves the opening, as soon as the stated equity shows it.
    Returns what this statement is the first to show of that; below 0 it was withdrawn.
    """
    waiting = _waiting(work)
    if update.transferred:
        waiting = [*waiting, Transfer(update.transferred, update.event_time)]
    before = view.account.equity if view.account is not None else None
    view.apply_account(update)
    begun, until, moved = view.opening, counted_until({KEY: work.memory(*KEY)}), Decimal(0)
    if update.equity is not None:
        seen = [each for each in waiting if each.event_time <= update.event_time]
        waiting = [each for each in waiting if each not in seen]
        moved = sum((each.amount for each in seen), moved)
        if begun is None or begun.day != work.now // DAY:
            # the first equity that is heard of shows what came before it
            begun = Opening(work.now // DAY, update.equity if before is None else before + moved)
            until = update.event_time
        elif seen or until is None:
            begun = replace(begun, equity=begun.equity + moved)
            until = update.event_time
    view.opening = begun
    _remember(work, begun, waiting, until)
    return moved


def catch_up(work: Work, transfers: Sequence[Transfer]) -> None:
    """Take all that was deposited and withdrawn since `counted_until`, as the exchange tells it.

    What was heard then and no statement showed is among it. The next equity shows it.
    """
    memories = {KEY: work.memory(*KEY)}
    _remember(work, opening(memories), transfers, counted_until(memories))
    moved = sum((each.amount for each in transfers), Decimal(0))
    if moved:
        what = "deposited" if moved > 0 else "withdrawn"
        text = f"{figure(abs(moved))} USDT were {what} while nobody saw it: neither loss nor gain"
        work.record("notify", text)


def _waiting(work: Work) -> list[Transfer]:
    own: Mapping[str, Any] = work.memory(*KEY).triggers.get("transfers", {})
    return [Transfer(Decimal(amount), at) for amount, at in own.get("waiting", ())]


def _remember(
    work: Work, begun: Opening | None, waiting: Sequence[Transfer], until: int | None
) -> None:
    triggers: dict[str, Mapping[str, Any]] = {}
    if begun is not None:
        day = {"day": begun.day, "equity": str(begun.equity)}
        triggers["day"] = day if until is None else {**day, "until": until}
    if waiting:
        told = [[str(each.amount), each.event_time] for each in waiting]
        triggers["transfers"] = {"waiting": told}
    work.put_memory(*KEY, RuleMemory(triggers=triggers))
