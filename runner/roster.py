"""The accounts of one runner: those that are at work, and those that could not begin yet."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from runner.cell import Cell, House, Trade
from runner.connecting import PAPER, Place, connect, wall_ms
from runner.core.rules import RuleSet
from runner.dispatcher import Observer
from runner.errors import RunnerError, VenueError
from runner.halting import waiting_words
from runner.journal import Journal, place_of
from runner.latecomers import LOOK_EVERY, Latecomer, beside
from runner.leaving import Leaving
from runner.reloading import Loop
from runner.settings import Settings
from runner.sharing import Shares, distinct
from runner.sources.readiness import Problem
from runner.venues import Venue
from runner.venues.registry import account_name, address_of

if TYPE_CHECKING:
    from runner.metrics.counting import Counting
    from runner.venues.paper.server import PaperServer

log = logging.getLogger(__name__)

Observers = Callable[[str], Sequence[Observer]]
"""Who sees an account's decisions, by its name."""

Read = Callable[[Mapping[str, Venue]], Shares]
"""Reads the rules of all accounts, checked against these exchanges; raises RulesRefused."""


@dataclass(frozen=True, slots=True)
class Means:
    """What a roster works with: `shares` are the settings of each account, in order.

    With `only_paper` every account trades on `paper`, if that is there; `admit` raises RunnerError
    for an account that may not trade yet; `counting` gives an account's figures, where asked for.
    """

    place: Place
    house: House
    shares: Mapping[str, Settings]
    journals: Mapping[str, Journal]
    observers: Observers
    admit: Callable[[str], None]
    paper: PaperServer | None
    only_paper: bool
    counting: Callable[[str], Counting | None]


class Roster:
    """`cells` are the accounts at work, `late` those that wait; both are replaced, not changed."""

    def __init__(self, means: Means, away: Mapping[str, VenueError]) -> None:
        """`away`: accounts of several that may not even be connected yet, and why."""
        self._means = means
        self._away: dict[str, VenueError] = dict(away)
        self._leaving = Leaving()
        self._attending: dict[str, list[Callable[[Cell], None]]] = {}
        self.accounts = tuple(means.shares)
        self.cells: dict[str, Cell] = {}
        self.late: dict[str, Latecomer] = {}
        self.loops: dict[str, Loop] = {}
        self.rules: Mapping[str, RuleSet] = {}
        """Each account's, also of those that wait."""

        self.alone = threading.Lock()
        """Held while an account begins, and while rules are reloaded."""

    # the start

    def connect(self) -> dict[str, Venue]:
        """The exchanges of all accounts that can be asked now; raises RunnerError if there is none.

        One account alone is never waited for: whoever started the process tries again.
        """
        venues: dict[str, Venue] = {}
        for name in self.accounts:
            if name not in self._away:
                with self._or_later(name):
                    venues[name] = self._renewing(partial(self._connected, name, dict(venues)))
        if not venues:
            raise next(iter(self._away.values()))
        if len(venues) > 1:
            distinct({name: _known_as(venue) for name, venue in venues.items()})
        return venues

    def build(self, venues: Mapping[str, Venue], rules: Mapping[str, RuleSet]) -> None:
        """Build a cell for each of these; every other account comes late. Raises RunnerError."""
        self.rules = rules
        for name, venue in venues.items():
            with self._or_later(name):
                self._put(name, self._cell(name, venue))
        if not self.cells:
            raise next(iter(self._away.values()))
        for name, why in self._away.items():
            log.error("account %s cannot begin yet, the others go on: %s", name, why)
            address = place_of(self._means.place.folder, self._means.shares[name].journal)
            keep = partial(self._leaving.leave, address)
            journal = self._means.journals[name]
            self.late[name] = Latecomer(self.shown(name), journal, keep, why, wall_ms)

    def _renewing(self, reach: Callable[[], Venue]) -> Venue:
        """What comes of it; leads that must be renewed are, however long the exchange takes."""
        journals = [one for one in self._means.journals.values() if one.lease_ttl is not None]
        if len(self.accounts) == 1 or not journals:
            return reach()
        answer = beside(reach)
        while not wait([answer], LOOK_EVERY).done:
            for journal in journals:
                journal.beat()
        return answer.result()

    @contextmanager
    def _or_later(self, name: str) -> Iterator[None]:
        try:
            yield
        except VenueError as error:
            if len(self.accounts) == 1:
                raise
            self._away[name] = error

    def _connected(self, name: str, others: Mapping[str, Venue]) -> Venue:
        means = self._means
        paper = means.paper if self.on_paper(name) else None
        share, secrets = means.shares[name], means.house.secrets
        return connect(means.place, share, paper, secrets, others.values())

    def _cell(self, name: str, venue: Venue) -> Cell:
        means, shown = self._means, self.shown(name)
        exchange = means.paper.addresses if means.paper and self.on_paper(name) else None
        trade = Trade(shown, self.mode(name), venue, means.journals[name], exchange)
        share, observers = means.shares[name], means.observers(shown)
        counting, rules = means.counting(name), self.rules[name]
        first = not self.cells
        return Cell(
            means.house,
            share,
            trade,
            rules,
            observers,
            counting,
            # nobody watches for those that wait but the first at work
            self._waiting if first else tuple,
        )

    def _waiting(self) -> Sequence[Problem]:
        return [late.problem() for late in self.late.values()]

    def _put(self, name: str, cell: Cell) -> None:
        cells = {**self.cells, name: cell}
        self.cells = {each: cells[each] for each in self.accounts if each in cells}
        self.loops[name] = Loop(cell.dispatcher.hand_in, lambda: cell.rules)

    # later

    def start(self, hook: str, read: Read) -> None:
        """Start every cell, and let the others try; `read` is asked before one of them begins."""
        for cell in self.cells.values():
            cell.start(hook)
        for name, late in self.late.items():
            words = waiting_words(late.since, late.name, self.mode(name), hook, late.why)
            late.start(words, partial(self._reach, name), partial(self._begin, name, hook, read))

    def _reach(self, name: str) -> Venue:
        self._means.admit(name)
        venues = self.venues()
        venue = venues[name] = self._connected(name, venues)
        try:
            distinct({each: _known_as(venue) for each, venue in venues.items()})
        except RunnerError:
            venue.close()
            raise
        return venue

    def _begin(self, name: str, hook: str, read: Read, venue: Venue) -> None:
        """An account begins beside those at work. Raises RunnerError when it still cannot."""
        with self.alone:
            self._check(name, venue, read)
            cell = self._cell(name, venue)
            if self._means.house.stopping.is_set():
                return
            cell.start(hook)
            self._put(name, cell)
            self.late = {each: late for each, late in self.late.items() if each != name}
        for work in self._attending.pop(name, ()):
            work(cell)

    def _check(self, name: str, venue: Venue, read: Read) -> None:
        """Raise RulesRefused where the rules that run do not fit its exchange.

        Files that were changed and not reloaded say nothing of them: the next reload does.
        """
        venues = self.venues()
        try:
            changed = read(venues).whole.revision != self.rules[name].revision
        except RunnerError:
            changed = True
        if not changed:
            read({**venues, name: venue})

    def attend(self, name: str, work: Callable[[Cell], None]) -> None:
        """Do this with the account's cell, now or once it begins."""
        if name in self.cells:
            work(self.cells[name])
        else:
            self._attending.setdefault(name, []).append(work)

    def venues(self) -> dict[str, Venue]:
        """The exchanges of the accounts at work."""
        return {name: cell.venue for name, cell in self.cells.items()}

    # which account is which

    def on_paper(self, name: str) -> bool:
        """True when the account trades on the embedded paper exchange."""
        if self._means.paper is None:
            return False
        return self._means.only_paper or self._means.shares[name].account().address == PAPER

    def shown(self, name: str) -> str:
        """Its name for journal and world; who has only the paper exchange needs to give none."""
        alone = len(self.accounts) == 1 and not self._means.shares[name].apart
        return PAPER if alone and self.on_paper(name) else name

    def mode(self, name: str) -> str:
        """Paper (embedded), demo, live, or custom for addresses of the user's own."""
        if self.on_paper(name):
            return PAPER
        address = self._means.shares[name].account().address
        return address if isinstance(address, str) else "custom"


def _known_as(venue: Venue) -> str:
    """Where the account is and what it is called there; "" when that is not told now."""
    try:
        name = account_name(venue)
    except VenueError:
        return ""
    return f"{name} on {address_of(venue)}" if name else ""
