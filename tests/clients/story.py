"""What every client does on the paper exchange, and how its events are written down.

Stands in the process of a client, beside its packages: nothing of ours is imported here.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

SYMBOL = "BTCUSDT"
RESTING: dict[str, Any] = {
    "symbol": SYMBOL,
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.010",
    "price": "69000",
}
AMENDED = {"symbol": SYMBOL, "side": "BUY", "quantity": "0.020", "price": "69010"}
MARKET = {"symbol": SYMBOL, "side": "BUY", "type": "MARKET", "quantity": "0.010"}
# The middle leg is off its tick.
PRICES = ("68000", "68000.03", "68000.1")
LEGS = [RESTING | {"price": price, "newClientOrderId": f"leg{price[-1]}"} for price in PRICES]


def addresses() -> dict[str, str]:
    """Return the addresses of the exchange, the script's first argument."""
    found: dict[str, str] = json.loads(sys.argv[1])
    return found


def short(event: dict[str, Any]) -> str:
    """Return an event's name, and of an order's its id, what happened and its status."""
    order = event.get("o", {})
    if event["e"] == "ORDER_TRADE_UPDATE":
        return f"{order['c']} {order['x']} {order['X']}"
    if event["e"] == "ACCOUNT_UPDATE":
        return f"ACCOUNT_UPDATE {event['a']['m']}"
    return str(event["e"])


def legs(answers: list[dict[str, Any]]) -> list[Any]:
    """Return each leg's status, or the code of its refusal."""
    return [answer.get("status") or answer["code"] for answer in answers]


def wait(ready: Callable[[], bool], seconds: float = 60.0) -> None:
    """Look again and again until it is so; raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError("the streams did not tell it")
        time.sleep(0.02)


def tell(facts: dict[str, Any]) -> None:
    """Print what came out, as one line of JSON."""
    sys.stdout.write(json.dumps(facts) + "\n")
