"""Looks at what no decision tells: ways to the exchange that stay away, a loop that stands still.

A break that mends itself within half a minute is not worth a person's evening.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from runner.core.figures import span
from runner.core.notice import CRITICAL, Notice

PATIENCE = 30_000
"""Ms after which a way to the exchange that does not work is told."""

STILL = 15_000
"""Ms since the dispatcher's last turn after which it stands still."""

LOOK_EVERY = 1.0
_FULL = "journal"
_STUCK = "loop"


class Problem(Protocol):
    """What readiness knows of a way that does not work."""

    @property
    def link(self) -> str:
        """Which way."""

    @property
    def since(self) -> int:
        """Since when (ms)."""

    @property
    def what(self) -> str:
        """What is wrong."""

    @property
    def meaning(self) -> str:
        """What follows from it."""

    @property
    def cure(self) -> str:
        """What to do."""


class Loop(Protocol):
    """What is asked of the dispatcher."""

    full: str
    turned_at: int


class Lookout:
    """Remembers what it told; `look` does it all."""

    def __init__(
        self,
        problems: Callable[[], Sequence[Problem]],
        loop: Loop,
        say: Callable[[Notice], None],
        now: Callable[[], int],
    ) -> None:
        """`problems` are those of now, `say` tells a notice, `now` gives ms."""
        self._problems = problems
        self._loop = loop
        self._say = say
        self._now = now
        self._told: dict[str, int] = {}

    def look(self) -> None:
        """Tell what is new since the last look, once, and what is over."""
        now = self._now()
        found = {each.link: each for each in self._problems()}
        for link, each in found.items():
            if link not in self._told and now - each.since >= PATIENCE:
                self._told[link] = each.since
                body = f"{each.meaning}\n{each.cure}"
                self._say(Notice(now, "exchange", each.what, body))
        for link in [link for link in self._told if link not in (*found, _FULL, _STUCK)]:
            away = span(now - self._told.pop(link))
            self._say(Notice(now, "exchange", f"{link} works again, after {away}"))
        self._critically(_FULL, now, self._loop.full, f"nothing new is taken: {self._loop.full}")
        still = now - self._loop.turned_at > STILL
        self._critically(_STUCK, now, still, "the runner stands still: it decides nothing any more")

    def _critically(self, name: str, now: int, holds: object, title: str) -> None:
        """Told at its begin only: the journal itself tells that it goes on."""
        if not holds:
            self._told.pop(name, None)
        elif name not in self._told:
            self._told[name] = now
            cure = "runner status says more; docs/operations.md has a card for it"
            self._say(Notice(now, CRITICAL, title, cure))
