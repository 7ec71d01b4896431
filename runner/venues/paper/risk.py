"""Who is near liquidation, and who is over it: margin calls and liquidations."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from .account import Account, Position
from .forced import liquidate
from .margin import stake, totals
from .numbers import ZERO, JsonObject, brief, fixed, money
from .state import State

# The share of the margin balance that maintenance takes when MARGIN_CALL is sent. The exchange
# documents none; 80 % is when its own site warns.
MARGIN_CALL_AT = Decimal("0.8")


def watch_risk(state: State, now: int, symbol: str = "") -> None:
    """Call and liquidate the accounts that hold a position (of `symbol`, if one is named)."""
    for account in list(state.accounts.values()):
        if any(held.amount and symbol in ("", held.symbol) for held in account.positions.values()):
            assess(state, account, now)


def assess(state: State, account: Account, now: int) -> None:
    """Look at an account's isolated positions one by one, and at its cross positions together."""
    held = [one for one in account.positions.values() if one.amount]
    for position in held:
        if account.setting(position.symbol).isolated and position.amount:
            _assess_isolated(state, account, position, now)
    for asset in dict.fromkeys(state.symbols[one.symbol].margin for one in held):
        _assess_cross(state, account, asset, now)
    alive = {_name(one) for one in account.positions.values() if one.amount}
    for name in [one for one in account.warned if " " in one and one not in alive]:
        del account.warned[name]


def _name(position: Position) -> str:
    return f"{position.symbol} {position.side}"


def _assess_isolated(state: State, account: Account, position: Position, now: int) -> None:
    own = stake(state, account, position.symbol, position.side)
    balance = position.isolated_wallet + own.unrealized
    if own.maintenance >= balance:
        liquidate(state, account, position, now)
    elif _newly_called(account, _name(position), own.maintenance, balance, now):
        _tell_call(state, account, [position], now)


def _assess_cross(state: State, account: Account, asset: str, now: int) -> None:
    while positions := _cross_positions(state, account, asset):
        sums = totals(state, account, asset)
        if sums.cross_maintenance < sums.cross_balance:
            called = _newly_called(account, asset, sums.cross_maintenance, sums.cross_balance, now)
            if called:
                _tell_call(state, account, positions, now, money(sums.cross_wallet))
            return
        liquidate(state, account, positions[0], now)
    account.warned.pop(asset, None)


def _cross_positions(state: State, account: Account, asset: str) -> list[Position]:
    """Return the cross positions of an asset, the one that ties up most maintenance first."""
    found = [
        held
        for held in account.positions.values()
        if held.amount
        and state.symbols[held.symbol].margin == asset
        and not account.setting(held.symbol).isolated
    ]
    found.sort(key=lambda held: -stake(state, account, held.symbol, held.side).maintenance)
    return found


def _newly_called(
    account: Account, name: str, maintenance: Decimal, balance: Decimal, now: int
) -> bool:
    """Return whether a margin call is due that was not sent since the ratio was lower."""
    if maintenance < balance * MARGIN_CALL_AT:
        account.warned.pop(name, None)
        return False
    known = name in account.warned
    account.warned.setdefault(name, now)
    return not known


def _tell_call(
    state: State, account: Account, positions: Iterable[Position], now: int, cross: str = ""
) -> None:
    rows: list[JsonObject] = [_called(state, account, held) for held in positions]
    head: JsonObject = {"e": "MARGIN_CALL", "E": now}
    if cross:
        head["cw"] = cross
    state.tell(account.name, head | {"p": [*rows]})


def _called(state: State, account: Account, held: Position) -> JsonObject:
    own = stake(state, account, held.symbol, held.side)
    isolated = account.setting(held.symbol).isolated
    return {
        "s": held.symbol,
        "ps": held.side,
        "pa": brief(held.amount, state.symbols[held.symbol].quantity_digits),
        "mt": "ISOLATED" if isolated else "CROSSED",
        "iw": brief(held.isolated_wallet if isolated else ZERO, 8),
        "mp": fixed(state.market(held.symbol).mark, 8),
        "up": fixed(own.unrealized, 8),
        "mm": fixed(own.maintenance, 8),
    }
