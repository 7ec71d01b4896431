"""Where Binance's environments are found, by name; the paper exchange says its own addresses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

# Sources disagree about the private form: without `events` some accounts get nothing, a path
# form connects and stays silent (reference/binance-api.md, section 1). So it is a template.
PRIVATE = (
    "{streams}/private/ws?listenKey={listen_key}"
    "&events=ORDER_TRADE_UPDATE/ACCOUNT_UPDATE/ALGO_UPDATE/TRADE_LITE/MARGIN_CALL"
    "/ACCOUNT_CONFIG_UPDATE/listenKeyExpired"
)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Roots without a trailing slash; `private` is the user stream's template.

    `wallet` tells what a key may do (/sapi): "" where that is asked at `rest`, None where no such
    address is known. `transport`: orders go over REST, or over the WebSocket API.
    """

    rest: str
    streams: str
    ws_api: str
    private: str = PRIVATE
    wallet: str | None = ""
    transport: Literal["rest", "ws"] = "rest"

    def user(self, listen_key: str) -> str:
        """The user stream's address for this listen key."""
        return self.private.format(streams=self.streams, listen_key=listen_key)


PRESETS: dict[str, Addresses] = {
    "live": Addresses(
        rest="https://fapi.binance.com",
        streams="wss://fstream.binance.com",
        ws_api="wss://ws-fapi.binance.com/ws-fapi/v1",
        wallet="https://api.binance.com",
    ),
    "demo": Addresses(
        rest="https://demo-fapi.binance.com",
        streams="wss://demo-fstream.binance.com",
        ws_api="wss://testnet.binancefuture.com/ws-fapi/v1",
        wallet=None,
    ),
}
"""Presets by name (documentation of 2026-05; the demo stream host is the newest of three)."""


def reach(address: str | Mapping[str, str], transport: Literal["rest", "ws"]) -> Addresses:
    """Where an account's exchange is found: a preset's name, or rest, streams and ws_api."""
    if isinstance(address, str):
        return replace(PRESETS[address], transport=transport)
    return Addresses(address["rest"], address["streams"], address["ws_api"], transport=transport)
