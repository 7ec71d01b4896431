"""The control endpoint of tests: move prices, ask for faults, read every order ever."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from .errors import ApiError
from .gateway import Gateway
from .moves import Move
from .numbers import Json
from .orders import stored

_PRICES = (
    "price",
    "mark",
    "last",
    "bid",
    "ask",
    "bid_quantity",
    "ask_quantity",
    "quantity",
    "index",
    "funding_rate",
)


class Control:
    """Answers `/paper/…`; exists only where a server was asked to have it."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._routes: dict[tuple[str, str], Callable[[dict[str, Any]], Json]] = {
            ("POST", "/paper/price"): self._price,
            ("POST", "/paper/fault"): self._fault,
            ("DELETE", "/paper/fault"): self._clear_faults,
            ("GET", "/paper/orders"): self._orders,
        }

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, Json]:
        """Return (HTTP status, document)."""
        route = self._routes.get((method, path))
        if route is None:
            return 404, {"error": f"no {method} {path}: try {sorted(self._routes)}"}
        try:
            document = json.loads(body or b"{}", parse_float=str)
            with self._gateway.lock:
                return 200, route(document)
        except ApiError as refusal:
            return 400, {"error": refusal.msg}
        except (ValueError, TypeError, KeyError, ArithmeticError) as error:
            return 400, {"error": f"{type(error).__name__}: {error}"}

    def _price(self, document: dict[str, Any]) -> Json:
        prices: dict[str, Any] = {
            name: Decimal(str(document[name])) for name in _PRICES if document.get(name) is not None
        }
        now = self._gateway.clock()
        self._gateway.exchange.apply(Move(now, document["symbol"], **prices), now)
        self._gateway.settle(now, at_once=True)
        return {"symbol": document["symbol"], "time": now}

    def _fault(self, document: dict[str, Any]) -> Json:
        self._gateway.faults.add(document)
        return {}

    def _clear_faults(self, _: dict[str, Any]) -> Json:
        self._gateway.faults.clear()
        return {}

    def _orders(self, _: dict[str, Any]) -> Json:
        """Every order ever accepted, and every conditional order, of all accounts."""
        state = self._gateway.exchange.state
        orders: list[Json] = [
            stored(order, state.symbols[order.symbol])
            | {"account": order.account, "algoId": order.algo_id}
            for order in self._gateway.exchange.orders()
        ]
        algos: list[Json] = [
            {
                "account": account.name,
                "algoId": algo.algo_id,
                "clientAlgoId": algo.client_algo_id,
                "symbol": algo.symbol,
                "orderType": algo.type,
                "algoStatus": algo.status,
                "actualOrderId": algo.actual_order_id,
            }
            for account in state.accounts.values()
            for algo in account.algos.values()
        ]
        return {"orders": orders, "algos": algos}
