"""What the dashboard asks of the rest: the journal, the status, the runner's eyes and its verbs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from runner.core.limits import Limits
from runner.core.rules import Rule
from runner.journal import JournalReader

Plain = dict[str, Any]
"""What JSON knows; amounts as text, times in UTC ms."""


@dataclass(frozen=True, slots=True)
class Told:
    """What became of a command, in the words of the command line."""

    done: bool
    text: str


@dataclass(frozen=True, slots=True)
class Candle:
    """One minute (or another interval) of prices, from `open_time` (ms) on."""

    open_time: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal


class Desk(Protocol):
    """Asked by several threads at once; every method opens what it reads and closes it again."""

    @property
    def folder(self) -> str:
        """The runner's folder, for the commands that pages tell people to type."""

    def journal(self) -> JournalReader:
        """The journal, read-only; the caller closes it. Raises JournalError."""

    def status(self) -> Plain:
        """The document of `runner status --json`, about a second old at most.

        Raises JournalError.
        """

    def rules(self) -> Mapping[str, Rule]:
        """The rules of the rule files; none while these have mistakes."""

    def account_limits(self) -> Limits:
        """The guards of the account in runner.yaml."""

    def look(self, rule_id: str = "", symbol: str = "") -> Plain | None:
        """What `core.looking` says of rules now; None when no runner answers."""

    def account(self) -> Plain | None:
        """The document of `runner positions --json`; None when the journal cannot be read."""

    def candles(self, symbol: str, interval: str) -> tuple[Candle, ...]:
        """The symbol's newest prices, oldest first; none when the exchange does not tell."""

    def order(self, verb: str, *, reason: str, symbol: str = "", rule_id: str = "") -> Told:
        """Give a command as the command line does. Raises RunnerError."""

    def written(self, rule_text: str) -> list[str]:
        """A rule's canonical text as a rule file writes it, a line for each key."""

    def password(self) -> str | None:
        """The hash of the password, read anew; None when there is none."""
