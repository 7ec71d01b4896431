"""The composition root: a cell for each account, and the doors that they share."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from runner.arming import Arming
from runner.cell import Cell, House, Trade
from runner.connecting import PAPER, Place, connect, wall_ms
from runner.core.decision import AlertAnswer
from runner.core.events import Alert, Command, Fire
from runner.dispatcher import Observer
from runner.errors import RunnerError, VenueError
from runner.hooking import command_of, hook_table
from runner.journal import Journal, place_of
from runner.leading import lead_all, share_of
from runner.metrics.server import MetricsServer
from runner.ops.secrets import Secrets
from runner.ops.vetting import vet
from runner.reloading import Candidate, Loop, Reloader, Reloading
from runner.routing import Routes, no_such_account, told_together
from runner.rulebook.watch import Watch
from runner.settings import Settings
from runner.sharing import Shares, distinct, read_shares, traded
from runner.sources.door import Reply
from runner.sources.hooks import HookTable
from runner.sources.readiness import Readiness, together
from runner.sources.server import HookServer
from runner.sources.webhook import create_app
from runner.venues import Venue
from runner.venues.paper.server import PaperServer
from runner.venues.registry import account_name

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


Observers = Callable[[str], Sequence[Observer]]
"""Who sees an account's decisions, by its name."""


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
    ) -> None:
        """Build everything, or raise a RunnerError that says what is wrong; nothing runs yet.

        With `only_paper` every account trades on `paper`, if that is there; else those that say so.
        `observers` gives those of an account; `accept_restored`: a journal may be older than what
        it led to. `journals`, by account, and `hook_server` are given where this runner stood by
        before it led.
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
        try:
            self._build(observers, hook_server)
        except BaseException:
            for journal in self._journals.values():
                journal.close()
            raise

    def _build(self, observers: Observers, hook_server: HookServer | None) -> None:
        if not self._journals:
            restored = self._house.accept_restored
            lead_all(self._journals, self.place, self.settings, self._shares, restored)
        self.metrics = MetricsServer(self.accounts) if self.settings.metrics is not None else None
        venues = self._venues()
        watch = Watch(self.place.rules, tests=self.settings.reload_tests)
        found = self._shared(venues)
        self.rules = found.whole
        self._hooks = hook_table(self.rules, self.secrets, self.settings)
        self.cells: dict[str, Cell] = {}
        for name, share in self._shares.items():
            shown = self._shown(name)
            exchange = self.paper.addresses if self.paper and self._on_paper(name) else None
            trade = Trade(shown, self._mode(name), venues[name], self._journals[name], exchange)
            counting = self.metrics.counting(name) if self.metrics is not None else None
            self.cells[name] = Cell(
                self._house, share, trade, found.by_account[name], observers(shown), counting
            )
        self._routes = Routes(found.by_account)
        self._doors(watch, hook_server)

    def _venues(self) -> dict[str, Venue]:
        venues: dict[str, Venue] = {}
        for name, share in self._shares.items():
            paper = self.paper if self._on_paper(name) else None
            venues[name] = connect(self.place, share, paper, self.secrets, venues.values())
        if len(venues) > 1:
            distinct({name: _known_as(venue) for name, venue in venues.items()})
        return venues

    def _doors(self, watch: Watch, hook_server: HookServer | None) -> None:
        work = Reloading(
            read=self._read,
            prepare=self._prepare,
            loops={
                name: Loop(cell.dispatcher.hand_in, lambda cell=cell: cell.rules)  # type: ignore[misc]
                for name, cell in self.cells.items()
            },
            taken=self._taken,
            over=self._release,
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
            for name, cell in self.cells.items():
                self.metrics.read(name, cell.sources(lambda: self._loaded_at))
            self.metrics.start(*self.settings.metrics)

    def _shared(self, venues: Mapping[str, Venue]) -> Shares:
        """Each account's rules. Raises RunnerError, also for those that may not go live yet."""
        found = read_shares(self.place, self.settings, venues)
        places = {place_of(self.place.folder, each.journal) for each in self._shares.values()}
        self._arming.check(found.by_account, places)
        return found

    def _read(self) -> Candidate:
        venues = {name: cell.venue for name, cell in self.cells.items()}
        found = self._shared(venues)
        tests = vet(self.place.rules) if self.settings.reload_tests else 0
        hooks = hook_table(found.whole, self.secrets, self.settings)
        return Candidate(found.whole, hooks, tests, found.by_account)

    def _prepare(self, found: Candidate) -> None:
        for name, cell in self.cells.items():
            cell.markets.cover(found.of(name).wanted, FIRST_PRICES)

    def _taken(self, found: Candidate) -> None:
        self.rules, self._hooks = found.rules, found.hooks
        for name, cell in self.cells.items():
            cell.rules = found.of(name)
        self._routes = Routes({name: cell.rules for name, cell in self.cells.items()})
        self._loaded_at = wall_ms()

    def _release(self) -> None:
        for cell in self.cells.values():
            cell.markets.release(cell.rules.wanted)

    # which account is which

    @property
    def cell(self) -> Cell:
        """The only account, or the first of several: the default one where it is traded with."""
        return next(iter(self.cells.values()))

    def _on_paper(self, name: str) -> bool:
        if self.paper is None:
            return False
        return self._only_paper or self._shares[name].account().address == PAPER

    def _shown(self, name: str) -> str:
        """Its name for journal and world; who has only the paper exchange needs to give none."""
        alone = len(self.accounts) == 1 and not self._shares[name].apart
        return PAPER if alone and self._on_paper(name) else name

    def _mode(self, name: str) -> str:
        """Paper (embedded), demo, live, or custom for addresses of the user's own."""
        if self._on_paper(name):
            return PAPER
        address = self._shares[name].account().address
        return address if isinstance(address, str) else "custom"

    # life

    def start(self) -> None:
        """Start every thread; alerts are answered 503 until the accounts were read."""
        for cell in self.cells.values():
            cell.start(self.hook_server.url)
        if not self.hook_server.alive:
            self.hook_server.start()
        self.reloader.start()

    def turned_at(self) -> int:
        """When the loop of each account had turned (ms): the earliest of their last turns."""
        return min(cell.dispatcher.turned_at for cell in self.cells.values())

    def watch(self) -> None:
        """Raise RunnerError when a thread died: then the process must end, with an error."""
        if any(cell.lead_lost for cell in self.cells.values()):
            log.critical("the lead could not be renewed: another runner may lead by now")
            os._exit(1)
        for name, cell in self.cells.items():
            if cell.dead:
                of = f" of account {name}" if len(self.cells) > 1 else ""
                what = f"a stream reader, alarm clock, kill or telling thread{of}"
                self._failure = cell.failure or RunnerError(f"{what} died")
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
        cells = {name: self.cells[name] for name in names}
        if command is not None and command.verb == "kill":
            for cell in cells.values():
                cell.kill_switch.now(command.key)
        held = self.hook_server.held and not all(cell.began for cell in cells.values())
        until = time.monotonic() + (HELD_PATIENCE if held else ALERT_PATIENCE)
        if self._stop.is_set() or not (command or self._takes(cells.values(), until)):
            return None
        left = min(max(until - time.monotonic(), SHORTEST_PATIENCE), ALERT_PATIENCE)
        return _asked(cells, command or event, left)

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
        return self.cells[name].readiness() if name in self.cells else None

    def readiness(self) -> Readiness:
        """Whether alerts become orders, and if not, why not."""
        return together({name: cell.readiness() for name, cell in self.cells.items()})


def _asked(
    cells: Mapping[str, Cell], event: Alert | Fire | Command, patience: float
) -> AlertAnswer | None:
    """Each account's answer as one; None when one of them could not commit in time.

    Then the sender sends it again, and who had it knows it.
    """
    until = time.monotonic() + patience
    replies = {name: cell.dispatcher.hand_in(event) for name, cell in cells.items()}
    answers: dict[str, AlertAnswer] = {}
    for name, reply in replies.items():
        with suppress(TimeoutError):
            left = max(until - time.monotonic(), 0)
            answer = reply.result(left) if reply is not None else None
            if answer is not None:
                answers[name] = answer
    if len(answers) < len(cells):
        return None
    return told_together(answers, command=isinstance(event, Command))


def account_in(event: Alert | Fire) -> str:
    """The account that the body of a command names."""
    return str(event.fields.get("account", "")) if isinstance(event, Alert) else ""


def _known_as(venue: Venue) -> str:
    """What the exchange calls the account; "" when it does not tell now."""
    try:
        return account_name(venue)
    except VenueError:
        return ""
