"""The control endpoint of tests: move prices, ask for faults, read every order ever."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from .errors import ApiError
from .forced import auto_deleverage
from .gateway import Gateway
from .ledger import transfer
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
            ("POST", "/paper/status"): self._status,
            ("POST", "/paper/adl"): self._deleverage,
            ("POST", "/paper/transfer"): self._transfer,
            ("POST", "/paper/clock"): self._clock,
            ("POST", "/paper/lag"): self._lag,
            ("DELETE", "/paper/streams"): self._cut,
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

    def _status(self, document: dict[str, Any]) -> Json:
        """Give a symbol a status; SETTLING settles its positions (at `price`, or the mark)."""
        now, price = self._gateway.clock(), document.get("price")
        self._gateway.exchange.set_status(
            document["symbol"],
            str(document["status"]),
            now,
            None if price is None else Decimal(str(price)),
        )
        self._gateway.settle(now, at_once=True)
        return {}

    def _deleverage(self, document: dict[str, Any]) -> Json:
        """Close an account's position as ADL does."""
        now, state = self._gateway.clock(), self._gateway.exchange.state
        symbol, side = document["symbol"], str(document.get("positionSide", "BOTH"))
        account = state.accounts[document["account"]]
        if not account.amount(symbol, side):
            raise ValueError(f"{document['account']} holds no {symbol} {side}: name a position")
        quantity = document.get("quantity")
        wanted = None if quantity is None else Decimal(str(quantity))
        done = auto_deleverage(state, account, account.position(symbol, side), now, None, wanted)
        self._gateway.settle(now)
        return {"quantity": str(done)}

    def _transfer(self, document: dict[str, Any]) -> Json:
        """Bring money into an account from another wallet, or take it out."""
        now, state = self._gateway.clock(), self._gateway.exchange.state
        account = state.accounts[document.get("account") or next(iter(state.accounts))]
        amount = Decimal(str(document["amount"]))
        transfer(state, account, str(document.get("asset", "USDT")), amount, now)
        self._gateway.settle(now)
        return {"time": now}

    def _clock(self, document: dict[str, Any]) -> Json:
        """Let the exchange's clock be wrong by `ms`."""
        self._gateway.skew = int(document["ms"])
        return {}

    def _lag(self, document: dict[str, Any]) -> Json:
        """Let queries see orders as they were `ms` ago."""
        self._gateway.exchange.state.read_lag = int(document["ms"])
        return {}

    def _cut(self, document: dict[str, Any]) -> Json:
        """End the stream connections of `room` (public, market, private), or all."""
        return {"ended": self._gateway.streams.cut(str(document.get("room", "")))}

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
