"""A trading desk for tests: the pure exchange, one account, a clock that only tests move."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from runner.venues.paper.exchange import ApiError, Exchange
from runner.venues.paper.state import UserEvent

START = 1_700_000_000_000


def order_terms(**change: Any) -> dict[str, Any]:
    """What a good limit order says, with something changed."""
    good = {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "0.010",
        "price": "69000",
    }
    return good | change


class Desk:
    """Calls the exchange as account `paper` at `now`, and reads what its user stream was told."""

    def __init__(self, **options: Any) -> None:
        self.now = START
        self.exchange = Exchange(now=START, **options)

    def call(self, method: str, path: str, account: str = "paper", **params: Any) -> Any:
        """Return the answer of /fapi/… `path` (v1 unless it names its version)."""
        full = path if path.startswith("/") else f"/fapi/v1/{path}"
        texts = {name: as_text(value) for name, value in params.items()}
        return self.exchange.request(method, full, texts, now=self.now, account=account)

    def refused(self, method: str, path: str, **params: Any) -> int:
        """Return the code of the refusal that a call must meet."""
        with pytest.raises(ApiError) as caught:
            self.call(method, path, **params)
        return caught.value.code

    def limit(self, side: str = "BUY", price: str = "69000", **params: Any) -> Any:
        """Place a GTC limit order of 0.010 BTC."""
        terms = {"symbol": "BTCUSDT", "quantity": "0.010", "timeInForce": "GTC"} | params
        return self.call("POST", "order", side=side, type="LIMIT", price=price, **terms)

    def market(self, side: str = "BUY", **params: Any) -> Any:
        """Place a market order of 0.010 BTC with its result in the answer."""
        terms = {"symbol": "BTCUSDT", "quantity": "0.010", "newOrderRespType": "RESULT"} | params
        return self.call("POST", "order", side=side, type="MARKET", **terms)

    def algo(self, side: str, kind: str, **params: Any) -> Any:
        """Place a conditional order of 0.010 BTC."""
        terms = {"symbol": "BTCUSDT", "algoType": "CONDITIONAL"} | params
        if not terms.get("closePosition"):
            terms.setdefault("quantity", "0.010")
        return self.call("POST", "algoOrder", side=side, type=kind, **terms)

    def price(self, price: str, symbol: str = "BTCUSDT") -> None:
        """Move mark and last price."""
        self.exchange.set_price(symbol, price=Decimal(price), now=self.now)

    def wait(self, milliseconds: int) -> None:
        """Let time pass."""
        self.now += milliseconds
        self.exchange.advance(self.now)

    def told(self) -> list[dict[str, Any]]:
        """Return what the user stream was told since the last call."""
        return [
            dict(event.payload) for event in self.exchange.drain() if isinstance(event, UserEvent)
        ]

    def story(self) -> list[str]:
        """Return the events told, each in short: its name and its state."""
        return [short(event) for event in self.told()]

    def held(self, symbol: str = "BTCUSDT", side: str = "BOTH") -> Decimal:
        """Return the signed position."""
        return self.exchange.state.accounts["paper"].amount(symbol, side)

    def wallet(self) -> Decimal:
        """Return the wallet balance in USDT."""
        return self.exchange.state.accounts["paper"].wallet["USDT"]


def short(event: dict[str, Any]) -> str:
    """Return an event's name and state."""
    if event["e"] in ("ORDER_TRADE_UPDATE", "ALGO_UPDATE"):
        return f"{'ORDER' if event['e'][0] == 'O' else 'ALGO'} {event['o']['X']}"
    return str(event["e"])


def as_text(value: Any) -> str:
    """Return a parameter as the text it travels as."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value)
