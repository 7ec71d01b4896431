"""The composition root: a cell for each account, and the doors that they share."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from runner.arming import Arming
from runner.cell import Cell, House
from runner.connecting import Place, wall_ms
from runner.core.decision import AlertAnswer
from runner.core.events import Alert, Command, Fire
from runner.dispatcher import Observer
from runner.errors import RunnerError, VenueError
from runner.hooking import command_of, hook_table
from runner.journal import Journal, place_of
from runner.latecomers import Latecomer
from runner.leading import lead_all, share_of
from runner.ops.secrets import Secrets
from runner.ops.vetting import vet
from runner.reloading import Candidate, Reloader, Reloading
from runner.roster import Means, Observers, Roster
from runner.routing import Routes, no_such_account, told_together
from runner.rulebook.watch import Watch
from runner.settings import Settings
from runner.sharing import Shares, read_shares, traded
from runner.sources.door import Reply
from runner.sources.hooks import HookTable
from runner.sources.readiness import Readiness, together
from runner.sources.server import HookServer
from runner.sources.webhook import create_app
from runner.venues import Venue

if TYPE_CHECKING:
    from runner.metrics.server import MetricsServer
    from runner.venues.paper.server import PaperServer

log = logging.getLogger(__name__)

ALERT_PATIENCE = 2.5
"""Seconds an alert waits for its commit; TradingView gives up after 3."""

HELD_PATIENCE = 60.0
"""Seconds it waits for a start where systemd kept it: its sender is gone, nobody sends it again."""

SHORTEST_PATIENCE = 0.2
"""Of it, what is left at least for the commit when the alert had to wait for the start."""

LOOK_AGAIN = 0.02
"""Seconds between two looks whether the start is over."""

FIRST_PRICES = 5.0
"""Seconds that a reload waits for the first prices of what its rules ask for and nobody read."""


def anyone(account: str) -> None:
    """Let every account trade."""
    del account


def unobserved(account: str) -> Sequence[Observer]:
    """Nobody."""
    del account
    return ()


class App:
    """One runner: built by the constructor, started, watched, stopped."""

    def __init__(
        self,
        place: Place,
        settings: Settings,
        paper: PaperServer | None = None,
        observers: Observers = unobserved,
        *,
        only_paper: bool = True,
        accept_restored: bool = False,
        journals: Mapping[str, Journal] | None = None,
        hook_server: HookServer | None = None,
        arming: Arming = Arming(),  # noqa: B008 - frozen
        admit: Callable[[str], None] = anyone,
        late: Mapping[str, VenueError] | None = None,
    ) -> None:
        """Build everything, or raise a RunnerError that says what is wrong; nothing runs yet.

        With `only_paper` every account trades on `paper`, if that is there; else those that say so.
        `observers` gives those of an account; `accept_restored`: a journal may be older than what
        it led to. `journals`, by account, and `hook_server` are given where this runner stood by
        before it led. `admit` raises RunnerError for an account that may not trade yet; `late` are
        those of several for which it did.
        """
        self.place = place
        self.settings = settings
        self.paper = paper
        self._only_paper = only_paper
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self.secrets = Secrets(settings.secrets, place.folder)
        started_at = self._loaded_at = wall_ms()
        self._arming = arming
        self._house = House(
            place.folder,
            self.secrets,
            self._stop,
            self.turned_at,
            started_at,
            accept_restored,
            arming.reason if arming.accounts else "",
        )
        self.accounts = tuple(journals or traded(place, settings))
        self._shares = {name: share_of(settings, name) for name in self.accounts}
        self._journals = dict(journals or {})
        self.metrics: MetricsServer | None = None
        if settings.metrics is not None:
            from runner.metrics.server import MetricsServer

            self.metrics = MetricsServer(self.accounts)
        means = Means(
            place,
            self._house,
            self._shares,
            self._journals,
            observers,
            admit,
            paper,
            only_paper,
            lambda name: None if self.metrics is None else self.metrics.counting(name),
        )
        self.roster = Roster(means, late or {})
        try:
            self._build(hook_server)
        except BaseException:
            self.give_back()
            raise

    def _build(self, hook_server: HookServer | None) -> None:
        if not self._journals:
            restored = self._house.accept_restored
            lead_all(self._journals, self.place, self.settings, self._shares, restored)
        venues = self.roster.connect()
        watch = Watch(self.place.rules, tests=self.settings.reload_tests)
        found = self._shared(venues)
        self.rules = found.whole
        self._hooks = hook_table(self.rules, self.secrets, self.settings)
        self.roster.build(venues, found.by_account)
        self._routes = Routes(found.by_account)
        self._doors(watch, hook_server)

    def _doors(self, watch: Watch, hook_server: HookServer | None) -> None:
        work = Reloading(
            read=self._read,
            prepare=self._prepare,
            loops=self.roster.loops,
            taken=self._taken,
            over=self._release,
            alone=self.roster.alone,
        )
        self.reloader = Reloader(watch, self.settings.reload_poll / 1000, work)
        app = create_app(
            lambda: self._hooks,
            self.submit,
            self.readiness,
            wall_ms,
            allow=self.settings.allow,
            proxies=self.settings.trusted_proxies,
            readiness_of=self.readiness_of,
            hand_in=self.hand_in,
        )
        self.hook_server = hook_server or HookServer(app, *self.settings.hook)
        if self.metrics is not None and self.settings.metrics is not None:
            self.metrics.answers.attend(app)
            for name, late in self.roster.late.items():
                self.metrics.wait_for(name, late.readiness)
            for name in self.accounts:
                self.roster.attend(name, partial(self._measure, self.metrics, name))
            self.metrics.start(*self.settings.metrics)

    def _measure(self, metrics: MetricsServer, name: str, cell: Cell) -> None:
        metrics.read(name, cell.sources(lambda: self._loaded_at))

    def _shared(self, venues: Mapping[str, Venue]) -> Shares:
        """Each account's rules. Raises RunnerError, also for those that may not go live yet."""
        found = read_shares(self.place, self.settings, venues, self.accounts)
        places = {place_of(self.place.folder, each.journal) for each in self._shares.values()}
        self._arming.check(found.by_account, places)
        return found

    def _read(self) -> Candidate:
        found = self._shared(self.roster.venues())
        tests = vet(self.place.rules) if self.settings.reload_tests else 0
        hooks = hook_table(found.whole, self.secrets, self.settings)
        return Candidate(found.whole, hooks, tests, found.by_account)

    def _prepare(self, found: Candidate) -> None:
        for name, cell in self.cells.items():
            cell.markets.cover(found.of(name).wanted, FIRST_PRICES)

    def _taken(self, found: Candidate) -> None:
        self.rules, self._hooks = found.rules, found.hooks
        self.roster.rules = {name: found.of(name) for name in self.accounts}
        for name, cell in self.cells.items():
            cell.rules = self.roster.rules[name]
        self._routes = Routes(self.roster.rules)
        self._loaded_at = wall_ms()

    def _release(self) -> None:
        for cell in self.cells.values():
            cell.markets.release(cell.rules.wanted)

    # which account is which

    @property
    def cells(self) -> Mapping[str, Cell]:
        """The accounts at work."""
        return self.roster.cells

    @property
    def cell(self) -> Cell:
        """The only account, or the first of several: the default one where it is traded with."""
        return next(iter(self.cells.values()))

    # life

    def start(self) -> None:
        """Start every thread; alerts are answered 503 until the accounts were read."""
        self.roster.start(self.hook_server.url, self._shared)
        if not self.hook_server.alive:
            self.hook_server.start()
        self.reloader.start()

    def give_back(self) -> None:
        """Close every journal of a runner that does not start after all."""
        for journal in self._journals.values():
            journal.close()

    def turned_at(self) -> int:
        """When the loop of each account had turned (ms): the earliest of their last turns."""
        return min(cell.dispatcher.turned_at for cell in self.cells.values())

    def watch(self) -> None:
        """Raise RunnerError when a thread died: then the process must end, with an error."""
        late = list(self.roster.late.values())
        watched: list[Cell | Latecomer] = [*self.cells.values(), *late]
        if any(each.lead_lost for each in watched):
            log.critical("the lead could not be renewed: another runner may lead by now")
            os._exit(1)
        for name, cell in self.cells.items():
            if cell.dead:
                of = f" of account {name}" if len(self.cells) > 1 else ""
                what = f"a stream reader, alarm clock, kill or telling thread{of}"
                self._failure = cell.failure or RunnerError(f"{what} died")
        self._failure = next((each.failure for each in late if each.failure), self._failure)
        unseen = self.metrics is not None and not self.metrics.alive
        if unseen or not (self.hook_server.alive and self.reloader.alive):
            self._failure = RunnerError("a hook server, metrics or reload thread died")
        if self._failure is not None:
            self._stop.set()
            raise RunnerError(f"stopped, because: {self._failure}") from self._failure

    def stop(self) -> None:
        """Stop cleanly: alerts first, then decisions, then what is on the wire."""
        self._stop.set()
        self.hook_server.stop()
        self.reloader.stop()
        for late in list(self.roster.late.values()):
            late.stop()
        cells = list(self.cells.values())
        orderly = self._failure is None and not any(cell.failure for cell in cells)
        if len(cells) == 1:
            cells[0].wind_down(orderly=orderly)
        else:
            with ThreadPoolExecutor(len(cells), "stop") as pool:
                list(pool.map(lambda cell: cell.wind_down(orderly=orderly), cells))
        if self.metrics is not None:
            self.metrics.stop()
        for cell in cells:
            cell.close()
        for name in self.roster.late:
            self._journals[name].close()

    # what other threads ask

    @property
    def hooks(self) -> HookTable:
        """The hooks of the rules that run."""
        return self._hooks

    def submit(self, event: Alert | Fire) -> AlertAnswer | None:
        """Have an alert or a command decided and committed; None when that cannot be now.

        Where several accounts have a rule for it, each decides, and one answer tells of all.
        """
        command = command_of(event, self.settings) if isinstance(event, Alert) else None
        account = account_in(event) if command is not None else ""
        names = self.accounts_for(command or event, account)
        if not names:
            return no_such_account(account, self.accounts)
        waiting, told = self.roster.late, command or event
        answers: dict[str, AlertAnswer] = {}
        for name in [name for name in names if name in waiting]:
            kept = waiting[name].keep(told, event if isinstance(event, Alert) else None)
            if kept is None:
                return None
            answers[name] = kept
        cells = {name: self.cells[name] for name in names if name not in waiting}
        if command is not None and command.verb == "kill":
            for cell in cells.values():
                cell.kill_switch.now(command.key)
        held = self.hook_server.held and not all(cell.began for cell in cells.values())
        until = time.monotonic() + (HELD_PATIENCE if held else ALERT_PATIENCE)
        if self._stop.is_set() or not (command or self._takes(cells.values(), until)):
            return None
        left = min(max(until - time.monotonic(), SHORTEST_PATIENCE), ALERT_PATIENCE)
        return _asked(cells, told, left, answers)

    def hand_in(self, alert: Alert) -> Reply | None:
        """Have one account decide an alert, and wait for nothing; None: ask `submit` about it."""
        names = self.accounts_for(alert)
        cell = self.cells.get(names[0]) if len(names) == 1 else None
        if cell is None or alert.path in self.settings.commands or self._stop.is_set():
            return None
        return cell.dispatcher.hand_in(alert) if cell.began and cell.taking() else None

    def accounts_for(self, event: Alert | Fire | Command, account: str = "") -> tuple[str, ...]:
        """The accounts that an event is for; a command may name its `account`."""
        match event:
            case Alert():
                return self._routes.of_alert(event.path)
            case Fire():
                return self._routes.of_rule(event.rule_id)
            case Command():
                return self._routes.of_command(event, account)

    def _takes(self, cells: Iterable[Cell], until: float) -> bool:
        """Whether alerts are taken; those that come during the start wait for its end."""
        for cell in cells:
            while not (taking := cell.taking()) and not cell.began:
                if time.monotonic() >= until or self._stop.wait(LOOK_AGAIN):
                    return False
            cell.began = True
            if not taking:
                return False
        return True

    def taking(self) -> bool:
        """Whether alerts are taken now, by every account."""
        return all(cell.taking() for cell in self.cells.values())

    def readiness_of(self, name: str) -> Readiness | None:
        """The same of one account; None where there is none of this name."""
        late = self.roster.late.get(name)
        if late is not None:
            return late.readiness()
        return self.cells[name].readiness() if name in self.cells else None

    def readiness(self) -> Readiness:
        """Whether alerts become orders, and if not, why not."""
        states = {name: self.readiness_of(name) for name in self.accounts}
        return together({name: state for name, state in states.items() if state is not None})

    def ready(self) -> bool:
        """Whether each account that could begin is ready; what could not is no reason to wait."""
        return all(cell.readiness().ready for cell in list(self.cells.values()))


def _asked(
    cells: Mapping[str, Cell],
    event: Alert | Fire | Command,
    patience: float,
    answers: dict[str, AlertAnswer],
) -> AlertAnswer | None:
    """Each account's answer as one, `answers` among them; None when one could not commit in time.

    Then the sender sends it again, and who had it knows it.
    """
    until = time.monotonic() + patience
    replies = {name: cell.dispatcher.hand_in(event) for name, cell in cells.items()}
    for name, reply in replies.items():
        with suppress(TimeoutError):
            left = max(until - time.monotonic(), 0)
            answer = reply.result(left) if reply is not None else None
            if answer is not None:
                answers[name] = answer
    if not cells.keys() <= answers.keys():
        return None
    return told_together(answers, command=isinstance(event, Command))


def account_in(event: Alert | Fire) -> str:
    """The account that the body of a command names."""
    return str(event.fields.get("account", "")) if isinstance(event, Alert) else ""
