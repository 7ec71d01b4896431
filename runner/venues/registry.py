"""The exchanges that the runner can trade on, by the name that runner.yaml gives them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from runner.core.lifecycle import Timing
from runner.venues import Venue
from runner.venues.binance_usdm import checkup
from runner.venues.binance_usdm.adapter import BinanceUsdm
from runner.venues.binance_usdm.presets import Addresses
from runner.venues.findings import Declared, Finding


class Adapter(Venue, Protocol):
    """A venue that was built but not asked anything yet; `hedge_mode` is read by `connect`."""

    hedge_mode: bool | None

    def connect(self) -> None:
        """Read what `instruments` and the clock need; raises VenueError with the cure."""


class Open(Protocol):
    """How an adapter is built: no I/O yet. `wall` and `monotonic` are clocks in ms."""

    def __call__(
        self,
        addresses: Addresses,
        key: str,
        secret: str,
        timing: Timing,
        wall: Callable[[], int],
        monotonic: Callable[[], int],
        /,
    ) -> Adapter:
        """Raises ConfigurationError for a key or secret that cannot be one."""


VENUES: dict[str, Open] = {"binance_usdm": BinanceUsdm}
"""Venue name -> its adapter; another exchange is a package in runner/venues/ and a line here."""


def findings(venue: Venue, declared: Declared, *, streams: bool = True) -> Iterator[Finding]:
    """The check-up of an account, a finding a check; `venue` need not be connected yet.

    `streams` False leaves out what takes seconds. A venue without a check-up has no findings.
    """
    if isinstance(venue, BinanceUsdm):
        yield from checkup.findings(venue, declared, streams=streams)
