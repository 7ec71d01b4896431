"""python-binance on the paper exchange: its asynchronous client, also over the WebSocket API."""

from __future__ import annotations

import asyncio
from typing import Any

import story
from binance import AsyncClient, BinanceSocketManager

ADDRESSES = story.addresses()


def override() -> None:
    """Put the exchange's addresses in the place of the real ones; nothing else changes."""
    AsyncClient.API_URL = f"{ADDRESSES['rest']}/api"
    AsyncClient.FUTURES_URL = f"{ADDRESSES['rest']}/fapi"
    AsyncClient.WS_FUTURES_URL = ADDRESSES["ws_api"]
    BinanceSocketManager.FSTREAM_URL = f"{ADDRESSES['streams']}/"


async def main() -> None:
    """Trade, listen, and tell."""
    override()
    client = await AsyncClient.create("K", "S")
    sockets = BinanceSocketManager(client)
    user = sockets.futures_user_socket()
    market = sockets.aggtrade_futures_socket(story.SYMBOL)
    async with user, market:
        facts = await trade(client)
        facts["user"] = []
        while not any("FILLED" in one for one in facts["user"]):
            event = await asyncio.wait_for(user.recv(), 60)
            facts["user"].append(story.short(event))
        seen = await asyncio.wait_for(market.recv(), 60)
        facts["market"] = [seen["data"]["e"]]
        facts["api"] = await trade_by_socket(client)
    story.tell(facts)
    await client.close_connection()


async def trade(client: Any) -> dict[str, Any]:
    """Do what the story says, and return what came of it."""
    facts: dict[str, Any] = {}
    symbol = story.SYMBOL
    answer = await client.futures_change_leverage(symbol=symbol, leverage=7)
    facts["leverage"] = answer["leverage"]
    answer = await client.futures_change_margin_type(symbol=symbol, marginType="ISOLATED")
    facts["margin"] = answer["code"]
    placed = await client.futures_create_order(**story.RESTING, newClientOrderId="mine")
    facts["placed"] = placed["status"]
    amended = await client.futures_modify_order(origClientOrderId="mine", **story.AMENDED)
    facts["amended"] = [amended["price"], amended["origQty"]]
    found = await client.futures_get_order(symbol=symbol, origClientOrderId="mine")
    facts["found"] = [found["clientOrderId"], found["orderId"] == placed["orderId"]]
    gone = await client.futures_cancel_order(symbol=symbol, origClientOrderId="mine")
    facts["cancelled"] = gone["status"]
    answers = await client.futures_place_batch_order(batchOrders=story.LEGS)
    facts["batch"] = story.legs(answers)
    counted = await client.futures_countdown_cancel_all(symbol=symbol, countdownTime=60000)
    facts["countdown"] = counted["countdownTime"]
    await client.futures_create_order(**story.MARKET, newClientOrderId="now")
    return facts


async def trade_by_socket(client: Any) -> list[str]:
    """Place, query and cancel over the WebSocket API, and return each status."""
    named = {"symbol": story.SYMBOL, "origClientOrderId": "socket"}
    placed = await client.ws_futures_create_order(**story.RESTING, newClientOrderId="socket")
    found = await client.ws_futures_get_order(**named)
    gone = await client.ws_futures_cancel_order(**named)
    return [placed["status"], found["status"], gone["status"]]


asyncio.run(main())
