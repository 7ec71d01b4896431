"""The lanes that carry requests: what the dispatcher asks of them, and the simplest ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Protocol

from runner.core.orders import Call, Lane, lane_of
from runner.venues import SignedRequest


class Lanes(Protocol):
    """The gateway's face to the dispatcher."""

    def idle(self, lane: Lane) -> int:
        """How many more calls this lane can take at once."""

    @property
    def busy(self) -> bool:
        """True while a request is on its way."""

    def prepare(self, signed: SignedRequest) -> None:
        """Make this request ready, but let nothing of it leave."""

    def submit(self, signed: SignedRequest) -> None:
        """Send this request, whose attempt is durable."""

    def drop(self, signed: SignedRequest) -> None:
        """Forget this request, whose attempt is not durable; one that was never prepared, too."""

    def freed(self, call: Call) -> None:
        """This call's answer was taken in."""


class StraightLanes:
    """Lanes without threads: what is submitted is carried at once."""

    def __init__(self, carry: Callable[[SignedRequest], None], lanes: Mapping[Lane, int]) -> None:
        """`carry` takes a request out; `lanes` tells how many each lane takes at once."""
        self._carry = carry
        self._sizes = lanes
        self._busy: Counter[Lane] = Counter()

    def idle(self, lane: Lane) -> int:
        """How many more calls this lane can take."""
        return self._sizes[lane] - self._busy[lane]

    @property
    def busy(self) -> bool:
        """True while a request is on its way."""
        return any(self._busy.values())

    def prepare(self, signed: SignedRequest) -> None:
        """Nothing takes time here."""

    def drop(self, signed: SignedRequest) -> None:
        """What was not submitted never leaves."""

    def submit(self, signed: SignedRequest) -> None:
        """A request whose attempt is durable leaves."""
        self._busy[lane_of(signed.call)] += 1
        self._carry(signed)

    def freed(self, call: Call) -> None:
        """Its answer was taken in."""
        self._busy[lane_of(call)] -= 1
