"""Where notices come together: drafted before a commit, handed to the couriers after it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from runner.core.decision import Decision
from runner.core.notice import Loudness, Notice, Outgoing, Settled
from runner.notifications.courier import Courier, Sending

log = logging.getLogger(__name__)

LAST_CHANCE = 3.0
"""Seconds that a stop leaves the couriers for what waits."""

LONGEST_SLEEP = 30.0

Drafts = Callable[[Sequence[Decision], int], Iterable[Notice]]


class Loudnesses(Protocol):
    """The settings."""

    def loudness(self, kind: str, at: int) -> Loudness:
        """How loud a kind is at that moment (ms)."""


class Desk:
    """`announce` and `told` belong to the dispatcher's thread, all else to anybody."""

    def __init__(
        self,
        targets: Sequence[Sending],
        settings: Loudnesses,
        drafts: Drafts,
        epoch: int,
        now: Callable[[], int],
    ) -> None:
        """`drafts` makes notices; `epoch` is this life's, for keys that never return."""
        self._settings = settings
        self._drafts = drafts
        self._epoch = epoch
        self._now = now
        self._numbers = 0
        self._settled: dict[tuple[str, str], Settled] = {}
        self._committing: list[Settled] = []
        self._draft: list[tuple[str, Notice, bool]] = []
        self._wakes = {target.name: threading.Event() for target in targets}
        self.couriers = [Courier(target, now, self._settle) for target in targets]
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(
                target=self._work, args=(each,), name=f"notify-{each.target.name}", daemon=True
            )
            for each in self.couriers
        ]

    # life

    def start(self, unsent: Iterable[Outgoing]) -> None:
        """Begin, with what a life before this one could not bring to its target."""
        known = {courier.target.name: courier for courier in self.couriers}
        for item in unsent:
            courier = known.get(item.target)
            if courier is None:
                gone = "runner.yaml names this target no more"
                self._settle(Settled(item.key, item.target, self._now(), gone))
            else:
                courier.put(item.notice, silent=False, key=item.key)
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Send what waits if that goes quickly; what is critical waits in the journal else."""
        self._stopping.set()
        self._wake()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(LAST_CHANCE)

    @property
    def alive(self) -> bool:
        """True while every courier's thread runs."""
        return all(thread.is_alive() for thread in self._threads)

    def _work(self, courier: Courier) -> None:
        wake = self._wakes[courier.target.name]
        while True:
            wake.clear()
            stopping = self._stopping.is_set()
            before = courier.counts.failed
            wait = courier.turn(hurry=stopping)
            if courier.counts.failed > before and courier.failing is not None:
                extra = {"target": courier.target.name, "reason": courier.failing.trouble}
                log.warning("a notice was not taken", extra=extra)
            if stopping and (courier.idle or courier.failing is not None):
                return
            if wait:
                wake.wait(min(wait / 1000, LONGEST_SLEEP))

    def _wake(self) -> None:
        for wake in self._wakes.values():
            wake.set()

    # the dispatcher's side

    def announce(self, decisions: Sequence[Decision], now: int) -> Decision:
        """What must be committed with these decisions: critical notices, and what was settled."""
        self._committing = list(self._settled.values())
        self._draft = []
        if not self.couriers:
            return Decision(settled=self._committing)
        outbox = []
        for notice in self._drafts(decisions, now):
            loudness = self._settings.loudness(notice.kind, now)
            if loudness == "off":
                continue
            key = self._key() if notice.critical else ""
            self._draft.append((key, notice, loudness == "silent"))
            if key:
                outbox += [Outgoing(key, each.target.name, notice) for each in self.couriers]
        return Decision(outbox=outbox, settled=self._committing)

    def told(self, decisions: Sequence[Decision]) -> None:
        """What was announced is committed: the couriers may go. Observer of the dispatcher."""
        del decisions
        for item in self._committing:
            self._settled.pop((item.key, item.target), None)
        for key, notice, silent in self._draft:
            for courier in self.couriers:
                courier.put(notice, silent=silent, key=key)
        if self._draft:
            self._wake()
        self._committing, self._draft = [], []

    def say(self, notice: Notice) -> None:
        """Tell something that no decision is about, and that the journal need not know."""
        loudness = self._settings.loudness(notice.kind, self._now())
        if loudness != "off":
            for courier in self.couriers:
                courier.put(notice, silent=loudness == "silent")
            self._wake()

    def _key(self) -> str:
        self._numbers += 1
        return f"{self._epoch}-{self._numbers}"

    def _settle(self, item: Settled) -> None:
        self._settled[item.key, item.target] = item
        if item.trouble:
            text = "a critical notice is given up: %s"
            extra = {"target": item.target}
            log.error(text, item.trouble, extra=extra)
