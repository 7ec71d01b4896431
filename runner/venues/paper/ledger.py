"""What is noted and told when money moves: income rows and ACCOUNT_UPDATE."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from .account import Account, Position
from .numbers import ZERO, JsonObject, booked, brief, fixed, money
from .orders import Fill
from .state import State


def note_income(
    state: State,
    account: Account,
    kind: str,
    amount: Decimal,
    asset: str,
    now: int,
    *,
    symbol: str = "",
    info: str = "",
    trade_id: str = "",
) -> None:
    """Add a row to the income history; `info` is the kind by default."""
    account.income.append(
        {
            "symbol": symbol,
            "incomeType": kind,
            "income": fixed(amount, 8),
            "asset": asset,
            "info": info or kind,
            "time": now,
            "tranId": state.serials.transfer(),
            "tradeId": trade_id,
        }
    )


def note_fill(state: State, account: Account, one: Fill) -> None:
    """Note the commission and the realized profit of a fill in the income history."""
    serial = str(one.trade_id)
    rows = [("COMMISSION", -one.fee, serial)]
    if one.realized:
        rows.append(("REALIZED_PNL", one.realized, ""))
    for kind, amount, info in rows:
        note_income(
            state,
            account,
            kind,
            amount,
            one.fee_asset,
            one.time,
            symbol=one.symbol,
            info=info,
            trade_id=serial,
        )


def move_money(
    state: State, account: Account, position: Position, kind: str, amount: Decimal, now: int
) -> None:
    """Pay `amount` (negative: take it) on account of a position, note it and tell it.

    An isolated position pays out of its own margin and is told with it; in cross margin only the
    balance is told ("when FUNDING FEE occurs", user data streams).
    """
    asset = state.symbols[position.symbol].margin
    amount = booked(amount)
    account.wallet[asset] = account.wallet.get(asset, ZERO) + amount
    account.wallet_time = now
    isolated = account.setting(position.symbol).isolated and bool(position.amount)
    if isolated:
        position.isolated_wallet += amount
        position.update_time = now
    note_income(state, account, kind, amount, asset, now, symbol=position.symbol)
    told = [position] if isolated else []
    update = account_update(state, account, kind, told, now, {asset: amount})
    state.tell(account.name, update)


def transfer(state: State, account: Account, asset: str, amount: Decimal, now: int) -> None:
    """Bring money in from another wallet, or (below 0) take it out; noted and told."""
    account.wallet[asset] = account.wallet.get(asset, ZERO) + amount
    account.wallet_time = now
    note_income(state, account, "TRANSFER", amount, asset, now)
    reason = "DEPOSIT" if amount > 0 else "WITHDRAW"
    state.tell(account.name, account_update(state, account, reason, [], now, {asset: amount}))


def account_update(
    state: State,
    account: Account,
    reason: str,
    positions: list[Position],
    now: int,
    changes: Mapping[str, Decimal] | None = None,
) -> JsonObject:
    """Return the ACCOUNT_UPDATE event: the wallet and the positions that changed.

    `changes` are the amounts that came or went otherwise than by profit and commission.
    """
    balances: list[JsonObject] = [
        {
            "a": asset,
            "wb": money(amount),
            "cw": money(amount - isolated_in(state, account, asset)),
            "bc": brief((changes or {}).get(asset, ZERO), 8),
        }
        for asset, amount in account.wallet.items()
        if amount
    ]
    changed: list[JsonObject] = [_position_row(state, account, held) for held in positions]
    details: JsonObject = {"B": [*balances], "P": [*changed], "m": reason}
    return {"e": "ACCOUNT_UPDATE", "T": now, "E": now, "a": details}


def isolated_in(state: State, account: Account, asset: str) -> Decimal:
    """Return what isolated positions hold of an asset."""
    return sum(
        (
            held.isolated_wallet
            for held in account.positions.values()
            if held.isolated_wallet and state.symbols[held.symbol].margin == asset
        ),
        ZERO,
    )


def _position_row(state: State, account: Account, held: Position) -> JsonObject:
    symbol = state.symbols[held.symbol]
    digits = max(5, symbol.price_digits)
    return {
        "s": held.symbol,
        "pa": brief(held.amount, symbol.quantity_digits),
        "ep": fixed(held.entry, digits),
        "bep": fixed(held.break_even, digits),
        "cr": fixed(held.realized, 8),
        "up": brief(held.unrealized(state.market(held.symbol).mark), 8),
        "mt": "isolated" if account.setting(held.symbol).isolated else "cross",
        "iw": brief(held.isolated_wallet, 8),
        "ps": held.side,
        "ma": symbol.margin,
    }
