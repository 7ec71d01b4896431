"""The composition root: builds the ten or so objects by hand, starts them, watches them, stops."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from runner.audit import forgotten
from runner.connecting import PAPER, Place, connect, monotonic_ms, wall_ms
from runner.core.decision import AlertAnswer, Decision, Record
from runner.core.engine import Engine
from runner.core.events import Alert, Fire
from runner.core.legs import Moment
from runner.core.noticing import Noticing
from runner.core.prices import PriceBoard
from runner.core.rules import RuleSet
from runner.core.running import World
from runner.core.view import View
from runner.dispatcher import Dispatcher, Observer
from runner.errors import ConfigurationError, JournalFull, RunnerError
from runner.gateway import Gateway
from runner.halting import first_words, last_words, wind_down
from runner.hooking import command_of, hook_table
from runner.journal import Journal
from runner.killing import KillSwitch
from runner.logs import scrub
from runner.markets import Markets
from runner.metrics.readings import Sources
from runner.metrics.server import MetricsServer
from runner.ops.secrets import Secrets
from runner.ops.vetting import vet
from runner.outside import Outside
from runner.readiness import Outlook
from runner.reloading import Candidate, Reloader, Reloading
from runner.remembering import LeadWatch, lead, remembered, told, unknown_orders
from runner.rulebook.diagnostics import render
from runner.rulebook.load import load
from runner.rulebook.watch import Watch
from runner.settings import Settings
from runner.sources.hooks import HookTable
from runner.sources.readiness import Readiness
from runner.sources.schedule import AlarmClock
from runner.sources.server import HookServer
from runner.sources.webhook import create_app
from runner.venues import Stream, Venue
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


class RulesRefused(ConfigurationError):
    """The rule files have mistakes; the text is their diagnostics."""


def read_rules(place: Place, venue: Venue | None) -> RuleSet:
    """The rule set of a folder. Raises RulesRefused with every mistake of every file."""
    loaded = load(place.rules, venue.instruments() if venue is not None else None)
    if loaded.rules is None:
        raise RulesRefused(render(loaded.diagnostics))
    return loaded.rules


class App:
    """One runner: built by the constructor, started, watched, stopped."""

    def __init__(
        self,
        place: Place,
        settings: Settings,
        paper: PaperServer | None = None,
        observers: Sequence[Observer] = (),
        *,
        accept_restored: bool = False,
        journal: Journal | None = None,
        hook_server: HookServer | None = None,
    ) -> None:
        """Build everything, or raise a RunnerError that says what is wrong; nothing runs yet.

        `accept_restored`: the journal may be older than what it led to. `journal` and
        `hook_server` are given where this runner stood by before it led.
        """
        self.place = place
        self.settings = settings
        self.paper = paper
        self.started_at = self._loaded_at = wall_ms()
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self._began = False
        self.journal = journal or lead(place.folder, settings, wall_ms, accept_restored)
        try:
            self._build(observers, accept_restored, hook_server)
        except BaseException:
            self.journal.close()
            raise

    def _build(
        self,
        observers: Sequence[Observer],
        accept_restored: bool,
        hook_server: HookServer | None,
    ) -> None:
        self.secrets = Secrets(self.settings.secrets, self.place.folder)
        self.venue = connect(self.place, self.settings, self.paper, self.secrets)
        watch = Watch(self.place.rules, tests=self.settings.reload_tests)
        self.rules = read_rules(self.place, self.venue)
        self.orphans = unknown_orders(
            self.journal, self.venue, self.rules, self.settings.namespace, self.venue.server_time()
        )
        if self.orphans and not accept_restored:
            raise forgotten(self.journal.name, self.orphans)
        self._hooks = hook_table(self.rules, self.secrets, self.settings)
        self._awaited = self.rules.wanted
        self.board = PriceBoard(self.settings.stale_after, self.journal.last_alive)
        self.view = View(self.board, self.venue.instruments())
        world = World(
            self.rules,
            self.view,
            self.settings.namespace,
            self.account,
            self.journal.seen,
            self.settings.limits(self.account),
        )
        fresh = self.journal.date_restore(self.venue.server_time())
        self.engine = Engine(world, remembered(self.journal, fresh=fresh))
        noticing = Noticing(
            lambda run_id: self.engine.state.rule_ids.get(run_id, ""),
            f"account {self.account} ({self.mode})",
        )
        self.outside = Outside(self.settings, self.secrets, self.journal, noticing, wall_ms)
        self.metrics = MetricsServer() if self.settings.metrics is not None else None
        counting = self.metrics.counting if self.metrics is not None else None
        counted = () if counting is None else (counting.count,)
        self._observers = (*counted, *observers, self.outside.desk.told)
        announce = self.outside.desk.announce
        self.dispatcher = Dispatcher(
            self.engine,
            self.journal,
            self.venue,
            self.settings.timing,
            wall_ms,
            self._observers,
            remember=lambda: remembered(self.journal),
            ready=self.taking,
            clean=lambda text: scrub(text, self.secrets.values()),
            announce=announce if counting is None else counting.timed(announce),
        )
        self._outlook = Outlook(
            self.venue,
            self.dispatcher,
            self.view,
            self.engine.links,
            self.settings.timing,
            self._awaited,
            self.started_at,
            wall_ms,
        )
        self.outside.attend(self.dispatcher, lambda: self._outlooked().problems)
        measured = counting.request if counting is not None else None
        self.gateway = Gateway(
            self.venue, self.dispatcher.post, wall_ms, monotonic_ms, measured=measured
        )
        self.alarm = AlarmClock(self.dispatcher.wake)
        self.kill_switch = KillSwitch(
            self.place.folder, self.venue, self.engine.symbols, self.dispatcher.hand_in
        )
        self.markets = Markets(self.venue, self.board, self.dispatcher.post, self._awaited)
        user = self.venue.user_stream(self.dispatcher.post)
        self._streams: list[Stream] = [user, self.markets]
        work = Reloading(
            read=self._read,
            prepare=lambda found: self.markets.cover(found.rules.wanted, FIRST_PRICES),
            hand_in=self.dispatcher.hand_in,
            taken=self._taken,
            over=lambda: self.markets.release(self.rules.wanted),
        )
        self.reloader = Reloader(watch, self.settings.reload_poll / 1000, work)
        known = {"allow": self.settings.allow, "proxies": self.settings.trusted_proxies}
        app = create_app(lambda: self._hooks, self.submit, self.readiness, wall_ms, **known)
        self.hook_server = hook_server or HookServer(app, *self.settings.hook)
        if self.metrics is not None and self.settings.metrics is not None:
            self.metrics.counting.hook(app)
            self.metrics.read(self._sources())
            self.metrics.start(*self.settings.metrics)
        self._thread = threading.Thread(target=self._dispatch, name="dispatcher", daemon=True)

    def _sources(self) -> Sources:
        return Sources(
            self.engine,
            self.dispatcher,
            self.journal,
            self.venue,
            self.outside,
            lambda: self.rules,
            self.readiness,
            self.mode,
            self.started_at,
            lambda: self._loaded_at,
            wall_ms,
        )

    def _read(self) -> Candidate:
        rules = read_rules(self.place, self.venue)
        tests = vet(self.place.rules) if self.settings.reload_tests else 0
        return Candidate(rules, hook_table(rules, self.secrets, self.settings), tests)

    def _taken(self, found: Candidate) -> None:
        self.rules, self._hooks = found.rules, found.hooks
        self._loaded_at = wall_ms()

    @property
    def account(self) -> str:
        """The account's name: paper, or the one of runner.yaml."""
        return PAPER if self.paper is not None else self.settings.account().name

    @property
    def mode(self) -> str:
        """Paper (embedded), demo, live, or custom for addresses of the user's own."""
        if self.paper is not None:
            return PAPER
        address = self.settings.account().address
        return address if isinstance(address, str) else "custom"

    # life

    def start(self) -> None:
        """Start every thread; alerts are answered 503 until the account was read."""
        self.outside.start()
        self._thread.start()
        self.gateway.start()
        self.kill_switch.start()
        self.alarm.start()
        for stream in self._streams:
            stream.start()
        if not self.hook_server.alive:
            self.hook_server.start()
        self._lead = LeadWatch(self.journal, monotonic_ms)
        self.reloader.start()

    def _dispatch(self) -> None:
        try:
            self.journal.own()
            moment = Moment(wall_ms(), self.venue.server_time(), self.settings.timing)
            self.dispatcher.begin(
                [
                    Decision([self._first_words()]),
                    told(self.orphans, moment.now),
                    self.engine.load(self.rules, moment),
                    self.engine.recover(moment),
                ],
                self.gateway,
                self.alarm,
            )
            self.dispatcher.run()
            with suppress(JournalFull):
                self._end()
        except BaseException as error:
            log.exception("the dispatcher died")
            self._failure = error
        finally:
            self._stop.set()

    def _end(self) -> None:
        moment = Moment(wall_ms(), self.venue.server_time(), self.settings.timing)
        told = [last_words(self.engine, moment, self.settings.on_stop, self._failure)]
        self.journal.commit([*told, self.outside.desk.announce(told, moment.now)])
        for observe in self._observers:
            observe(told)

    def _first_words(self) -> Record:
        exchange = self.paper.addresses if self.paper is not None else None
        where = self.hook_server.url
        return first_words(self.started_at, self.account, self.mode, exchange, where)

    def watch(self) -> None:
        """Raise RunnerError when a thread died: then the process must end, with an error."""
        if self._lead.lost():
            log.critical("the lead could not be renewed: another runner may lead by now")
            os._exit(1)
        if self.gateway.failure is not None:
            self._failure = self.gateway.failure
        dead = [stream for stream in self._streams if not stream.alive]
        others = (self.hook_server, self.alarm, self.reloader, self.kill_switch, self.outside)
        unseen = self.metrics is not None and not self.metrics.alive
        if dead or unseen or not all(each.alive for each in others):
            what = "a stream reader, alarm clock, hook server, reload, kill or telling thread"
            self._failure = RunnerError(f"{what} died")
        if self._failure is not None:
            self._stop.set()
            raise RunnerError(f"stopped, because: {self._failure}") from self._failure

    def stop(self) -> None:
        """Stop cleanly: alerts first, then decisions, then what is on the wire."""
        self._stop.set()
        self.hook_server.stop()
        self.reloader.stop()
        self.alarm.stop()
        if self._failure is None:
            wind_down(self.dispatcher, self.settings.on_stop, wall_ms)
        self.kill_switch.stop()
        self.dispatcher.stop()
        self._thread.join(10)
        self.gateway.stop()
        for stream in self._streams:
            stream.stop()
        if self.metrics is not None:
            self.metrics.stop()
        self.outside.stop(settle=not self._thread.is_alive())
        self.journal.close()

    # what other threads ask

    @property
    def hooks(self) -> HookTable:
        """The hooks of the rules that run."""
        return self._hooks

    def submit(self, event: Alert | Fire) -> AlertAnswer | None:
        """Have an alert or a command decided and committed; None when that cannot be now."""
        command = command_of(event, self.settings) if isinstance(event, Alert) else None
        if command is not None and command.verb == "kill":
            self.kill_switch.now()
        held = self.hook_server.held and not self._began
        until = time.monotonic() + (HELD_PATIENCE if held else ALERT_PATIENCE)
        if self._stop.is_set() or not (command or self._takes(until)):
            return None
        left = min(max(until - time.monotonic(), SHORTEST_PATIENCE), ALERT_PATIENCE)
        return self.dispatcher.ask(command or event, left)

    def _takes(self, until: float) -> bool:
        """Whether alerts are taken; those that come during the start wait for its end."""
        while not (taking := self.taking()) and not self._began:
            if time.monotonic() >= until or self._stop.wait(LOOK_AGAIN):
                return False
        self._began = True
        return taking

    def taking(self) -> bool:
        """Whether alerts are taken now."""
        return self._outlook.taking(self.rules, stopping=self._stop.is_set())

    def readiness(self) -> Readiness:
        """Whether alerts become orders, and if not, why not."""
        found = self._outlooked()
        return replace(found, problems=(*found.problems, *self.outside.problems()))

    def _outlooked(self) -> Readiness:
        return self._outlook.readiness(self.rules, stopping=self._stop.is_set())
