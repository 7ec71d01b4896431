"""A tests file as it was read: its cases, each a time line of steps, and the rules they test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path as FilePath
from typing import Any

from runner.core.document import Path, Problem
from runner.core.rules import RuleSet
from runner.rulebook.diagnostics import Diagnostic
from runner.rulebook.source import Source


@dataclass(frozen=True, slots=True)
class Prices:
    """New prices of one symbol, `after` ms behind their step's time."""

    after: int
    symbol: str
    values: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class Step:
    """One step: `at` ms from the start of the test; what is not written is None or empty.

    `body` is an alert's tree, `events` are those that are handed in as they came, by their key
    (position, order, system, fire). `fill` and `reject` name orders by number. `restart` and `stop`
    are how long (ms) the runner is down, killed or asked to. `expect` is the tree as written:
    "nothing" or a mapping.
    """

    path: Path
    at: int
    prices: tuple[Prices, ...] = ()
    hook: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)
    fill: Mapping[str, Any] | None = None
    reject: Mapping[str, Any] | None = None
    dead_man: str = ""
    events: Mapping[str, Any] = field(default_factory=dict)
    gap: int = 0
    restart: int | None = None
    stop: int | None = None
    reload: str = ""
    expect: Any = None
    because: str = ""

    @property
    def until(self) -> int:
        """When its last price comes (ms from the start)."""
        return self.at + max((prices.after for prices in self.prices), default=0)


@dataclass(frozen=True, slots=True)
class Case:
    """One test, ready to be played: `start` is UTC ms, `given` maps (symbol, name) to a number."""

    name: str
    rule: str
    symbol: str
    beside: tuple[str, ...]
    start: int
    given: Mapping[tuple[str, str], Decimal]
    steps: tuple[Step, ...]
    path: Path


@dataclass(slots=True)
class TestsFile:
    """What came of reading a tests file: `cases` are sound, `found` are its mistakes.

    `rules` is None when the rule file has errors; they are among `found`. `reloads` are the rule
    sets of `reload:` steps by the name that stands there. Paths are seen from where we are.
    """

    __test__ = False  # for pytest: this is no test of ours

    path: FilePath
    source: Source
    cases: list[Case] = field(default_factory=list)
    rules: RuleSet | None = None
    rules_file: FilePath | None = None
    exchange_info: FilePath | None = None
    reloads: dict[str, RuleSet] = field(default_factory=dict)
    found: list[Diagnostic] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """True when every test of it can be played."""
        return not any(found.is_error for found in self.found)

    def mark(self, path: Path, message: str, code: str, cure: str | None = None) -> Diagnostic:
        """A finding at a place of the file."""
        return self.source.locate(Problem(path, code, message, cure))


def spoken(ms: int) -> str:
    """A time of the time line as it is written: 0s, 16s, 1m30s."""
    minutes, rest = divmod(ms, 60_000)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{hours}h" if hours else "", f"{minutes}m" if minutes else ""]
    seconds, thousandths = divmod(rest, 1000)
    parts.append(f"{seconds}s" if seconds else "")
    parts.append(f"{thousandths}ms" if thousandths else "")
    return "".join(parts) or "0s"
