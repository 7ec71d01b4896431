"""binance-futures-connector on the paper exchange: REST and both kinds of streams."""

from __future__ import annotations

import json
from typing import Any

import story
from binance.um_futures import UMFutures
from binance.websocket.um_futures.websocket_client import UMFuturesWebsocketClient

ADDRESSES = story.addresses()


def main() -> None:
    """Trade, listen, and tell."""
    client = UMFutures("K", "S", base_url=ADDRESSES["rest"])
    heard: list[dict[str, Any]] = []
    seen: list[dict[str, Any]] = []

    def on_user(_: Any, text: str) -> None:
        heard.append(json.loads(text))

    def on_market(_: Any, text: str) -> None:
        seen.append(json.loads(text))

    key = client.new_listen_key()["listenKey"]
    streams = ADDRESSES["streams"]
    user = UMFuturesWebsocketClient(f"{streams}/private", on_message=on_user)
    user.user_data(listen_key=key, id=1)
    market = UMFuturesWebsocketClient(f"{streams}/market", on_message=on_market)
    market.mark_price(story.SYMBOL, speed=1, id=2)
    story.wait(lambda: bool(heard and seen))
    # The answer to SUBSCRIBE.
    heard.clear()

    facts = trade(client)
    story.wait(lambda: any("FILLED" in story.short(event) for event in heard))
    story.wait(lambda: any(event.get("e") == "markPriceUpdate" for event in seen))
    facts["user"] = [story.short(event) for event in heard]
    facts["market"] = ["markPriceUpdate"]
    story.tell(facts)
    user.stop()
    market.stop()


def trade(client: Any) -> dict[str, Any]:
    """Do what the story says, and return what came of it."""
    facts: dict[str, Any] = {}
    facts["leverage"] = client.change_leverage(symbol=story.SYMBOL, leverage=7)["leverage"]
    facts["margin"] = client.change_margin_type(symbol=story.SYMBOL, marginType="ISOLATED")["code"]
    placed = client.new_order(**story.RESTING, newClientOrderId="mine")
    facts["placed"] = placed["status"]
    amended = client.modify_order(origClientOrderId="mine", **story.AMENDED)
    facts["amended"] = [amended["price"], amended["origQty"]]
    found = client.query_order(symbol=story.SYMBOL, origClientOrderId="mine")
    facts["found"] = [found["clientOrderId"], found["orderId"] == placed["orderId"]]
    gone = client.cancel_order(symbol=story.SYMBOL, origClientOrderId="mine")
    facts["cancelled"] = gone["status"]
    facts["batch"] = story.legs(client.new_batch_order(story.LEGS))
    counted = client.countdown_cancel_order(symbol=story.SYMBOL, countdownTime=60000)
    facts["countdown"] = counted["countdownTime"]
    client.new_order(**story.MARKET, newClientOrderId="now")
    return facts


main()
