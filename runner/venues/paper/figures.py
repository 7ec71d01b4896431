"""Balances, positions and account figures, in both versions that clients still ask for."""

from __future__ import annotations

import base64
import hashlib

from .account import Account, Position
from .brackets import bracket_document, max_notional
from .call import Call
from .errors import refuse
from .forced import forced_orders
from .margin import Totals, busy_keys, liquidation_price, stake, totals
from .numbers import ZERO, Json, JsonObject, fixed, money
from .orders import stored
from .state import State
from .symbols import RATE_LIMITS


def balances(call: Call) -> list[Json]:
    """GET /fapi/v2/balance and /fapi/v3/balance."""
    return [_balance(call, asset) for asset in call.account.wallet]


def _alias(name: str) -> str:
    """A code of letters as the exchange's: one an account, the same for all its keys."""
    return base64.b32encode(hashlib.sha256(name.encode()).digest()).decode()[:8]


def _balance(call: Call, asset: str) -> JsonObject:
    sums = totals(call.state, call.account, asset)
    return {
        "accountAlias": _alias(call.account.name),
        "asset": asset,
        "balance": money(sums.wallet),
        "crossWalletBalance": money(sums.cross_wallet),
        "crossUnPnl": money(sums.cross_unrealized),
        "availableBalance": money(sums.available),
        "maxWithdrawAmount": money(sums.withdrawable),
        "marginAvailable": True,
        "updateTime": call.account.wallet_time,
    }


def _asset(call: Call, asset: str) -> JsonObject:
    sums = totals(call.state, call.account, asset)
    return {
        "asset": asset,
        "walletBalance": money(sums.wallet),
        "unrealizedProfit": money(sums.unrealized),
        "marginBalance": money(sums.wallet + sums.unrealized),
        "maintMargin": money(sums.maintenance),
        "initialMargin": money(sums.position_margin + sums.order_margin),
        "positionInitialMargin": money(sums.position_margin),
        "openOrderInitialMargin": money(sums.order_margin),
        "crossWalletBalance": money(sums.cross_wallet),
        "crossUnPnl": money(sums.cross_unrealized),
        "availableBalance": money(sums.available),
        "maxWithdrawAmount": money(sums.withdrawable),
        "marginAvailable": True,
        "updateTime": call.account.wallet_time,
    }


def _sums(sums: Totals) -> JsonObject:
    return {
        "totalInitialMargin": money(sums.position_margin + sums.order_margin),
        "totalMaintMargin": money(sums.maintenance),
        "totalWalletBalance": money(sums.wallet),
        "totalUnrealizedProfit": money(sums.unrealized),
        "totalMarginBalance": money(sums.wallet + sums.unrealized),
        "totalPositionInitialMargin": money(sums.position_margin),
        "totalOpenOrderInitialMargin": money(sums.order_margin),
        "totalCrossWalletBalance": money(sums.cross_wallet),
        "totalCrossUnPnl": money(sums.cross_unrealized),
        "availableBalance": money(sums.available),
        "maxWithdrawAmount": money(sums.withdrawable),
    }


def account_v3(call: Call) -> JsonObject:
    """GET /fapi/v3/account: only symbols with a position or open orders."""
    account = call.account
    rows: list[Json] = [
        _account_position(call.state, account, symbol, side) for symbol, side in busy_keys(account)
    ]
    assets: list[Json] = [_asset(call, asset) for asset in account.wallet]
    return _sums(totals(call.state, account, "USDT")) | {"assets": assets, "positions": rows}


def _account_position(state: State, account: Account, symbol: str, side: str) -> JsonObject:
    held = account.positions.get(f"{symbol} {side}") or Position(symbol, side)
    tied = stake(state, account, symbol, side)
    return {
        "symbol": symbol,
        "positionSide": side,
        "positionAmt": fixed(held.amount, state.symbols[symbol].quantity_digits),
        "unrealizedProfit": money(tied.unrealized),
        "isolatedMargin": _isolated_margin(account, held),
        "notional": fixed(tied.notional, 8),
        "isolatedWallet": money(held.isolated_wallet),
        "initialMargin": money(tied.initial_margin),
        "maintMargin": money(tied.maintenance),
        "updateTime": held.update_time,
    }


def _isolated_margin(account: Account, held: Position) -> str:
    if not account.setting(held.symbol).isolated or not held.amount:
        return money(ZERO)
    return money(held.isolated_wallet)


def account_v2(call: Call) -> JsonObject:
    """GET /fapi/v2/account: every symbol, with leverage and margin type."""
    account, state = call.account, call.state
    rows: list[Json] = []
    for symbol in state.symbols:
        for side in account.sides():
            held = account.positions.get(f"{symbol} {side}") or Position(symbol, side)
            setting = account.setting(symbol)
            tied = stake(state, account, symbol, side)
            row = _account_position(state, account, symbol, side)
            del row["isolatedMargin"], row["notional"]
            most = max_notional(state.brackets_of(symbol), setting.leverage)
            rows.append(
                row
                | {
                    "positionInitialMargin": money(tied.position_margin),
                    "openOrderInitialMargin": money(tied.order_margin),
                    "leverage": str(setting.leverage),
                    "isolated": setting.isolated,
                    "entryPrice": fixed(held.entry, max(5, state.symbols[symbol].price_digits)),
                    "breakEvenPrice": fixed(held.break_even, 8),
                    "maxNotional": str(most),
                    "bidNotional": fixed(tied.bid_notional, 8),
                    "askNotional": fixed(tied.ask_notional, 8),
                }
            )
    head: JsonObject = {
        "feeTier": 0,
        "feeBurn": account.fee_burn,
        "canTrade": True,
        "canDeposit": True,
        "canWithdraw": True,
        "updateTime": 0,
        "multiAssetsMargin": account.multi_assets,
        "tradeGroupId": -1,
    }
    assets: list[Json] = [_asset(call, asset) for asset in account.wallet]
    return head | _sums(totals(state, account, "USDT")) | {"assets": assets, "positions": rows}


def account_config(call: Call) -> JsonObject:
    """GET /fapi/v1/accountConfig."""
    return {
        "feeTier": 0,
        "canTrade": True,
        "canDeposit": True,
        "canWithdraw": True,
        "dualSidePosition": call.account.hedge,
        "updateTime": 0,
        "multiAssetsMargin": call.account.multi_assets,
        "tradeGroupId": -1,
    }


def positions_v3(call: Call) -> list[Json]:
    """GET /fapi/v3/positionRisk: only symbols with a position or open orders."""
    wanted = _wanted(call)
    return [
        _risk_v3(call.state, call.account, symbol, side)
        for symbol, side in busy_keys(call.account)
        if wanted in ("", symbol)
    ]


def _risk_v3(state: State, account: Account, symbol: str, side: str) -> JsonObject:
    held = account.positions.get(f"{symbol} {side}") or Position(symbol, side)
    rules, tied = state.symbols[symbol], stake(state, account, symbol, side)
    digits = max(5, rules.price_digits)
    return {
        "symbol": symbol,
        "positionSide": side,
        "positionAmt": fixed(held.amount, rules.quantity_digits),
        "entryPrice": fixed(held.entry, digits),
        "breakEvenPrice": fixed(held.break_even, digits),
        "markPrice": fixed(state.market(symbol).mark, 8),
        "unRealizedProfit": money(tied.unrealized),
        "liquidationPrice": fixed(liquidation_price(state, account, held), digits),
        "isolatedMargin": _isolated_margin(account, held),
        "notional": fixed(tied.notional, 8),
        "marginAsset": rules.margin,
        "isolatedWallet": money(held.isolated_wallet),
        "initialMargin": money(tied.initial_margin),
        "maintMargin": money(tied.maintenance),
        "positionInitialMargin": money(tied.position_margin),
        "openOrderInitialMargin": money(tied.order_margin),
        "adl": 1 if held.amount else 0,
        "bidNotional": fixed(tied.bid_notional, 8),
        "askNotional": fixed(tied.ask_notional, 8),
        "updateTime": held.update_time,
    }


def positions_v2(call: Call) -> list[Json]:
    """GET /fapi/v2/positionRisk: every symbol, with leverage and margin type."""
    wanted = _wanted(call)
    names = [wanted] if wanted else list(call.state.symbols)
    return [
        _risk_v2(call.state, call.account, name, side)
        for name in names
        for side in (("BOTH", "LONG", "SHORT") if call.account.hedge else ("BOTH",))
    ]


_RISK_V2 = (
    *("entryPrice", "breakEvenPrice", "markPrice", "liquidationPrice", "unRealizedProfit"),
    *("symbol", "positionSide", "positionAmt", "notional", "updateTime"),
    *("isolatedMargin", "isolatedWallet"),
)


def _risk_v2(state: State, account: Account, symbol: str, side: str) -> JsonObject:
    row = _risk_v3(state, account, symbol, side)
    setting = account.setting(symbol)
    most = max_notional(state.brackets_of(symbol), setting.leverage)
    extra: JsonObject = {
        "marginType": "isolated" if setting.isolated else "cross",
        "isAutoAddMargin": "false",
        "leverage": str(setting.leverage),
        "maxNotionalValue": str(most),
    }
    return {name: row[name] for name in _RISK_V2} | extra


def leverage_brackets(call: Call) -> list[Json]:
    """GET /fapi/v1/leverageBracket, of one symbol or of all."""
    wanted = _wanted(call)
    names = [wanted] if wanted else list(call.state.symbols)
    return [bracket_document(name, call.state.brackets_of(name)) for name in names]


def commission_rate(call: Call) -> JsonObject:
    """GET /fapi/v1/commissionRate."""
    symbol = call.state.symbol(call.params.text("symbol"))
    return {
        "symbol": symbol.name,
        "makerCommissionRate": format(call.state.maker_fee, "f"),
        "takerCommissionRate": format(call.state.taker_fee, "f"),
        "rpiCommissionRate": "0.00005",
    }


def order_rate_limits(_: Call) -> list[Json]:
    """GET /fapi/v1/rateLimit/order."""
    return [dict(one) for one in RATE_LIMITS if one["rateLimitType"] == "ORDERS"]


def adl_quantile(call: Call) -> list[Json]:
    """GET /fapi/v1/adlQuantile."""
    rows: dict[str, dict[str, Json]] = {}
    for held in call.account.positions.values():
        if held.amount:
            rows.setdefault(held.symbol, {})[held.side] = 1
    return [{"symbol": symbol, "adlQuantile": sides} for symbol, sides in rows.items()]


def force_orders(call: Call) -> list[Json]:
    """GET /fapi/v1/forceOrders: how the exchange closed positions, newest first."""
    wanted = _wanted(call)
    kind = call.params.values.get("autoCloseType", "").upper()
    if kind not in ("", "LIQUIDATION", "ADL"):
        raise refuse(-1130, "autoCloseType")
    starts = {"LIQUIDATION": "autoclose-", "ADL": "adl_autoclose"}.get(kind, "")
    start = call.params.integer("startTime", 0) or 0
    end = call.params.integer("endTime", call.now) or call.now
    limit = min(call.params.integer("limit", 50) or 50, 100)
    found: list[Json] = [
        stored(order, call.state.symbols[order.symbol])
        for order in forced_orders(call.account)
        if wanted in ("", order.symbol)
        and order.client_order_id.startswith(starts)
        and start <= order.time <= end
    ]
    return found[:limit]


def api_restrictions(call: Call) -> JsonObject:
    """GET /sapi/v1/account/apiRestrictions: a key that may trade and never withdraw."""
    return {
        "ipRestrict": True,
        "createTime": call.account.opened_at,
        "enableReading": True,
        "enableWithdrawals": False,
        "enableInternalTransfer": False,
        "enableMargin": False,
        "enableFutures": True,
        "permitsUniversalTransfer": False,
        "enableVanillaOptions": False,
        "enableFixApiTrade": False,
        "enableFixReadOnly": False,
        "enableSpotAndMarginTrading": False,
        "enablePortfolioMarginTrading": False,
    }


def _wanted(call: Call) -> str:
    name = call.params.values.get("symbol", "")
    return call.state.symbol(name).name if name else ""
