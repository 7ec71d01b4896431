"""What an account can set: leverage, margin type, position mode, multi-assets mode."""

from __future__ import annotations

from decimal import Decimal

from .account import Account
from .brackets import max_notional
from .call import Call
from .errors import refuse
from .ledger import account_update
from .margin import removable, stake, totals
from .numbers import Json, JsonObject
from .symbols import Symbol

_SUCCESS: JsonObject = {"code": 200, "msg": "success"}


def set_leverage(call: Call) -> JsonObject:
    """POST /fapi/v1/leverage; raises -4028, -2027, -2028 and, for an isolated position, -4161."""
    symbol = call.state.symbol(call.params.text("symbol"))
    leverage = call.params.whole("leverage")
    ladder = call.state.brackets_of(symbol.name)
    if not 1 <= leverage <= ladder[0].leverage:
        raise refuse(-4028, leverage)
    setting = call.account.setting(symbol.name)
    if setting.isolated and leverage < setting.leverage and _held(call.account, symbol.name):
        raise refuse(-4161)
    _check_leverage(call, symbol, leverage)
    setting.leverage = leverage
    call.account.settings[symbol.name] = setting
    call.state.tell(
        call.account_name,
        {
            "e": "ACCOUNT_CONFIG_UPDATE",
            "E": call.now,
            "T": call.now,
            "ac": {"s": symbol.name, "l": leverage},
        },
    )
    most = max_notional(ladder, leverage)
    return {"leverage": leverage, "maxNotionalValue": str(most), "symbol": symbol.name}


def _check_leverage(call: Call, symbol: Symbol, leverage: int) -> None:
    """Raise -2027 for a leverage that is too high for what is held, -2028 for a costly one."""
    state, account = call.state, call.account
    ties = [stake(state, account, symbol.name, side) for side in account.sides()]
    notional = sum((tied.initial_margin for tied in ties), Decimal(0))
    notional *= account.setting(symbol.name).leverage
    if notional > max_notional(state.brackets_of(symbol.name), leverage):
        raise refuse(-2027)
    growth = notional / leverage - notional / account.setting(symbol.name).leverage
    if growth > totals(state, account, symbol.margin).available:
        raise refuse(-2028)


def set_margin_type(call: Call) -> JsonObject:
    """POST /fapi/v1/marginType; raises -4046, -4047, -4048, -4168."""
    symbol = call.state.symbol(call.params.text("symbol"))
    wanted = call.params.text("marginType").upper()
    if wanted not in ("ISOLATED", "CROSSED"):
        raise refuse(-1130, "marginType")
    account = call.account
    setting = account.setting(symbol.name)
    if setting.isolated == (wanted == "ISOLATED"):
        raise refuse(-4046)
    if account.multi_assets and wanted == "ISOLATED":
        raise refuse(-4168)
    if account.resting(symbol.name) or _waiting(account, symbol.name):
        raise refuse(-4047)
    if _held(account, symbol.name):
        raise refuse(-4048)
    setting.isolated = wanted == "ISOLATED"
    account.settings[symbol.name] = setting
    call.state.tell(
        account.name,
        account_update(
            call.state,
            account,
            "MARGIN_TYPE_CHANGE",
            [account.position(symbol.name, side) for side in account.sides()],
            call.now,
        ),
    )
    return dict(_SUCCESS)


def position_mode(call: Call) -> JsonObject:
    """GET /fapi/v1/positionSide/dual."""
    return {"dualSidePosition": call.account.hedge}


def set_position_mode(call: Call) -> JsonObject:
    """POST /fapi/v1/positionSide/dual; raises -4059, -4067, -4068."""
    call.params.text("dualSidePosition")
    hedge, account = call.params.flag("dualSidePosition"), call.account
    if account.hedge == hedge:
        raise refuse(-4059)
    if account.open or account.waiting:
        raise refuse(-4067)
    if any(held.amount for held in account.positions.values()):
        raise refuse(-4068)
    account.hedge = hedge
    call.state.version += 1
    return dict(_SUCCESS)


def multi_assets_mode(call: Call) -> JsonObject:
    """GET /fapi/v1/multiAssetsMargin."""
    return {"multiAssetsMargin": call.account.multi_assets}


def set_multi_assets_mode(call: Call) -> JsonObject:
    """POST /fapi/v1/multiAssetsMargin; raises -4171, -4170, -4167."""
    call.params.text("multiAssetsMargin")
    wanted, account = call.params.flag("multiAssetsMargin"), call.account
    if account.multi_assets == wanted:
        raise refuse(-4171)
    if account.open or account.waiting:
        raise refuse(-4170)
    if wanted and any(setting.isolated for setting in account.settings.values()):
        raise refuse(-4167)
    account.multi_assets = wanted
    call.state.tell(
        account.name,
        {"e": "ACCOUNT_CONFIG_UPDATE", "E": call.now, "T": call.now, "ai": {"j": wanted}},
    )
    return dict(_SUCCESS)


def move_position_margin(call: Call) -> JsonObject:
    """POST /fapi/v1/positionMargin: add (type 1) or remove (type 2) isolated margin."""
    symbol = call.state.symbol(call.params.text("symbol"))
    amount, kind = call.params.decimal("amount"), call.params.whole("type")
    if amount is None or amount <= 0:
        raise refuse(-4055)
    if kind not in (1, 2):
        raise refuse(-1130, "type")
    account = call.account
    side = call.params.values.get("positionSide", "BOTH").upper()
    if side not in account.sides():
        raise refuse(-4061)
    if not account.setting(symbol.name).isolated:
        raise refuse(-4049)
    position = account.position(symbol.name, side)
    if not position.amount:
        raise refuse(-4054)
    if kind == 1 and amount > totals(call.state, account, symbol.margin).available:
        raise refuse(-4050)
    if kind == 2 and amount > removable(call.state, account, position):
        raise refuse(-4051)
    position.isolated_wallet += amount if kind == 1 else -amount
    account.margin_moves.append(
        {
            "symbol": symbol.name,
            "type": kind,
            "deltaType": "USER_ADJUST",
            "amount": format(amount, "f"),
            "asset": symbol.margin,
            "time": call.now,
            "positionSide": side,
        }
    )
    call.state.tell(
        account.name,
        account_update(call.state, account, "MARGIN_TRANSFER", [position], call.now),
    )
    return {
        "amount": float(amount),
        "code": 200,
        "msg": "Successfully modify position margin.",
        "type": kind,
    }


def symbol_config(call: Call) -> list[Json]:
    """GET /fapi/v1/symbolConfig, of one symbol or of all."""
    name = call.params.values.get("symbol", "")
    names = [call.state.symbol(name).name] if name else list(call.state.symbols)
    return [_symbol_config(call, one) for one in names]


def _symbol_config(call: Call, name: str) -> JsonObject:
    setting = call.account.setting(name)
    most = max_notional(call.state.brackets_of(name), setting.leverage)
    return {
        "symbol": name,
        "marginType": "ISOLATED" if setting.isolated else "CROSSED",
        "isAutoAddMargin": False,
        "leverage": setting.leverage,
        "maxNotionalValue": str(most),
    }


def _held(account: Account, symbol: str) -> Decimal:
    """Return how much of a symbol is held in all its position sides together."""
    return sum(
        (abs(held.amount) for held in account.positions.values() if held.symbol == symbol),
        Decimal(0),
    )


def _waiting(account: Account, symbol: str) -> bool:
    return any(algo.symbol == symbol for algo in account.waiting.values())
