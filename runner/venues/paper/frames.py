"""The market streams: which names exist, in which category, and what each message says."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from .book import LEVELS, Market
from .funding import next_funding
from .history import INTERVALS, bounds
from .numbers import Json, JsonObject, fixed
from .quotes import levels

# Stream category by the part after `@` (change notice of 2026-03-05); everything else is market.
_PUBLIC = re.compile(r"(.+@|!)(bookTicker|depth.*|rpiDepth.*)\Z")
_ARRAYS = ("!markPrice@arr", "!miniTicker@arr", "!ticker@arr", "!bookTicker")
_KINDS = re.compile(
    r"(?P<symbol>[^@!]+)@(?P<kind>aggTrade|trade|markPrice|kline_\w+|miniTicker|ticker|bookTicker|"
    r"depth\d*|continuousKline_\w+|forceOrder)(?:@(?P<speed>\d+m?s))?\Z"
)
_DEPTH_SPEED = {None: 250, "100ms": 100, "250ms": 250, "500ms": 500, "0ms": 0}


def category(name: str) -> str:
    """Return `public` or `market`: the address under which a stream delivers."""
    return "public" if _PUBLIC.match(name) else "market"


@dataclass(slots=True)
class Stream:
    """One subscribed stream; `period` is the shortest time (ms) between two messages."""

    name: str
    symbol: str
    kind: str
    period: int
    steady: bool = False
    sent_at: int = 0
    dirty: bool = False
    last_update_id: int = 0
    ends_at: int = 0
    shown: dict[str, dict[str, str]] = field(default_factory=dict)


def open_stream(name: str) -> Stream | None:
    """Return the stream of that name, None for a name that no stream has (symbols are lower case).

    Periods are the documented update speeds.
    """
    if name.removesuffix("@1s") in _ARRAYS:
        kind = name.removesuffix("@1s").removeprefix("!").removesuffix("@arr")
        period = 1000 if name.endswith("@1s") else {"markPrice": 3000, "bookTicker": 5000}.get(kind)
        return Stream(name, "", kind, period or 2000, steady=kind == "markPrice")
    found = _KINDS.match(name)
    if found is None:
        return None
    symbol = found["symbol"].removesuffix("_perpetual")
    if symbol != symbol.lower():
        return None
    kind, speed = found["kind"], found["speed"]
    if kind == "markPrice":
        return Stream(name, symbol, kind, 1000 if speed == "1s" else 3000, steady=True)
    if kind.startswith("depth"):
        return Stream(name, symbol, kind, _DEPTH_SPEED.get(speed, 250))
    if kind.startswith(("kline_", "continuousKline_")):
        known = kind.partition("_")[2] in INTERVALS
        return Stream(name, symbol, kind, 250) if known else None
    return Stream(name, symbol, kind, 2000 if kind in ("miniTicker", "ticker") else 0)


def message(stream: Stream, market: Market, now: int) -> JsonObject | None:
    """Return a stream's present message about a market, None when there is nothing to say."""
    kind = stream.kind
    if kind.startswith("depth"):
        return _depth(stream, market, now)
    if kind.startswith(("kline_", "continuousKline_")):
        return _kline(stream, market, now)
    builder = _BUILDERS.get(kind)
    return builder(market, now) if builder else None


def mark_price(market: Market, now: int) -> JsonObject:
    """Return a markPriceUpdate."""
    mark = fixed(market.mark, 8)
    return {
        "e": "markPriceUpdate",
        "E": now,
        "s": market.symbol.name,
        "p": mark,
        "ap": mark,
        "i": fixed(market.index, 8),
        "P": mark,
        "r": fixed(market.funding_rate, 8),
        "T": next_funding(now),
        "st": 1,
    }


def agg_trade(market: Market, now: int) -> JsonObject:
    """Return the newest trade as an aggTrade (on paper each trade is its own aggregate)."""
    one, symbol = market.prints[-1], market.symbol
    quantity = fixed(one.quantity, symbol.quantity_digits)
    return {
        "e": "aggTrade",
        "E": now,
        "s": symbol.name,
        "a": one.trade_id,
        "p": fixed(one.price, symbol.price_digits),
        "q": quantity,
        "nq": quantity,
        "f": one.trade_id,
        "l": one.trade_id,
        "T": one.time,
        "m": one.buyer_is_maker,
        "st": 1,
    }


def trade(market: Market, now: int) -> JsonObject:
    """Return the newest trade."""
    one, symbol = market.prints[-1], market.symbol
    return {
        "e": "trade",
        "E": now,
        "T": one.time,
        "s": symbol.name,
        "t": one.trade_id,
        "p": fixed(one.price, symbol.price_digits),
        "q": fixed(one.quantity, symbol.quantity_digits),
        "X": "MARKET",
        "m": one.buyer_is_maker,
        "st": 1,
    }


def book_ticker(market: Market, now: int) -> JsonObject:
    """Return the best bid and ask."""
    tick, lot = market.symbol.price_digits, market.symbol.quantity_digits
    (bid, bids), (ask, asks) = market.best("BUY"), market.best("SELL")
    return {
        "e": "bookTicker",
        "u": market.update_id,
        "s": market.symbol.name,
        "ps": market.symbol.name,
        "b": fixed(bid, tick),
        "B": fixed(bids, lot),
        "a": fixed(ask, tick),
        "A": fixed(asks, lot),
        "T": market.time,
        "E": now,
        "st": 1,
    }


def mini_ticker(market: Market, now: int) -> JsonObject:
    """Return the 24-hour figures, short form."""
    tick, lot = market.symbol.price_digits, market.symbol.quantity_digits
    day = market.history.day(now)
    return {
        "e": "24hrMiniTicker",
        "E": now,
        "s": market.symbol.name,
        "c": fixed(market.last, tick),
        "o": fixed(day.open, tick),
        "h": fixed(day.high, tick),
        "l": fixed(day.low, tick),
        "v": fixed(day.volume, lot),
        "q": fixed(day.quote, 2),
        "ps": market.symbol.name,
        "st": 1,
    }


def ticker(market: Market, now: int) -> JsonObject:
    """Return the 24-hour figures."""
    tick, lot = market.symbol.price_digits, market.symbol.quantity_digits
    day = market.history.day(now)
    change = market.last - day.open
    weighted = day.quote / day.volume if day.volume else market.last
    return {
        **mini_ticker(market, now),
        "e": "24hrTicker",
        "p": fixed(change, tick),
        "P": fixed(change / day.open * 100, 3),
        "w": fixed(weighted, tick),
        "Q": fixed(market.prints[-1].quantity, lot),
        "O": day.start,
        "C": now,
        "F": day.first_id,
        "L": day.last_id,
        "n": day.count,
    }


_BUILDERS: dict[str, Callable[[Market, int], JsonObject]] = {
    "markPrice": mark_price,
    "aggTrade": agg_trade,
    "trade": trade,
    "bookTicker": book_ticker,
    "miniTicker": mini_ticker,
    "ticker": ticker,
}


def _kline(stream: Stream, market: Market, now: int) -> JsonObject | None:
    interval = stream.kind.partition("_")[2]
    market.history.extend(now)
    # The end of a candle is told before the next one begins.
    closing = 0 < stream.ends_at <= now
    candle = market.history.candle(interval, stream.ends_at - 1 if closing else now)
    if candle is None:
        return None
    symbol = market.symbol
    tick, lot = symbol.price_digits, symbol.quantity_digits
    _, end = bounds(interval, candle.start)
    stream.ends_at = 0 if closing else end
    stream.dirty = closing
    bar: JsonObject = {
        "t": candle.start,
        "T": end - 1,
        "s": symbol.name,
        "i": interval,
        "f": candle.first_id,
        "L": candle.last_id,
        "o": fixed(candle.open, tick),
        "c": fixed(candle.close, tick),
        "h": fixed(candle.high, tick),
        "l": fixed(candle.low, tick),
        "v": fixed(candle.volume, lot),
        "n": candle.count,
        "x": closing,
        "q": fixed(candle.quote, 5),
        "V": fixed(candle.taker_volume, lot),
        "Q": fixed(candle.taker_quote, 5),
        "B": "0",
    }
    if stream.kind.startswith("kline_"):
        return {"e": "kline", "E": now, "s": symbol.name, "k": bar}
    del bar["s"]
    head: JsonObject = {"e": "continuous_kline", "E": now, "ps": symbol.name, "ct": "PERPETUAL"}
    return head | {"k": bar}


def _depth(stream: Stream, market: Market, now: int) -> JsonObject:
    """Return a partial book (depth5, 10, 20) or what changed since the last message."""
    count = stream.kind.removeprefix("depth")
    before = stream.last_update_id or market.update_id - 1
    stream.last_update_id = market.update_id
    return {
        "e": "depthUpdate",
        "E": now,
        "T": market.time,
        "s": market.symbol.name,
        "ps": market.symbol.name,
        "U": min(before + 1, market.update_id),
        "u": market.update_id,
        "pu": before,
        "b": levels(market, "BUY", int(count)) if count else _changes(stream, market, "BUY"),
        "a": levels(market, "SELL", int(count)) if count else _changes(stream, market, "SELL"),
        "st": 1,
    }


def _changes(stream: Stream, market: Market, side: str) -> list[Json]:
    now_shown: dict[str, str] = {
        str(row[0]): str(row[1]) for row in levels(market, side, LEVELS) if isinstance(row, list)
    }
    before = stream.shown.get(side, {})
    stream.shown[side] = now_shown
    gone: list[Json] = [
        [price, fixed(market.symbol.step * 0, market.symbol.quantity_digits)]
        for price in before
        if price not in now_shown
    ]
    rows: list[Json] = [
        [price, quantity] for price, quantity in now_shown.items() if before.get(price) != quantity
    ]
    return gone + rows
