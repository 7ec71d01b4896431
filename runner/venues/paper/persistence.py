"""The exchange's memory as JSON and back."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from typing import Any, get_args, get_origin, get_type_hints

from .account import Account
from .numbers import Json, JsonObject
from .state import Serials, State

VERSION = 1


def pack(state: State) -> JsonObject:
    """Return the accounts, counters and prices of a state as a JSON document."""
    prices: dict[str, Json] = {
        name: [str(market.mark), str(market.last), str(market.bid), str(market.ask)]
        for name, market in state.markets.items()
    }
    return {
        "version": VERSION,
        "now": state.now,
        "serials": encode(state.serials),
        "accounts": {name: encode(one) for name, one in state.accounts.items()},
        "prices": prices,
    }


def unpack(state: State, document: Mapping[str, Any]) -> None:
    """Put a packed document into a state whose symbols are set; raises KeyError, ValueError."""
    if document["version"] != VERSION:
        raise ValueError(
            f"the paper exchange's state file has version {document['version']}, "
            f"this runner reads {VERSION}: move the file away to start afresh"
        )
    state.now = document["now"]
    state.serials = decode(Serials, document["serials"])
    for name, one in document["accounts"].items():
        state.accounts[name] = account = decode(Account, one)
        for order in account.orders.values():
            if order.is_open:
                account.open[order.order_id] = order
                state.resting.setdefault(order.symbol, {})[order.order_id] = order
        for algo in account.algos.values():
            if algo.status == "NEW":
                account.waiting[algo.algo_id] = algo
                state.waiting.setdefault(algo.symbol, {})[algo.algo_id] = algo
    for name, (mark, last, bid, ask) in document["prices"].items():
        if name in state.symbols:
            state.market(name).move(
                state.now,
                mark=Decimal(mark),
                last=Decimal(last),
                bid=Decimal(bid),
                ask=Decimal(ask),
            )


# Views of `orders` and `algos` that are rebuilt instead of stored.
_DERIVED = ("open", "waiting")


def encode(value: Any) -> Json:
    """Return a dataclass, or what its fields hold, as JSON; a Decimal becomes text."""
    if is_dataclass(value):
        names = [one.name for one in fields(value) if one.name not in _DERIVED]
        return {name: encode(getattr(value, name)) for name in names}
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dict):
        return {str(key): encode(one) for key, one in value.items()}
    if isinstance(value, list):
        return [encode(one) for one in value]
    return value  # type: ignore[no-any-return]  # text, numbers, flags and None stay


def decode(kind: Any, value: Any) -> Any:
    """Return JSON as an instance of `kind`: the reverse of `encode`."""
    if isinstance(kind, type) and is_dataclass(kind):
        # The alias names itself, which only a type checker can follow.
        hints = get_type_hints(kind, localns={"Json": object})
        return kind(**{name: decode(hints[name], one) for name, one in value.items()})
    if kind is Decimal:
        return Decimal(value)
    if get_origin(kind) is dict and get_args(kind)[0] in (int, str):
        key, item = get_args(kind)
        return {key(name): decode(item, one) for name, one in value.items()}
    if get_origin(kind) is list and not isinstance(get_args(kind)[0], types.UnionType):
        return [decode(get_args(kind)[0], one) for one in value]
    return value
