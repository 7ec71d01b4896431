"""Whose key it is and how old: what a change of keys asks before the next one is used."""

from __future__ import annotations

from runner.errors import VenueError
from runner.venues.binance_usdm.adapter import BinanceUsdm
from runner.venues.binance_usdm.wire_values import integer, mapping

BALANCES = "/fapi/v3/balance"


def account_name(venue: BinanceUsdm) -> str:
    """The account's alias, "unique account code" in the exchange's words.

    Raises VenueError when the exchange does not take the key or does not tell.
    """
    reply = venue.read(BALANCES)
    rows = reply.value if reply.status == 200 and isinstance(reply.value, list) else []
    alias = mapping(rows[0]).get("accountAlias") if rows else None
    if not isinstance(alias, str) or not alias:
        raise VenueError(
            f"{venue.address} does not tell which account the key belongs to: "
            f"{reply.message(reply.value)}. Nothing was changed; try again, or stop the runner and "
            "set the new key in the place of the old one"
        )
    return alias


def key_created(venue: BinanceUsdm) -> int | None:
    """When the key was made, in UTC ms; None where the exchange does not tell."""
    reply = venue.permissions()
    if reply is None or reply.status != 200:
        return None
    return integer(mapping(reply.value).get("createTime")) or None
