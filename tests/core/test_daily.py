"""The account's result of the day: what it counts from, across midnight, restarts and transfers."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import pytest

from runner.core import daily
from runner.core.decision import RuleMemory
from runner.core.events import AccountUpdate
from runner.core.prices import PriceBoard
from runner.core.state import State, Work
from runner.core.view import DAY, Exposure, Names, View
from tests.core.trigger_factories import STALE_AFTER, START, SYMBOL

MIDNIGHT = START // DAY * DAY + DAY


class Account:
    """An account whose statements come in, with what is remembered of them."""

    def __init__(self, memories: Mapping[tuple[str, str], RuleMemory] | None = None) -> None:
        self.state = State(memories=dict(memories or {}))
        self.view = View(PriceBoard(STALE_AFTER))
        self.view.opening = daily.opening(self.state.memories)

    def state_of(self, equity: int | None, at: int, transferred: int = 0) -> bool:
        """One statement; True when something must be remembered."""
        work = Work(self.state, at)
        update = AccountUpdate(
            Decimal(1),
            None,
            at,
            equity=None if equity is None else Decimal(equity),
            transferred=Decimal(transferred),
        )
        daily.stated(work, self.view, update)
        return bool(work.apply({}).memories)

    def result(self, now: int) -> Decimal:
        """What a formula sees. Raises KeyError for no data."""
        names = Names(self.view, SYMBOL, now, {}, RuleMemory(), Exposure)
        value = names["account.daily_pnl"]
        assert isinstance(value, Decimal)
        return value


def test_before_the_first_statement_there_is_no_data() -> None:
    """And none from a statement that says no equity."""
    account = Account()
    with pytest.raises(KeyError):
        account.result(START)
    assert not account.state_of(None, START)
    with pytest.raises(KeyError):
        account.result(START)


def test_it_counts_from_the_first_equity_of_the_day() -> None:
    """What the runner did not see it does not count; remembered once a day, not each time."""
    account = Account()
    assert account.state_of(1_000, START)
    assert account.result(START) == 0
    assert not account.state_of(940, START + 1)
    assert account.result(START + 1) == -60


def test_a_new_day_begins_with_what_was_known_last() -> None:
    """At midnight it is 0, and what is lost before the first statement of the day counts."""
    account = Account()
    account.state_of(1_000, START)
    account.state_of(940, MIDNIGHT - 1)
    assert account.result(MIDNIGHT - 1) == -60
    assert account.result(MIDNIGHT) == 0
    assert account.state_of(930, MIDNIGHT + 1)
    assert account.result(MIDNIGHT + 1) == -10


def test_a_restart_keeps_what_the_day_began_with() -> None:
    """On another day it begins with the first equity that is heard."""
    account = Account()
    account.state_of(1_000, START)
    again = Account(account.state.memories)
    with pytest.raises(KeyError):
        again.result(START + 1)
    assert not again.state_of(900, START + 1)
    assert again.result(START + 1) == -100
    later = Account(account.state.memories)
    later.state_of(900, MIDNIGHT + 1)
    assert later.result(MIDNIGHT + 1) == 0


@pytest.mark.parametrize("amount", [500, -500])
def test_a_transfer_is_no_result(amount: int) -> None:
    """Not before the stated equity shows it, and not after; also across a restart between."""
    account = Account()
    account.state_of(1_000, START)
    assert account.state_of(None, START + 10, transferred=amount)
    assert account.result(START + 10) == 0
    account.state_of(990, START + 9)
    assert account.result(START + 10) == -10, "a reading that was asked for before it"
    for each in (account, Account(account.state.memories)):
        each.state_of(990 + amount, START + 11)
        assert each.result(START + 11) == -10


def test_a_transfer_while_the_runner_knew_nothing_of_the_day_is_in_the_opening() -> None:
    """The first equity of the day already shows what was waiting."""
    account = Account()
    account.state_of(1_000, START)
    account.state_of(None, MIDNIGHT - 1, transferred=500)
    again = Account(account.state.memories)
    again.state_of(1_480, MIDNIGHT + 1)
    assert again.result(MIDNIGHT + 1) == 0


def known(account: Account) -> int | None:
    """The time up to which every transfer is remembered."""
    return daily.counted_until(account.state.memories)


def again(account: Account, *moved: tuple[int, int]) -> tuple[Account, list[str]]:
    """The same after a restart that asked for transfers (amount, time); and what it said."""
    later = Account(account.state.memories)
    work = Work(later.state, MIDNIGHT)
    daily.catch_up(work, [daily.Transfer(Decimal(amount), at) for amount, at in moved])
    return later, [record.text for record in work.apply({}).records]


@pytest.mark.parametrize("amount", [300, -300])
def test_a_transfer_while_nobody_listened_is_no_result(amount: int) -> None:
    """The exchange tells of it after the restart, and the first equity shows it."""
    account = Account()
    account.state_of(1_000, START)
    assert known(account) == START
    later, said = again(account, (amount, START + 50))
    what = "deposited" if amount > 0 else "withdrawn"
    assert said == [f"300 USDT were {what} while nobody saw it: neither loss nor gain"]
    later.state_of(990 + amount, START + 100)
    assert later.result(START + 100) == -10
    assert known(later) == START + 100


def test_what_was_heard_and_not_shown_is_not_counted_twice() -> None:
    """The exchange tells of it, too: what was remembered of it goes."""
    account = Account()
    account.state_of(1_000, START)
    account.state_of(None, START + 10, transferred=-200)
    assert known(account) == START
    later, _ = again(account, (-200, START + 10))
    twice, _ = again(later, (-200, START + 10))
    twice.state_of(800, START + 20)
    assert twice.result(START + 20) == 0


def test_nothing_was_moved() -> None:
    """Then nothing is told, and what was remembered stays."""
    account = Account()
    account.state_of(1_000, START)
    later, said = again(account)
    assert said == []
    later.state_of(900, START + 20)
    assert later.result(START + 20) == -100
    assert known(Account()) is None


def test_a_journal_of_an_older_runner_learns_the_time() -> None:
    """With the next statement; before that nothing can be asked."""
    old = RuleMemory(triggers={"day": {"day": START // DAY, "equity": "1000"}})
    account = Account({daily.KEY: old})
    assert known(account) is None
    account.state_of(990, START + 5)
    assert known(account) == START + 5
    assert account.result(START + 5) == -10
