"""What a person may be told, by kind: the closed list, how loud each is, and one notice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from runner.core.values import dataclass

Loudness = Literal["on", "silent", "off"]

CRITICAL: Final = "critical"

KINDS: Final[Mapping[str, tuple[Loudness, str]]] = {
    CRITICAL: ("on", "what needs a person now; it may be silent, never off"),
    "rule": ("on", "what a rule's notify says"),
    "opened": ("on", "an order that opens or adds to a position is filled"),
    "closed": ("on", "an order that closes a position, or part of it, is filled"),
    "partly_filled": ("off", "part of an order is filled, more may come"),
    "rejected": (
        "on",
        "an order was refused by the exchange, came too late, or could not be made",
    ),
    "cancelled": ("off", "an order was cancelled or ran out"),
    "unknown": ("silent", "it is not known yet whether an order is at the exchange"),
    "guard": ("on", "a guard kept an order back"),
    "refused": ("off", "a rule did not fire, for another reason"),
    "fired": ("off", "a rule fired"),
    "command": ("silent", "a person's command: pause, resume, enable, unlock …"),
    "dead_man": ("on", "a countdown was armed, ran out, or is overdue"),
    "exchange": ("on", "a stream or REST is away for longer than half a minute, or is back"),
    "reloaded": ("silent", "the rules were reloaded"),
    "reload_refused": ("on", "changed rules have mistakes: the old ones go on"),
    "summary": ("on", "what the day came to, at the time that notifications.summary says"),
    "error": ("on", "something went wrong inside the runner"),
    "started": ("silent", "the runner started"),
    "stopped": ("on", "the runner stopped"),
}
"""Each kind with how loud it is unless the settings say otherwise, and what it is about."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell: `title` is what a lock screen shows, `body` is what follows it."""

    at: int
    kind: str
    title: str
    body: str = ""

    @property
    def critical(self) -> bool:
        """True for what is never dropped, held back or put together with others."""
        return self.kind == CRITICAL


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A notice that must reach one target; `key` and `target` together name it for good."""

    key: str
    target: str
    notice: Notice


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of an outgoing notice: empty `trouble` when its target took it."""

    key: str
    target: str
    at: int
    trouble: str = ""
