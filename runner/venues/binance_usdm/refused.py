"""Why a reading of the start was not answered, with the cure."""

from __future__ import annotations

from runner.errors import VenueError
from runner.venues.binance_usdm.cures import AT_START
from runner.venues.binance_usdm.wire_answers import Reply
from runner.venues.binance_usdm.wire_values import integer, mapping


def refused(where: str, reply: Reply, silence: int) -> VenueError:
    """The error for this address and what it answered, or did not.

    `silence` (ms): for so long the exchange wants to hear nothing.
    """
    said = reply.message(reply.value)
    if reply.transport != "ok":
        return VenueError(
            f"cannot reach {where}: {said}; check the network and the account's address",
            silence,
        )
    code = integer(mapping(reply.value).get("code"))
    cure = AT_START.get(code or 0, "see the exchange's status page, then start again")
    named = f"HTTP {reply.status}" if code is None else f"code {code}"
    return VenueError(f"{where} answered {named}: {said}; {cure}", silence)
