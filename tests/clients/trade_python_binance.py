"""python-binance on the paper exchange: its blocking client, its streams in a thread."""

from __future__ import annotations

from typing import Any

import story
from binance import BinanceSocketManager, Client, ThreadedWebsocketManager
from binance.async_client import AsyncClient

ADDRESSES = story.addresses()


def override() -> None:
    """Put the exchange's addresses in the place of the real ones; nothing else changes."""
    for kind in (Client, AsyncClient):
        kind.API_URL = f"{ADDRESSES['rest']}/api"
        kind.FUTURES_URL = f"{ADDRESSES['rest']}/fapi"
        kind.WS_FUTURES_URL = ADDRESSES["ws_api"]
    BinanceSocketManager.FSTREAM_URL = f"{ADDRESSES['streams']}/"


def main() -> None:
    """Trade, listen, and tell."""
    override()
    client = Client("K", "S")
    heard: list[dict[str, Any]] = []
    seen: list[dict[str, Any]] = []
    streams = ThreadedWebsocketManager("K", "S")
    streams.start()
    streams.start_futures_user_socket(callback=heard.append)
    streams.start_aggtrade_futures_socket(callback=seen.append, symbol=story.SYMBOL)
    open_streams(client, heard)
    facts = trade(client)
    story.wait(lambda: any("FILLED" in story.short(event) for event in heard))
    story.wait(lambda: bool(seen))
    facts["user"] = [story.short(event) for event in heard]
    facts["market"] = [seen[0]["data"]["e"]]
    story.tell(facts)
    streams.stop()


def open_streams(client: Any, heard: list[dict[str, Any]]) -> None:
    """Wait until the user stream tells; it does not say when it is open."""
    leverages = iter(range(2, 10_000))

    def hears() -> bool:
        client.futures_change_leverage(symbol="ETHUSDT", leverage=1 + next(leverages) % 50)
        return bool(heard)

    story.wait(hears)
    last = client.futures_change_leverage(symbol="ETHUSDT", leverage=75)["leverage"]
    story.wait(lambda: heard[-1].get("ac", {}).get("l") == last)
    heard.clear()


def trade(client: Any) -> dict[str, Any]:
    """Do what the story says, and return what came of it."""
    facts: dict[str, Any] = {}
    symbol = story.SYMBOL
    facts["leverage"] = client.futures_change_leverage(symbol=symbol, leverage=7)["leverage"]
    facts["margin"] = client.futures_change_margin_type(symbol=symbol, marginType="ISOLATED")[
        "code"
    ]
    placed = client.futures_create_order(**story.RESTING, newClientOrderId="mine")
    facts["placed"] = placed["status"]
    amended = client.futures_modify_order(origClientOrderId="mine", **story.AMENDED)
    facts["amended"] = [amended["price"], amended["origQty"]]
    found = client.futures_get_order(symbol=symbol, origClientOrderId="mine")
    facts["found"] = [found["clientOrderId"], found["orderId"] == placed["orderId"]]
    gone = client.futures_cancel_order(symbol=symbol, origClientOrderId="mine")
    facts["cancelled"] = gone["status"]
    facts["batch"] = story.legs(client.futures_place_batch_order(batchOrders=story.LEGS))
    counted = client.futures_countdown_cancel_all(symbol=symbol, countdownTime=60000)
    facts["countdown"] = counted["countdownTime"]
    client.futures_create_order(**story.MARKET, newClientOrderId="now")
    return facts


main()
