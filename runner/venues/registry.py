"""The exchanges that the runner can trade on, by the name that runner.yaml gives them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from runner.core.daily import Transfer
from runner.core.lifecycle import Timing
from runner.venues import Venue
from runner.venues.binance_usdm import identity
from runner.venues.binance_usdm.adapter import BinanceUsdm
from runner.venues.binance_usdm.presets import Addresses
from runner.venues.binance_usdm.transfers import transfers
from runner.venues.findings import Declared, Finding


class Adapter(Venue, Protocol):
    """A venue that was built but not asked anything yet; `hedge_mode` is read by `connect`."""

    hedge_mode: bool | None

    def connect(self) -> None:
        """Read what `instruments` and the clock need; raises VenueError with the cure."""

    def change_key(self, key: str, secret: str) -> None:
        """Sign with this key from now on; what is signed already leaves with the old one."""


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
        from runner.venues.binance_usdm import checkup

        yield from checkup.findings(venue, declared, streams=streams)


def address_of(venue: Venue) -> str:
    """Where its REST calls go; "" for a venue without any."""
    return venue.address if isinstance(venue, BinanceUsdm) else ""


def share_limits(venue: Venue, others: Iterable[Venue]) -> None:
    """Have accounts of this process that reach the exchange at one address share its limits."""
    if not isinstance(venue, BinanceUsdm):
        return
    for other in others:
        if isinstance(other, BinanceUsdm) and other.address == venue.address:
            venue.share_limits(other)


def try_out(venue: Venue, symbol: str) -> Iterator[Finding]:
    """Place and cancel one tiny order far from the price, a finding a step; `venue` is connected.

    Raises VenueError. A venue without a try-out has no findings.
    """
    if isinstance(venue, BinanceUsdm):
        from runner.venues.binance_usdm import tryout

        yield from tryout.steps(venue, symbol)


def account_name(venue: Venue) -> str:
    """What the exchange calls the account that the key opens; "" where it has no name.

    Raises VenueError when it cannot be asked.
    """
    return identity.account_name(venue) if isinstance(venue, BinanceUsdm) else ""


def moved(venue: Venue, since: int) -> list[Transfer]:
    """What was deposited and withdrawn after `since` (server time); nothing where none can be.

    Raises VenueError when the exchange does not tell.
    """
    return transfers(venue, since) if isinstance(venue, BinanceUsdm) else []


def key_created(venue: Venue) -> int | None:
    """When the key was made, in UTC ms; None where the exchange does not tell."""
    return identity.key_created(venue) if isinstance(venue, BinanceUsdm) else None
