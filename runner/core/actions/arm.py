"""Actions `arm` and `disarm`: switch the dead man of symbols on and off, kept across restarts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from runner.core.document import Node
from runner.core.formula import Formula
from runner.core.rules import ActionContext, ActionKind, DeadMan, Progress, Step
from runner.core.values import dataclass

SHORT_COUNTDOWN = 60_000
LEAST_REFRESH = 1_000


@dataclass(frozen=True, slots=True)
class Arm:
    """The symbols (none: the rule's own), and the countdown and refresh in ms, else the file's."""

    kind: ClassVar[str] = "arm"

    symbols: tuple[str, ...]
    times: tuple[int, int] | None

    def formulas(self) -> tuple[Formula, ...]:
        """None."""
        return ()

    def step(self, context: ActionContext) -> Step:
        """Done at once: the exchange is told as after a change of the file."""
        symbols, times = self.symbols or (context.symbol,), self.times
        if times is None:
            return Step(Progress.DONE, arm=dict.fromkeys(symbols, "file"))
        return Step(Progress.DONE, arm={symbol: DeadMan(symbol, *times) for symbol in symbols})


@dataclass(frozen=True, slots=True)
class Disarm:
    """The symbols (none: the rule's own)."""

    kind: ClassVar[str] = "disarm"

    symbols: tuple[str, ...]

    def formulas(self) -> tuple[Formula, ...]:
        """None."""
        return ()

    def step(self, context: ActionContext) -> Step:
        """Done at once: the exchange is told that the countdown is 0."""
        return Step(Progress.DONE, arm=dict.fromkeys(self.symbols or (context.symbol,), None))


def check_times(node: Node) -> tuple[int, int] | None:
    """A block's countdown and refresh in ms; notes problems and returns None when unusable."""
    before = len(node.problems)
    countdown, refresh = node.duration("countdown"), node.duration("refresh")
    if countdown is None or refresh is None:
        return None
    if refresh < LEAST_REFRESH:
        node.child("refresh").problem("range", "refresh must be at least 1s")
    elif countdown < 2 * refresh:
        node.child("countdown").problem(
            "dead-man",
            "countdown must be at least twice refresh",
            "one late refresh would let the exchange cancel the orders",
        )
    elif countdown < SHORT_COUNTDOWN:
        node.child("countdown").problem(
            "dead-man",
            "a countdown under 60s",
            "a short break of the connection cancels the orders; 2m is usual",
            severity="warning",
        )
    errors = [problem for problem in node.problems[before:] if problem.severity == "error"]
    return None if errors else (countdown, refresh)


SYMBOLS: Mapping[str, Any] = {
    "type": ["array", "string"],
    "minItems": 1,
    "items": {"type": "string", "description": "A symbol: BTCUSDT"},
    "description": "The symbols, when not the rule's own: [BTCUSDT, ETHUSDT]",
}

ARM_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "description": "From now on the exchange cancels the open orders of these symbols when the "
    "runner falls silent; {} takes up what the file's dead_man says. "
    "Example: {symbols: [BTCUSDT], countdown: 2m, refresh: 30s}",
    "additionalProperties": False,
    "properties": {
        "symbols": SYMBOLS,
        "countdown": {
            "type": "string",
            "description": "After this silence the exchange cancels the open orders: 2m",
        },
        "refresh": {
            "type": "string",
            "description": "How often the countdown is started anew: 30s",
        },
    },
}

DISARM_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "description": "No countdown for these symbols any more, whatever the file's dead_man says, "
    "until they are armed again. Example: {symbols: [BTCUSDT]}",
    "additionalProperties": False,
    "properties": {"symbols": SYMBOLS},
}


def _symbols(node: Node) -> tuple[str, ...]:
    return tuple(str(item.value) for item in node.child("symbols").items())


def build_arm(node: Node) -> Arm | None:
    """Read an `arm:` block; notes problems and returns None when it is not usable."""
    if node.has("countdown") != node.has("refresh"):
        missing = "refresh" if node.has("countdown") else "countdown"
        node.problem("missing-key", f"{missing} is missing in arm", "write both, or neither")
        return None
    times = check_times(node)
    return None if times is None and node.has("countdown") else Arm(_symbols(node), times)


def build_disarm(node: Node) -> Disarm | None:
    """Read a `disarm:` block."""
    return Disarm(_symbols(node))


ARM = ActionKind(
    "arm", ARM_SCHEMA, build_arm, "- arm: {symbols: [BTCUSDT], countdown: 2m, refresh: 30s}"
)
DISARM = ActionKind("disarm", DISARM_SCHEMA, build_disarm, "- disarm: {symbols: [BTCUSDT]}")
