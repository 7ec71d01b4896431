"""The smaller questions: margin history, insurance fund, indices, fee burn, trading status."""

from __future__ import annotations

from .call import Call
from .numbers import Json, JsonObject, fixed
from .quotes import depth


def margin_history(call: Call) -> list[Json]:
    """GET /fapi/v1/positionMargin/history: how isolated margin was moved, oldest first."""
    symbol = call.state.symbol(call.params.text("symbol"))
    kind, params = call.params.integer("type"), call.params
    start = params.integer("startTime", 0) or 0
    end = params.integer("endTime", call.now) or call.now
    limit = min(params.integer("limit", 500) or 500, 500)
    found: list[Json] = [
        row
        for row in call.account.margin_moves
        if row["symbol"] == symbol.name
        and kind in (None, row["type"])
        and start <= int(str(row["time"])) <= end
    ]
    return found[-limit:]


def insurance_balance(call: Call) -> Json:
    """GET /fapi/v1/insuranceBalance: what the insurance fund of each asset holds."""
    name = call.params.values.get("symbol", "")
    wanted = call.state.symbol(name).margin if name else ""
    symbols = call.state.symbols.values()
    rows: list[Json] = [
        {
            "symbols": [one.name for one in symbols if one.margin == asset],
            "assets": [{"asset": asset, "marginBalance": fixed(amount, 8), "updateTime": call.now}],
        }
        for asset, amount in call.state.insurance.items()
        if wanted in ("", asset)
    ]
    return rows[0] if name else rows


def no_rows(_: Call) -> list[Json]:
    """GET /fapi/v1/indexInfo and assetIndex: the paper exchange has no composite index."""
    return []


def constituents(call: Call) -> JsonObject:
    """GET /fapi/v1/constituents: the index is the mark's own, or was given."""
    symbol = call.state.symbol(call.params.text("symbol"))
    price = fixed(call.state.market(symbol.name).index, symbol.price_digits)
    row: JsonObject = {
        "exchange": "paper",
        "symbol": symbol.name,
        "price": price,
        "weight": "1.00000000",
    }
    return {"symbol": symbol.name, "time": call.now, "constituents": [row]}


def adl_risk(call: Call) -> Json:
    """GET /fapi/v1/symbolAdlRisk."""
    name = call.params.values.get("symbol", "")
    names = [call.state.symbol(name).name] if name else list(call.state.symbols)
    rows: list[Json] = [{"symbol": one, "adlRisk": "low", "updateTime": call.now} for one in names]
    return rows[0] if name else rows


def rpi_depth(call: Call) -> JsonObject:
    """GET /fapi/v1/rpiDepth: the book, in which there are no RPI orders."""
    return depth(call)


def trading_status(call: Call) -> JsonObject:
    """GET /fapi/v1/apiTradingStatus: no indicator is over its limit."""
    return {"indicators": {}, "updateTime": call.now}


def set_fee_burn(call: Call) -> JsonObject:
    """POST /fapi/v1/feeBurn: kept; without BNB in the wallet it changes no fee."""
    call.params.text("feeBurn")
    call.account.fee_burn = call.params.flag("feeBurn")
    call.state.version += 1
    return {"code": 200, "msg": "success"}


def fee_burn(call: Call) -> JsonObject:
    """GET /fapi/v1/feeBurn."""
    return {"feeBurn": call.account.fee_burn}
