"""The exchange's memory as JSON and back: whole, or what changed since the last time."""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from typing import Any, get_args, get_origin, get_type_hints

from .account import Account
from .algo import Algo
from .numbers import Json, JsonObject
from .orders import Order
from .state import Serials, State

VERSION = 1
# Kept in full in a snapshot, and only by what is new or changed in a delta.
_TABLES: dict[str, type] = {"orders": Order, "algos": Algo}
_LOGS = ("fills", "income", "amendments", "margin_moves")
# Rebuilt from the tables.
_DERIVED = ("open", "waiting", "newest")


def pack(state: State) -> JsonObject:
    """Return all of a state as a JSON document."""
    return _document(state, {name: encode(one) for name, one in state.accounts.items()}, "all")


def pack_changes(state: State, told: dict[str, dict[str, int]]) -> JsonObject:
    """Return what changed since the last call; `told` remembers how much of the logs was."""
    accounts: dict[str, Json] = {}
    for name, account in state.accounts.items():
        part = {
            one.name: encode(getattr(account, one.name))
            for one in fields(account)
            if one.name not in (*_TABLES, *_LOGS, *_DERIVED)
        }
        part["orders"] = {
            str(number): encode(account.orders[number])
            for number in sorted(state.changed_orders)
            if number in account.orders
        }
        part["algos"] = {
            str(number): encode(account.algos[number])
            for number in sorted(state.changed_algos)
            if number in account.algos
        }
        seen = told.setdefault(name, {})
        for log in _LOGS:
            rows = getattr(account, log)
            part[log] = encode(rows[seen.get(log, 0) :])
        accounts[name] = part
    remember(state, told)
    return _document(state, accounts, "changes")


def remember(state: State, told: dict[str, dict[str, int]]) -> None:
    """Note that everything so far has been written."""
    for name, account in state.accounts.items():
        told[name] = {log: len(getattr(account, log)) for log in _LOGS}
    state.changed_orders.clear()
    state.changed_algos.clear()


def _document(state: State, accounts: dict[str, Json], kind: str) -> JsonObject:
    busy = set(state.markets) if kind == "all" else _busy(state)
    prices: dict[str, Json] = {
        name: [str(market.mark), str(market.last), str(market.bid), str(market.ask)]
        for name, market in state.markets.items()
        if name in busy
    }
    return {
        "version": VERSION,
        "kind": kind,
        "now": state.now,
        "serials": encode(state.serials),
        "accounts": accounts,
        "insurance": encode(state.insurance),
        "statuses": encode(state.statuses),
        "prices": prices,
    }


def _busy(state: State) -> set[str]:
    names = {name for name, orders in state.resting.items() if orders}
    names |= {name for name, algos in state.waiting.items() if algos}
    for account in state.accounts.values():
        names |= {held.symbol for held in account.positions.values() if held.amount}
    return names


def unpack(state: State, documents: Iterable[Mapping[str, Any]]) -> None:
    """Put a snapshot and the changes after it into a state whose symbols are set.

    Raises KeyError for a document that is none and ValueError for another version.
    """
    for document in documents:
        if document["version"] != VERSION:
            raise ValueError(
                f"the paper exchange's memory has version {document['version']}, this runner "
                f"reads {VERSION}: move the file away to start afresh"
            )
        state.now = document["now"]
        state.serials = decode(Serials, document["serials"])
        state.insurance |= decode(dict[str, Decimal], document.get("insurance", {}))
        for name, status in document.get("statuses", {}).items():
            if name in state.symbols:
                state.symbols[name] = state.symbols[name].with_status(status)
                state.statuses[name] = status
        for name, part in document["accounts"].items():
            before = state.accounts.get(name) if document["kind"] == "changes" else None
            state.accounts[name] = _merged(before, part)
        _restore_prices(state, document["prices"])
    for account in state.accounts.values():
        _index(state, account)


def _merged(before: Account | None, part: Mapping[str, Any]) -> Account:
    account: Account = decode(Account, part)
    if before is not None:
        account.orders = before.orders | account.orders
        account.algos = before.algos | account.algos
        account.fills = before.fills + account.fills
        account.income = before.income + account.income
        account.amendments = before.amendments + account.amendments
        account.margin_moves = before.margin_moves + account.margin_moves
    return account


def _index(state: State, account: Account) -> None:
    for order in account.orders.values():
        account.newest[f"{order.symbol} {order.client_order_id}"] = order.order_id
        if order.is_open:
            state.rest(order)
    for algo in account.algos.values():
        if algo.status == "NEW":
            state.wait(algo)


def _restore_prices(state: State, prices: Mapping[str, list[str]]) -> None:
    for name, texts in prices.items():
        if name in state.symbols:
            mark, last, bid, ask = (Decimal(text) for text in texts)
            state.market(name).move(state.now, mark=mark, last=last, bid=bid, ask=ask)


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
