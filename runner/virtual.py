"""A runner on a virtual clock: the real engine, journal, adapter and paper exchange, no sockets.

Rule tests, replays and the seeded simulation all drive this: what decides, signs, remembers and
translates is what runs on the exchange; only the wire and the clock are ours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from runner.audit import forgotten
from runner.connecting import PAPER_KEY, PAPER_SECRET
from runner.core.decision import AlertAnswer
from runner.core.engine import Engine
from runner.core.events import Alert, CallDone, Event, Fire, StreamState
from runner.core.legs import Moment
from runner.core.lifecycle import Timing
from runner.core.limits import Limits
from runner.core.loading import Reload
from runner.core.orders import Call
from runner.core.prices import PriceBoard
from runner.core.rules import RuleSet
from runner.core.running import World
from runner.core.view import View
from runner.dispatcher import LONGEST_WAIT, Dispatcher, Observer
from runner.gateway import LANES, too_old
from runner.journal import Journal
from runner.lanes import StraightLanes
from runner.reloading import Told
from runner.remembering import remembered, told, unknown_orders
from runner.venues import RawAnswer, SignedRequest
from runner.venues.binance_usdm.adapter import BinanceUsdm
from runner.venues.binance_usdm.presets import Addresses
from runner.venues.binance_usdm.streams import MarketStream, plan
from runner.venues.binance_usdm.user_stream import UserStream
from runner.virtual_world import Calm, Network, VirtualClock, VirtualExchange, Wire

__all__ = ["Calm", "Network", "VirtualClock", "VirtualExchange", "VirtualRunner", "Wire"]

ADDRESSES = Addresses("http://paper", "ws://paper", "ws://paper/ws-fapi/v1")
STALE_AFTER = 10_000
FAR = 10 * 365 * 86_400_000


class _Ear:
    """A stream's other end: hands each message to the network."""

    def __init__(self, hear: Callable[[str], object], network: Network, clock: VirtualClock):
        self._hear = hear
        self._network = network
        self._clock = clock
        self.deaf = False

    def send(self, text: str) -> None:
        """The exchange sends a message."""
        if not self.deaf:
            self._network.tell(text, self._hear, self._clock)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """The exchange hangs up."""
        del code, reason
        self.deaf = True


class _Transport:
    """The adapter's way to the exchange when it reads at the start."""

    def __init__(self, exchange: VirtualExchange) -> None:
        self._exchange = exchange

    def exchange(self, method: str, path: str, payload: str, gate: object = None) -> RawAnswer:
        """Send once, at once."""
        del gate
        return self._exchange.request(method, path, payload)


class VirtualRunner:
    """One life of a runner: from its start on a journal to its end, or its crash."""

    def __init__(
        self,
        journal: Path,
        rules: RuleSet,
        exchange: VirtualExchange,
        clock: VirtualClock,
        *,
        network: Network | None = None,
        timing: Timing | None = None,
        observers: Sequence[Observer] = (),
        on_commit: Callable[[str], None] | None = None,
        namespace: str = "main",
        witness: Path | None = None,
        audit: bool = False,
        accept_restored: bool = False,
        limits: Limits | None = None,
        told: bool = False,
    ) -> None:
        """Open the journal, recover, connect the streams; `on_commit` may crash it.

        With `audit` the exchange is asked for orders that the journal does not know, as a real
        start does. Raises JournalRestored as that, unless `accept_restored`. `limits` are the
        account's own guards. With `told` no market stream is read: who drives the runner tells
        it prices and candles.
        """
        self.clock = clock
        self.exchange = exchange
        self.network: Network = network or Calm()
        self.timing = timing or Timing()
        self.alive = True
        self._told = told
        self._due_at = self._turned_at = clock.now
        self.journal = Journal.open(
            journal,
            namespace,
            clock.wall,
            on_commit=on_commit,
            wal_bytes=0,
            reserve=0,
            witness=witness,
            accept_restored=accept_restored,
        )
        try:
            self._build(rules, namespace, observers, audit, accept_restored, limits)
        except BaseException:
            self.journal.close()
            raise

    def _build(
        self,
        rules: RuleSet,
        namespace: str,
        observers: Sequence[Observer],
        audit: bool,
        accept_restored: bool,
        limits: Limits | None,
    ) -> None:
        clock = self.clock
        self.venue = BinanceUsdm(
            ADDRESSES,
            PAPER_KEY,
            PAPER_SECRET,
            self.timing,
            clock.wall,
            clock.read,
            _Transport(self.exchange),
        )
        self.venue.connect()
        now = self.venue.server_time()
        orphans = unknown_orders(self.journal, self.venue, rules, namespace, now) if audit else []
        if orphans and not accept_restored:
            raise forgotten(self.journal.name, orphans)
        self.board = PriceBoard(STALE_AFTER, self.journal.last_alive)
        self.view = View(self.board, self.venue.instruments())
        world = World(rules, self.view, namespace, "paper", self.journal.seen, limits or Limits())
        fresh = self.journal.date_restore(self.venue.server_time())
        self.engine = Engine(world, remembered(self.journal, fresh=fresh))
        self.dispatcher = Dispatcher(
            self.engine,
            self.journal,
            self.venue,
            self.timing,
            clock.wall,
            observers,
            remember=lambda: remembered(self.journal),
        )
        moment = Moment(clock.wall(), self.venue.server_time(), self.timing)
        decisions = [
            told(orphans, moment.now),
            self.engine.load(rules, moment),
            self.engine.recover(moment),
        ]
        self._lanes = StraightLanes(self._carry, LANES)
        self.dispatcher.begin(decisions, self._lanes)
        self._ears: list[_Ear] = []
        self._names: list[str] = []
        self._listen(rules)

    def _listen(self, rules: RuleSet, gap_from: int | None = None) -> None:
        """Connect the streams as the real ones are connected, but to ears in this process."""
        self.wanted: frozenset[tuple[str, str]] = frozenset()
        self._read_market(rules, gap_from)
        user = self.venue.user_stream(self._post)
        assert isinstance(user, UserStream)
        self._connect(user.address(), user.feed)
        self._connected("user", gap_from)
        self.exchange.settle(at_once=True)

    def _read_market(self, rules: RuleSet, gap_from: int | None = None) -> None:
        """Read what these rules want and nobody reads yet."""
        wanted = frozenset((symbol, str(source)) for symbol, source in rules.wanted)
        missing = wanted - self.wanted
        self.wanted |= missing
        market = self.venue.market_stream(missing, self.board, self._post)
        assert isinstance(market, MarketStream)
        for name, address, _ in plan(ADDRESSES.streams, missing):
            if not self._told:
                self._connect(address, lambda text: market.feed(text, self.clock.wall()))
            self._connected(name, gap_from)

    def _connected(self, name: str, gap_from: int | None) -> None:
        self._names.append(name)
        self._post(StreamState(name, True, self.clock.wall(), gap_from))

    def _connect(self, address: str, hear: Callable[[str], object]) -> None:
        def heard(text: str) -> None:
            if self.alive:
                hear(text)

        ear = _Ear(heard, self.network, self.clock)
        self._ears.append(ear)
        parts = urlsplit(address)
        self.exchange.gateway.streams.connect(ear, parts.path, parts.query)

    def _post(self, event: Event) -> None:
        if self.alive:
            self.dispatcher.post(event)

    def _carry(self, signed: SignedRequest) -> None:
        wire = Wire(self.clock, signed, self.venue.send, self._answered)
        late = too_old(signed, self.clock.now)
        if late:
            refusal = RawAnswer("not_sent", detail=late)
            self.clock.plan(self.clock.now, lambda: wire.answer(refusal))
        else:
            self.network.carry(signed, wire)

    def _answered(self, signed: SignedRequest, answer: RawAnswer) -> None:
        if not self.alive:
            return
        for event in self.venue.interpret(signed, answer):
            self.dispatcher.post(event)
        self.dispatcher.post(CallDone(signed.call, self.clock.wall()))

    # driving it

    def ask(self, event: Alert | Fire) -> AlertAnswer | None:
        """Hand in an alert and turn until it is committed; its answer."""
        reply = self.dispatcher.hand_in(event)
        self.dispatcher.step()
        return reply.result(0) if reply is not None else None

    def advance(self, until: int) -> None:
        """Let time pass: planned things, the exchange's own, and the dispatcher's turns."""
        self._turn()
        while (at := self._next_at()) <= until:
            self._pass(at)
            if self.dispatcher.waiting() or self._due_at <= self.clock.now:
                self._turn()
        self._pass(until)
        self._turn()

    def rest(self) -> None:
        """Turn until nothing is left to do at this moment."""
        self._turn()
        while self.dispatcher.waiting() or self._next_at() <= self.clock.now:
            self._pass(self.clock.now)
            if self.dispatcher.waiting() or self._due_at <= self.clock.now:
                self._turn()

    def inquire(self, *calls: Call) -> None:
        """Ask this, with the answers there at once, instead of what the loop asks every minute."""
        questions = self.engine.questions
        questions.clock_at = questions.account_at = self.clock.wall()
        for call in calls:
            questions.sent(call, self.clock.wall())
            signed = self.venue.sign(self.venue.request(call))
            for event in self.venue.interpret(signed, self.venue.send(signed)):
                self.dispatcher.post(event)
            questions.done(call)

    def _pass(self, at: int) -> None:
        self.clock.now = max(self.clock.now, at)
        self.clock.run_due()
        self.exchange.settle()

    def _turn(self) -> None:
        """One turn; then the loop sleeps until something is handed in, or until then."""
        self.dispatcher.step()
        self._turned_at = self.clock.now
        at, scheduled = self.dispatcher.next_at(), self.dispatcher.schedules.next_at()
        self._due_at = (
            at if scheduled is None or self.dispatcher.full else min(at, scheduled)
        ) - self.clock.offset

    @property
    def due_at(self) -> int:
        """When the loop turns next: now, if something was handed in; seldom later than a second.

        `advance` leaves out the turns that would only say that the runner is alive.
        """
        if self.dispatcher.waiting():
            return self.clock.now
        return min(self._due_at, self._turned_at + int(LONGEST_WAIT * 1000))

    def work_at(self) -> int | None:
        """When the loop has something to do besides asking for the time and the account.

        None: nothing is waited for. For who lets hours pass in which nothing happens.
        """
        engine, now = self.engine, self.clock.now
        if self.busy or engine.state.waiting or engine.questions.paused or engine.links.deaf:
            return max(self._due_at, now + 1)
        # as if asked at a moment far off: what is asked every minute is due later than all else
        questions, far = engine.questions, now + FAR
        asked_at = questions.clock_at, questions.account_at
        questions.clock_at = questions.account_at = far
        found = engine.next_at(Moment(far, far, self.timing))
        questions.clock_at, questions.account_at = asked_at
        scheduled = self.dispatcher.schedules.next_at()
        times = [at for at in (found, scheduled) if at is not None and at < far]
        return max(min(times), now + 1) if times else None

    def turn(self) -> None:
        """One turn of the loop, for who moves the clock of several runners."""
        self._turn()

    def _next_at(self) -> int:
        times = [self.clock.next_at(), self.exchange.next_at()]
        return min([self._due_at, *(time for time in times if time is not None)])

    @property
    def busy(self) -> bool:
        """True while something handed in waits, or an order or an answer is on its way."""
        return self.dispatcher.waiting() or self._lanes.busy or bool(self.engine.state.restless)

    def break_off(self) -> None:
        """The streams end; requests still arrive."""
        self._deafen()
        for name in self._names:
            self._post(StreamState(name, False, self.clock.wall(), self.clock.wall(), "gap"))
        self._names.clear()

    def rejoin(self, gap_from: int) -> None:
        """The streams are back: prices start afresh, and what was missed is asked for."""
        self.board.forget(self.wanted)
        self._listen(self.engine.world.rules, gap_from)

    def reload(self, rules: RuleSet) -> None:
        """Run these rules from now on; what is streamed already goes on."""
        if self._ears:
            self._read_market(rules)
            self.exchange.settle(at_once=True)
        self.dispatcher.hand_in(Reload(rules, Told(rules, 0).loaded))
        self.dispatcher.step()

    def countdown(self, symbol: str, what: Literal["expired", "late"]) -> bool:
        """Let a symbol's countdown run out now, or its refresh be overdue; False if it has none.

        The exchange cancels what it cancels; the runner finds out as it always does.
        """
        known = self.engine.state.dead_men.get(symbol)
        dead_man = self.engine.world.rules.dead_men.get(symbol)
        if known is None or dead_man is None:
            return False
        now = self.venue.server_time()
        back = known.countdown if what == "expired" else 2 * dead_man.refresh
        changed = replace(known, confirmed_time=now - back - 1, late_told=what == "expired")
        self.engine.state.dead_men[symbol] = changed
        if what == "expired":
            self.exchange.expire(symbol)
        return True

    def crash(self) -> None:
        """End as by a kill: nothing more is written, said or heard."""
        self.alive = False
        self._deafen()
        self.journal.close(killed=True)

    def _deafen(self) -> None:
        for ear in self._ears:
            ear.deaf = True
        self._ears.clear()
