"""Market data over REST: time, rules, depth, trades, candles, tickers, mark price."""

from __future__ import annotations

from collections.abc import Callable

from .book import LEVELS, Market
from .call import Call
from .errors import refuse
from .funding import FUNDING_INTERVAL, next_funding
from .history import INTERVALS, Candle, bounds
from .numbers import ZERO, Json, JsonObject, fixed
from .symbols import RATE_LIMITS, Symbol

FUNDING_RATE = "0.00010000"
DEPTH_LIMITS = (5, 10, 20, 50, 100, 500, 1000)


def ping(_: Call) -> JsonObject:
    """GET /fapi/v1/ping."""
    return {}


def server_time(call: Call) -> JsonObject:
    """GET /fapi/v1/time."""
    return {"serverTime": call.now}


def exchange_info(call: Call) -> JsonObject:
    """GET /fapi/v1/exchangeInfo."""
    margins = sorted({symbol.margin for symbol in call.state.symbols.values()})
    assets: list[Json] = [
        {"asset": asset, "marginAvailable": True, "autoAssetExchange": "-10000"}
        for asset in margins
    ]
    symbols: list[Json] = [dict(symbol.document) for symbol in call.state.symbols.values()]
    return {
        "timezone": "UTC",
        "serverTime": call.now,
        "futuresType": "U_MARGINED",
        "rateLimits": [*RATE_LIMITS],
        "exchangeFilters": [],
        "assets": assets,
        "symbols": symbols,
    }


def depth(call: Call) -> JsonObject:
    """GET /fapi/v1/depth; raises -4021."""
    market = _market(call)
    limit = call.params.integer("limit", 500) or 0
    if limit not in DEPTH_LIMITS:
        raise refuse(-4021, limit)
    return {
        "lastUpdateId": market.update_id,
        "E": call.now,
        "T": market.time,
        "bids": levels(market, "BUY", limit),
        "asks": levels(market, "SELL", limit),
    }


def levels(market: Market, side: str, count: int) -> list[Json]:
    """Return the best levels of a side as [price, quantity] texts."""
    symbol = market.symbol
    return [
        [fixed(price, symbol.price_digits), fixed(quantity, symbol.quantity_digits)]
        for price, quantity in market.visible(side, min(count, LEVELS))
    ]


def trades(call: Call) -> list[Json]:
    """GET /fapi/v1/trades and historicalTrades, oldest first."""
    market = _market(call)
    limit = min(call.params.integer("limit", 500) or 500, 1000)
    first = call.params.integer("fromId")
    found = [one for one in market.prints if first is None or one.trade_id >= first]
    chosen = found[-limit:] if first is None else found[:limit]
    symbol = market.symbol
    return [
        {
            "id": one.trade_id,
            "price": fixed(one.price, symbol.price_digits),
            "qty": fixed(one.quantity, symbol.quantity_digits),
            "quoteQty": fixed(one.price * one.quantity, 2),
            "time": one.time,
            "isBuyerMaker": one.buyer_is_maker,
            "isRPITrade": False,
        }
        for one in chosen
    ]


def agg_trades(call: Call) -> list[Json]:
    """GET /fapi/v1/aggTrades: on paper each trade is its own aggregate."""
    market = _market(call)
    limit = min(call.params.integer("limit", 500) or 500, 1000)
    symbol = market.symbol
    first = call.params.integer("fromId", 0) or 0
    start, end = call.params.integer("startTime", 0) or 0, call.params.integer("endTime")
    found = [
        one
        for one in market.prints
        if one.trade_id >= first and start <= one.time and (end is None or one.time <= end)
    ]
    return [
        {
            "a": one.trade_id,
            "p": fixed(one.price, symbol.price_digits),
            "q": fixed(one.quantity, symbol.quantity_digits),
            "nq": fixed(one.quantity, symbol.quantity_digits),
            "f": one.trade_id,
            "l": one.trade_id,
            "T": one.time,
            "m": one.buyer_is_maker,
        }
        for one in found[-limit:]
    ]


def klines(call: Call) -> list[Json]:
    """GET /fapi/v1/klines and its mark, index and premium kin; raises -1120."""
    name = call.params.values.get("pair") or call.params.text("symbol")
    market = call.state.market(call.state.symbol(name).name)
    interval = call.params.text("interval")
    if interval not in INTERVALS:
        raise refuse(-1120)
    start = call.params.integer("startTime", 0) or 0
    end = call.params.integer("endTime", call.now) or 0
    limit = min(call.params.integer("limit", 500) or 500, 1500)
    found = [one for one in market.history.candles(interval, call.now) if start <= one.start <= end]
    chosen = found[:limit] if call.params.has("startTime") else found[-limit:]
    return [_kline(one, bounds(interval, one.start)[1], market.symbol) for one in chosen]


def _kline(candle: Candle, end: int, symbol: Symbol) -> list[Json]:
    tick, lot = symbol.price_digits, symbol.quantity_digits
    return [
        candle.start,
        fixed(candle.open, tick),
        fixed(candle.high, tick),
        fixed(candle.low, tick),
        fixed(candle.close, tick),
        fixed(candle.volume, lot),
        end - 1,
        fixed(candle.quote, 5),
        candle.count,
        fixed(candle.taker_volume, lot),
        fixed(candle.taker_quote, 5),
        "0",
    ]


def premium_index(call: Call) -> Json:
    """GET /fapi/v1/premiumIndex."""
    return _one_or_all(call, lambda market: _premium(call, market))


def _premium(call: Call, market: Market) -> JsonObject:
    mark = fixed(market.mark, 8)
    return {
        "symbol": market.symbol.name,
        "markPrice": mark,
        "indexPrice": fixed(market.index, 8),
        "estimatedSettlePrice": mark,
        "lastFundingRate": fixed(market.funding_rate, 8),
        "interestRate": FUNDING_RATE,
        "nextFundingTime": next_funding(call.now),
        "time": call.now,
    }


def funding_rates(call: Call) -> list[Json]:
    """GET /fapi/v1/fundingRate: the past full funding times at the constant paper rate."""
    market = _market(call) if call.params.has("symbol") else None
    names = [market.symbol.name] if market else list(call.state.symbols)
    limit = min(call.params.integer("limit", 100) or 100, 1000)
    last = next_funding(call.now) - FUNDING_INTERVAL
    end = min(last, call.params.integer("endTime", last) or last)
    start = max(call.params.integer("startTime", 0) or 0, end - 90 * 86_400_000)
    times = range(end - end % FUNDING_INTERVAL, start - 1, -FUNDING_INTERVAL)[:limit]
    rows: list[Json] = [
        {
            "symbol": name,
            "fundingRate": FUNDING_RATE,
            "fundingTime": time,
            "markPrice": fixed(call.state.market(name).mark, 8),
            "rateType": "Regular",
        }
        for time in reversed(times)
        for name in names
    ]
    return rows[-limit:]


def funding_info(_: Call) -> list[Json]:
    """GET /fapi/v1/fundingInfo: no symbol differs from the rule."""
    return []


def price_ticker(call: Call) -> Json:
    """GET /fapi/v1/ticker/price and /fapi/v2/ticker/price."""
    return _one_or_all(
        call,
        lambda market: {
            "symbol": market.symbol.name,
            "price": fixed(market.last, market.symbol.price_digits),
            "time": market.time,
        },
    )


def book_ticker(call: Call) -> Json:
    """GET /fapi/v1/ticker/bookTicker."""
    return _one_or_all(call, _book_ticker)


def _book_ticker(market: Market) -> JsonObject:
    tick, lot = market.symbol.price_digits, market.symbol.quantity_digits
    (bid, bids), (ask, asks) = market.best("BUY"), market.best("SELL")
    return {
        "symbol": market.symbol.name,
        "bidPrice": fixed(bid, tick),
        "bidQty": fixed(bids, lot),
        "askPrice": fixed(ask, tick),
        "askQty": fixed(asks, lot),
        "time": market.time,
        "lastUpdateId": market.update_id,
    }


def day_ticker(call: Call) -> Json:
    """GET /fapi/v1/ticker/24hr."""
    return _one_or_all(call, lambda market: _day_ticker(market, call.now))


def _day_ticker(market: Market, now: int) -> JsonObject:
    tick, lot = market.symbol.price_digits, market.symbol.quantity_digits
    day = market.history.day(now)
    change = market.last - day.open
    weighted = day.quote / day.volume if day.volume else market.last
    return {
        "symbol": market.symbol.name,
        "priceChange": fixed(change, tick),
        "priceChangePercent": fixed(change / day.open * 100, 3),
        "weightedAvgPrice": fixed(weighted, tick),
        "lastPrice": fixed(market.last, tick),
        "lastQty": fixed(market.prints[-1].quantity, lot),
        "openPrice": fixed(day.open, tick),
        "highPrice": fixed(day.high, tick),
        "lowPrice": fixed(day.low, tick),
        "volume": fixed(day.volume, lot),
        "quoteVolume": fixed(day.quote, 2),
        "openTime": day.start,
        "closeTime": now,
        "firstId": day.first_id,
        "lastId": day.last_id,
        "count": day.count,
    }


def open_interest(call: Call) -> JsonObject:
    """GET /fapi/v1/openInterest: what the paper accounts hold."""
    market = _market(call)
    held = sum(
        (
            abs(account.amount(market.symbol.name, side))
            for account in call.state.accounts.values()
            for side in ("BOTH", "LONG", "SHORT")
        ),
        ZERO,
    )
    return {
        "openInterest": fixed(held, market.symbol.quantity_digits),
        "symbol": market.symbol.name,
        "time": call.now,
    }


def _market(call: Call) -> Market:
    return call.state.market(call.state.symbol(call.params.text("symbol")).name)


def _one_or_all(call: Call, document: Callable[[Market], JsonObject]) -> Json:
    if call.params.has("symbol"):
        return document(_market(call))
    return [document(call.state.market(name)) for name in call.state.symbols]
