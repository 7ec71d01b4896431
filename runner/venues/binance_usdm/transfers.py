"""What was deposited and withdrawn while nobody listened, as the income history tells it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from runner.core.daily import Transfer
from runner.errors import VenueError
from runner.venues.binance_usdm.adapter import BinanceUsdm
from runner.venues.binance_usdm.wire_reads import COLLATERAL
from runner.venues.binance_usdm.wire_values import decimal, integer

INCOME: Final = "/fapi/v1/income"
"""Weight 30; rows of the last three months, the oldest first."""

MOST: Final = 1_000
"""Rows in one answer, at most."""


def transfers(venue: BinanceUsdm, since: int) -> list[Transfer]:
    """Every transfer of the collateral into or out of the account after `since` (server time).

    Raises VenueError when the exchange does not tell.
    """
    found: dict[object, Transfer] = {}
    start, end = since + 1, venue.server_time()
    while start <= end:
        window = f"incomeType=TRANSFER&startTime={start}&endTime={end}&limit={MOST}"
        reply = venue.read(INCOME, window)
        rows = reply.value
        if reply.status != 200 or not isinstance(rows, list):
            text = f"{venue.address}{INCOME} answered {reply.message(rows)}"
            raise VenueError(text, venue.silence())
        page = list(_read(rows))
        found.update((key, one) for key, asset, one in page if asset == COLLATERAL)
        if len(rows) < MOST or not page:
            break
        # those of the last millisecond may go on in the next answer
        start = max(page[-1][2].event_time, start + 1)
    return sorted(found.values(), key=lambda one: one.event_time)


def _read(rows: list[Any]) -> Iterator[tuple[object, object, Transfer]]:
    """Its id, asset and the transfer itself, of each row that can be read."""
    for row in rows:
        told: Mapping[str, Any] = row if isinstance(row, dict) else {}
        amount, time = decimal(told.get("income")), integer(told.get("time"))
        if amount is not None and time is not None:
            yield told.get("tranId"), told.get("asset"), Transfer(amount, time)
