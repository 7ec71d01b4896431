"""What /readyz says: whether alerts become orders now, and what of the exchange is out of reach."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Problem:
    """A way to the exchange, or to people, that does not work since then (ms), what it means,
    what to do.
    """

    link: Literal["market stream", "user stream", "REST", "notifications", "an account"]
    since: int
    what: str
    meaning: str
    cure: str


@dataclass(frozen=True, slots=True)
class Stale:
    """A price that rules look at and that is too old to act on; `since` (ms) None: never seen."""

    symbol: str
    source: str
    since: int | None


@dataclass(frozen=True, slots=True)
class Link:
    """A stream of the exchange: whether it stands, else since when (ms) it does not."""

    stream: Literal["market", "user"]
    connected: bool
    since: int | None = None


@dataclass(frozen=True, slots=True)
class Used:
    """What is used of a limit of the exchange in its running window of `every` ms."""

    limit: Literal["weight", "orders"]
    every: int
    used: int
    most: int


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether alerts lead to orders now; `reasons` say why not.

    `taking`: alerts are taken all the same, and their orders leave as soon as they can. Problems
    are told also where alerts become orders as ever.
    """

    ready: bool
    reasons: tuple[str, ...] = ()
    taking: bool = False
    problems: tuple[Problem, ...] = ()
    stale: tuple[Stale, ...] = ()
    streams: tuple[Link, ...] = ()
    limits: tuple[Used, ...] = ()

    def document(self) -> dict[str, Any]:
        """As JSON shows it."""
        return asdict(self)


def together(states: Mapping[str, Readiness]) -> Readiness:
    """What one address says for several accounts: ready when each is, and whose reasons they are.

    An alert is taken, or not, by the account of its rule, whatever stands here. Streams and limits
    are told of one account at a time.
    """
    if len(states) == 1:
        return next(iter(states.values()))
    named = [(f"account {name}: ", state) for name, state in states.items()]
    return Readiness(
        all(state.ready for state in states.values()),
        tuple(who + reason for who, state in named for reason in state.reasons),
        all(state.taking for state in states.values()),
        tuple(
            replace(problem, what=who + problem.what)
            for who, state in named
            for problem in state.problems
        ),
        tuple(dict.fromkeys(one for state in states.values() for one in state.stale)),
    )
