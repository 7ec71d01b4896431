"""Two runners on one journal: kills, and leaders that stand still and wake up, until calm."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, fields
from decimal import Decimal
from pathlib import Path
from unittest.mock import patch

from runner.core.decision import Received
from runner.core.events import Alert, StreamState
from runner.core.rules import RuleSet
from runner.errors import CommitFailed, JournalBusy
from runner.journal import inbox_of
from runner.taking import ALERT
from runner.venues import SignedRequest
from runner.virtual import VirtualRunner, Wire
from tests.simulation import cheap
from tests.simulation.exchange import CHANGING
from tests.simulation.faults import Faulty, Rates
from tests.simulation.history import PAUSES, START, Crash, History, Outcome, Story

LOOK_EVERY = 500
"""Ms between two looks of a standby whether somebody leads (runner.standby)."""

WITHIN = 15_000
"""Ms within which somebody else must lead."""

QUIET = """\
version: 1
rules:
  - id: single
    symbol: ETHUSDT
    when: [{webhook: {path: single, secret: tv, body: {n: number}, dedupe: [n]}}]
    do: [{place: {side: buy, type: market, quantity: 0.01}}]
"""
"""A rule that lets a leader idle: no countdown, no schedule, no price makes it commit."""

STEPS = 24
UNSETTLED = frozenset({"PLANNED", "SENDING", "UNKNOWN"})


@dataclass(slots=True, eq=False)
class Host:
    """A machine with one runner: leading, standing by (`runner` is None), asleep or down."""

    name: str
    runner: VirtualRunner | None = None
    network: Faulty | None = None
    down_until: int = 0
    asleep_until: int = 0
    turning: bool = False
    ready_since: int = START

    def up(self, now: int) -> bool:
        """True while its process runs."""
        return now >= max(self.down_until, self.asleep_until)


class _Door:
    """A host's way out: notes what leaves it although another leads."""

    def __init__(self, host: Host, world: TwoRunners) -> None:
        self._host = host
        self._world = world

    def carry(self, signed: SignedRequest, wire: Wire) -> None:
        """As the network, which loses, delays and garbles."""
        runner, network = self._host.runner, self._host.network
        if runner and signed.path in CHANGING and self._world.epoch() != runner.journal.epoch:
            self._world.exchange.stale.add(signed.payload)
        assert network is not None
        network.carry(signed, wire)

    def tell(self, text: str, hear: Callable[[str], object], clock: object) -> None:
        """As the network."""
        network = self._host.network
        assert network is not None
        network.tell(text, hear, self._world.clock)


class TwoRunners(History):
    """A story in which both of two hosts are killed, put to sleep and started again."""

    def __init__(self, story: Story, rules: RuleSet, folder: Path) -> None:
        """Both hosts are up; whoever looks first leads."""
        super().__init__(story, rules, folder)
        self.steps = STEPS if story.steps is None else story.steps
        self.hosts = [Host("a"), Host("b")]
        self.takeovers = 0
        self.led_by: Host | None = None
        self.lost_at: int | None = None

    def epoch(self) -> int:
        """The epoch of the lease, as committed."""
        return int(self.exchange.rows("SELECT epoch FROM lease")[0][0])

    # the hosts

    def leader(self) -> Host | None:
        """The host that leads and runs, if there is one."""
        now = self.clock.now
        up = [host for host in self.hosts if host.runner is not None and host.up(now)]
        return max(up, key=lambda host: host.runner.journal.epoch) if up else None  # type: ignore[union-attr]

    def _try_to_lead(self, host: Host) -> None:
        """A look of a standby: it opens the journal, unless another holds the lease."""
        host.network = Faulty(
            self.dice, self.rates, self.exchange, lambda _: self._reached(host), self.network.counts
        )
        host.network.calm = self.network.calm
        try:
            host.runner = VirtualRunner(
                self.journal,
                self.rules,
                self.exchange,
                self.clock,
                network=_Door(host, self),
                timing=self.story.timing,
                observers=[self.arrows.observe, self._note],
                on_commit=lambda point: self._committed(host, point),
            )
        except JournalBusy:
            return
        self._leads(host)

    def _leads(self, host: Host) -> None:
        now = self.clock.now
        if self.led_by not in (None, host):
            self.takeovers += 1
            since = max(self.lost_at or now, host.ready_since)
            if now - since > WITHIN:
                self.outcome.wrong.append(f"{host.name} led only {now - since} ms later")
        self.led_by, self.lost_at = host, None
        self._tell(host, f"leads, epoch {self.epoch()}")

    def _tell(self, host: Host, what: str) -> None:
        self.outcome.told.append(f"+{self.clock.now - START} ms: {host.name} {what}")

    def _kill(self, host: Host, down: int) -> None:
        now = self.clock.now
        self._tell(host, f"is killed and stays down for {down} ms")
        if host.runner is not None:
            host.runner.crash()
            self.outcome.crashes += 1
            led = host.up(now) and host.runner.journal.epoch == self.epoch()
            if host is self.led_by and (led or self.lost_at is None):
                self.lost_at = now
        host.runner, host.asleep_until = None, 0
        host.down_until = host.ready_since = now + down
        if host.network is not None:
            host.network.life += 1

    def _sleeps(self, host: Host, ms: int) -> None:
        self._tell(host, f"stands still for {ms} ms")
        host.asleep_until = host.ready_since = self.clock.now + ms
        if host is self.led_by and self.lost_at is None:
            self.lost_at = self.clock.now

    def _turn(self, host: Host) -> None:
        """One turn, which may be the process's last."""
        host.turning = True
        try:
            if host.runner is None:
                self._try_to_lead(host)
            else:
                host.runner.turn()
                if host.runner.journal.epoch == self.epoch():
                    self.lost_at = None
        except Crash:
            self._kill(host, self.dice.choice(self.story.down))
        except CommitFailed:
            if host.runner is not None and host.runner.journal.epoch == self.epoch():
                raise
            self._kill(host, 1_000)
        finally:
            host.turning = False

    def _committed(self, host: Host, point: str) -> None:
        runner = host.runner
        if point == "after_commit" and runner is not None:
            if runner.journal.epoch != self.epoch():
                self.outcome.wrong.append(f"{host.name} committed under an epoch that was over")
            if self._happens("pause", self.rates.pause / 4):
                self._sleeps(host, self.dice.choice(PAUSES))
                self._world(host.asleep_until)
        self._reached(host)

    def _reached(self, host: Host) -> None:
        """A point at which this host's process may die."""
        if not host.up(self.clock.now) or self.network.calm:
            return
        if self.rates.crash and self.dice.random() < self.rates.crash / 8:
            if host.turning:
                raise Crash
            self._kill(host, self.dice.choice(self.story.down))

    # time

    def _world(self, until: int) -> None:
        """Let time pass for all who are awake."""
        while (at := self._next()) <= until:
            self.clock.now = max(at, self.clock.now)
            self.clock.run_due()
            self.exchange.settle()
            for host in self.hosts:
                if not host.turning and self._due(host) <= self.clock.now:
                    self._turn(host)
        self.clock.now = max(self.clock.now, until)
        self.clock.run_due()
        self.exchange.settle()

    def _due(self, host: Host) -> int:
        """When a host has something to do: its turn, or the next look of a standby."""
        now = self.clock.now
        wakes = max(host.down_until, host.asleep_until)
        if host.runner is not None:
            return max(host.runner.due_at, wakes)
        # the looks before the lease runs out are left out: each opens the journal in vain
        (expires_at,) = self.exchange.rows("SELECT expires_at FROM lease")[0]
        first = max(wakes, now, expires_at or 0)
        return first + -first % LOOK_EVERY

    def _next(self) -> int:
        now = self.clock.now
        outside = (self.clock.next_at(), self.exchange.next_at())
        times = [max(at, now) for at in outside if at is not None]
        for host in self.hosts:
            if not host.turning:
                due = self._due(host)
                # a standby that has just looked looks again later
                times.append(due if host.runner is not None or due > now else now + LOOK_EVERY)
        return min(times, default=now + LOOK_EVERY)

    # what the story's steps are made of

    def _pass(self, ms: int) -> None:
        self._world(self.clock.now + ms)

    def _guarded(self, act: Callable[[], object]) -> None:
        act()

    def _restart_if_dead(self) -> None:
        """Each host has a supervisor of its own."""

    def _disturb(self) -> None:
        if self._happens("clock", self.rates.clock):
            self.clock.offset = self.dice.choice((-3_600_000, -5_000, 0, 5_000, 3_600_000))
        host = self.leader()
        if host is None or self.network.calm:
            return
        self._end_streams(host.runner)
        fate = self.dice.random()
        if fate < 0.3:
            self._kill(host, self.dice.choice((0, 1_000, 20_000, 60_000)))
        elif fate < 0.5:
            self._sleeps(host, self.dice.choice((4_000, 20_000, 60_000)))

    def _post(self, alert: Alert) -> None:
        """To either host: a standby commits it to the inbox, one that sleeps says nothing."""
        host = self.dice.choice(self.hosts)
        now = self.clock.now
        if not host.up(now):
            return
        number = str(alert.fields["n"])
        if host.runner is None:
            key = f"alert-{host.name}-{now}-{len(self.outcome.faults)}-{self.dice.getrandbits(32)}"
            data = {field.name: getattr(alert, field.name) for field in fields(Alert)}
            with inbox_of(self.journal) as inbox:
                inbox.put(Received(key, ALERT, data, alert.received_at, alert.event_time))
            self.answered.setdefault(number, "stored")
            return
        reply = host.runner.dispatcher.hand_in(alert)
        self._turn(host)
        if reply is not None and reply.done() and (answer := reply.result(0)) is not None:
            self.answered[number] = answer.outcome

    def _reconnect(self) -> None:
        host = self.leader()
        if host is not None and host.runner is not None:
            now = self.clock.wall()
            host.runner.dispatcher.post(StreamState("user", True, now, now - 1_000))
            self._pass(1)

    def _die(self) -> None:
        host = self.leader()
        if host is not None:
            self._kill(host, self.dice.choice(self.story.down))

    def _end(self) -> None:
        for host in self.hosts:
            if host.runner is not None:
                host.runner.crash()
                host.runner = None

    # the calm

    def _calm(self) -> None:
        self.network.calm = True
        for host in self.hosts:
            if host.network is not None:
                host.network.calm, host.network.deaf_until = True, 0
            host.down_until = min(host.down_until, self.clock.now)
        self._pass(60_000)
        super()._calm()

    def _send_again_what_was_refused(self) -> None:
        for _ in range(20):
            super()._send_again_what_was_refused()
            self._pass(1_000)

    def _settled(self) -> bool:
        host = self.leader()
        self.runner = None if host is None else host.runner
        settled = super()._settled()
        self.runner = None
        return settled

    def _held(self) -> dict[str, Decimal]:
        host = self.leader()
        self.runner = None if host is None else host.runner
        held = super()._held()
        self.runner = None
        return held

    def _reckon(self) -> None:
        super()._reckon()
        taken = {row[0] for row in self.exchange.rows("SELECT key FROM inbox WHERE taken_at > 0")}
        with inbox_of(self.journal) as inbox:
            left = [item.key for item in inbox.waiting() if item.key not in taken]
        self.outcome.wrong += [f"{key} was stored and never decided" for key in left]


def rates(seed: int) -> Rates:
    """Faults of the network as in any history, and more kills and pauses."""
    drawn = Rates.drawn(random.Random(seed))
    drawn.rollback = 0.0
    drawn.crash, drawn.pause = max(drawn.crash, 0.05), max(drawn.pause, 0.05)
    return drawn


def play(story: Story, rules: RuleSet) -> tuple[Outcome, int]:
    """One history of two runners, and how often one took over from the other."""
    with cheap.openings(), cheap.folder() as folder:
        world = TwoRunners(story, rules, folder)
        with cheap.leases(world.clock.read):
            outcome = world.run()
        return outcome, world.takeovers


class Deposed(TwoRunners):
    """A leader sleeps, the other takes over, commits an alert and dies for good; the first wakes.

    Nobody tells it anything: only the proof that it must give again and again says that it does
    not lead, and what the other left behind is brought to an end by its next life.
    """

    def run(self) -> Outcome:
        """One script; `wrong` when what was committed came to no end."""
        try:
            self._script()
        finally:
            self._end()
            self.exchange.close()
        return self.outcome

    def _script(self) -> None:
        self.network.calm = True
        first, second = self.hosts
        second.down_until = START + 2_000
        self._pass(3_000)
        self._sleeps(first, 20_000)
        self._pass(15_000)
        self.dice = random.Random(1)
        assert second.runner is not None
        second.runner.dispatcher.hand_in(Alert("single", {"n": Decimal(0)}, "0" * 64, START))
        with patch.object(_Door, "carry", lambda *_: None):
            self._turn(second)
        self._kill(second, 3_600_000)
        self._pass(300_000)
        found = self.exchange.rows("SELECT client_order_id, state FROM legs")
        self.outcome.wrong += [
            f"{key} is still {state}" for key, state in found if state in UNSETTLED
        ]
        if not found:
            self.outcome.wrong.append("nothing was committed")


def deposed(rules: RuleSet) -> Outcome:
    """The script of a leader that is not told of its end."""
    with cheap.openings(), cheap.folder() as folder:
        world = Deposed(Story(0, rates=Rates()), rules, folder)
        with cheap.leases(world.clock.read):
            return world.run()
