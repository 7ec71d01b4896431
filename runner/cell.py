"""One account at work: its journal, the loop that decides for it, and its ways to the exchange.

Nothing of it is shared with another account but the process and its doors; so what holds for one
account and its journal holds for each of several.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from runner.audit import forgotten
from runner.connecting import PAPER, monotonic_ms, wall_ms
from runner.core.decision import Decision, Record
from runner.core.engine import Engine
from runner.core.legs import Moment
from runner.core.noticing import Noticing
from runner.core.prices import PriceBoard
from runner.core.rules import RuleSet
from runner.core.running import World
from runner.core.view import View
from runner.dispatcher import Dispatcher, Observer
from runner.errors import JournalFull
from runner.gateway import Gateway
from runner.halting import first_words, last_words, wind_down
from runner.journal import Journal, JournalReader, Tally, place_of
from runner.killing import KillSwitch
from runner.logs import scrub
from runner.markets import Markets
from runner.ops.secrets import Secrets
from runner.outside import Outside, pages_of
from runner.readiness import Outlook
from runner.remembering import (
    LeadWatch,
    caught_up,
    moved_meanwhile,
    remembered,
    told,
    unknown_orders,
)
from runner.settings import Settings
from runner.sources.readiness import Problem, Readiness
from runner.sources.schedule import AlarmClock
from runner.venues import Silenced, Stream, Venue

if TYPE_CHECKING:
    from runner.metrics.counting import Counting
    from runner.metrics.readings import Sources

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class House:
    """What all accounts of one process have in common.

    `turned_at` is when each of their loops had turned (ms); `stopping` is set when one of them
    ends; `accept_restored`: journals may be older than what they led to; `unexercised`: why rules
    may trade with real money that never fired.
    """

    folder: Path
    secrets: Secrets
    stopping: threading.Event
    turned_at: Callable[[], int]
    started_at: int
    accept_restored: bool = False
    unexercised: str = ""


@dataclass(frozen=True, slots=True)
class Trade:
    """Which account it is: its name, its kind (mode), its way to the exchange and its journal.

    `exchange` are the addresses of the embedded paper exchange, where it is there.
    """

    name: str
    mode: str
    venue: Venue
    journal: Journal
    exchange: Mapping[str, str] | None = None


class Cell:
    """Built by the constructor, started, watched, stopped; `settings` are the account's share."""

    def __init__(
        self,
        house: House,
        settings: Settings,
        trade: Trade,
        rules: RuleSet,
        observers: Sequence[Observer] = (),
        counting: Counting | None = None,
        beside: Callable[[], Sequence[Problem]] = tuple,
    ) -> None:
        """Build everything, or raise a RunnerError that says what is wrong; nothing runs yet.

        `beside` are the problems of accounts that have nobody to tell them.
        """
        self._house = house
        self.settings = settings
        self.name, self.mode = trade.name, trade.mode
        self.venue, self.journal = trade.venue, trade.journal
        self._exchange = trade.exchange
        self.rules = rules
        self.failure: BaseException | None = None
        self.began = False
        """True once alerts were taken: from then on none waits for the start."""

        self.orphans = unknown_orders(
            self.journal, self.venue, rules, settings.namespace, self.venue.server_time()
        )
        if self.orphans and not house.accept_restored:
            raise forgotten(self.journal.name, self.orphans)
        self._moved = moved_meanwhile(self.venue, self.journal)
        self._awaited = rules.wanted
        self.board = PriceBoard(settings.stale_after, self.journal.last_alive)
        self.view = View(self.board, self.venue.instruments())
        self.engine = self._decides()
        noticing = Noticing(
            lambda run_id: self.engine.state.rule_ids.get(run_id, ""),
            f"account {self.name} ({self.mode})",
            pages_of(settings),
        )
        where = self.mode if self.mode == self.name else f"{self.mode} {self.name}"
        self.outside = Outside(settings, house.secrets, self.journal, noticing, wall_ms, where)
        self.outside.add_up(self._counted, self._key_age)
        counted = () if counting is None else (counting.count,)
        self._observers = (*counted, *observers, self.outside.desk.told, self._killed)
        announce = self.outside.desk.announce
        self.dispatcher = Dispatcher(
            self.engine,
            self.journal,
            self.venue,
            settings.timing,
            wall_ms,
            self._observers,
            remember=lambda: remembered(self.journal),
            ready=self.taking,
            clean=lambda text: scrub(text, house.secrets.values()),
            announce=announce if counting is None else counting.timed(announce),
        )
        self._outlook = Outlook(
            self.venue,
            self.dispatcher,
            self.view,
            self.engine.links,
            settings.timing,
            self._awaited,
            house.started_at,
            wall_ms,
        )
        self.outside.attend(
            self.dispatcher, lambda: (*self._outlooked().problems, *beside()), house.turned_at
        )
        self._ways(counting)

    def _counted(self, since: int, until: int) -> Tally:
        with JournalReader.open(place_of(self._house.folder, self.settings.journal)) as reader:
            return reader.tally(since, until)

    def _key_age(self) -> str:
        if self.mode == PAPER:
            return ""
        from runner.rotating import age_words

        return age_words(self._house.folder, self.settings, self.venue, wall_ms())

    def _decides(self) -> Engine:
        world = World(
            self.rules,
            self.view,
            self.settings.namespace,
            self.name,
            self.journal.seen,
            self.settings.limits(self.name),
            self._silence,
        )
        fresh = self.journal.date_restore(self.venue.server_time())
        return Engine(world, remembered(self.journal, fresh=fresh))

    def _silence(self) -> int:
        return self.venue.silence() if isinstance(self.venue, Silenced) else 0

    def _killed(self, decisions: Sequence[Decision]) -> None:
        """A kill that came by the journal, as from another machine, goes its own way from here."""
        for decision in decisions:
            for record in decision.records:
                if record.kind == "command" and record.data.get("verb") == "kill":
                    self.kill_switch.follow(str(record.data["command"]))

    def _ways(self, counting: Counting | None) -> None:
        """The threads besides the loop, and the loop's own."""
        measured = counting.request if counting is not None else None
        post = self.dispatcher.post
        told = self.dispatcher.post_all
        self.gateway = Gateway(self.venue, told, wall_ms, monotonic_ms, measured=measured)
        self.alarm = AlarmClock(self.dispatcher.wake)
        self.kill_switch = KillSwitch(
            self._house.folder,
            self.venue,
            self.engine.symbols,
            self.dispatcher.hand_in,
            self.settings.apart,
        )
        self.markets = Markets(self.venue, self.board, post, self._awaited)
        self._streams: list[Stream] = [self.venue.user_stream(post), self.markets]
        name = f"dispatcher-{self.settings.apart}" if self.settings.apart else "dispatcher"
        self._thread = threading.Thread(target=self._dispatch, name=name, daemon=True)

    def sources(self, loaded_at: Callable[[], int]) -> Sources:
        """What its figures are read from."""
        from runner.metrics.readings import Sources

        return Sources(
            self.engine,
            self.dispatcher,
            self.journal,
            self.venue,
            self.outside,
            lambda: self.rules,
            self.readiness,
            self.mode,
            self._house.started_at,
            loaded_at,
            wall_ms,
        )

    # life

    def start(self, hook: str) -> None:
        """Start every thread; alerts come in at `hook`."""
        self._hook = hook
        self.outside.start()
        self._thread.start()
        self.gateway.start()
        self.kill_switch.start()
        self.alarm.start()
        for stream in self._streams:
            stream.start()
        self._lead = LeadWatch(self.journal, monotonic_ms)

    def _dispatch(self) -> None:
        try:
            self.journal.own()
            moment = self._moment()
            self.dispatcher.begin(
                [
                    Decision([self._first_words()]),
                    told(self.orphans, moment.now),
                    self.engine.load(self.rules, moment),
                    self.engine.recover(moment),
                    caught_up(self.engine.state, self._moved, moment.now),
                ],
                self.gateway,
                self.alarm,
            )
            self.dispatcher.run()
            with suppress(JournalFull):
                self._end()
        except BaseException as error:
            log.exception("the dispatcher died")
            self.failure = error
        finally:
            self._house.stopping.set()

    def _moment(self) -> Moment:
        return Moment(wall_ms(), self.venue.server_time(), self.settings.timing)

    def _first_words(self) -> Record:
        started_at = self._house.started_at
        why = self._house.unexercised
        return first_words(started_at, self.name, self.mode, self._exchange, self._hook, why)

    def _end(self) -> None:
        moment = self._moment()
        told = [last_words(self.engine, moment, self.settings.on_stop, self.failure)]
        self.journal.commit([*told, self.outside.desk.announce(told, moment.now)])
        for observe in self._observers:
            observe(told)

    @property
    def lead_lost(self) -> bool:
        """True when another runner may lead its journal by now."""
        return self._lead.lost()

    @property
    def dead(self) -> bool:
        """True when a thread of it died without being stopped; `failure` may say why."""
        if self.gateway.failure is not None:
            self.failure = self.gateway.failure
        beside = self.alarm.alive and self.kill_switch.alive and self.outside.alive
        return self.failure is not None or not (beside and all(s.alive for s in self._streams))

    def wind_down(self, *, orderly: bool) -> None:
        """End the loop and what is on the wire; `orderly`: do what `on_stop` asks for before."""
        self.alarm.stop()
        if orderly:
            wind_down(self.dispatcher, self.settings.on_stop, wall_ms)
        self.kill_switch.stop()
        self.dispatcher.stop()
        self._thread.join(10)
        self.gateway.stop()
        for stream in self._streams:
            stream.stop()
        self.venue.close()

    def close(self) -> None:
        """Tell the last notices, and give the journal back."""
        self.outside.stop(settle=not self._thread.is_alive())
        self.journal.close()

    # what other threads ask

    def taking(self) -> bool:
        """Whether its alerts are taken now."""
        return self._outlook.taking(self.rules, stopping=self._house.stopping.is_set())

    def readiness(self) -> Readiness:
        """Whether its alerts become orders, and if not, why not."""
        found = self._outlooked()
        return replace(found, problems=(*found.problems, *self.outside.problems()))

    def _outlooked(self) -> Readiness:
        return self._outlook.readiness(self.rules, stopping=self._house.stopping.is_set())
