"""The exchange's clock, estimated on our monotonic clock by the shortest round trip."""

from __future__ import annotations

from dataclasses import dataclass

DRIFT = 10_000
"""A quartz clock strays at most 100 ppm: 1 ms every 10 s."""


@dataclass(frozen=True, slots=True)
class _Estimate:
    """Server time minus monotonic time, in ms, with half the round trip, taken at `at`."""

    offset: int
    half_trip: int
    at: int

    def uncertainty(self, monotonic: int) -> int:
        return self.half_trip + max(0, monotonic - self.at) // DRIFT


class ServerClock:
    """What server time it is; fed with round trips, asked with monotonic ms. No I/O.

    A wall clock that is set, by hand or by NTP, changes nothing here. One assignment replaces
    the whole estimate, so readers need no lock.
    """

    def __init__(self) -> None:
        self._estimate: _Estimate | None = None

    def feed(self, sent: int, received: int, server_time: int) -> None:
        """Take one answer of /fapi/v1/time, asked at `sent` and read at `received` (monotonic).

        The server looked at its clock somewhere between the two: the middle is off by at most
        half the trip. A longer trip than the best one, aged by drift, tells nothing new.
        """
        half = (received - sent + 1) // 2
        # both ends are truncated to whole ms, and so is the server's answer
        fresh = _Estimate(server_time - (sent + half), half + 1, received)
        known = self._estimate
        if known is None or fresh.half_trip <= known.uncertainty(received):
            self._estimate = fresh

    def doubt(self) -> None:
        """The exchange disagreed (-1021, -5028): the next round trip counts, however long."""
        known = self._estimate
        if known is not None:
            self._estimate = _Estimate(known.offset, known.half_trip + 86_400_000, known.at)

    def now(self, monotonic: int) -> int | None:
        """Server time in ms, or None before the first round trip."""
        known = self._estimate
        return None if known is None else known.offset + monotonic

    def uncertainty(self, monotonic: int) -> int | None:
        """How far off `now` may be, in ms; None before the first round trip."""
        known = self._estimate
        return None if known is None else known.uncertainty(monotonic)
